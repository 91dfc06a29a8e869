"""Three connections one after the other through one login: what the dashboard does. stay.py ADDRESS."""

import sys

import psutil

from tq.client.blocking import Client
from tq.client.ssh_login import logged_in


def main() -> None:
    address = sys.argv[1]
    roles = []
    with logged_in([address], seconds=10):
        for _ in range(3):
            with Client(address, can_ask=False) as client:
                roles.append(client.connect().role)
    print("roles:", *roles)
    print("left:", psutil.Process().children(recursive=True))


if __name__ == "__main__":
    main()
