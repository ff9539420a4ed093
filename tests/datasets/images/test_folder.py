"""A user's own folder: copied byte for byte, bad files named, splits and leaks found."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from dlcli.core.errors import DataError
from dlcli.data.images.form import open_images
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.datasets.images.folder import ImageFolderImporter, ImageFolderOptions


def image_bytes(seed, *, size=(12, 10), kind="PNG", mode="RGB"):
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, kind)
    return stream.getvalue()


def fill(folder, count, *, seed=0, **options):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number:03d}.png").write_bytes(image_bytes([seed, number], **options))
    return folder


@pytest.fixture
def source(tmp_path):
    root = tmp_path / "数据 集"
    fill(root / "橘 猫", 10, seed=1)
    fill(root / "dog", 5, seed=2)
    return root


def prepare(source, destination, **options):
    importer = ImageFolderImporter(ImageFolderOptions(**options))
    return prepare_dataset(importer, source, destination, command="x", force=False, report=lambda _line: None)[0]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_plain_class_folders_are_split_and_copied_byte_for_byte(source, tmp_path):
    card = prepare(source, tmp_path / "out")
    assert card.name == "数据 集" and card.classes == ("dog", "橘 猫")
    assert card.counts == {"train": {"dog": 4, "橘 猫": 8}, "test": {"dog": 1, "橘 猫": 2}}
    assert "copies" not in card.details
    for name in card.classes:
        train, test = (contents(tmp_path / "out" / split / name) for split in ("train", "test"))
        assert not train.keys() & test.keys()
        assert {**train, **test} == contents(source / name)
    assert card.warnings == ()


def test_the_seed_decides_the_split(source, tmp_path):
    for number, options in enumerate(({"seed": 0}, {"seed": 0}, {"seed": 3})):
        prepare(source, tmp_path / str(number), **options)
    names = [sorted(contents(tmp_path / str(number) / "test" / "橘 猫")) for number in range(3)]
    assert names[0] == names[1] != names[2]


def test_one_file_more_leaves_the_others_in_their_splits(source, tmp_path):
    def tested(number):
        prepare(source, tmp_path / str(number))
        return [contents(tmp_path / str(number) / "test" / name) for name in ("橘 猫", "dog")]

    fill(source / "橘 猫", 40, seed=1)
    before = tested(0)
    (source / "橘 猫" / "000 first.png").write_bytes(image_bytes(7))
    after = tested(1)
    assert len(before[0]) == len(after[0]) == 8
    assert after[1] == before[1] and after[0].keys() - before[0].keys() <= {"000 first.png"}


def test_small_images_of_one_size_are_packed_in_order(source, tmp_path):
    card = prepare(source, tmp_path / "out")
    form = open_images(tmp_path / "out")
    packed = form.packed("train")
    assert isinstance(packed.images, np.memmap) and packed.images.shape == (12, 10, 12, 3)
    for path, row in zip(form.files("train"), packed.images, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(path)), row)
    np.testing.assert_allclose(card.details["mean"], packed.images.mean((0, 1, 2)) / 255, atol=1e-5)


def test_large_images_are_not_packed(tmp_path):
    for name in ("a", "b"):
        fill(tmp_path / "source" / name, 3, seed=ord(name), size=(80, 70))
    card = prepare(tmp_path / "source", tmp_path / "out")
    assert card.details["image_size"] == [70, 80] and not (tmp_path / "out" / "packed").exists()
    assert len(card.details["mean"]) == 3


def test_images_of_several_sizes_have_no_common_size(source, tmp_path):
    (source / "dog" / "other.png").write_bytes(image_bytes(9, size=(20, 20)))
    assert prepare(source, tmp_path / "out").details["image_size"] is None


def test_grey_images_stay_grey_until_one_has_colour(tmp_path):
    for name in ("a", "b"):
        fill(tmp_path / "source" / name, 3, seed=ord(name), mode="L")
    assert prepare(tmp_path / "source", tmp_path / "grey").details["channels"] == 1
    (tmp_path / "source" / "a" / "colour.png").write_bytes(image_bytes(9))
    assert prepare(tmp_path / "source", tmp_path / "colour").details["channels"] == 3


def test_bad_files_are_skipped_and_named(source, tmp_path):
    (source / "dog" / "empty.png").write_bytes(b"")
    (source / "dog" / "notes.txt").write_text("no image")
    (source / "dog" / "cut.png").write_bytes(image_bytes(5)[:-40])
    (source / "dog" / "moving.gif").write_bytes(image_bytes(5, kind="GIF"))
    (source / "dog" / ".hidden").write_bytes(b"x")
    (source / "dog" / "Thumbs.db").write_bytes(b"x")
    card = prepare(source, tmp_path / "out")
    assert card.num_items("train") + card.num_items("test") == 15
    text = "\n".join(card.warnings)
    assert "3 files could not be read" in text and "skipped dog/empty.png: the file is empty" in text
    assert "2 files are not images: skipped, the first: dog/Thumbs.db" in text
    assert "GIF is not supported" in text and "hidden" not in text


def test_too_many_bad_files_are_an_error(source, tmp_path):
    for number in range(3):
        (source / "dog" / f"bad{number}.png").write_bytes(b"")
    with pytest.raises(DataError, match="3 files cannot be read as images, more than --max-bad 2"):
        prepare(source, tmp_path / "out", max_bad=2)
    assert prepare(source, tmp_path / "out", max_bad=3).classes == ("dog", "橘 猫")


def test_the_content_decides_the_format(source, tmp_path):
    (source / "dog" / "photo").write_bytes(image_bytes(7, kind="JPEG"))
    (source / "dog" / "wrong.jpg").write_bytes(image_bytes(8))
    prepare(source, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").glob("*/dog/*")}
    assert {"photo.jpg", "wrong.jpg"} <= names and "photo" not in names


def test_only_20_bad_files_are_named(source, tmp_path):
    for number in range(30):
        (source / "dog" / f"bad{number}.png").write_bytes(b"")
    warnings = prepare(source, tmp_path / "out").warnings
    assert sum(warning.startswith("skipped") for warning in warnings) == 20


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        (("train", "test"), ["train", "test"]),
        (("train", "val", "test"), ["train", "valid", "test"]),
        (("Train", "validation"), ["train", "test"]),
        (("train",), ["train", "test"]),
    ],
)
def test_split_folders_become_splits(tmp_path, folders, splits):
    for number, folder in enumerate(folders):
        for name in ("a", "b"):
            fill(tmp_path / "source" / folder / name, 5, seed=number * 10 + ord(name))
    card = prepare(tmp_path / "source", tmp_path / "out")
    assert list(card.counts) == splits == list(open_images(tmp_path / "out").splits())
    total = sum(card.num_items(split) for split in splits)
    assert total == 10 * len(folders)
    has_note = any("used as the test split" in warning for warning in card.warnings)
    assert has_note == ("validation" in folders)


def test_a_file_in_two_splits_is_noted(tmp_path):
    for folder in ("train", "test"):
        fill(tmp_path / "source" / folder / "a", 3, seed=1)
        fill(tmp_path / "source" / folder / "b", 3, seed=2 if folder == "train" else 3)
    assert prepare(tmp_path / "source", tmp_path / "out").warnings == ("leak: 3 images are in both train and test",)


def test_empty_and_single_classes_are_noted(source, tmp_path):
    (source / "empty").mkdir()
    fill(source / "zebra", 1, seed=5)
    card = prepare(source, tmp_path / "out")
    assert card.classes == ("dog", "zebra", "橘 猫") and card.counts["test"]["zebra"] == 0
    assert "the class 'empty' has no images: skipped" in card.warnings
    assert "the class 'zebra' has a single image: it is in train only" in card.warnings


def test_a_class_of_the_test_split_alone_is_an_error(tmp_path):
    for folder, name in (("train", "a"), ("train", "b"), ("test", "a"), ("test", "c")):
        fill(tmp_path / "source" / folder / name, 2, seed=ord(name))
    with pytest.raises(DataError, match="'c' has no readable image in the training split"):
        prepare(tmp_path / "source", tmp_path / "out")


def test_an_error_that_comes_of_unreadable_files_says_why_they_are(tmp_path):
    source = tmp_path / "source"
    fill(source / "a", 2)
    (source / "b").mkdir()
    for number in range(3):
        (source / "b" / f"{number}.png").write_bytes(b"")
    with pytest.raises(DataError, match="1 classes with images") as caught:
        prepare(source, tmp_path / "out")
    assert caught.value.details == ("3 files cannot be read, the first: b/0.png: the file is empty",)
    for place in ("train/a", "test/a", "train/b", "test/b"):
        fill(tmp_path / "splits" / place, 2, seed=ord(place[-1]))
    for number in range(2):
        (tmp_path / "splits" / "train" / "b" / f"{number:03d}.png").write_bytes(b"")
    (tmp_path / "splits" / "test" / "a" / "000.png").write_bytes(b"")
    with pytest.raises(DataError, match="'b' has no readable image in the training split") as caught:
        prepare(tmp_path / "splits", tmp_path / "out")
    assert caught.value.details == ("2 files cannot be read, the first: train/b/000.png: the file is empty",)


@pytest.mark.parametrize("build", [lambda root: None, lambda root: fill(root, 3), lambda root: fill(root / "a", 3)])
def test_without_two_classes_there_is_nothing_to_learn(tmp_path, build):
    (tmp_path / "source").mkdir()
    build(tmp_path / "source")
    with pytest.raises(DataError, match=r"no images by class|needs two"):
        prepare(tmp_path / "source", tmp_path / "out")


def test_links_are_followed_once_and_become_files(source, tmp_path):
    fill(tmp_path / "far", 2, seed=8)
    (source / "dog" / "link.png").symlink_to(tmp_path / "far" / "000.png")
    (source / "dog" / "again.png").symlink_to(tmp_path / "far" / "000.png")
    (source / "dog" / "inner.png").symlink_to(source / "dog" / "000.png")
    (source / "dog" / "more").symlink_to(tmp_path / "far", target_is_directory=True)
    (source / "zebra").symlink_to(fill(tmp_path / "zebras", 2, seed=9), target_is_directory=True)
    card = prepare(source, tmp_path / "out")
    assert {name: sum(card.counts[split][name] for split in card.counts) for name in card.classes} == {
        "dog": 7,
        "zebra": 2,
        "橘 猫": 10,
    }
    assert card.warnings == ()
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))


def test_links_that_lead_nowhere_are_skipped_and_named(source, tmp_path):
    for place, target in (
        ("dog/loop", "loop"),
        ("dog/up", "../.."),
        ("all", "."),
        ("gone.png", "x"),
        ("dog/x.png", "y"),
    ):
        (source / place).symlink_to(target)
    card = prepare(source, tmp_path / "out")
    assert card.num_items("train") + card.num_items("test") == 15
    [warning] = card.warnings
    assert "5 entries were skipped" in warning and str(source / "all") in warning


def test_nested_images_lie_beside_the_others(source, tmp_path):
    fill(source / "dog" / "a" / "b", 3, seed=6)
    fill(source / "dog" / ".thumbnails", 3, seed=7)
    card = prepare(source, tmp_path / "out")
    assert sum(card.counts[split]["dog"] for split in card.counts) == 8
    copies = [path for path in (tmp_path / "out").glob("*/dog/*") if path.is_file()]
    assert sorted(path.read_bytes() for path in copies) == sorted(
        path.read_bytes() for place in ("dog", "dog/a/b") for path in (source / place).glob("*.png")
    )


@pytest.mark.parametrize("layout", ["", "train/"])
def test_what_is_prepared_is_what_training_reads(tmp_path, layout):
    source = tmp_path / "source"
    for name in ("a", "b"):
        fill(source / layout / name, 3, seed=ord(name))
        fill(source / layout / name / "deep", 2, seed=10 + ord(name))
        (source / layout / name / "photo").write_bytes(image_bytes([ord(name), 9], kind="JPEG"))
        (source / layout / name / "P.JFIF").write_bytes(image_bytes([ord(name), 8], kind="JPEG"))
        (source / layout / name / "notes.txt").write_text("no image")
        (source / layout / name / "link.png").symlink_to(source / layout / name / "000.png")
    read = sorted(path.read_bytes() for path in open_images(source).files("train"))
    prepare(source, tmp_path / "out")
    form = open_images(tmp_path / "out")
    assert sorted(path.read_bytes() for split in form.splits() for path in form.files(split)) == read
    assert len(read) == 14


def test_an_image_in_several_classes_is_left_out_and_named(source, tmp_path):
    for number in range(3):
        (source / "橘 猫" / f"dog{number}.png").write_bytes((source / "dog" / f"{number:03d}.png").read_bytes())
    card = prepare(source, tmp_path / "out")
    assert {name: sum(card.counts[split][name] for split in card.counts) for name in card.classes} == {
        "dog": 2,
        "橘 猫": 10,
    }
    assert card.warnings == ("3 images are in several classes, so left out: the first is dog/000.png, in dog, 橘 猫",)


def test_copies_of_an_image_are_in_one_split_and_counted(source, tmp_path):
    for name, number in (("橘 猫", 10), ("dog", 5)):
        for place in range(number):
            (source / name / f"copy {place}.png").write_bytes((source / name / f"{place:03d}.png").read_bytes())
    fill(source / "zebra", 1, seed=5)
    (source / "zebra" / "again.png").write_bytes((source / "zebra" / "000.png").read_bytes())
    card = prepare(source, tmp_path / "out")
    assert card.counts == {"train": {"dog": 8, "zebra": 2, "橘 猫": 16}, "test": {"dog": 2, "zebra": 0, "橘 猫": 4}}
    assert card.details["copies"] == 16
    assert card.warnings == ("the class 'zebra' has a single image: it is in train only",)  # and no leak


def test_a_class_may_be_called_train(tmp_path):
    for name in ("bus", "train", "val"):
        fill(tmp_path / "source" / name, 4, seed=ord(name[0]))
    assert prepare(tmp_path / "source", tmp_path / "out").classes == ("bus", "train", "val")
    assert open_images(tmp_path / "source").card.classes == ("bus", "train", "val")
    assert open_images(tmp_path / "out").card.classes == ("bus", "train", "val")


@pytest.mark.parametrize("name", ["etc.", "what?", "con", "Dog", " dog", "caf\udce9", "a\nb"])
def test_a_class_that_cannot_be_a_folder_everywhere_is_refused_with_a_way_out(source, tmp_path, name):
    fill(source / name, 2, seed=3)
    with pytest.raises(DataError) as caught:
        prepare(source, tmp_path / "out")
    assert "rename" in caught.value.hint and "dl train" in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_the_folder_and_its_files_may_have_names_that_are_not_utf_8(tmp_path):
    source = tmp_path / "caf\udce9"
    for name in ("a", "b"):
        fill(source / name, 3, seed=ord(name))
        (source / name / "\udce9.png").write_bytes(image_bytes([ord(name), 7]))
        (source / name / "\udcff.png").write_bytes(b"")
    card = prepare(source, tmp_path / "out")
    assert card.name == "caf\\udce9" and card.num_items("train") + card.num_items("test") == 8
    assert "skipped a/\\udcff.png: the file is empty" in card.warnings
    assert json.loads((tmp_path / "out" / "dataset.json").read_text(encoding="utf-8"))["name"] == card.name
    assert sum(path.name == "_udce9.png" for path in (tmp_path / "out").rglob("*")) == 2


def test_nothing_is_written_into_the_source(source, tmp_path):
    before = sorted(source.rglob("*"))
    prepare(source, tmp_path / "out")
    assert sorted(source.rglob("*")) == before


def test_missing_source_is_said(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        prepare(tmp_path / "none", tmp_path / "out")
    with pytest.raises(DataError, match="needs a SOURCE"):
        prepare(None, tmp_path / "out")
