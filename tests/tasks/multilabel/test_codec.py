from __future__ import annotations

import numpy as np
import pytest

from dlcli.data.annotated.preprocess import CanvasPreprocess
from dlcli.data.codec import Source
from dlcli.tasks.multilabel.codec import MultilabelCodec
from dlcli.tasks.multilabel.config import MultilabelInference

PREPROCESS = CanvasPreprocess(32, (32, 32), (0.5,) * 3, (0.25,) * 3)
ASSETS = {"labels": ["cat", "dog", "tree"], "preprocess": PREPROCESS.to_json()}
OUTPUTS = {
    "logits": np.array([[0.0, 2.0, -1.0], [-5.0, -6.0, -7.0]], np.float32),
    "thresholds": np.array([[0.5, 0.9, 0.2]] * 2, np.float32),
}


def answers(**options):
    return [
        answer.record for answer in MultilabelCodec(ASSETS, MultilabelInference(**options)).decode(OUTPUTS, [None] * 2)
    ]


def test_each_class_has_its_own_threshold():
    first, second = answers()
    assert first["labels"] == ["cat", "tree"], "0.88 is below the threshold of the dog, 0.27 above that of the tree"
    assert [entry["label"] for entry in first["top"]] == ["dog", "cat", "tree"]
    assert [entry["is_present"] for entry in first["top"]] == [False, True, True]
    assert first["top"][1]["probability"] == 0.5
    assert second["labels"] == []


@pytest.mark.parametrize(("threshold", "labels"), [(0.0, ["dog", "cat", "tree"]), (0.6, ["dog"]), (1.0, [])])
def test_one_threshold_replaces_them(threshold, labels):
    assert answers(threshold=threshold)[0]["labels"] == labels


def test_the_labels_are_all_there_also_with_a_shorter_list():
    record = answers(threshold=0.1, top_k=1)[0]
    assert record["labels"] == ["dog", "cat", "tree"] and len(record["top"]) == 1


def test_a_whole_image_is_in_the_square():
    image = np.full((10, 40, 3), 200, np.uint8)
    [pixels] = MultilabelCodec(ASSETS).encode(Source("a", image)).arrays.values()
    assert pixels.shape == (3, 32, 32)
    assert (pixels[:, :8] == 200).all() and not (pixels[:, 8:] == 200).any()


def test_a_file_that_is_no_image_is_an_error(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"x")
    encoded = MultilabelCodec(ASSETS).encode(Source("a", tmp_path / "a.jpg"))
    assert encoded.arrays is None and encoded.error


def test_an_answer_without_labels_is_drawn_too():
    codec, source = MultilabelCodec(ASSETS), Source("a", np.zeros((200, 200, 3), np.uint8))
    drawn = [codec.draw(source, answer) for answer in codec.decode(OUTPUTS, [None] * 2)]
    assert all(picture.shape[0] > 200 for picture in drawn)
    assert drawn[0].shape != drawn[1].shape or not np.array_equal(*drawn)
