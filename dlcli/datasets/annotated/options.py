"""Options of `dl prepare` for annotated images, separate from the importer so that help pages import no numpy."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import MAX_SEED, option


@dataclass(frozen=True)
class AnnotatedOptions:
    """Options of `dl prepare` for every format of annotated images."""

    images: str | None = option(None, "folder of the images, if they are not in SOURCE", metavar="DIR")
    annotations: str = option(
        "all", "what to read where SOURCE has several kinds", choices=("all", "boxes", "masks", "semantic")
    )
    to: str = option(
        "coco",
        "format of the annotations; another one than COCO's is written beside it",
        choices=("coco", "voc", "yolo"),
    )
    test_fraction: float = option(
        0.2, "fraction of the images for the test split, if SOURCE has none", minimum=0.01, maximum=0.9
    )
    seed: int = option(0, "seed of the split", minimum=0, maximum=MAX_SEED)
