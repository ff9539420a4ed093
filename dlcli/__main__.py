"""`dl` and `python -m dlcli`."""

from __future__ import annotations

import os
import sys

TRAINING = ("train", "rerun")
"""The commands that several processes can run together."""

SHARED = ("predict", "--out")
"""The command, and its option, with which each of several processes answers its share of the inputs."""

WORLD = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
"""The variables by which torchrun numbers its processes. A job's environment may have them in front of any command,
which would then wait for processes that never come, or be mute as one that is not the first."""


def main() -> None:
    """Run the command line and exit with its code."""
    from dlcli.cli.app import run
    from dlcli.cli.process import make_threads_sleep, open_closed_streams, quieten_libraries
    from dlcli.core.interruption import catch_signals

    open_closed_streams()
    catch_signals()
    quieten_libraries(sys.argv[1:])
    make_threads_sleep(os.environ)
    if not _is_of_several(sys.argv[1:]):
        for name in WORLD:
            os.environ.pop(name, None)
    if "RANK" in os.environ:
        from dlcli.cli.launching import end_with_launcher

        end_with_launcher()
    code = run(sys.argv[1:])
    if "RANK" in os.environ:
        # One of torchrun's processes: a thread of torch's collectives may outlive the interpreter and abort it
        # ("terminate called without an active exception", one end in twelve with torch 2.15), and torchrun would take
        # that for a failure.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _is_of_several(words: list[str]) -> bool:
    """Return whether several processes can run this line together."""
    command, option = SHARED
    return words[:1] in ([name] for name in TRAINING) or (
        words[:1] == [command] and any(word.partition("=")[0] == option for word in words)
    )


if __name__ == "__main__":
    main()
