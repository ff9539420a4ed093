"""The pictures of where a detector predicts from: of a run, or of a network that is named beside the data.

Torch and numpy are not imported until a picture is drawn, so that the help page is fast.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlcli.core.config import option, to_dict
from dlcli.core.errors import UsageError
from dlcli.tasks.detection.config import DEFAULT_OF_NETWORK, HEADS, KMEANS, SCRATCH, DetectionConfig
from dlcli.visualize.subject import Drawn, NoOptions, Subject

if TYPE_CHECKING:
    import numpy as np

    from dlcli.tasks.detection.task import DetectionTask


@dataclass(frozen=True)
class NetworkOptions:
    """Options of `anchors`: of data, which network's."""

    model: str | None = option(None, f"of data: the network (default: {DetectionConfig.model})", short="m")
    image_size: int | None = option(None, "of data: longer side of the images in pixels", minimum=32, maximum=2048)
    head: str | None = option(None, "of data: the head of ssd", choices=HEADS)
    anchors: str | None = option(None, "of data: the anchors of ssd", choices=(DEFAULT_OF_NETWORK, KMEANS))


@dataclass(frozen=True)
class MatchOptions(NetworkOptions):
    """Options of `matches`."""

    count: int = option(4, "without inputs: N training images", minimum=1, maximum=9)


def _opened(subject: Subject, options: NetworkOptions) -> tuple[DetectionTask, str]:
    """Return the task of a run, or one with a fresh network for the data, and a name for titles and messages.

    Raises:
        UsageError: options of the network are given beside a run.
    """
    given = {name: value for name, value in to_dict(options).items() if name != "count"}
    if not subject.is_run:
        given.setdefault("model", DetectionConfig.model)
        task: DetectionTask = subject.task(**given, pretrained=SCRATCH)  # weights move no anchor
        return task, f"{subject.name}, {given['model']} with fresh weights"
    if given:
        flag = next(iter(given)).replace("_", "-")
        raise UsageError(f"--{flag}: {subject.name} has its network", hint="name the data in place of the run")
    return subject.task(), subject.name


def draw_anchor_picture(subject: Subject, options: NetworkOptions) -> Drawn:
    """Yield the anchors or points of each map, on an input or an empty canvas."""
    from dlcli.tasks.detection.explained import empty_canvas, explain_canvas
    from dlcli.visualize.places import draw_anchors

    task, title = _opened(subject, options)
    canvases = list(_canvases(subject, task)) or [("anchors", empty_canvas(task.preprocess))]
    for stem, canvas in canvases:
        found = explain_canvas(task, canvas, title)
        boxes, cells = found.boxes.numpy(), found.cells.numpy()
        yield stem, draw_anchors(canvas, boxes, cells, are_points=found.are_points, title=title)


def _canvases(subject: Subject, task: DetectionTask) -> Iterator[tuple[str, np.ndarray]]:
    """Yield a name for the picture and the canvas of each input: a run's files, or images of the data."""
    from dlcli.data.annotated.form import open_annotated
    from dlcli.visualize.records import require_record

    if subject.is_run and subject.words:
        for item in subject.inputs():
            yield f"anchors-{item.name}", item.picture
    elif subject.words:
        form = open_annotated(subject.data())
        for word in subject.words:
            record = require_record(form, word)
            stem = record.file.rpartition("/")[2].rpartition(".")[0]
            yield f"anchors-{stem}", task.preprocess.fit(form.read(record))[0]


def draw_match_picture(subject: Subject, options: MatchOptions) -> Drawn:
    """Yield images of the data with the anchors or points that learn each object."""
    from dlcli.data.annotated.form import open_annotated
    from dlcli.tasks.detection.explained import explain_record
    from dlcli.visualize.canvas import add_title, tile
    from dlcli.visualize.places import draw_matches, note_of
    from dlcli.visualize.records import records_of, require_record

    task, name = _opened(subject, options)
    form = open_annotated(subject.data())
    records = [require_record(form, word) for word in subject.words] or records_of(form, None, None, options.count)
    panels, captions = [], []
    for record in records:
        seen, found = explain_record(task, form, record, name)
        objects, are_points = found.objects[0].numpy(), found.are_points
        boxes, cells = found.boxes.numpy(), found.cells.numpy()
        panels.append(draw_matches(seen.image, seen.boxes, boxes, cells, objects, are_points=are_points))
        note = note_of(objects, len(seen.boxes), "points" if are_points else "anchors")
        captions.append(f"{record.file.rpartition('/')[2]}: {note}")
    subject.shows(captions)
    title = f"{name}: what learns each object, in its colour"
    yield "matches", add_title(tile(panels, captions=captions, scale=1, gap=6), [title])


def draw_pyramid_picture(subject: Subject, options: NoOptions) -> Drawn:
    """Yield for each input the mean activation of the maps of backbone, neck and towers."""
    del options
    from dlcli.models.detection.explaining import pyramids
    from dlcli.visualize.places import draw_pyramid

    model = subject.network()
    for item in subject.inputs():
        found = pyramids(model, item.tensor)
        if not found:
            raise UsageError(f"{subject.name}: the network has no feature maps to draw", hint="draw `features`")
        maps = [
            (name.rpartition("network.")[2] or name, each[0].float().numpy())
            for name, own in found.items()
            for each in own
        ]
        yield f"pyramid-{item.name}", draw_pyramid(item.picture, maps, title=f"{subject.name}: {item.name}")
