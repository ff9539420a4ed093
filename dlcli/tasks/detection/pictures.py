"""The pictures of annotated images and detectors: their table, options and drawing functions.

Torch and numpy are not imported until a picture is drawn, so that the help page is fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from dlcli.core.config import option
from dlcli.core.errors import DataError, DlError, RunError, UsageError
from dlcli.core.table import Table
from dlcli.data.images.operations.table import parse_augment
from dlcli.tasks.detection.config import DetectionInference
from dlcli.tasks.detection.places import (
    MatchOptions,
    NetworkOptions,
    draw_anchor_picture,
    draw_match_picture,
    draw_pyramid_picture,
)
from dlcli.visualize.pictures import Picture, stored_report
from dlcli.visualize.subject import Drawn, NoOptions, Subject

if TYPE_CHECKING:
    import numpy as np

    from dlcli.data.annotated.augmenting import Augmented
    from dlcli.data.annotated.form import AnnotatedForm

VERSIONS = 9
"""Of an image in the picture of augmentations, 3 x 3."""

LESSON_AUGMENT = "flip rotate=3 light=0.05"
"""The fast.ai course of 2018, lesson 8; there half of the images are rotated, here all of them, by up to 3 degrees."""

UPRIGHT_DEGREES = 30
"""The upright hull of a box that is turned by more is much larger than its object."""


@dataclass(frozen=True)
class AnnotationOptions:
    """Options of `boxes` and `masks`."""

    split: str | None = option(None, "the split of the data (default: its first; of a run its test split)")
    label: str | None = option(None, "only images that show this class", flag="class", metavar="NAME")
    count: int = option(12, "at most N images", minimum=1, maximum=24)
    threshold: float | None = option(
        None, "of a run: least score of a detection (default: the run's)", minimum=0.0, maximum=1.0
    )


@dataclass(frozen=True)
class AugmentOptions:
    """Options of `augment`."""

    image: str | None = option(None, "the image: its file's name or path (default: the first with an object)")
    augment: str = option(LESSON_AUGMENT, "the operations", metavar="OPERATIONS", read=parse_augment)
    image_size: int = option(320, "longer side of the canvas in pixels", minimum=32, maximum=2048)
    seed: int = option(0, "of the first version; the others follow", minimum=0, maximum=2**31 - 10)


@dataclass(frozen=True)
class ReportOptions:
    """Options of `pr` and `errors`."""

    split: str = option("test", "the evaluated split to draw")


def draw_box_picture(subject: Subject, options: AnnotationOptions) -> Drawn:
    """Yield images of the data with their boxes, or a run's detections beside them."""
    yield from _annotations(subject, options, "boxes")


def draw_mask_picture(subject: Subject, options: AnnotationOptions) -> Drawn:
    """Yield images of the data with their masks or label maps, or a run's detections beside them."""
    yield from _annotations(subject, options, "masks")


def _annotations(subject: Subject, options: AnnotationOptions, what: str) -> Drawn:
    from dlcli.visualize.records import draw_records, records_of, require_masks, require_record

    if subject.is_run:
        yield from _found(subject, options, what)
        return
    form, with_masks = _form(subject), what == "masks"
    if with_masks:
        require_masks(form)
    if subject.words:
        records = [require_record(form, word) for word in subject.words]
        title = form.card.name
    else:
        records = records_of(form, options.split, options.label, options.count)
        shown = f" with {options.label}" if options.label is not None else ""
        title = f"{form.card.name}, {options.split or form.splits()[0]}: {len(records)} images{shown}"
    subject.shows(record.file for record in records)
    yield what, draw_records(form, records, with_masks=with_masks, title=title)


def _found(subject: Subject, options: AnnotationOptions, what: str) -> Drawn:
    """Yield for each input, or for images of the run's data, what the run finds, beside the truth if it is known."""
    from dlcli.visualize.records import draw_beside, find_record, records_of

    form = _form_if_there(subject) if subject.words else _form(subject)
    files = list(subject.words)
    if form is not None and not files:
        split = options.split or ("test" if "test" in form.splits() else form.splits()[-1])
        records = records_of(form, split, options.label, options.count)
        files = [str(form.root / record.file) for record in records]
    elif options.split is not None or options.label is not None:
        hint = "leave out the inputs, or these options"
        raise UsageError("--split and --class choose among the images of the run's data", hint=hint)
    for file, found, note in _answers(subject, files, options.threshold, what):
        record = find_record(form, file) if form is not None else None
        truth = (form, record) if form is not None and record is not None else None
        stem = file.replace("\\", "/").rpartition("/")[2].rpartition(".")[0] or "image"
        subject.shows([stem])
        title = f"{subject.name}: {stem}"
        yield f"{what}-{stem}", draw_beside(found, truth, with_masks=what == "masks", title=title, note=note)


def _answers(
    subject: Subject, files: Sequence[str], threshold: float | None, what: str
) -> Iterator[tuple[str, np.ndarray, str]]:
    """Yield the name of each image file, the image with what is found in it, and a line that says how much that is.

    Raises:
        UsageError: masks are wanted of a detector that finds boxes alone.
        DataError: a file is not an image.
    """
    import torch

    from dlcli.engine.compute.device import to_numpy
    from dlcli.models.modes import evaluating
    from dlcli.tasks.detection.codec import DetectionCodec

    codec = DetectionCodec(subject.assets(), DetectionInference(threshold=threshold))
    task = subject.task()
    for source in codec.expand(files):
        encoded = codec.encode(source)
        if encoded.arrays is None:
            raise DataError(f"{source.name}: {encoded.error}")
        [(_, batch)] = codec.batches([encoded])
        with evaluating(task.model), torch.inference_mode():
            outputs = to_numpy(task.infer({name: torch.from_numpy(array) for name, array in batch.items()}))
        if what == "masks" and "masks" not in outputs:
            raise UsageError(f"{subject.name} detects boxes, and no masks", hint="draw `boxes`")
        [answer] = codec.decode(outputs, [encoded])
        least = f", from a score of {threshold:.2g} on" if threshold is not None else ""
        yield source.name, codec.draw(source, answer), f"found: {len(answer.record['objects'])}{least}"


def _form_if_there(subject: Subject) -> AnnotatedForm | None:
    """Return the subject's data; None for a run without its data, or a network."""
    try:
        return _form(subject)
    except DlError:
        return None


def _form(subject: Subject) -> AnnotatedForm:
    """Return the subject's data."""
    from dlcli.data.annotated.form import open_annotated

    return open_annotated(subject.data())


def draw_augment_picture(subject: Subject, options: AugmentOptions) -> Drawn:
    """Yield nine versions of one image, and record the table of their boxes."""
    from dlcli.data.annotated.augmenting import recipe_of
    from dlcli.data.annotated.fitting import fit_size
    from dlcli.visualize.box_grid import draw_augmented
    from dlcli.visualize.records import records_of, require_record

    form = _form(subject)
    [record] = [require_record(form, options.image)] if options.image else records_of(form, None, None, 1)
    canvas = fit_size((record.height, record.width), options.image_size).canvas
    names = form.card.classes
    steps = parse_augment(options.augment)
    if any(step.name == "rotate" and step.strength >= UPRIGHT_DEGREES for step in steps):
        subject.warns(
            f"rotations of {UPRIGHT_DEGREES} degrees and more: the box of a turned box is larger than its object"
        )
    file = record.file.rpartition("/")[2]
    subject.shows([file])
    picture, versions = draw_augmented(
        form.read(record),
        record,
        names,
        recipe_of(options.augment, names),
        canvas,
        seed=options.seed,
        count=VERSIONS,
        title=f"{file}, augment {options.augment}",
    )
    subject.adds(_table_of_boxes(versions, names))
    yield f"augment-{file.rpartition('.')[0]}", picture


def _table_of_boxes(versions: Sequence[Augmented], names: Sequence[str]) -> Table:
    """Return the boxes of each version in pixels of the canvas; `object` is the box's number in the image."""
    entries = [
        {"version": number, "object": kept, "label": names[label], "box": [round(side, 1) for side in box]}
        for number, version in enumerate(versions, 1)
        for box, label, kept in zip(
            version.boxes.tolist(), version.labels.tolist(), (version.kept + 1).tolist(), strict=True
        )
    ]
    rows = [
        [each["version"], each["object"], each["label"], *(f"{side:.1f}" for side in each["box"])] for each in entries
    ]
    return Table("boxes", ["version", "object", "class", "left", "top", "right", "bottom"], rows, entries)


def draw_pr_picture(subject: Subject, options: ReportOptions) -> Drawn:
    """Yield precision against recall of an evaluation."""
    from dlcli.data.labels import read_labels
    from dlcli.visualize.pr_curves import draw_detection_pr

    labels = read_labels(subject.run().read_json("labels.json"))
    title = f"{subject.name}, {options.split}: precision and recall at IoU 0.5"
    yield "pr", _of_report(subject, options.split, lambda report: draw_detection_pr(report["pr"], labels, title=title))


def draw_error_picture(subject: Subject, options: ReportOptions) -> Drawn:
    """Yield what each kind of error costs in an evaluation."""
    from dlcli.visualize.detection_errors import draw_detection_errors

    title = f"{subject.name}, {options.split}: what the errors cost"
    draw = partial(draw_detection_errors, title=title)
    yield "errors", _of_report(subject, options.split, lambda report: draw(report["errors"]))


def _of_report(subject: Subject, split: str, draw: Callable[[Mapping[str, Any]], np.ndarray]) -> np.ndarray:
    """Return a picture of a stored report.

    Raises:
        RunError: the run is not evaluated on the split, or its report is damaged.
    """
    run = subject.run()
    report, path = stored_report(run, split)
    try:
        return draw(report)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise RunError(f"{path}: damaged", hint=f"rewrite it with `dl eval {run.reference} --split {split}`") from None


PICTURES: Mapping[str, Picture] = {
    "boxes": Picture(
        "images with boxes; of a run beside what it finds", "RUN or DATA", AnnotationOptions, draw_box_picture
    ),
    "masks": Picture("the same with masks or label maps", "RUN or DATA", AnnotationOptions, draw_mask_picture),
    "augment": Picture(
        "an image augmented nine times, and its boxes", "RUN or DATA", AugmentOptions, draw_augment_picture
    ),
    "pr": Picture("precision against recall of each class", "RUN", ReportOptions, draw_pr_picture),
    "errors": Picture("what keeps a detector from a higher AP", "RUN", ReportOptions, draw_error_picture),
    "anchors": Picture("the anchors or points of each map", "RUN or DATA", NetworkOptions, draw_anchor_picture),
    "matches": Picture("which anchors or points learn which object", "RUN or DATA", MatchOptions, draw_match_picture),
    "pyramid": Picture("mean activations of backbone, neck and towers", "RUN", NoOptions, draw_pyramid_picture),
}
