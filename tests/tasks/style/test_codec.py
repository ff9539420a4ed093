from __future__ import annotations

import cv2
import numpy as np
import pytest

from dlcli.core.errors import DataError, UsageError
from dlcli.data.codec import Encoded, Source
from dlcli.tasks.style import codec as module
from dlcli.tasks.style.codec import TRANSLATED, StyleCodec
from dlcli.tasks.style.config import StyleInference
from dlcli.tasks.style.preprocess import EXPORTED, StyleAssets

ASSETS = StyleAssets(("apple", "orange"), ("AtoB", "BtoA"), 128, 4).to_json()


def noise(height, width, channels=3, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (height, width, channels), dtype)


def answers(codec, sources):
    """What a network answers that makes the negative of an image."""
    items = [codec.encode(source) for source in sources]
    found = {}
    for indices, arrays in codec.batches(items):
        outputs = {TRANSLATED: 255 - arrays["images"]}
        for index, answer in zip(indices, codec.decode(outputs, [items[row] for row in indices]), strict=True):
            found[index] = answer
    return [found[index] for index in range(len(items))]


def test_pictures_of_any_size_have_the_size_of_their_inputs():
    images = [noise(*size) for size in ((1, 1), (33, 50), (128, 128), (50, 33), (33, 50))]
    found = answers(StyleCodec(ASSETS), [Source(str(row), image) for row, image in enumerate(images)])
    for image, answer in zip(images, found, strict=True):
        assert np.array_equal(answer.picture, 255 - image)
        size = {"width": image.shape[1], "height": image.shape[0]}
        assert answer.record == {**size, "direction": "AtoB", "size": min(size.values())}


def test_an_image_is_translated_at_the_requested_size_and_answered_at_its_own():
    codec = StyleCodec(ASSETS, StyleInference(size=40, direction="BtoA"))
    item = codec.encode(Source("a", noise(100, 200)))
    assert item.arrays["images"].shape == (3, 40, 80)
    [answer] = codec.decode({TRANSLATED: np.full((1, 3, 40, 80), 7, np.uint8)}, [item])
    assert answer.picture.shape == (100, 200, 3) and (answer.picture == 7).all()
    assert (answer.record["direction"], answer.record["size"]) == ("BtoA", 40)


@pytest.mark.parametrize(("channels", "dtype"), [(1, np.uint8), (3, np.uint16), (4, np.uint8), (4, np.uint16)])
def test_grey_alpha_and_16_bits_are_read(tmp_path, channels, dtype):
    path = tmp_path / "a.png"
    assert cv2.imwrite(str(path), noise(20, 30, channels, dtype))
    [answer] = answers(StyleCodec(ASSETS), [Source("a", path)])
    assert answer.picture.shape == (20, 30, 3)
    [same] = answers(StyleCodec(ASSETS), [Source("a", path.read_bytes())])
    assert np.array_equal(answer.picture, same.picture)


def test_batches_have_a_bounded_number_of_pixels(monkeypatch):
    monkeypatch.setattr(module, "MAX_BATCH_PIXELS", 3 * 32 * 32)
    codec = StyleCodec(ASSETS)
    items = [codec.encode(Source("", noise(*size))) for size in ((32, 32),) * 5 + ((64, 64),) * 2]
    batches = [list(indices) for indices, _ in codec.batches(items)]
    assert batches == [[0, 1, 2], [3, 4], [5], [6]]


def test_what_cannot_be_read_or_is_too_large_is_an_error_of_its_input(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"no image")
    codec = StyleCodec(ASSETS)
    for value in (path, DataError("broken"), np.zeros((4096, 4096, 3), np.uint8)):
        item = codec.encode(Source("a", value))
        assert isinstance(item, Encoded) and item.arrays is None and item.error


def test_frames_have_their_time():
    item = StyleCodec(ASSETS).encode(Source("a.mp4#000012", noise(32, 32), "a.mp4", 0.5))
    assert item.kept == {"time_s": 0.5}


def test_folders_are_searched(tmp_path):
    for name in ("b.png", "a.jpg", "c.txt"):
        (tmp_path / name).touch()
    assert [source.value.name for source in StyleCodec(ASSETS).expand([str(tmp_path)])] == ["a.jpg", "b.png"]


def test_an_exported_file_has_one_direction_and_no_dropout():
    exported = {**ASSETS, EXPORTED: {"direction": "BtoA"}}
    assert StyleCodec(exported).direction == "BtoA"
    with pytest.raises(UsageError, match="exported for BtoA"):
        StyleCodec(exported, StyleInference(direction="AtoB"))
    with pytest.raises(UsageError, match="--dropout: an exported file has none"):
        StyleCodec(exported, StyleInference(dropout=1))


def test_an_answer_is_drawn_beside_its_input():
    [answer] = answers(StyleCodec(ASSETS), [source := Source("a", noise(20, 30))])
    drawn = StyleCodec(ASSETS).draw(source, answer)
    assert drawn.shape[0] == 20 and drawn.shape[1] > 60
