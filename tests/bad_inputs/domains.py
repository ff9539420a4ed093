"""Bad command lines about images of two domains: which folders there are, and what lies in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from toys.domains import picture, write_image, write_own

from bad_inputs.arrange import DATA, USAGE, Row

TWO = "prepare domains --a a --b b"


def own(**counts: int) -> Callable[[Any], object]:
    """Return an arrangement: the folder src in CycleGAN's layout."""
    return lambda bench: write_own(bench.home / "src", counts)


def two(first: int, second: int, *, is_same: bool = False) -> Callable[[Any], object]:
    """Return an arrangement: the folders a and b with so many images."""

    def arrange(bench: Any) -> None:
        for domain, (name, count) in enumerate((("a", first), ("b", second))):
            (bench.home / name).mkdir()
            for number in range(count):
                write_image(bench.home / name / f"{number}.png", picture(0 if is_same else domain, number))

    return arrange


def dots(bench: Any) -> None:
    """Write the folder src, in whose first domain each image has one pixel."""
    write_own(bench.home / "src", {"trainB": 3})
    for number in range(3):
        write_image(bench.home / "src" / "trainA" / f"{number}.png", np.zeros((1, 1, 3), np.uint8))


def cut(bench: Any) -> None:
    """Write the folder src, of which one file is truncated."""
    path = write_own(bench.home / "src", {"trainA": 2, "trainB": 2}) / "trainA" / "000.png"
    path.write_bytes(path.read_bytes()[:50])


def odd(bench: Any) -> None:
    """Write one image whose width is odd."""
    write_image(bench.home / "src" / "odd.png", picture(0, 1, (40, 101)))


def prepared_without(name: str) -> Callable[[Any], object]:
    """Return an arrangement: the folder src without the images of one domain."""

    def arrange(bench: Any) -> None:
        root: Path = write_own(bench.home / "src", {"trainA": 2, "trainB": 2})
        for path in (root / name).iterdir():
            path.unlink()

    return arrange


DOMAINS = {
    "no source": Row("prepare domains", USAGE, "--a DIR --b DIR"),
    "one of two folders": Row("prepare domains --a a", USAGE, "--a and --b must be given together", two(1, 1)),
    "source beside folders": Row(f"{TWO} a", USAGE, "SOURCE cannot be combined with", two(1, 1)),
    "no folder": Row(TWO, DATA, "a: no such folder"),
    "one name": Row(f"{TWO} --names apple", USAGE, "not two names", two(2, 2)),
    "no domains": Row("prepare domains a", DATA, "looked for: trainA/ and trainB/", two(2, 2)),
    "empty domain": Row("prepare domains src", DATA, "trainB: no image that can be used", own(trainA=2, trainB=0)),
    "empty domain, as it is": Row(
        "train style --data src", DATA, "trainB: no images, and training needs", prepared_without("trainB")
    ),
    "one-pixel images": Row("prepare domains src", DATA, "trainA: no image that can be used", dots),
    "truncated file": Row("prepare domains src --max-bad 0", DATA, "000.png: a truncated or damaged image", cut),
    "the same folder": Row("prepare domains --a a --b a", DATA, "the same folder", two(1, 1)),
    "the same files": Row(TWO, DATA, "byte for byte", two(3, 3, is_same=True)),
    "no pairs": Row("prepare pairs a", DATA, "no pair of images", two(0, 0)),
    "no equal names": Row(
        "prepare pairs --a a --b b",
        DATA,
        "without a partner of the same name",
        lambda bench: (two(0, 2)(bench), write_image(bench.home / "a" / "x.png", picture(0, 1))),
    ),
    "odd width": Row("prepare pairs src", DATA, "odd.png, 101 pixels wide", odd),
    "split of samples": Row("visualize grid src --split valid", USAGE, "no split 'valid'", own(trainA=2, trainB=2)),
}
