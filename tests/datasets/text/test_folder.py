"""Texts in a file each: the folder's splits hold, no measured text is trained on, what is left out is named."""

from __future__ import annotations

import pytest

from dlcli.core.errors import DataError, UsageError
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.data.text.form import open_texts
from dlcli.datasets.text import files as text_files
from dlcli.datasets.text.folder import folder_importer
from dlcli.datasets.text.options import TextFolderOptions

CHINESE = {"pos": "这部电影很好看我们都喜欢", "neg": "服务态度不好再也不来了"}


def write(root, texts):
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def many(folder, count=10, words="a film"):
    return {f"{folder}/{number}.txt": f"{words} {folder.replace('/', ' ')} {number}" for number in range(count)}


def prepare(root, **options):
    options = {"tokenizer": "whitespace", "min_count": 1, **options}
    out = root.with_name("out")
    importer = folder_importer(TextFolderOptions(**options))
    card, _ = prepare_dataset(importer, root, out, command="x", force=True, report=lambda line: None)
    form = open_texts(out)
    found = {split: (form.texts(split, range(len(form.labels(split)))), form.labels(split)) for split in form.splits()}
    return card, {
        split: sorted(zip((card.classes[label] for label in labels), texts, strict=True))
        for split, (texts, labels) in found.items()
    }


def test_the_splits_of_a_folder_are_used_and_validation_is_cut_from_training(tmp_path):
    root = write(tmp_path / "imdb", many("train/pos", 20) | many("train/neg", 20) | many("test/pos") | many("test/neg"))
    card, texts = prepare(root)
    assert card.name == "imdb" and card.classes == ("neg", "pos")
    assert card.counts["test"] == {"neg": 10, "pos": 10} and card.counts["valid"] == {"neg": 2, "pos": 2}
    assert texts["test"] == sorted(
        (name, f"a film test {name} {number}") for name in card.classes for number in range(10)
    )
    whole = sorted(texts["train"] + texts["valid"])
    assert whole == sorted((name, f"a film train {name} {number}") for name in card.classes for number in range(20))


def test_class_folders_alone_are_cut_into_three_splits_and_subfolders_belong_to_their_class(tmp_path):
    card, texts = prepare(write(tmp_path / "in", many("pos", 20) | many("neg/a", 10) | many("neg/b", 10)))
    assert {split: sum(counts.values()) for split, counts in card.counts.items()} == {
        "train": 32,
        "valid": 4,
        "test": 4,
    }
    assert sum(label == "neg" for part in texts.values() for label, _ in part) == 20


def test_a_lone_validation_split_is_the_test_split(tmp_path):
    parts = many("train/a") | many("train/b") | many("val/a") | many("val/b")
    card, _ = prepare(write(tmp_path / "in", parts))
    assert sum(card.counts["test"].values()) == 20 and card.warnings[0].startswith("val/ is the only other split")


def test_a_text_of_two_splits_stays_in_the_one_that_is_measured(tmp_path):
    shared = {"train/a/x.txt": "the same", "valid/a/y.txt": "the same ", "test/a/z.txt": " the same"}
    parts = [many(f"{split}/{name}", 5) for split in ("train", "valid", "test") for name in "ab"]
    card, texts = prepare(write(tmp_path / "in", {**shared, **dict(kv for part in parts for kv in part.items())}))
    assert [split for split, part in texts.items() if ("a", "the same") in part] == ["test"]
    assert card.details["rows"]["duplicates"] == 2
    assert any("2 files duplicate an earlier text" in warning for warning in card.warnings)


def test_what_is_no_text_is_counted_and_named(tmp_path):
    bad = {
        "pos/empty.txt": " \n",
        "pos/image.txt": b"\x89PNG\r\n\x1a\n rest",
        "neg/nul.txt": b"a\0b\0c\0d\0",
        "neg/damaged.txt": "很好很好".encode() + b"\xff",
        "neg/page.txt": "<html>a page is a text</html>",
        "neg/other.md": "not read",
        "readme.txt": "in no class",
    }
    card, _ = prepare(write(tmp_path / "in", many("pos") | many("neg") | bad))
    assert card.details["rows"]["broken"] == 4 and card.details["rows"]["kept"] == 21
    said = "\n".join(card.warnings)
    assert "1 file is not .txt: skipped, the first: neg/other.md" in said
    assert "skipped pos/empty.txt: no text" in said
    assert "skipped pos/image.txt: a PNG image, not text" in said
    assert "skipped neg/nul.txt: not text: it has NUL bytes" in said
    assert "skipped neg/damaged.txt: not UTF-8: byte 0xff at offset 12" in said
    with pytest.raises(DataError, match="more than 3 broken files") as caught:
        prepare(tmp_path / "in", max_bad=3)
    assert "correct or remove them, or allow more" in caught.value.hint


def test_files_that_are_not_utf8_share_the_likeliest_encoding(tmp_path):
    texts = {
        f"{label}/{number}.txt": f"{text} {number}".encode("gb18030")
        for label, text in CHINESE.items()
        for number in range(10)
    }
    texts |= {"pos/utf8.txt": "很好 utf8", "pos/marked.txt": "很好 marked".encode("utf-16")}
    card, found = prepare(write(tmp_path / "in", texts))
    everything = {text for part in found.values() for _, text in part}
    assert {"很好 utf8", "很好 marked", f"{CHINESE['neg']} 3"} <= everything and len(everything) == 22
    assert card.details["reading"]["kind"] == "file" and card.details["reading"]["codec"] == "gb18030"
    assert card.details["encoding"] == "GB18030" and any("20 files are not UTF-8" in line for line in card.warnings)


def test_a_named_encoding_is_that_of_every_file_without_a_mark(tmp_path):
    texts = {name: text.encode("utf-16-le") for name, text in (many("pos") | many("neg")).items()}
    _, found = prepare(write(tmp_path / "in", texts), encoding="utf-16-le")
    assert ("pos", "a film pos 3") in [pair for part in found.values() for pair in part]
    with pytest.raises(UsageError, match="unknown encoding"):
        prepare(tmp_path / "in", encoding="utf-99")


def test_texts_are_cut_off_and_that_is_said(tmp_path):
    card, found = prepare(write(tmp_path / "in", many("pos", words="好" * 50) | many("neg", words="b")), max_chars=20)
    assert max(len(text) for part in found.values() for _, text in part) == 20
    assert "10 texts were cut off by --max-chars" in card.warnings
    assert card.details["reading"]["max_chars"] == 20  # dl predict cuts a file off alike


def test_a_file_that_is_too_large_is_broken(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "MAX_BYTES", 2**20)
    root = write(tmp_path / "in", many("pos") | many("neg") | {"pos/large.txt": b"a " * 2**20})
    assert any("pos/large.txt: larger than 1 MiB" in warning for warning in prepare(root)[0].warnings)


def test_classes_can_be_chosen_as_the_two_of_imdb_beside_its_unlabelled_texts(tmp_path):
    parts = many("train/pos") | many("train/neg") | many("train/unsup", 30) | many("test/pos") | many("test/neg")
    root = write(tmp_path / "in", parts)
    assert prepare(root)[0].classes == ("neg", "pos", "unsup")
    card, _ = prepare(root, classes="pos,neg")
    assert card.classes == ("neg", "pos") and card.num_items("train") == 18
    with pytest.raises(DataError, match="no class folder 'poss'"):
        prepare(root, classes="poss")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"a.txt": "no class"}, "no .txt file in a folder of its class"),
        ({"pos/a.md": "x"}, "no .txt file in a folder"),
        (many("pos"), "texts of 1 classes are left"),
        (many("train/a") | many("test/a") | many("train/c") | many("test/b"), "the class 'b' has no text to train on"),
        ({"caf\u00e9/a.txt": "x", "cafe\u0301/a.txt": "y"}, "look alike"),
    ],
)
def test_a_folder_that_cannot_train_a_classifier_is_refused(tmp_path, texts, message):
    with pytest.raises(DataError, match=message):
        prepare(write(tmp_path / "in", texts))


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    importer = folder_importer(TextFolderOptions())
    for source in (None, tmp_path / "nowhere"):
        with pytest.raises(DataError, match=r"needs a SOURCE|no such folder"):
            importer.locate(source)
