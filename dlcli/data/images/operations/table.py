"""The table of augmentation operations, and how a user names them: `flip rotate=10 colour=0.1`.

Free of numpy until numbers are drawn, for the help page.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlcli.core.errors import nearest

if TYPE_CHECKING:
    import numpy as np

    from dlcli.data.images.operations.columns import Columns

DEFAULT, NONE = "default", "none"
"""In place of operations: the augmentation of the recipe, and none."""

Draw = Callable[["np.random.Generator", float, int], "Columns"]
"""(generator, strength, number of images) -> arrays by the names in `columns.COLUMNS`, one row per image."""


@dataclass(frozen=True)
class Operation:
    """An augmentation.

    Attributes:
        meaning: what its value, the strength, says, with its unit.
        default: the strength of a name without a value.
        draw: draws its numbers.
        maximum: the largest strength.
        minimum: the smallest.
        other_names: further names.
        upends_above: a strength above this may show a picture upside down or on its side; None if none does.
    """

    meaning: str
    default: float
    draw: Draw
    maximum: float
    minimum: float = 0.0
    other_names: tuple[str, ...] = ()
    upends_above: float | None = None

    @property
    def is_share(self) -> bool:
        """Whether the strength is the share of the images that are changed at all."""
        return self.meaning.startswith("share of images")


@dataclass(frozen=True)
class Step:
    """An operation that the user named, and its strength."""

    name: str
    strength: float


def _either_way(*columns: str) -> Draw:
    return lambda random, limit, count: {name: random.uniform(-limit, limit, count) for name in columns}


def _around_one(*columns: str) -> Draw:
    return lambda random, limit, count: {name: random.uniform(1 - limit, 1 + limit, count) for name in columns}


def _scaled(column: str) -> Draw:
    return lambda random, most, count: {column: most ** random.uniform(-1, 1, count)}


def _up_to(column: str) -> Draw:
    return lambda random, limit, count: {column: random.uniform(0, limit, count)}


def _share(column: str) -> Draw:
    return lambda random, share, count: {column: random.random(count) < share}


def _turns(random: np.random.Generator, share: float, count: int) -> Columns:
    return {"turns": random.integers(1, 4, count) * (random.random(count) < share)}


def _window(random: np.random.Generator, least: float, count: int) -> Columns:
    """Draw the window of a random crop (Szegedy et al. 2014, arXiv:1409.4842): its area, its shape and its place."""
    shape = {"area": random.uniform(least, 1, count), "ratio": random.uniform(-1, 1, count)}
    return shape | {"place": random.random((count, 2))}


def _corners(random: np.random.Generator, limit: float, count: int) -> Columns:
    return {"corners": random.uniform(-limit, limit, (count, 4, 2))}


def _colour(random: np.random.Generator, limit: float, count: int) -> Columns:
    """Draw the four colour changes of Chen et al. 2020, arXiv:2002.05709: hue is changed by a quarter as much."""
    return _around_one("brightness", "contrast", "saturation")(random, limit, count) | _either_way("hue")(
        random, limit / 4, count
    )


def _bits(random: np.random.Generator, least: float, count: int) -> Columns:
    return {"bits": random.integers(round(least), 9, count)}


def _threshold(random: np.random.Generator, least: float, count: int) -> Columns:
    return {"threshold": random.uniform(least, 256, count)}


def _noise(random: np.random.Generator, limit: float, count: int) -> Columns:
    return {"noise": random.uniform(0, limit, count), "noise_start": random.integers(0, 2**31, count)}


def _rectangle(random: np.random.Generator, share: float, count: int) -> Columns:
    """Draw the rectangle of Zhong et al. 2017, arXiv:1708.04896: 2 to 20 % of the area, sides up to 3.3 : 1."""
    is_erased = random.random(count) < share
    shape = [random.uniform(0.02, 0.2, count), random.uniform(-1, 1, count) * math.log(3.3), *random.random((2, count))]
    return {
        "erased": is_erased,
        **dict(zip(("erased_area", "erased_ratio", "erased_y", "erased_x"), shape, strict=True)),
    }


def _square(random: np.random.Generator, side: float, count: int) -> Columns:
    """Draw the square of DeVries & Taylor 2017, arXiv:1708.04552, whose centre lies anywhere in the image."""
    return {"square": random.random((count, 2)), "square_side": side + 0 * random.random(count)}


def _trivial(random: np.random.Generator, strength: float, count: int) -> Columns:
    from dlcli.data.images.operations.trivial import draw_trivial

    return draw_trivial(random, strength, count)


OPERATIONS: Mapping[str, Operation] = {
    "flip": Operation("share of images mirrored left to right", 0.5, _share("flip"), 1),
    "vflip": Operation("share of images mirrored top to bottom", 0.5, _share("vflip"), 1, upends_above=0),
    "quarter": Operation(
        "share of images turned by 90, 180 or 270 degrees (180 if not square)", 0.75, _turns, 1, upends_above=0
    ),
    "scale": Operation(
        "smallest share of the area that a random crop shows", 0.5, _window, 1, minimum=0.05, other_names=("crop",)
    ),
    "zoom": Operation("factor by which images grow or shrink, at most", 1.5, _scaled("zoom"), 4, minimum=1),
    "aspect": Operation("factor by which width changes against height, at most", 1.1, _scaled("aspect"), 2, minimum=1),
    "shear": Operation("degrees of slant, at most", 10, _either_way("shear_x", "shear_y"), 60),
    "rotate": Operation("degrees of rotation to either side, at most", 15, _either_way("angle"), 180, upends_above=90),
    "perspective": Operation("share of the side by which corners move, at most", 0.1, _corners, 0.2),
    "translate": Operation(
        "share of the side by which images shift, at most", 0.1, _either_way("shift_x", "shift_y"), 1
    ),
    "colour": Operation(
        "share by which brightness, contrast and saturation change, at most; hue by a quarter of it", 0.2, _colour, 1,
        other_names=("color",),
    ),
    "brightness": Operation(
        "share by which it changes, at most", 0.2, _around_one("brightness"), 1, other_names=("light",)
    ),
    "contrast": Operation("share by which it changes, at most", 0.2, _around_one("contrast"), 1),
    "saturation": Operation("share by which it changes, at most", 0.4, _around_one("saturation"), 1),
    "hue": Operation("share of the colour circle by which it turns, at most", 0.05, _either_way("hue"), 0.5),
    "grey": Operation("share of images without colour", 0.2, _share("grey"), 1, other_names=("gray",)),
    "posterize": Operation(
        "bits that a pixel keeps of its 8, at least", 4, _bits, 8, minimum=1, other_names=("posterise",)
    ),
    "solarize": Operation(
        "value of 255 from which on pixels are inverted, at least", 128, _threshold, 256, other_names=("solarise",)
    ),
    "autocontrast": Operation("share of images stretched to full contrast", 0.5, _share("autocontrast"), 1),
    "equalize": Operation(
        "share of images with equalized histograms", 0.5, _share("equalize"), 1, other_names=("equalise",)
    ),
    "sharpness": Operation("share by which it changes, at most", 0.5, _around_one("sharpness"), 1),
    "blur": Operation("share of the side: standard deviation, at most", 0.01, _up_to("blur"), 0.1),
    "noise": Operation("share of the range of values: standard deviation, at most", 0.05, _noise, 0.5),
    "erase": Operation("share of images with an erased rectangle", 0.5, _rectangle, 1),
    "cutout": Operation("share of the side: side of a square cut out of every image", 0.25, _square, 1),
    "trivial": Operation(
        "share of the full strength of one operation at random (TrivialAugment)", 1, _trivial, 1, upends_above=0.6
    ),
}  # fmt: skip
"""Every operation, in the order in which their numbers are drawn and images are changed."""

CANONICAL: Mapping[str, str] = {
    name: main for main, operation in OPERATIONS.items() for name in (main, *operation.other_names)
}
"""The name in the table of each name that a user may type."""


def parse_augment(text: str) -> tuple[Step, ...]:
    """Return the operations that a text names, in the order of the table; none for `default` and `none`.

    Args:
        text: names with or without a strength, separated by spaces or commas, such as `flip rotate=10`.

    Raises:
        ValueError: a name is unknown or named twice, or a strength is no number or out of range.
    """
    words = re.sub(r"\s*=\s*", "=", text.replace(",", " ")).split()
    if not words:
        raise ValueError(f"names no operation; such as `flip rotate=10`, `{DEFAULT}` or `{NONE}`")
    for word in (DEFAULT, NONE):
        if words == [word]:
            return ()
        if word in words:
            raise ValueError(f"{word!r} stands alone, in place of operations")
    steps: dict[str, Step] = {}
    for word in words:
        step = _step(word)
        if step.name in steps:
            raise ValueError(f"{step.name!r} is named twice")
        steps[step.name] = step
    return tuple(steps[name] for name in OPERATIONS if name in steps)


def _step(word: str) -> Step:
    typed, equals, value = word.partition("=")
    name = CANONICAL.get(typed)
    if name is None:
        near = nearest(typed, CANONICAL)
        known = f"did you mean {near!r}?" if near else f"known: {', '.join(OPERATIONS)}"
        raise ValueError(f"no operation {typed!r}; {known}")
    operation = OPERATIONS[name]
    if not equals:
        return Step(name, operation.default)
    try:
        strength = float(value)
    except ValueError:
        raise ValueError(f"{typed}={value}: not a number ({operation.meaning})") from None
    if not operation.minimum <= strength <= operation.maximum:  # nor is nan
        raise ValueError(f"{typed}={value}: {range_of(name)} ({operation.meaning})")
    return Step(name, strength)


def range_of(name: str) -> str:
    """Return the range of an operation's strength in words."""
    return f"from {OPERATIONS[name].minimum:g} to {OPERATIONS[name].maximum:g}"


def note_of(steps: Sequence[Step]) -> str | None:
    """Return what operations do that show pictures upside down or on their side; None if none of them does."""
    names = [step.name for step in steps if _upends(step)]
    if not names:
        return None
    return (
        f"--augment: {' and '.join(names)} may show a picture upside down or on its side, which makes a 6 a 9 and puts "
        "the sky of a photo below; it suits pictures without a top, such as those of microscopes and satellites"
    )


def _upends(step: Step) -> bool:
    above = OPERATIONS[step.name].upends_above
    return above is not None and step.strength > above
