"""Options of `dl prepare` for images, separate from the importers so that help pages import no numpy."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import MAX_SEED, option


@dataclass(frozen=True)
class Cifar10Options:
    """Options of `dl prepare cifar10`."""

    download: bool = option(False, "download the official archive (170 MB) if no SOURCE is given")


@dataclass(frozen=True)
class Cifar100Options:
    """Options of `dl prepare cifar100`."""

    download: bool = option(False, "download the official archive (170 MB) if no SOURCE is given")
    coarse: bool = option(False, "label by the 20 superclasses instead of the 100 classes")


@dataclass(frozen=True)
class MnistOptions:
    """Options of `dl prepare mnist`."""

    download: bool = option(False, "download the original files (11 MB) if no SOURCE is given")


@dataclass(frozen=True)
class FashionMnistOptions:
    """Options of `dl prepare fashion-mnist`."""

    download: bool = option(False, "download the original files (30 MB) if no SOURCE is given")


@dataclass(frozen=True)
class DigitsOptions:
    """Options of `dl prepare digits`."""

    test_fraction: float = option(0.2, "fraction of each class for the test split", minimum=0.01, maximum=0.9)
    seed: int = option(0, "seed of the split", minimum=0, maximum=MAX_SEED)


@dataclass(frozen=True)
class ImageFolderOptions:
    """Options of `dl prepare image-folder`."""

    test_fraction: float = option(
        0.2, "fraction of each class for the test split, if the folder has none", minimum=0.01, maximum=0.9
    )
    seed: int = option(0, "seed of the split", minimum=0, maximum=MAX_SEED)
    max_bad: int = option(100, "stop when more than N files cannot be read", minimum=0, maximum=10**9)
    labels_from: str | None = option(
        None, "labels from file names (`name`: cat_12.png) or a CSV file (fn,label or fn,tags)", metavar="name|FILE"
    )
