"""The subject of a picture: a run or prepared data, opened lazily.

Free of torch and numpy until a picture is drawn, for the help page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dlcli.core.errors import UsageError
from dlcli.core.run_dir import RunDir
from dlcli.core.table import Table

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from dlcli.data.codec import Source
    from dlcli.data.items import Embedded, Item


@dataclass(frozen=True, eq=False)
class Animation:
    """Pictures shown one after the other, written as a GIF file.

    Attributes:
        frames: at least one, of one size, each (H, W, 3) uint8 RGB.
        seconds: how long each is shown.
    """

    frames: Sequence[np.ndarray]
    seconds: float = 0.5


Drawn = Iterator[tuple[str, "np.ndarray | Animation"]]
"""File name without suffix, and the picture, (H, W, 3) uint8 RGB, or an animation of several."""


def require_images(tensor: Tensor) -> Tensor:
    """Return the model's input unchanged if it is a batch of images, (N, C, H, W).

    Raises:
        UsageError: it has another shape.
    """
    if tensor.ndim != 4:
        raise UsageError("this picture needs images, and the run's inputs are not images")
    return tensor


@dataclass(frozen=True)
class Input:
    """One input given by the user.

    Attributes:
        name: its name in the file name of the picture.
        source: what it was read from.
        arrays: name -> (1, ...) tensor, as the model expects it.
    """

    name: str
    source: Source
    arrays: Mapping[str, Tensor]

    @property
    def tensor(self) -> Tensor:
        """The image, (1, C, H, W).

        Raises:
            UsageError: the input is not an image.
        """
        return require_images(next(iter(self.arrays.values())))

    @property
    def picture(self) -> np.ndarray:
        """The image as the model sees it, (H, W, 3) uint8 RGB."""
        pixels = self.tensor[0].numpy().transpose(1, 2, 0)
        return pixels.repeat(3 // pixels.shape[2], axis=2)


class Subject(Protocol):
    """A run or prepared data, opened lazily."""

    @property
    def name(self) -> str:
        """Return the subject's name as given by the user."""
        ...

    @property
    def is_run(self) -> bool:
        """Return whether the subject is a run or a network rather than data."""
        ...

    @property
    def words(self) -> Sequence[str]:
        """Return the inputs as the user typed them."""
        ...

    def run(self) -> RunDir:
        """Return the run; UsageError if the subject is data."""
        ...

    def network(self) -> nn.Module:
        """Return the run's model, in evaluation mode; of an ensemble the first member, which a warning says."""
        ...

    def assets(self) -> Mapping[str, Any]:
        """Return the JSON values that travel with the run, by name: labels, vocabulary, preprocessing."""
        ...

    def codec(self) -> Any:
        """Return the codec of the run's task, built from its assets."""
        ...

    def example(self) -> Tensor:
        """Return an example of the model's first input, (1, ...), with arbitrary content."""
        ...

    def inputs(self) -> Sequence[Input]:
        """Return the user's inputs; UsageError if there are none."""
        ...

    def images(self) -> Iterator[tuple[str, str, np.ndarray]]:
        """Yield the image files that the subject and the inputs name: name, stem for a picture, (H, W, 3) uint8 RGB.

        Raises:
            DataError: one of them cannot be read.
        """
        ...

    def data(self) -> Path:
        """Return the prepared data of the subject."""
        ...

    def training_samples(self) -> np.ndarray:
        """Return a picture of augmented training inputs, (H, W, 3) uint8 RGB."""
        ...

    def task(self, **changes: Any) -> Any:
        """Return the task with the training data opened and some of its options changed.

        Of a run without changes it has the trained weights, otherwise new ones.
        """
        ...

    def embedded(self, split: str) -> Embedded:
        """Return the items of a split of the run's data as vectors.

        Raises:
            UsageError: the run's network does not see one vector of each item.
            DataError: the data is missing, or there is no such split.
        """
        ...

    def vectors(self, inputs: Sequence[Input]) -> np.ndarray:
        """Return the vectors of inputs, (N, D) float32.

        Raises:
            UsageError: the run's network does not see one vector of each item.
        """
        ...

    def items(self, split: str, rows: Sequence[int]) -> Sequence[Item]:
        """Return items of a split of the run's data, by their `rows` in `embedded`.

        Raises:
            UsageError: the run's task cannot show items.
            DataError: the data is missing, or an item cannot be read.
        """
        ...

    def shows(self, texts: Iterable[str]) -> None:
        """Record texts in the picture other than class names, so that missing glyphs can be reported."""
        ...

    def adds(self, table: Table) -> None:
        """Record a table that belongs to the picture; it is printed after it."""
        ...

    def warns(self, text: str) -> None:
        """Print a warning."""
        ...


@dataclass(frozen=True)
class NoOptions:
    """No options."""
