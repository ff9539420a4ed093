"""The codec of detection: the same answers from a run and an exported file, or a refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlcli.core.errors import UsageError
from dlcli.data.annotated.preprocess import CanvasPreprocess
from dlcli.data.codec import Source
from dlcli.tasks.detection.codec import LIMITS, DetectionCodec, limits_of
from dlcli.tasks.detection.config import DetectionInference, parse_nms

ASSETS = {
    "labels": ["cat", "dog"],
    "preprocess": CanvasPreprocess(64, None, (0.5,) * 3, (0.2,) * 3).to_json(),
}
EXPORTED = {**ASSETS, LIMITS: limits_of(DetectionInference())}


def outputs(*rows, threshold=0.3):
    """Return dense outputs of one image: (score, label, box) and two rows of padding."""
    count = len(rows)
    boxes = np.zeros((1, count + 2, 4), np.float32)
    scores, labels = np.zeros((1, count + 2), np.float32), np.zeros((1, count + 2), np.int64)
    for place, (score, label, box) in enumerate(rows):
        scores[0, place], labels[0, place], boxes[0, place] = score, label, box
    counts, least = np.array([count]), np.broadcast_to(np.array(threshold, np.float32), (1, 2))
    return {"boxes": boxes, "scores": scores, "labels": labels, "counts": counts, "thresholds": least}


def objects(inference=None, **more):
    codec = DetectionCodec(ASSETS, inference)
    encoded = codec.encode(Source("a", np.zeros((48, 32, 3), np.uint8)))  # 64 x 43 in its canvas
    found = outputs((0.9, 1, (0, 0, 32, 64)), (0.5, 0, (0, 0, 4, 4)), (0.2, 0, (4, 4, 8, 8)), **more)
    return codec.decode(found, [encoded])[0].record["objects"]


def test_an_image_is_a_canvas_of_channels_first():
    encoded = DetectionCodec(ASSETS).encode(Source("a", np.full((48, 32, 3), (1, 2, 3), np.uint8)))
    assert encoded.arrays["images"].shape == (3, 64, 64)
    assert encoded.arrays["images"][:, 5, 5].tolist() == [1, 2, 3]
    assert encoded.context["fit"].inner == (64, 43)


def test_answers_are_those_from_the_threshold_on_with_names_and_their_place_in_the_image():
    first, second = objects()
    assert (first["label"], second["label"]) == ("dog", "cat")
    assert first["score"] == pytest.approx(0.9)
    assert first["box"] == pytest.approx([0, 0, 32 * 32 / 43, 48], abs=0.01)


def test_the_users_threshold_and_number_go_before_those_of_the_model():
    assert [len(objects(threshold=least)) for least in (0.95, 0.6, 0.1)] == [0, 1, 3]
    assert [each["label"] for each in objects(threshold=(0.1, 0.95))] == ["cat", "cat"]  # each class has its own
    assert len(objects(DetectionInference(threshold=0.1), threshold=0.95)) == 3
    assert len(objects(DetectionInference(threshold=0.0, max_detections=1))) == 1


@pytest.mark.parametrize(
    ("inference", "reason"),
    [
        (DetectionInference(nms="0.5"), "exported with 0.6"),
        (DetectionInference(nms="off"), "exported with 0.6"),
        (DetectionInference(max_detections=101), "exported with 100"),
    ],
)
def test_an_exported_file_refuses_limits_that_its_graph_does_not_have(inference, reason):
    with pytest.raises(UsageError, match=reason) as caught:
        DetectionCodec(EXPORTED, inference)
    assert "dl export" in (caught.value.hint or "")
    DetectionCodec(ASSETS, inference)


@pytest.mark.parametrize(
    "inference",
    [DetectionInference(), DetectionInference(nms="0.60"), DetectionInference(threshold=0.5, max_detections=7)],
)
def test_an_exported_file_takes_what_its_graph_has(inference):
    assert DetectionCodec(EXPORTED, inference).inference == inference


def test_a_file_that_is_no_image_is_an_error_of_its_own(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no image")
    encoded = DetectionCodec(ASSETS).encode(Source("a.png", Path(tmp_path / "a.png")))
    assert encoded.arrays is None
    assert encoded.error


def test_answers_are_drawn_on_the_image():
    codec = DetectionCodec(ASSETS)
    source = Source("a", np.zeros((480, 320, 3), np.uint8))
    answer = codec.decode(outputs((0.9, 1, (8, 8, 32, 48))), [codec.encode(source)])[0]
    picture = codec.draw(source, answer)
    assert picture.dtype == np.uint8
    assert picture.any()
    assert not source.value.any()


@pytest.mark.parametrize("text", ["0", "1.5", "nan", "-1", "on", ""])
def test_an_overlap_is_off_or_in_the_unit_interval(text):
    assert parse_nms("off") == "off"
    assert parse_nms("1") == "1"
    with pytest.raises(ValueError, match=r".+"):
        parse_nms(text)
