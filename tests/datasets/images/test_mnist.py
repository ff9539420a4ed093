"""MNIST's idx files: gzipped or not, checked before they are believed."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
from PIL import Image

from dlcli.core.errors import DataError
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.datasets.images.mnist import FashionMnistImporter, FashionMnistOptions, MnistImporter, MnistOptions, read_idx

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
LABELS = (np.arange(20) % 10).astype(np.uint8)


def idx(array):
    return struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_files(folder, *, suffix=".gz", dot=False, images=IMAGES, labels=LABELS):
    folder.mkdir(parents=True, exist_ok=True)
    for stem in ("train", "t10k"):
        for name, array in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
            data = idx(array)
            name = name.replace("-idx", ".idx") if dot else name
            (folder / f"{stem}-{name}{suffix}").write_bytes(gzip.compress(data) if suffix else data)
    return folder


def prepare(source, destination, importer=None):
    importer = importer or MnistImporter(MnistOptions())
    return prepare_dataset(importer, source, destination, command="x", force=False, report=lambda _line: None)[0]


@pytest.mark.parametrize(
    ("suffix", "dot", "inside"), [(".gz", False, ""), ("", False, ""), ("", True, ""), (".gz", True, "raw")]
)
def test_every_image_arrives(tmp_path, suffix, dot, inside):
    write_files(tmp_path / "source" / inside, suffix=suffix, dot=dot)
    card = prepare(tmp_path / "source", tmp_path / "out")
    assert card.classes == tuple("0123456789") and card.counts["test"]["3"] == 2
    assert card.details["channels"] == 1 and card.details["image_size"] == [28, 28]
    for row in range(20):
        path = tmp_path / "out" / "train" / str(LABELS[row]) / f"{row:05d}.png"
        np.testing.assert_array_equal(np.asarray(Image.open(path)), IMAGES[row])


def test_equal_splits_are_noted_as_a_leak(tmp_path):
    card = prepare(write_files(tmp_path / "source"), tmp_path / "out")
    assert "leak: 20 images are in both train and test" in card.warnings


def test_fashion_classes_are_folders(tmp_path):
    importer = FashionMnistImporter(FashionMnistOptions())
    card = prepare(write_files(tmp_path / "source"), tmp_path / "out", importer)
    assert card.name == "fashion-mnist" and card.classes[0] == "T-shirt-top" and card.classes[9] == "Ankle boot"
    assert all((tmp_path / "out" / "train" / name).is_dir() for name in card.classes)


def test_missing_files_are_listed(tmp_path):
    (write_files(tmp_path / "source") / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match="no MNIST files in") as caught:
        MnistImporter(MnistOptions()).locate(tmp_path / "source")
    assert len(caught.value.lines()) <= 6 and "t10k-labels-idx1-ubyte" in caught.value.details[0]
    with pytest.raises(DataError, match="no such folder"):
        MnistImporter(MnistOptions()).locate(tmp_path / "none")
    with pytest.raises(DataError, match="needs a SOURCE"):
        MnistImporter(MnistOptions()).locate(None)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not an idx file"),
        (b"\x89PNG", "not an idx file"),
        (idx(IMAGES)[:-1], "only"),
        (idx(IMAGES) + b"x", "more"),
        (idx(LABELS), "holds no images"),
        (idx(IMAGES)[:9], "truncated"),
        (b"\0\0\x0d\x03" + idx(IMAGES)[4:], "holds no images"),
        (struct.pack(">HBBIII", 0, 8, 3, 2**31, 28, 28), "too much"),
        (struct.pack(">HBBIII", 0, 8, 3, 1, 2**16, 2**16), "too much"),
        (gzip.compress(idx(IMAGES))[:-900], "truncated or damaged|only"),
        (b"\x1f\x8b" + bytes(50), "damaged"),
    ],
)
def test_a_wrong_file_is_said(tmp_path, data, reason):
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(DataError, match=reason):
        read_idx(path, num_axes=3)


def test_a_gzip_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(idx(LABELS) + bytes(50_000_000)))
    with pytest.raises(DataError, match="there are more"):
        read_idx(path, num_axes=1)


@pytest.mark.parametrize(
    ("images", "labels", "reason"),
    [
        (IMAGES, LABELS[:-1], "20 images in test, but 19 labels"),
        (IMAGES, np.full(20, 10, np.uint8), "image 0 has the label 10"),
        (IMAGES[:0], LABELS[:0], "images of shape"),
    ],
)
def test_images_and_labels_must_fit(tmp_path, images, labels, reason):
    source = write_files(tmp_path / "source", images=images, labels=labels)
    with pytest.raises(DataError, match=reason):
        prepare(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_real_mnist_gives_the_published_figures(real_data, tmp_path):
    card = prepare(real_data / "mnist", tmp_path / "mnist")
    assert card.num_items("train") == 60_000 and card.num_items("test") == 10_000
    np.testing.assert_allclose([*card.details["mean"], *card.details["std"]], [0.1307, 0.3081], atol=1e-4)
    assert card.warnings == ()
