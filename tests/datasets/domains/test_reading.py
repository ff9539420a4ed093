"""What both importers of two domains share: folders, names, and notes on images that stand in the wrong places."""

from __future__ import annotations

from pathlib import Path

import pytest
from toys.annotated import picture

from dlcli.core.errors import DataError, UsageError
from dlcli.data.domains.writer import FoundImage, Placed, inspect_image
from dlcli.datasets.domains.options import DomainsOptions
from dlcli.datasets.domains.reading import (
    counted,
    leak_notes,
    locate_folders,
    name_domains,
    read_files,
    require_both,
    shared_notes,
    single_notes,
    space_of,
)

CLASSES = ("apple", "orange")


def placed(tmp_path: Path, *places: tuple[str, str, int]) -> list[Placed]:
    """Return images of noise: the name, which decides the pixels, the split and the domain of each."""
    found: dict[str, FoundImage] = {}
    for name, _, _ in places:
        if name not in found:
            found[name] = inspect_image(picture(tmp_path / f"{name}.png", 64, 64))
    return [Placed(found[name], split, domain) for name, split, domain in places]


def test_one_folder_holds_both_or_each_has_its_own(tmp_path: Path) -> None:
    one, two = tmp_path / "a", tmp_path / "b"
    one.mkdir(), two.mkdir()
    assert locate_folders(one, DomainsOptions(), "domains") == [one]
    assert locate_folders(None, DomainsOptions(a=str(one), b=str(two)), "domains") == [one, two]


@pytest.mark.parametrize(
    ("source", "a", "b", "kind", "message"),
    [
        (None, "a", None, UsageError, "--a and --b must be given together"),
        (None, None, "b", UsageError, "--a and --b must be given together"),
        (None, None, None, UsageError, "dl prepare pairs: name the SOURCE"),
        ("a", "a", "b", UsageError, "SOURCE cannot be combined with --a and --b"),
        ("missing", None, None, DataError, "missing: no such folder"),
        (None, "a", "missing", DataError, "missing: no such folder"),
        (None, "a", "./a", DataError, "the same folder"),
        (None, "a", "a/inner", DataError, "one folder lies in the other"),
        (None, "a/inner", "a", DataError, "one folder lies in the other"),
    ],
)
def test_folders_that_are_not_two_domains_are_refused(
    source: str | None, a: str | None, b: str | None, kind: type[Exception], message: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a" / "inner").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    with pytest.raises(kind, match=message):
        locate_folders(Path(source) if source else None, DomainsOptions(a=a, b=b), "pairs")


@pytest.mark.parametrize(
    ("folders", "names", "expected"),
    [
        (["apple2orange"], None, (("apple", "orange"), "apple2orange")),
        (["fruit"], None, (("A", "B"), "fruit")),
        (["fruit"], "red, green", (("red", "green"), "fruit")),
        (["summer", "winter"], None, (("summer", "winter"), "summer2winter")),
        (["summer", "winter"], "warm,cold", (("warm", "cold"), "warm2cold")),
        (["x/images", "y/images"], None, (("A", "B"), "A2B")),  # equal names are no names
    ],
)
def test_domains_have_the_most_telling_names(folders, names, expected, tmp_path: Path) -> None:
    paths = [tmp_path / folder for folder in folders]
    assert name_domains(paths, DomainsOptions(names=names)) == expected


def test_files_that_cannot_be_used_are_named_up_to_a_number(tmp_path: Path) -> None:
    good = picture(tmp_path / "good.png", 64, 64)
    bad = [tmp_path / f"bad{number:02}.png" for number in range(30)]
    for path in bad:
        path.write_bytes(b"no image")
    found, notes = read_files([good, *bad], tmp_path, max_bad=30)
    assert list(found) == [good]
    assert notes[0] == "left out: 30 files that cannot be used"
    assert len(notes) == 21 and notes[1].startswith("left out bad00.png: ")
    with pytest.raises(DataError, match="30 files cannot be used, more than --max-bad 29") as caught:
        read_files([good, *bad], tmp_path, max_bad=29)
    assert "bad00.png" in caught.value.details[0]
    assert read_files([], tmp_path, max_bad=0) == ({}, [])


def test_numbers_agree_with_their_nouns() -> None:
    assert [counted(number, "file") for number in (0, 1, 2, 1234)] == ["0 files", "1 file", "2 files", "1,234 files"]


def test_both_domains_need_a_training_image(tmp_path: Path) -> None:
    where = (tmp_path / "trainA", tmp_path / "trainB")
    require_both(placed(tmp_path, ("one", "train", 0), ("two", "train", 1)), where)
    with pytest.raises(DataError, match="trainB: no image"):
        require_both(placed(tmp_path, ("one", "train", 0), ("two", "test", 1)), where)


def test_a_single_training_image_is_noted_for_its_domain(tmp_path: Path) -> None:
    items = placed(tmp_path, ("a", "train", 0), ("b", "train", 0), ("c", "train", 1), ("d", "test", 1))
    [note] = single_notes(items, CLASSES)
    assert note.startswith("orange has a single training image")


def test_images_of_both_domains_are_noted_and_a_domain_of_nothing_else_refused(tmp_path: Path) -> None:
    apart = placed(tmp_path, ("a", "train", 0), ("b", "train", 1))
    assert shared_notes(apart, CLASSES) == []
    some = placed(tmp_path, ("a", "train", 0), ("b", "train", 0), ("b", "test", 1), ("c", "train", 1))
    [note] = shared_notes(some, CLASSES)
    assert note == f"1 image is in both domains, byte for byte: the first is {tmp_path / 'b.png'}"
    every = placed(tmp_path, ("a", "train", 0), ("b", "train", 0), ("b", "train", 1))
    with pytest.raises(DataError, match="all images of orange are in the other domain too"):
        shared_notes(every, CLASSES)


def test_images_of_train_and_test_are_noted_whatever_their_domain(tmp_path: Path) -> None:
    assert leak_notes(placed(tmp_path, ("a", "train", 0), ("b", "test", 0))) == []
    [note] = leak_notes(placed(tmp_path, ("a", "train", 0), ("a", "test", 1), ("b", "test", 0)))
    assert "test" in note and "train" in note


def test_space_is_that_of_all_files(tmp_path: Path) -> None:
    for name, size in (("x/a.png", 10), ("x/deep/b.png", 20), ("y/c.png", 5)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"\0" * size)
    assert space_of([tmp_path / "x", tmp_path / "y"]) == 35
