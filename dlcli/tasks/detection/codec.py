"""Image files to canvases and detections to records, shared by runs and their exports. Torch-free."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.errors import DataError, UsageError
from dlcli.data.annotated.answers import ImageDetections, detections_in_image, least_scores
from dlcli.data.annotated.fitting import Fit
from dlcli.data.annotated.masks import polygons_of, to_pixels
from dlcli.data.annotated.preprocess import CanvasPreprocess
from dlcli.data.annotated.tiling import cut_tiles, merge_tiles
from dlcli.data.codec import Answer, Arrays, Batches, Encoded, Saver, Source, by_shape
from dlcli.data.images.sources import ImageValues, image_sources, read_pixels
from dlcli.data.images.whole import encode_whole, one_by_one, takes_whole_images
from dlcli.data.labels import read_labels
from dlcli.tasks.detection.config import NMS, POLYGONS, DetectionInference
from dlcli.tasks.detection.saving import FORMATS, DetectionSaver

THRESHOLDS = "thresholds"
"""The output that holds the least score of each class that is worth showing, (N, C)."""

LIMITS = "limits"
"""The asset that only an exported file has: the limits that are a part of its graph."""


def limits_of(inference: DetectionInference, *, one_image: bool = False) -> dict[str, Any]:
    """Return the limits that become a part of an exported graph, and whether it takes one image a call."""
    return {"nms": inference.suppression, "max_detections": inference.most, "one_image": one_image}


class DetectionCodec:
    """See `dlcli.data.codec.Codec`. The value of a source is the path of an image file, its bytes, or a frame."""

    fields = ("label", "score", "box")
    listed = "objects"
    formats = FORMATS

    def __init__(self, assets: Mapping[str, Any], inference: DetectionInference | None = None) -> None:
        self.labels = read_labels(assets.get("labels"))
        self.preprocess = CanvasPreprocess.from_json(assets.get("preprocess"))
        self.inference = inference or DetectionInference()
        self.frame_step = self.inference.frame_step
        self.skipped: list[str] = []
        self.values = ImageValues()
        limits = assets.get(LIMITS)
        self._one_image = isinstance(limits, Mapping) and limits.get("one_image") is True
        self._takes_whole = takes_whole_images(assets)
        _check_limits(limits, self.inference)
        if self._takes_whole and self.inference.tile is not None:
            raise UsageError(
                f"--tile {self.inference.tile}: the file fits whole images itself", hint="predict with the run"
            )

    @property
    def most_rows(self) -> int | None:
        """The images that a call of the model takes; None for any number. See `LimitsRows`."""
        return 1 if self._one_image else None

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        """Return the image files of the inputs and the frames of films; see `image_sources`."""
        return image_sources(inputs, self.skipped, frame_step=self.frame_step)

    def encode(self, source: Source) -> Encoded:
        """Return one image as `images`, (3, H, W) uint8 of its canvas, or the reason why it cannot be read.

        An image in tiles has `images` of (T, 3, H, W).
        """
        try:
            image = read_pixels(source)
            side = self.inference.tile
            tiled = cut_tiles(image, self.preprocess, side, self.inference.tile_overlap) if side is not None else None
        except DataError as error:
            return Encoded(source, None, error.message)
        kept = {} if source.time is None else {"time_s": source.time}
        if tiled is not None:
            context = {"fit": tiled.fits[0], "fits": tiled.fits, "windows": tiled.windows}
            return Encoded(source, {"images": tiled.images}, kept=kept, context=context)
        if self._takes_whole:
            return encode_whole(source, image, kept=kept, context={"fit": Fit.of_whole(image)})
        canvas, fit = self.preprocess.fit(image)
        arrays = {"images": np.ascontiguousarray(canvas.transpose(2, 0, 1))}
        return Encoded(source, arrays, kept=kept, context={"fit": fit})

    def batches(self, items: Sequence[Encoded]) -> Batches:
        """Yield a batch for each size of canvas, and one for each image in tiles, or if the graph takes no more."""
        if self._takes_whole:
            yield from one_by_one(items)
            return
        plain = [index for index, item in enumerate(items) if "windows" not in item.context]
        together = [[index] for index in plain] if self._one_image else [plain]
        for rows in together:
            for indices, arrays in by_shape([items[index] for index in rows]):
                yield [rows[index] for index in indices], arrays
        for index, item in enumerate(items):
            if "windows" in item.context and item.arrays is not None:
                yield [index], item.arrays

    def decode(self, outputs: Arrays, items: Sequence[Encoded]) -> list[Answer]:
        """Return the size of each image, and its objects by falling score: name, score and xyxy box in its pixels.

        Objects of a detector of masks have a `mask` too, as COCO writes its segmentations.
        """
        answers = []
        for row, item in enumerate(items):
            fit = item.context["fit"]
            found = self._found(outputs, row, item)
            own = self.inference.threshold
            least = least_scores(outputs[THRESHOLDS][row]) if own is None else np.full(len(self.labels), own)
            objects = [
                {"label": self.labels[label], "score": score, "box": box, **self._mask(found, index)}
                for index, (box, score, label) in enumerate(
                    zip(found.boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True)
                )
                if label < len(self.labels) and score >= least[label]
            ][: self.inference.most]
            height, width = fit.size
            answers.append(Answer({"width": width, "height": height, "objects": objects}))
        return answers

    def _found(self, outputs: Arrays, row: int, item: Encoded) -> ImageDetections:
        """Return what is found in an image; one in tiles is alone in its batch."""
        windows = item.context.get("windows")
        if windows is None:
            return detections_in_image(outputs, row, item.context["fit"])
        parts = [detections_in_image(outputs, number, fit) for number, fit in enumerate(item.context["fits"])]
        nms = self.inference.suppression
        return merge_tiles(parts, windows, float(NMS if nms == "off" else nms))

    def _mask(self, found: ImageDetections, index: int) -> dict[str, Any]:
        """Return the mask of a detection as a field of its object; nothing without masks."""
        if found.masks is None:
            return {}
        mask = found.masks[index]
        if self.inference.masks != POLYGONS:
            return {"mask": mask}
        return {"mask": polygons_of(to_pixels(mask, *mask["size"]))}

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        """Return the image with its boxes, over its masks if there are any, (H, W, 3) uint8."""
        from dlcli.visualize.boxes import DrawnBox, draw_boxes

        image, objects = read_pixels(source), answer.record["objects"]
        labels = [self.labels.index(each["label"]) for each in objects]
        masked = [(each["mask"], label) for each, label in zip(objects, labels, strict=True) if each.get("mask")]
        if masked:
            from dlcli.visualize.masks import draw_masks

            masks = [to_pixels(mask, *image.shape[:2]) for mask, _ in masked]
            image = draw_masks(image, masks, [label for _, label in masked])
        boxes = [
            DrawnBox(tuple(each["box"]), label, each["score"]) for each, label in zip(objects, labels, strict=True)
        ]
        return draw_boxes(image, boxes, self.labels)

    def saver(self, format: str, folder: Path, is_input: Callable[[Path], bool]) -> Saver:
        """Return what writes answers as annotations, or as COCO's results. See `dlcli.data.codec.SavesAnswers`."""
        return DetectionSaver(format, folder, self.labels, is_input)


def _check_limits(exported: Any, inference: DetectionInference) -> None:
    """Check that an exported graph can do what the options request.

    Raises:
        UsageError: it cannot.
    """
    if not isinstance(exported, Mapping):
        return
    if inference.tile is not None and exported.get("one_image") is True:
        raise UsageError(
            f"--tile {inference.tile}: the file takes one image a call, no tiles", hint="predict with the run"
        )
    nms, most = exported.get("nms"), exported.get("max_detections")
    if inference.nms is not None and not _is_equal(inference.nms, nms):
        raise UsageError(
            f"--nms {inference.nms}: the file was exported with {nms}", hint=f"`dl export RUN --nms {inference.nms}`"
        )
    if isinstance(most, int) and inference.most > most:
        hint = f"`dl export RUN --max-detections {inference.most}`"
        raise UsageError(f"--max-detections {inference.most}: the file was exported with {most}", hint=hint)


def _is_equal(one: str, other: Any) -> bool:
    """Return whether two values of `nms` mean the same, as 0.6 and 0.60 do."""
    try:
        return one == other or float(one) == float(other)
    except (TypeError, ValueError, OverflowError):  # one of them is "off", or the file is damaged
        return False
