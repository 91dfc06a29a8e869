"""In place of the dashboard: says what it was given, echoes keys and sizes. Run by tests/doors/doorman.py."""

import os
import signal
import sys
import tty


def say(text: str) -> None:
    os.write(1, f"{text}\r\n".encode())


def tell_size(*_: object) -> None:
    size = os.get_terminal_size(0)
    say(f"size={size.columns}x{size.lines}")


def main() -> None:
    tty.setraw(0)
    signal.signal(signal.SIGWINCH, tell_size)
    say(f"role={sys.argv[1]}")
    say(f"name={sys.argv[2]}")
    say("env=" + " ".join(f"{name}={value}" for name, value in sorted(os.environ.items())))
    say(f"terminals={os.isatty(0)},{os.isatty(1)},{os.isatty(2)} leader={os.getsid(0) == os.getpid()}")
    tell_size()
    say(f"pid={os.getpid()}.")
    if "stubborn" in sys.argv[2]:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    while True:
        key = os.read(0, 1)
        match key:
            case b"q":
                say("bye")
                sys.exit(7)
            case b"f":
                for number in range(20_000):
                    say(f"{number:>78}")
                say("flooded")
            case b"e":
                while True:
                    say("endless " * 9)
            case b"":
                return
            case _:
                say(f"key={key!r}")


if __name__ == "__main__":
    main()
