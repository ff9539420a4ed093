"""Opening the models of a server, in whichever process needs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlcli.core.console import Console

if TYPE_CHECKING:
    from dlcli.answering.opening import Opened


@dataclass(frozen=True)
class Opener:
    """Opens runs and files as `dl predict` does.

    Attributes:
        device, threads: where they compute.
        inference: the inference options by the name of the task.
        pretrained: see `open_model`.
    """

    device: str
    threads: int | None
    inference: Mapping[str, Any]
    pretrained: str | None = None

    def __call__(self, target: str) -> Opened:
        """Return the model of a run or file.

        Raises:
            DlError: it cannot be opened.
        """
        from dlcli.answering.opening import open_model, task_of

        spec = task_of(target, self.pretrained)
        return open_model(
            target,
            device=self.device,
            threads=self.threads,
            inference=self.inference.get(spec.name) if spec is not None else None,
            pretrained=self.pretrained,
            report=Console().warn,
        )
