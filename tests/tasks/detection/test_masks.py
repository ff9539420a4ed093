"""Instance segmentation: detectors of masks through the task of boxes."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from toys.annotated import picture, voc_folder, voc_object
from toys.shapes import coco_shapes

from dlcli.core.errors import DataError, UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.data.annotated.answers import paste_mask
from dlcli.data.annotated.checking import check
from dlcli.data.annotated.faults import KINDS
from dlcli.data.annotated.fitting import Fit
from dlcli.data.annotated.formats.table import get_format
from dlcli.data.annotated.found import Reading
from dlcli.data.annotated.masks import to_pixels
from dlcli.data.codec import Encoded, Source
from dlcli.engine.compute.device import to_numpy
from dlcli.export.exporting import export_model
from dlcli.export.runtime import open_model
from dlcli.tasks.detection.codec import DetectionCodec
from dlcli.tasks.detection.config import DetectionConfig, DetectionInference
from dlcli.tasks.detection.task import DetectionTask

MASKS = DetectionConfig(model="maskrcnn", backbone="wren", width=8, image_size=64, augment="none")
ASSETS = {
    "labels": ["disc", "ring"],
    "preprocess": {"side": 64, "canvas": None, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
}


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    torch.manual_seed(0)
    data = coco_shapes(tmp_path_factory.mktemp("masks") / "shapes", {"train": 4, "test": 3})
    return DetectionTask.from_data(MASKS, TrainConfig(batch_size=2, workers=0), data)


def perfect_outputs(batch):
    """Return outputs that are the annotations of a batch, masks as they lie in their boxes."""
    count = max(len(record.objects) for record in batch["records"])
    outputs = {
        "boxes": np.zeros((len(batch["records"]), count, 4), np.float32),
        "scores": np.zeros((len(batch["records"]), count), np.float32),
        "labels": np.zeros((len(batch["records"]), count), np.int64),
        "counts": np.array([len(record.objects) for record in batch["records"]]),
        "masks": np.zeros((len(batch["records"]), count, 28, 28), np.float32),
    }
    for row, (record, numbers) in enumerate(zip(batch["records"], batch["fits"].tolist(), strict=True)):
        for place, each in enumerate(record.objects):
            outputs["boxes"][row, place] = Fit.from_numbers(numbers).to_canvas(np.array([each.box]))[0]
            outputs["scores"][row, place], outputs["labels"][row, place] = 0.9, each.label
            outputs["masks"][row, place] = 1.0  # the objects are rectangles
    return outputs


def test_masks_are_trained_and_inferred(task):
    assert task.outputs[-1] == "masks"
    assert task.goal.metric == "mask_ap"
    batch = next(iter(task.loader("train", training=True).batches()))
    for masks, boxes in zip(batch["masks"], batch["boxes"], strict=True):
        assert masks.sum(dim=(1, 2)).tolist() == pytest.approx(
            ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).tolist(), rel=0.2
        )
    (update,) = task.training_step(batch)
    assert {"mask", "classifier", "box_reg"} < set(update.losses)
    task.model.eval()
    with torch.no_grad():
        outputs = task.infer(next(iter(task.loader("test").batches())))
    assert tuple(outputs) == task.outputs
    assert outputs["masks"].shape[1:] == (100, 28, 28)


def test_perfect_masks_have_an_ap_of_1_and_squeezed_ones_do_not(task):
    batch = next(iter(task.loader("test").batches()))
    perfect, outputs = task.metric(), perfect_outputs(batch)
    perfect.update(to_numpy(batch), outputs)
    assert perfect.compute()["mask_ap"] == 1.0
    squeezed = task.metric()
    outputs["masks"][..., 14:] = 0.0  # half of each, with its whole box
    squeezed.update(to_numpy(batch), outputs)
    assert squeezed.compute()["ap"] == 1.0
    assert squeezed.compute()["mask_ap"] < 0.2


def test_data_without_masks_are_refused(tmp_path):
    data = voc_folder(tmp_path / "voc", {name: [voc_object("cat", (3, 3, 20, 20))] for name in "abc"})
    with pytest.raises(DataError, match="no object has a mask, from which maskrcnn learns"):
        DetectionTask.from_data(MASKS, TrainConfig(), data)
    boxes = DetectionConfig(model="wren", backbone="wren", width=8, image_size=64)
    assert not DetectionTask.from_data(boxes, TrainConfig(), data).has_masks


@pytest.fixture
def answered():
    """Outputs of one image of 60 x 40 pixels on a canvas of 64 x 64 with a disc and a ring, and its encoded item."""
    y, x = np.mgrid[:28, :28] - 13.5
    disc = (np.hypot(x, y) <= 13).astype(np.float32)
    outputs = {
        "boxes": np.array([[[4, 6, 32, 34], [30, 2, 58, 40]]], np.float32),
        "scores": np.array([[0.9, 0.8]], np.float32),
        "labels": np.array([[0, 1]]),
        "counts": np.array([2]),
        "thresholds": np.full((1, 2), 0.5, np.float32),
        "masks": np.stack([disc, disc - (np.hypot(x, y) <= 6)])[None],
    }
    return outputs, Encoded(Source("a.png", None), {}, context={"fit": Fit((40, 60), (43, 64), (64, 64))})


def test_run_lengths_are_those_of_the_pasted_masks(answered):
    outputs, item = answered
    (answer,) = DetectionCodec(ASSETS).decode(outputs, [item])
    record = json.loads(json.dumps(answer.record))
    scale = item.context["fit"].scale
    for row, each in enumerate(record["objects"]):
        pasted = paste_mask(outputs["masks"][0, row], outputs["boxes"][0, row] / scale, (40, 60))
        assert np.array_equal(to_pixels(each["mask"], 40, 60), pasted)
        assert 100 < pasted.sum() < 1000


def test_polygons_give_the_mask_back_but_for_its_holes(answered):
    outputs, item = answered
    (runs,) = DetectionCodec(ASSETS).decode(outputs, [item])
    (outlines,) = DetectionCodec(ASSETS, DetectionInference(masks="polygons")).decode(outputs, [item])
    (disc, ring), (disc_outline, ring_outline) = (each.record["objects"] for each in (runs, outlines))
    assert np.array_equal(to_pixels(disc_outline["mask"], 40, 60), to_pixels(disc["mask"], 40, 60))
    filled = to_pixels(ring_outline["mask"], 40, 60).astype(int) - to_pixels(ring["mask"], 40, 60)
    assert filled.min() == 0
    assert filled.sum() > 50


def test_masks_are_drawn_under_boxes(answered):
    outputs, item = answered
    image = np.full((40, 60, 3), 90, np.uint8)
    source = Source("a.png", image)
    for options in (DetectionInference(), DetectionInference(masks="polygons")):
        codec = DetectionCodec(ASSETS, options)
        (answer,) = codec.decode(outputs, [item])
        drawn = codec.draw(source, answer)
        y, x = 18, 16  # the centre of the disc
        assert not np.array_equal(drawn[y, x], image[y, x])
        answer.record["objects"][0]["mask"] = []  # a mask without a pixel is not drawn
        assert np.array_equal(codec.draw(source, answer)[y, x], image[y, x])


@pytest.mark.parametrize("written", ["rle", "polygons"])
def test_saved_masks_do_not_depend_on_how_records_write_them(answered, tmp_path, written):
    outputs, item = answered
    outputs["masks"][0, 1] = 0.0  # no pixel
    codec = DetectionCodec(ASSETS, DetectionInference(masks=written))
    (answer,) = codec.decode(outputs, [item])
    saver = codec.saver("coco-results", tmp_path / "out", lambda path: False)
    saver.save(Source("a.png", None), answer)
    saver.close()
    (path,) = (tmp_path / "out").rglob("*results*.json")
    disc, empty = json.loads(path.read_text())
    pasted = paste_mask(outputs["masks"][0, 0], outputs["boxes"][0, 0] / item.context["fit"].scale, (40, 60))
    assert np.array_equal(to_pixels(disc["segmentation"], 40, 60), pasted)
    assert not to_pixels(empty["segmentation"], 40, 60).any()


@pytest.mark.parametrize("written", ["rle", "polygons"])
@pytest.mark.parametrize("format", ["coco", "labelme", "voc", "yolo"])
def test_an_object_whose_mask_has_no_pixel_is_saved_by_its_box(answered, tmp_path, format, written):
    outputs, item = answered
    outputs["masks"][0, 1] = 0.0
    photo = picture(tmp_path / "a.png", 60, 40)
    codec = DetectionCodec(ASSETS, DetectionInference(masks=written))
    (answer,) = codec.decode(outputs, [item])
    saver = codec.saver(format, tmp_path / "out", lambda path: False)
    saver.save(Source("a.png", photo), answer)
    saver.close()
    checked = check(get_format(format).read(tmp_path / "out", Reading()), tmp_path / "out")
    assert not any(note.startswith(tuple(KINDS.values())) for note in checked.notes)
    ((image,),) = checked.images.values()
    disc, empty = image.objects
    assert [checked.classes[each.label] for each in (disc, empty)] == ["disc", "ring"]
    assert (disc.segmentation is None) == (format == "voc")
    left, top, right, bottom = empty.box
    np.testing.assert_allclose(empty.box, answer.record["objects"][1]["box"], atol=1.0 if format == "voc" else 0.01)
    assert empty.area == pytest.approx((right - left) * (bottom - top), abs=0.1)
    if format in ("coco", "labelme"):
        assert empty.segmentation is None
    if format == "yolo":  # lines of one file are of one kind
        assert to_pixels(empty.segmentation, 40, 60).sum() == pytest.approx(empty.area, rel=0.1)


def exported_assets(task):
    plan = task.export_plan()
    return plan, plan.metadata["assets"]


def test_a_trace_is_of_one_image_on_a_square(task):
    plan, assets = exported_assets(task)
    (graph,) = plan.graphs
    assert graph.dynamic == {}
    assert {sample["images"].shape for sample in graph.samples} == {(1, 3, 64, 64)}
    assert assets["preprocess"]["canvas"] == [64, 64]
    items = [
        DetectionCodec(assets).encode(Source(name, np.full((*size, 3), 50, np.uint8)))
        for name, size in (("a", (40, 60)), ("b", (64, 32)), ("c", (40, 60)))
    ]
    batches = list(DetectionCodec(assets).batches(items))
    assert [list(indices) for indices, _ in batches] == [[0], [1], [2]]
    assert {arrays["images"].shape for _, arrays in batches} == {(1, 3, 64, 64)}
    with pytest.raises(UsageError, match="takes one image a call"):
        DetectionCodec(assets, DetectionInference(tile=64))


@pytest.mark.slow
def test_the_file_answers_as_the_network_does(task, tmp_path):
    plan, assets = exported_assets(task)
    plan = dataclasses.replace(plan, metadata={**plan.metadata, "task": "detection"})
    result = export_model(plan, "onnx", tmp_path / "model.onnx", report=lambda line: None)
    assert result.is_telling
    codec, model = DetectionCodec(assets, DetectionInference(threshold=0.0)), open_model(result.path)
    images = [image for image, _ in task.source.some("test", 2)]
    task.model.eval()
    for item in [codec.encode(Source("a", image)) for image in images]:
        ((_, arrays),) = codec.batches([item])
        with torch.no_grad():
            wanted = codec.decode(to_numpy(task.infer({"images": torch.from_numpy(arrays["images"])})), [item])
        given = codec.decode(model.run(arrays), [item])
        assert len(given[0].record["objects"]) == len(wanted[0].record["objects"]) > 0
        for mine, theirs in zip(given[0].record["objects"][:5], wanted[0].record["objects"][:5], strict=True):
            assert mine["score"] == pytest.approx(theirs["score"], abs=1e-3)
