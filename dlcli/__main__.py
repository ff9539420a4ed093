"""`dl` and `python -m dlcli`."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    from dlcli.cli.app import run, unwind
    from dlcli.cli.process import open_closed_streams, quieten_libraries

    signal.signal(signal.SIGTERM, unwind)
    open_closed_streams()
    quieten_libraries(sys.argv[1:])
    code = run(sys.argv[1:])
    if "RANK" in os.environ:
        # One of torchrun's processes: a thread of torch's collectives may outlive the interpreter and abort it
        # ("terminate called without an active exception", one end in twelve with torch 2.15), and torchrun would take
        # that for a failure.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
