"""The program `mlspec`, also as `python -m mlspec`."""

from __future__ import annotations

import signal
import sys


def main(argv: list[str] | None = None) -> None:
    """Run one command and exit with its code. The only function that calls sys.exit.

    Ctrl-C ends the program at once, and without a traceback, until the command handles it and after the command has ended.
    """
    if (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ):  # a shell starts what runs in its background without
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from mlspec.cli.main import run

    sys.exit(run(sys.argv[1:] if argv is None else argv))


if __name__ == "__main__":
    main()
