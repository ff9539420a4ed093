"""What `dl prepare` can be told about each dataset; apart from the readers, so that help pages import no numpy."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import option


@dataclass(frozen=True)
class Cifar10Options:
    """What `dl prepare cifar10` can be told."""

    download: bool = option(False, "fetch the official archive (170 MB) when no SOURCE is given")


@dataclass(frozen=True)
class Cifar100Options:
    """What `dl prepare cifar100` can be told."""

    download: bool = option(False, "fetch the official archive (170 MB) when no SOURCE is given")
    coarse: bool = option(False, "label by the 20 superclasses instead of the 100 classes")


@dataclass(frozen=True)
class MnistOptions:
    """What `dl prepare mnist` can be told."""

    download: bool = option(False, "fetch the original files (11 MB) when no SOURCE is given")


@dataclass(frozen=True)
class FashionMnistOptions:
    """What `dl prepare fashion-mnist` can be told."""

    download: bool = option(False, "fetch the original files (30 MB) when no SOURCE is given")


@dataclass(frozen=True)
class DigitsOptions:
    """What `dl prepare digits` can be told."""

    test_fraction: float = option(0.2, "part of each class that becomes the test split", minimum=0.01, maximum=0.9)
    seed: int = option(0, "seed of that split", minimum=0)


@dataclass(frozen=True)
class ImageFolderOptions:
    """What `dl prepare image-folder` can be told."""

    test_fraction: float = option(
        0.2, "part of each class that becomes the test split where the folder has none", minimum=0.01, maximum=0.9
    )
    seed: int = option(0, "seed of that split", minimum=0)
    max_bad: int = option(100, "unreadable files that are skipped before it is an error", minimum=0, metavar="COUNT")
