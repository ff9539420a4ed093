"""What a picture is made of: a run or prepared data, opened as far as the picture asks for.

Free of torch and numpy until a picture is drawn, for the help page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dlcli.core.errors import UsageError
from dlcli.core.run_dir import RunDir

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from dlcli.data.codec import Source

Drawn = Iterator[tuple[str, "np.ndarray"]]
"""The stem of a file's name and its picture, (H, W, 3) uint8 RGB."""


def require_images(tensor: Tensor) -> Tensor:
    """Return the model's input as it is, (N, C, H, W).

    Raises:
        UsageError: it is of another shape, so no image.
    """
    if tensor.ndim != 4:
        raise UsageError("this picture is of images, and the run's inputs are none")
    return tensor


@dataclass(frozen=True)
class Input:
    """One input of the user's.

    Attributes:
        name: for the picture's file.
        source: what it was read from.
        arrays: name -> (1, ...) as the model takes it.
    """

    name: str
    source: Source
    arrays: Mapping[str, Tensor]

    @property
    def tensor(self) -> Tensor:
        """The image, (1, C, H, W).

        Raises:
            UsageError: it is none.
        """
        return require_images(next(iter(self.arrays.values())))

    @property
    def picture(self) -> np.ndarray:
        """The image as the model sees it, (H, W, 3) uint8 RGB."""
        pixels = self.tensor[0].numpy().transpose(1, 2, 0)
        return pixels.repeat(3 // pixels.shape[2], axis=2)


class Subject(Protocol):
    """What is drawn: a run or prepared data, opened as far as a picture asks for."""

    @property
    def name(self) -> str:
        """Return what the user called it."""
        ...

    def run(self) -> RunDir:
        """Return the run; UsageError where the subject is data."""
        ...

    def network(self) -> nn.Module:
        """Return the run's model, in evaluation mode."""
        ...

    def assets(self) -> Mapping[str, Any]:
        """Return the JSON values that travel with the run, by name: labels, vocabulary, preprocessing."""
        ...

    def codec(self) -> Any:
        """Return the codec of the run's task, made from its assets."""
        ...

    def example(self) -> Tensor:
        """Return the model's first input in the right shape, (1, ...), of whatever content."""
        ...

    def inputs(self) -> Sequence[Input]:
        """Return the user's inputs; UsageError where there are none."""
        ...

    def data(self) -> Path:
        """Return the prepared data of the subject."""
        ...

    def training_samples(self) -> np.ndarray:
        """Return a picture of what training sees."""
        ...

    def shows(self, texts: Iterable[str]) -> None:
        """Note texts that stand in the picture beside the class names, so that missing glyphs can be told."""
        ...


@dataclass(frozen=True)
class NoOptions:
    """Of pictures that have none."""
