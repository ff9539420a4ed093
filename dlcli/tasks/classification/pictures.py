"""The pictures of an image classifier: their table, options and drawing functions.

Torch and numpy are not imported until a picture is drawn, so that the help page is fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dlcli.core.config import option
from dlcli.core.table import Table
from dlcli.data.images.operations.table import OPERATIONS, parse_augment, range_of
from dlcli.tasks.classes.cam import CAM
from dlcli.visualize.pictures import GridOptions, Picture, draw_grid
from dlcli.visualize.subject import Drawn, Subject

EACH, LIST = "each", "list"
"""In place of operations: a row of pictures for each one, and a table of them."""

NUM_ROWS, NUM_EPOCHS = 8, 8
LEAST_SHARE = 0.5  # of images that an operation in the picture of all changes, or there may be none
NUM_EPOCHS_EACH = 6  # so that the rows of all operations fill a picture that is about square


def parse_shown(text: str) -> object:
    """Return the operations that a text names, or the text if it is `each` or `list`.

    Raises:
        ValueError: it names something else.
    """
    return text if text in (EACH, LIST) else parse_augment(text)


@dataclass(frozen=True)
class ImageGridOptions(GridOptions):
    """Options of `grid` for images by class."""

    augment: str | None = option(
        None,
        "draw images under operations, such as `flip rotate=10`; each: a row for every operation; list: all of them",
        metavar="OPERATIONS",
        read=parse_shown,
    )


def list_operations(subject: Subject, options: ImageGridOptions) -> Table | None:
    """Return the table of operations if `--augment list` requests it."""
    del subject
    if options.augment != LIST:
        return None
    entries = [
        {
            "name": name,
            "other_names": list(operation.other_names),
            "value": operation.meaning,
            "default": operation.default,
            "minimum": operation.minimum,
            "maximum": operation.maximum,
        }
        for name, operation in OPERATIONS.items()
    ]
    rows: list[list[object]] = [
        [", ".join([name, *operation.other_names]), f"{operation.default:g}", range_of(name), operation.meaning]
        for name, operation in OPERATIONS.items()
    ]
    return Table("operations", ["operation", "default", "range", "what the value means"], rows, entries)


def draw_image_grid(subject: Subject, options: ImageGridOptions) -> Drawn:
    """Yield a picture of samples of each class, or of images in a row with what training makes of each."""
    if not options.augmented and options.augment is None:
        yield from draw_grid(subject, options)
        return
    from dlcli.visualize.grids import draw_samples

    is_each = options.augment == EACH
    task = subject.task(**({"augment": options.augment} if options.augment and not is_each else {}))
    source = task.source
    examples = source.examples(1 if is_each else NUM_ROWS)
    plain = source.images_at("train", list(examples))
    if is_each:
        strengths = {
            name: max(operation.default, LEAST_SHARE) if operation.is_share else operation.default
            for name, operation in OPERATIONS.items()
        }
        names = [f"{name}={strength:g}" for name, strength in strengths.items()]
        samples = {name: [*plain, *source.versions(list(examples), NUM_EPOCHS_EACH, name)[0]] for name in names}
        title, epochs = "every operation", NUM_EPOCHS_EACH
    else:
        versions = source.versions(list(examples), NUM_EPOCHS)
        classes = [task.labels[label] for label in examples.values()]
        samples = {
            f"{name} {classes[:place].count(name) + 1}" if classes.count(name) > 1 else name: [image, *seen]
            for place, (name, image, seen) in enumerate(zip(classes, plain, versions, strict=True))
        }
        title, epochs = f"augment {source.augment}", NUM_EPOCHS
    yield "grid-augmented", draw_samples(samples, title=f"{title}: the image, then {epochs} epochs of it")


PICTURES: Mapping[str, Picture] = {
    "grid": Picture(
        "samples of each class of a dataset", "RUN or DATA", ImageGridOptions, draw_image_grid, list_operations
    ),
    "cam": CAM,
}
