"""CIFAR in its true layout: every image arrives, every wrong thing is said, no name escapes."""

from __future__ import annotations

import dataclasses
import io
import os
import pickle
import struct
import tarfile

import numpy as np
import pytest
from PIL import Image

from dlcli.core.errors import DataError
from dlcli.data.images.form import open_images
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.datasets.images.cifar import Cifar10Importer, Cifar10Options, Cifar100Importer, Cifar100Options

CLASSES = ["airplane", "cat", "dog"]
MEMBERS = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta"]


class Python2Pickler(pickle._Pickler):
    """Writes bytes as Python 2's str, as the published batches have them."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_str(self, value):
        short = len(value) < 256
        head = (
            pickle.SHORT_BINSTRING + bytes([len(value)]) if short else pickle.BINSTRING + struct.pack("<i", len(value))
        )
        self.write(head + value)
        self.memoize(value)

    dispatch[bytes] = save_str


def dumps(value, *, is_python2=True):
    if not is_python2:
        return pickle.dumps({key.decode(): item for key, item in value.items()})
    stream = io.BytesIO()
    Python2Pickler(stream, protocol=2).dump(value)
    return stream.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def make_batch(seed, count=6):
    random = np.random.default_rng(seed)
    labels = [int(label) for label in random.permutation(np.arange(count) % len(CLASSES))]
    return {
        b"batch_label": b"a batch",
        b"labels": labels,
        b"data": random.integers(0, 256, (count, 3072), dtype=np.uint8),
        b"filenames": [f"{CLASSES[label]}_s_{seed}{row:03d}.png".encode() for row, label in enumerate(labels)],
    }


def make_batches():
    batches = {name: make_batch(seed) for seed, name in enumerate(MEMBERS[:-1])}
    batches["batches.meta"] = {b"label_names": [name.encode() for name in CLASSES], b"num_vis": 3072}
    return batches


def write_batches(folder, batches, *, is_python2=True):
    folder.mkdir(parents=True, exist_ok=True)
    for name, batch in batches.items():
        (folder / name).write_bytes(dumps(batch, is_python2=is_python2))
    return folder


def write_archive(path, batches, *, mode="w:gz", prefix="cifar-10-batches-py/"):
    with tarfile.open(path, mode) as archive:
        for name, batch in batches.items():
            content = dumps(batch)
            info = tarfile.TarInfo(prefix + name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def folder(tmp_path):
    return write_batches(tmp_path / "cifar-10-batches-py", make_batches())


def prepare(source, destination, importer=None):
    importer = importer or Cifar10Importer(Cifar10Options())
    return prepare_dataset(importer, source, destination, command="x", force=False, report=lambda _line: None)[0]


def read(path):
    return np.asarray(Image.open(path))


def expected_images(batches, members):
    """Return (class, file name) -> pixels, by the plain definition of the format."""
    return {
        (CLASSES[label], name.decode()): row.reshape(3, 32, 32).transpose(1, 2, 0)
        for member in members
        for row, label, name in zip(*(batches[member][key] for key in (b"data", b"labels", b"filenames")), strict=True)
    }


@pytest.mark.parametrize("is_python2", [True, False])
def test_every_image_arrives_under_its_class_and_name(tmp_path, is_python2):
    batches = make_batches()
    source = write_batches(tmp_path / "source", batches, is_python2=is_python2)
    card = prepare(source, tmp_path / "out")
    assert card.classes == tuple(CLASSES) and list(card.counts) == ["train", "test"]
    for split, members in (("train", MEMBERS[:5]), ("test", ["test_batch"])):
        expected = expected_images(batches, members)
        found = {(path.parent.name, path.name): read(path) for path in (tmp_path / "out" / split).glob("*/*.png")}
        assert found.keys() == expected.keys()
        for key, pixels in expected.items():
            np.testing.assert_array_equal(found[key], pixels)
        assert card.num_items(split) == len(expected)


def test_packed_rows_are_the_files_in_their_order(folder, tmp_path):
    prepare(folder, tmp_path / "out")
    form = open_images(tmp_path / "out")
    for split in form.splits():
        packed = form.packed(split)
        assert isinstance(packed.images, np.memmap)
        files = form.files(split)
        assert files == sorted(files)
        np.testing.assert_array_equal(packed.labels, form.labels(split))
        for path, row, label in zip(files, packed.images, packed.labels, strict=True):
            np.testing.assert_array_equal(read(path), row)
            assert path.parent.name == CLASSES[label]


def test_mean_and_std_are_over_all_training_pixels(folder, tmp_path):
    card = prepare(folder, tmp_path / "out")
    pixels = np.concatenate([batch[b"data"].reshape(-1, 3, 1024) for batch in map(make_batch, range(5))]) / 255
    np.testing.assert_allclose(card.details["mean"], pixels.mean((0, 2)), atol=1e-5)
    np.testing.assert_allclose(card.details["std"], pixels.std((0, 2)), atol=1e-5)
    assert card.details["image_size"] == [32, 32] and card.details["channels"] == 3


def test_outer_folder_and_archives_give_the_same(folder, tmp_path):
    card = prepare(folder, tmp_path / "out")
    archives = [
        write_archive(tmp_path / "a.tar.gz", make_batches()),
        write_archive(tmp_path / "b.tar", make_batches(), mode="w"),
    ]
    for source in archives:
        other = prepare(source, tmp_path / f"out of {source.name}")
        assert dataclasses.replace(other, sources=card.sources) == card
    assert Cifar10Importer(Cifar10Options()).locate(folder.parent) == [folder / name for name in MEMBERS]


def test_a_small_copy_is_noted(folder, tmp_path):
    assert any("36 images; the published" in warning for warning in prepare(folder, tmp_path / "out").warnings)


def test_an_image_in_both_splits_is_noted(tmp_path):
    batches = make_batches()
    batches["test_batch"][b"data"][:2] = batches["data_batch_3"][b"data"][:2]
    card = prepare(write_batches(tmp_path / "source", batches), tmp_path / "out")
    assert "leak: 2 images are in both train and test" in card.warnings


def test_names_from_the_file_stay_inside(tmp_path):
    batches = make_batches()
    names = [b"../../evil.png", b"/tmp/evil.png", b"..\\..\\evil.png", b"..", b"con.png", b"\xff\x00.png"]
    batches["data_batch_1"][b"filenames"] = names
    batches["data_batch_1"][b"labels"] = [0] * 6
    prepare(write_batches(tmp_path / "deep" / "source", batches), tmp_path / "deep" / "out")
    written = {path.name for path in (tmp_path / "deep" / "out" / "train" / "airplane").iterdir()}
    assert {"evil.png", "evil_2.png", "evil_3.png", "image_00003.png", "_con.png"} <= written
    outside = [path for path in tmp_path.rglob("*evil*") if path.parent.name != "airplane"]
    assert outside == []


def test_fine_and_coarse_labels_of_cifar100(tmp_path):
    def split(seed):
        batch = make_batch(seed)
        labels = batch.pop(b"labels")
        return {**batch, b"fine_labels": labels, b"coarse_labels": [label % 2 for label in labels]}

    meta = {b"fine_label_names": [b"apple", b"bear", b"can"], b"coarse_label_names": [b"food", b"thing"]}
    source = write_batches(tmp_path / "source", {"train": split(0), "test": split(1), "meta": meta})
    fine = prepare(source, tmp_path / "fine", Cifar100Importer(Cifar100Options()))
    coarse = prepare(source, tmp_path / "coarse", Cifar100Importer(Cifar100Options(coarse=True)))
    assert fine.counts["train"] == {"apple": 2, "bear": 2, "can": 2}
    assert coarse.counts["train"] == {"food": 4, "thing": 2}
    assert coarse.details["options"] == {"coarse": True}


def spoil(key, value, member="data_batch_2"):
    def change(batches):
        batches[member][key] = value

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (spoil(b"labels", [0, 1, 2, 0, 1, 3]), "image 5 has the label 3, not one of 0..2"),
        (spoil(b"labels", [0, 1, 2, 0, 1, -1]), "the label -1"),
        (spoil(b"labels", [0, 1, 2, 0, 1, True]), "the label True"),
        (spoil(b"labels", [0, 1]), "6 images, but 2 labels"),
        (spoil(b"labels", None), "no 'labels' list"),
        (spoil(b"filenames", [b"a"]), "6 images, but 1 file names"),
        (spoil(b"data", np.zeros((6, 3072), np.float32)), "float32"),
        (spoil(b"data", np.zeros((6, 3071), np.uint8)), "3071"),
        (spoil(b"data", np.zeros((0, 3072), np.uint8)), "no images"),
        (spoil(b"data", [1, 2]), "no 'data' array"),
        (spoil(b"label_names", [b"a", b"../b", b"c"], "batches.meta"), "class name '../b'"),
        (spoil(b"label_names", [b"a", b"A", b"c"], "batches.meta"), "'a' and 'A' are one folder"),
        (spoil(b"label_names", None, "batches.meta"), "no 'label_names' list"),
    ],
)
def test_wrong_content_is_said_and_leaves_nothing(tmp_path, change, reason):
    batches = make_batches()
    change(batches)
    source = write_batches(tmp_path / "source", batches)
    with pytest.raises(DataError, match=reason):
        prepare(source, tmp_path / "data" / "out")
    assert not (tmp_path / "data").exists()


def test_a_truncated_batch_is_said(folder, tmp_path):
    path = folder / "data_batch_4"
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(DataError, match="data_batch_4: not a pickled batch: it is truncated"):
        prepare(folder, tmp_path / "out")


class Attack:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return (os.system, (self.command,))


def test_a_malicious_batch_is_refused_and_not_run(folder, tmp_path):
    marker = tmp_path / "marker"
    (folder / "data_batch_1").write_bytes(pickle.dumps({b"data": Attack(f"touch '{marker}'")}))
    with pytest.raises(DataError, match=r"refused: the pickle references \w+\.system"):
        prepare(folder, tmp_path / "out")
    assert not marker.exists() and not (tmp_path / "out").exists()


def test_a_missing_batch_is_named(folder):
    (folder / "data_batch_3").unlink()
    with pytest.raises(DataError, match="incomplete: data_batch_3 missing") as caught:
        Cifar10Importer(Cifar10Options()).locate(folder)
    assert len(caught.value.lines()) <= 6


def test_the_binary_version_is_recognised(tmp_path):
    (tmp_path / "data_batch_1.bin").write_bytes(b"x")
    with pytest.raises(DataError, match="no CIFAR-10 batches in") as caught:
        Cifar10Importer(Cifar10Options()).locate(tmp_path)
    assert caught.value.details == (
        "looked for: data_batch_1 .. data_batch_5, test_batch, batches.meta; found: data_batch_1.bin",
    )
    assert caught.value.hint.startswith('this is the binary version; download the "python version" archive')


def test_missing_source_is_named(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        Cifar10Importer(Cifar10Options()).locate(tmp_path / "none")
    with pytest.raises(DataError, match="needs a SOURCE"):
        Cifar10Importer(Cifar10Options()).locate(None)


def test_cifar100_given_to_cifar10_is_recognised(tmp_path):
    batches = make_batches()
    batches["batches.meta"] = {b"fine_label_names": [b"a"]}
    with pytest.raises(DataError) as caught:
        prepare(write_batches(tmp_path / "source", batches), tmp_path / "out")
    assert "dl prepare cifar100" in caught.value.hint


@pytest.mark.parametrize("cut", [10, -100])
def test_a_damaged_archive_is_said(tmp_path, cut):
    path = write_archive(tmp_path / "a.tar.gz", make_batches())
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match="damaged"):
        prepare(path, tmp_path / "out")


def test_archive_members_elsewhere_do_not_count(tmp_path):
    path = write_archive(tmp_path / "a.tar.gz", make_batches(), prefix="../../elsewhere/")
    with pytest.raises(DataError, match="no CIFAR-10 batches in this archive"):
        prepare(path, tmp_path / "out")


@pytest.mark.slow
def test_real_cifar10_gives_the_published_counts(real_data, tmp_path):
    source = real_data / "cifar10" / "cifar-10-batches-py"
    if not source.is_dir():
        pytest.skip("the batches are not built: run make_batches.py in DLCLI_DATA/cifar10")
    card = prepare(source, tmp_path / "cifar10")
    assert set(card.counts["train"].values()) == {5000} and set(card.counts["test"].values()) == {1000}
    # The published set's figures; the carried copy went through JPEG once.
    np.testing.assert_allclose(card.details["mean"], [0.4914, 0.4822, 0.4465], atol=0.002)
    np.testing.assert_allclose(card.details["std"], [0.2470, 0.2435, 0.2616], atol=0.003)
