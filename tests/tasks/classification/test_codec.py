from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from dlcli.core.errors import RunError
from dlcli.data.codec import Source
from dlcli.data.images.preprocess import Preprocess
from dlcli.tasks.classification.codec import ImageCodec
from dlcli.tasks.classification.config import ClassificationInference

PREPROCESS = Preprocess(3, 8, 6, (0.5, 0.4, 0.3), (0.2, 0.2, 0.2))
ASSETS = {"labels": ["cat", "狗", "a bird"], "preprocess": PREPROCESS.to_json()}


def decode(logits, **options):
    """Return the records of an (N, 3) list of logits."""
    codec = ImageCodec(ASSETS, ClassificationInference(**options))
    outputs = {"logits": np.array(logits, dtype=np.float32)}
    return [answer.record for answer in codec.decode(outputs, [None] * len(logits))]


@pytest.fixture
def image_file(tmp_path):
    """A file of 8 x 6 pixels, and its content as RGB."""
    image = np.random.default_rng(0).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    path = tmp_path / "一 张.png"
    path.write_bytes(cv2.imencode(".png", image[:, :, ::-1])[1].tobytes())
    return path, image


def test_what_a_run_keeps_is_read_back():
    assert Preprocess.from_json(PREPROCESS.to_json()) == PREPROCESS


def test_an_image_of_the_networks_size_passes_unchanged(image_file):
    path, image = image_file
    codec = ImageCodec(ASSETS)
    [source] = codec.expand([str(path)])
    assert source == Source(str(path), path)
    encoded = codec.encode(source)
    assert encoded.error is None
    assert encoded.arrays["images"].dtype == np.uint8
    assert np.array_equal(encoded.arrays["images"], image.transpose(2, 0, 1))


def test_the_bytes_of_a_file_are_read_as_the_file(image_file):
    path, _ = image_file
    codec = ImageCodec(ASSETS)
    of_bytes, of_file = (codec.encode(Source("upload", value)) for value in (path.read_bytes(), path))
    np.testing.assert_array_equal(of_bytes.arrays["images"], of_file.arrays["images"])
    assert "empty" in str(codec.encode(Source("upload", b"")).error)


@pytest.mark.parametrize(("height", "width"), [(16, 12), (20, 9), (5, 40), (100, 100)])
def test_an_image_of_another_size_is_brought_to_the_networks(height, width):
    image = np.full((height, width, 3), 77, dtype=np.uint8)
    fitted = PREPROCESS.fit(image)
    assert fitted.shape == (8, 6, 3)
    assert (fitted == 77).all()


def test_the_middle_of_a_wide_image_is_kept():
    image = np.zeros((10, 30, 3), dtype=np.uint8)
    image[:, 10:20] = 255
    assert (Preprocess(3, 10, 10, (0.5,) * 3, (0.2,) * 3).fit(image) == 255).all()


def test_an_unreadable_file_is_an_error_with_its_name_and_none_is_raised(tmp_path):
    (tmp_path / "text.png").write_text("no image", encoding="utf-8")
    for name in ("text.png", "gone.png"):
        encoded = ImageCodec(ASSETS).encode(Source(name, tmp_path / name))
        assert encoded.arrays is None
        assert name in str(encoded.error)


def test_probabilities_are_torchs_softmax_whatever_the_size_of_the_logits():
    logits = [[1.0, 2.0, 3.0], [1e4, 0.0, -1e4], [0.0, 0.0, 0.0]]
    records = decode(logits, top_k=3)
    expected = torch.tensor(logits).double().softmax(1).numpy()
    for record, row in zip(records, expected, strict=True):
        given = {entry["label"]: entry["probability"] for entry in record["top"]}
        assert [given[name] for name in ASSETS["labels"]] == pytest.approx(row, abs=1e-6)
        assert record["label"] == record["top"][0]["label"]
        assert record["probability"] == record["top"][0]["probability"] == max(given.values())


@pytest.mark.parametrize(("top_k", "expected"), [(1, 1), (2, 2), (3, 3), (99, 3)])
def test_the_best_answers_come_best_first_and_never_more_than_there_are(top_k, expected):
    [record] = decode([[0.0, 5.0, 3.0]], top_k=top_k)
    assert [entry["label"] for entry in record["top"]] == ["狗", "a bird", "cat"][:expected]


def test_equal_answers_stand_in_the_order_of_the_classes():
    [record] = decode([[0.0, 0.0, 0.0]], top_k=3)
    assert [entry["label"] for entry in record["top"]] == ASSETS["labels"]


def test_an_answer_is_drawn_under_the_image(image_file):
    path, _ = image_file
    codec = ImageCodec(ASSETS)
    item = codec.encode(Source("x", path))
    [answer] = codec.decode({"logits": np.array([[0.0, 5.0, 3.0]], dtype=np.float32)}, [item])
    picture = codec.draw(item.source, answer)
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3
    assert picture.shape[0] > 8


@pytest.mark.parametrize(
    "damage",
    [
        {"labels": None},
        {"labels": []},
        {"labels": "cat"},
        {"labels": ["cat", 3]},
        {"preprocess": None},
        {"preprocess": {}},
        {"preprocess": {**PREPROCESS.to_json(), "channels": 2}},
        {"preprocess": {**PREPROCESS.to_json(), "size": [8]}},
        {"preprocess": {**PREPROCESS.to_json(), "size": [0, 8]}},
        {"preprocess": {**PREPROCESS.to_json(), "size": [10**9, 8]}},
        {"preprocess": {**PREPROCESS.to_json(), "mean": [0.5]}},
        {"preprocess": {**PREPROCESS.to_json(), "std": "high"}},
        {"preprocess": {**PREPROCESS.to_json(), "mean": [0.5, 0.5, float("nan")]}},
        {"preprocess": {**PREPROCESS.to_json(), "std": [0.2, 0.2, 0.0]}},
    ],
)
def test_damaged_assets_are_a_fault_of_the_run(damage):
    with pytest.raises(RunError, match="damaged"):
        ImageCodec({**ASSETS, **damage})


def test_missing_assets_are_a_fault_of_the_run():
    for name in ASSETS:
        with pytest.raises(RunError):
            ImageCodec({key: value for key, value in ASSETS.items() if key != name})
