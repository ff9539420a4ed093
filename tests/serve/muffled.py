"""`dl serve` whose processes decode an image for as long as they serve: file descriptor 2 leads nowhere."""

from __future__ import annotations

from typing import Any

from dlcli.data.images.muffling import muffled
from dlcli.serve.running import Running

serve = Running.serve


def serve_muffled(running: Running, *args: Any, **more: Any) -> None:
    with muffled:
        serve(running, *args, **more)


Running.serve = serve_muffled  # type: ignore[method-assign]

if __name__ == "__main__":  # the workers import this file, too
    from dlcli.__main__ import main

    main()
