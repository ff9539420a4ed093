"""`dl serve` whose processes are told to reload before they have begun and while they open their models."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from dlcli.serve.models import Shelf
from dlcli.serve.plan import Plan
from dlcli.serve.workers import Supervisor

load, start = Shelf.load, Supervisor._start


def load_and_be_told(shelf: Shelf, plan: Plan) -> None:
    os.kill(os.getpid(), signal.SIGHUP)
    load(shelf, plan)


def start_and_tell(supervisor: Supervisor, folder: Path) -> Any:
    worker = start(supervisor, folder)
    supervisor._pass_on(signal.SIGUSR1)
    return worker


Shelf.load = load_and_be_told  # type: ignore[method-assign]
Supervisor._start = start_and_tell  # type: ignore[method-assign]

if __name__ == "__main__":  # the workers import this file, too
    from dlcli.__main__ import main

    main()
