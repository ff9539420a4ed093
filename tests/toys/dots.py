"""The torch-free half of the generative toy: its form, its options, and a codec that draws noise from a seed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.config import option
from dlcli.core.errors import DataError
from dlcli.core.registry import Network
from dlcli.data.card import Card
from dlcli.data.codec import Answer, Arrays, Batches, Encoded, Source, by_shape
from dlcli.data.importing.preparing import Report
from dlcli.data.npy import load_npy

SIDE_PX, NOISE = 6, 4
SIZES = {"train": 40, "test": 12}

NETWORKS: Mapping[str, Network] = {"gan": Network("toys.gan:make_generator", "noise to pictures", "none")}


@dataclass(frozen=True)
class GanConfig:
    """The task's own options."""

    model: str = option("gan", "the networks", choices=tuple(NETWORKS))


@dataclass(frozen=True)
class GanInference:
    """What is drawn."""

    count: int = option(3, "pictures to draw", minimum=1, commands=("predict",))
    seed: int = option(0, "seed of the noise", minimum=0, commands=("predict",))


@dataclass(frozen=True)
class DotsOptions:
    """The dataset has no options."""


def recipe(dataset: str, given: Mapping[str, Any], data: Path | None = None) -> dict[str, Any]:
    """Return the defaults of a training."""
    del dataset, given, data
    return {"learning_rate": 0.01, "schedule": "linear", "ema": 0.8}


class DotsImporter:
    """See `dlcli.data.importing.preparing.Importer`; the pictures are made here."""

    def __init__(self, options: DotsOptions) -> None:
        self.options = options

    def locate(self, source: Path | None) -> list[Path]:
        """Return no files."""
        del source
        return []

    def space_needed(self, files: list[Path]) -> int:
        """Return how many bytes the pictures take."""
        del files
        return sum(SIZES.values()) * SIDE_PX**2

    def write(self, files: list[Path], folder: Path, report: Report) -> Card:
        """Write (N, SIDE_PX, SIDE_PX) uint8 pictures of each split."""
        del files, report
        random = np.random.default_rng(0)
        for split, count in SIZES.items():
            np.save(folder / f"{split}.npy", random.integers(160, 240, (count, SIDE_PX, SIDE_PX), dtype=np.uint8))
        return Card("toy-dots", "toy-dots", (), {}, items=SIZES)


def open_dots(folder: Path) -> dict[str, np.ndarray]:
    """Return split -> (N, SIDE_PX, SIDE_PX) uint8 pictures.

    Raises:
        DataError: a file is missing or damaged.
    """
    pictures = {split: load_npy(folder / f"{split}.npy") for split in SIZES}
    for split, array in pictures.items():
        if array is None:
            raise DataError(f"{folder}: {split}.npy cannot be read", hint="dl prepare toy-dots")
    return {split: array for split, array in pictures.items() if array is not None}


def draw_dots(folder: Path, split: str, count: int) -> np.ndarray:
    """Return some pictures of a split. See `dlcli.core.specs.FormSpec.samples`."""
    from dlcli.visualize.canvas import tile

    return tile(list(open_dots(folder)[split][:count]))


class NoiseCodec:
    """See `dlcli.data.codec.Codec`. The value of a source is the seed and the number of a draw.

    Without arguments it draws as the options say; an argument is the seed of one picture.
    """

    fields = ("mean",)
    listed = None

    def __init__(self, assets: Mapping[str, Any], inference: GanInference | None = None) -> None:
        del assets
        self.inference = inference or GanInference()

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        """Yield the draws."""
        seeds = list(inputs)
        yield from (Source(seed, (seed, 0)) for seed in seeds)
        if not seeds:
            seed = self.inference.seed
            yield from (Source(f"{seed}-{number}", (seed, number)) for number in range(self.inference.count))

    def encode(self, source: Source) -> Encoded:
        """Draw the noise."""
        seed, number = source.value
        if not str(seed).isdecimal():
            return Encoded(source, None, f"{seed}: is no seed")
        noise = np.random.default_rng([int(seed), number]).standard_normal(NOISE, dtype=np.float32)
        return Encoded(source, {"noise": noise})

    def batches(self, items: Sequence[Encoded]) -> Batches:
        """Yield one batch."""
        return by_shape(items)

    def decode(self, outputs: Arrays, items: Sequence[Encoded]) -> list[Answer]:
        """Return the pictures, and how bright each is on the mean."""
        del items
        return [Answer({"mean": round(float(made.mean()), 6)}, as_picture(made[None])) for made in outputs["made"]]

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        """Return the answer: there is no input to draw it on."""
        del source
        assert answer.picture is not None
        return answer.picture


def as_picture(made: np.ndarray) -> np.ndarray:
    """Return pictures (N, pixels) in [-1, 1] side by side, (SIDE_PX, N * SIDE_PX, 3) uint8."""
    grey = np.round((made.astype(np.float32) + 1) * 127.5).astype(np.uint8).reshape(-1, SIDE_PX, SIDE_PX)
    return np.repeat(np.concatenate(list(grey), axis=1)[:, :, None], 3, axis=2)
