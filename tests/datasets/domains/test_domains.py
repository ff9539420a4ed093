"""Preparing two folders of images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from toys.domains import picture, write_image, write_own

from dlcli.core.errors import DataError, DlError, UsageError
from dlcli.data.card import Card
from dlcli.data.domains.form import DomainsForm, open_domains
from dlcli.data.images.decoding import read_image
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.datasets.domains.domains import DomainsImporter
from dlcli.datasets.domains.options import DomainsOptions, read_names


def prepare(source: Path | None, out: Path, **options: Any) -> tuple[Card, DomainsForm]:
    importer = DomainsImporter(DomainsOptions(**options))
    card, _ = prepare_dataset(importer, source, out, command="dl prepare domains", force=False, report=lambda _: None)
    return card, open_domains(out)


def put(folder: Path, domain: int, count: int, suffix: str = ".png") -> Path:
    for number in range(count):
        write_image(folder / f"{number:03d}{suffix}", picture(domain, number))
    return folder


def test_a_folder_in_the_layout_of_cyclegan(tmp_path: Path) -> None:
    root = write_own(tmp_path / "night2day", {"trainA": 3, "trainB": 4, "testA": 2, "testB": 1})
    card, form = prepare(root, tmp_path / "out")
    assert (card.name, card.classes) == ("night2day", ("night", "day"))
    assert card.counts == {"train": {"night": 3, "day": 4}, "test": {"night": 2, "day": 1}}
    assert {name: card.details[name] for name in ("paired", "channels", "image_size", "converted")} == {
        "paired": False,
        "channels": 3,
        "image_size": [40, 50],
        "converted": 0,
    }
    assert [path.read_bytes() for path in form.files("train", 1)] == [
        path.read_bytes() for path in sorted((root / "trainB").iterdir())
    ]


def test_two_folders_give_their_names_and_a_seeded_test_part(tmp_path: Path) -> None:
    a, b = put(tmp_path / "cats", 0, 10), put(tmp_path / "dogs", 1, 5)
    card, form = prepare(None, tmp_path / "out", a=str(a), b=str(b), test_fraction=0.2)
    assert (card.name, card.classes) == ("cats2dogs", ("cats", "dogs"))
    assert card.counts == {"train": {"cats": 8, "dogs": 4}, "test": {"cats": 2, "dogs": 1}}
    again, other = (
        prepare(None, tmp_path / f"out{seed}", a=str(a), b=str(b), test_fraction=0.2, seed=seed)[1] for seed in (0, 7)
    )
    names = [[path.name for path in each.files("test", 0)] for each in (form, again, other)]
    assert names[0] == names[1] != names[2]


def test_a_domain_of_unreadable_files_is_refused_with_the_reason(tmp_path: Path) -> None:
    a, b = put(tmp_path / "cats", 0, 2), put(tmp_path / "dogs", 1, 2)
    for path in (a / "000.png", *sorted(b.iterdir())):
        path.write_bytes(b"")
    with pytest.raises(DataError, match="dogs: no image that can be used") as caught:
        prepare(None, tmp_path / "out", a=str(a), b=str(b))
    assert caught.value.details == ("2 files cannot be used, the first: 000.png: the file is empty",)


@pytest.mark.parametrize(
    ("folder", "names", "classes"),
    [("fruit", None, ("A", "B")), ("fruit", "apple, orange", ("apple", "orange")), ("a2b", "x,y", ("x", "y"))],
)
def test_domains_are_named_by_the_user_or_the_folder(
    folder: str, names: str | None, classes: tuple[str, str], tmp_path: Path
) -> None:
    root = write_own(tmp_path / folder, {"trainA": 2, "trainB": 2})
    assert prepare(root, tmp_path / "out", names=names)[0].classes == classes


def every_kind(folder: Path) -> dict[str, bool]:
    """Write one image of each kind; return which are copied as they are."""
    folder.mkdir(parents=True)
    rgb = Image.fromarray(picture(0, 1))
    palette = rgb.quantize(16)
    images: dict[str, tuple[Image.Image, dict[str, Any], bool]] = {
        "rgb.png": (rgb, {}, True),
        "grey.png": (rgb.convert("L"), {}, True),
        "rgb.jpg": (rgb, {"quality": 95}, True),
        "grey.jpg": (rgb.convert("L"), {}, True),
        "cmyk.jpg": (rgb.convert("CMYK"), {}, False),
        "rgba.png": (Image.merge("RGBA", (*rgb.split(), rgb.convert("L"))), {}, False),
        "palette.png": (palette, {}, False),
        "deep.png": (Image.fromarray(picture(0, 1)[..., 0].astype(np.uint16) * 257), {}, False),
        "image.tif": (rgb, {}, False),
        "image.bmp": (rgb, {}, False),
        "image.webp": (rgb, {"lossless": True}, False),
    }
    for name, (image, options, _) in images.items():
        image.save(folder / name, **options)
    return {name: is_plain for name, (_, _, is_plain) in images.items()}


def test_no_file_reads_differently_after_preparing(tmp_path: Path) -> None:
    kinds = every_kind(tmp_path / "a")
    b = put(tmp_path / "b", 1, 2)
    card, form = prepare(None, tmp_path / "out", a=str(tmp_path / "a"), b=str(b), test_fraction=0.01)
    written = [path for split in ("train", "test") for path in form.files(split, 0)]
    assert len(written) == len(kinds)
    assert card.details["converted"] == sum(not is_plain for is_plain in kinds.values())
    pixels = {read_image(path, channels=3).tobytes() for path in written}
    contents = {path.read_bytes() for path in written}
    for name, is_plain in kinds.items():
        path = tmp_path / "a" / name
        assert read_image(path, channels=3).tobytes() in pixels
        assert (path.read_bytes() in contents) == is_plain
    for path in written:
        with Image.open(path) as image:
            assert image.format in ("PNG", "JPEG") and image.mode in ("L", "RGB")


def test_files_of_one_name_stay_apart(tmp_path: Path) -> None:
    a = tmp_path / "a"
    for number, name in enumerate(("x.png", "X.jpg", "deep/x.png", "con.png")):
        write_image(a / name, picture(0, number))
    card, form = prepare(None, tmp_path / "out", a=str(a), b=str(put(tmp_path / "b", 1, 4)), test_fraction=0.01)
    assert sum(counts["a"] for counts in card.counts.values()) == 4
    names = {split: [path.name for path in form.files(split, 0)] for split in form.splits()}
    for found in names.values():
        assert len({Path(name).stem.casefold() for name in found}) == len(found)
    assert "_con.png" in [*names["train"], *names["test"]]


def test_what_cannot_be_used_is_left_out_and_named(tmp_path: Path) -> None:
    root = write_own(tmp_path / "x", {"trainA": 3, "trainB": 3, "testA": 1, "testB": 1})
    write_image(root / "trainA" / "dot.png", np.zeros((1, 1, 3), np.uint8))
    (root / "trainA" / "cut.png").write_bytes((root / "trainA" / "000.png").read_bytes()[:60])
    (root / "trainB" / "notes.txt").write_text("not an image")
    card, _ = prepare(root, tmp_path / "out")
    assert card.counts["train"] == {"A": 3, "B": 3}
    assert card.warnings[0] == "left out: 2 files that cannot be used"
    assert "left out trainA/cut.png: " in card.warnings[1]
    assert card.warnings[2] == "left out trainA/dot.png: 1 x 1 pixels are too few: at least 8 on each side"


def test_copies_across_domains_and_splits_are_named(tmp_path: Path) -> None:
    root = write_own(tmp_path / "x", {"trainA": 3, "trainB": 3, "testA": 1, "testB": 1})
    write_image(root / "testB" / "twin.png", picture(0, 1))
    assert [note for note in prepare(root, tmp_path / "out")[0].warnings if "leak" in note] == [
        "leak: 3 images are in both train and test"  # both of one number are in train and test
    ]
    notes = prepare(root, tmp_path / "out")[0].warnings
    assert any(note.startswith("1 image is in both domains, byte for byte: the first is ") for note in notes)


def test_a_domain_may_have_one_image(tmp_path: Path) -> None:
    a, b = put(tmp_path / "a", 0, 1), put(tmp_path / "b", 1, 6)
    card, form = prepare(None, tmp_path / "out", a=str(a), b=str(b))
    assert form.splits() == ("train",)
    assert card.warnings == (
        "no test split, since a domain has a single image",
        "a has a single training image, which is all that can be learned of it",
    )


def test_a_test_split_of_one_domain_is_left_out(tmp_path: Path) -> None:
    root = write_own(tmp_path / "x", {"trainA": 2, "trainB": 2, "testA": 1, "testB": 0})
    card, _ = prepare(root, tmp_path / "out")
    assert card.splits == ("train",)
    assert "the test split has no images of B: it is left out" in card.warnings


def test_an_empty_domain_is_refused(tmp_path: Path) -> None:
    root = write_own(tmp_path / "x", {"trainA": 2, "trainB": 0})
    with pytest.raises(DataError, match="trainB: no image that can be used"):
        prepare(root, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_folder_is_not_two_domains(tmp_path: Path) -> None:
    a, b = put(tmp_path / "a", 0, 3), put(tmp_path / "b", 0, 3)
    for first, second, reason in ((a, a, "the same folder"), (tmp_path, a, "lies in the other"), (a, b, "all images")):
        with pytest.raises(DataError, match=reason):
            prepare(None, tmp_path.parent / "out", a=str(first), b=str(second))


@pytest.mark.parametrize(
    ("source", "options", "reason"),
    [
        (None, {}, "name the SOURCE"),
        (None, {"a": "a"}, "must be given together"),
        ("x", {"a": "a", "b": "b"}, "SOURCE cannot be combined"),
        ("nowhere", {}, "no such folder"),
        (None, {"a": "nowhere", "b": "b"}, "nowhere: no such folder"),
    ],
)
def test_what_is_read_is_said_once(
    source: str | None, options: dict[str, str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("x", "a", "b"):
        (tmp_path / name).mkdir()
    with pytest.raises(DlError, match=reason) as caught:
        DomainsImporter(DomainsOptions(**options)).locate(Path(source) if source else None)
    assert isinstance(caught.value, (DataError, UsageError))


def test_too_many_bad_files_stop_it(tmp_path: Path) -> None:
    root = write_own(tmp_path / "x", {"trainA": 2, "trainB": 2})
    for number in range(3):
        (root / "trainA" / f"bad{number}.png").write_bytes(b"")
    with pytest.raises(DataError, match="3 files cannot be used, more than --max-bad 2"):
        prepare(root, tmp_path / "out", max_bad=2)


@pytest.mark.parametrize("text", ["a", "a,b,c", "a,", ",", "x,X", ""])
def test_two_names_are_two_names(text: str) -> None:
    with pytest.raises(ValueError, match="not two names"):
        read_names(text)
    assert read_names("apple , orange") == ("apple", "orange")


def test_a_name_that_is_no_folder_s_is_refused(tmp_path: Path) -> None:
    root = write_own(tmp_path / "x", {"trainA": 1, "trainB": 1})
    with pytest.raises(DataError, match=r"--names: the class name '\.\./up'"):
        prepare(root, tmp_path / "out", names="../up,b")
