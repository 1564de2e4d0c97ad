"""The stand-in's process: `python -m tests.gcp.standin --dir RUN`, then `. RUN/env.sh` in any shell.

It ends when its standard input does where `--until-eof` is given, as the tests do: it never outlives who started it.
"""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path

from tests.gcp.standin.standin import Standin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", required=True, type=Path, metavar="RUN", help="where its files go; made if need be")
    parser.add_argument("--project", default="acme-test", help="the project that the account belongs to")
    parser.add_argument("--until-eof", action="store_true", help="end with the standard input")
    options = parser.parse_args()
    standin = Standin(options.dir, options.project)
    print(f"ready: . {standin.folder / 'env.sh'}", flush=True)
    try:
        if options.until_eof:
            sys.stdin.read()
        else:
            threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        standin.cloud.close()


if __name__ == "__main__":
    main()
