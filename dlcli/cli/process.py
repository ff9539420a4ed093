"""What a process of `dl` is set up with before its command runs: open streams, and libraries that keep quiet."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import MutableMapping

HELP = frozenset({"-h", "--help", "--help-all", "--version"})


def open_closed_streams() -> None:
    """Open the standard streams that the caller closed (`>&-`) on nothing.

    Otherwise Python has None for them, and the next file that is opened takes their number and what is printed.
    """
    for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
        if stream is not None:
            continue
        descriptor = os.open(os.devnull, os.O_RDWR)
        if descriptor != number:
            os.dup2(descriptor, number)
            os.close(descriptor)
    sys.stdin = sys.stdin or open(0, encoding="utf-8")  # noqa: SIM115 - open until the process ends
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8")  # noqa: SIM115


def make_threads_sleep(environment: MutableMapping[str, str]) -> None:
    """Let threads that wait for others sleep; effective for a process that has not loaded torch yet.

    OpenMP's threads wait by spinning: beside another busy process they spin for one that is not running, which on two
    cores makes a training 4 to 8 times as slow (benchmarks/shared_machine.py). What the user has set is kept.
    """
    environment.setdefault("OMP_WAIT_POLICY", "passive")


def quieten_libraries(args: list[str]) -> None:
    """Discard what libraries log and warn of, which is for programmers: torch, numpy, matplotlib, onnxruntime.

    Not with `--debug`, nor where Python was told which warnings to show. Help pages import no library, and for them
    the import of `logging` would take a tenth of the time.
    """
    if "--debug" in args:
        return
    # The C++ part of torch, which no filter of Python's reaches: a processor lacks what NNPACK needs, or
    # DistributedDataParallel advises against looking for unused parameters. Read when torch is loaded.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    if not sys.warnoptions:
        warnings.showwarning = _discard  # not a filter, since libraries set filters when they are imported
    if HELP.isdisjoint(args):
        import logging

        logging.disable(logging.CRITICAL)


def _discard(*details: object, **more: object) -> None:
    del details, more
