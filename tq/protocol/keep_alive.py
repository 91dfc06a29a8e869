"""What the ends of a connection ask of the kernel: clients, the broker and its edges."""

import socket

_PROBES = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))


def keep_alive(sock: socket.socket, *, unacknowledged_ms: int = 60_000) -> None:
    """Have the kernel find out about hosts that vanished: 30 s idle, then three probes 10 s apart. Nothing on a unix
    socket.

    Args:
        unacknowledged_ms: how long bytes that were sent may go without an acknowledgement.
    """
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (*_PROBES, ("TCP_USER_TIMEOUT", unacknowledged_ms)):
        option = getattr(socket, name, None)  # not on every system
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
