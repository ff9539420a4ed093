"""Importers of sentence pairs: columns, aligned files, cleaning, splits; what cannot be read is refused."""

from __future__ import annotations

import dataclasses
import gzip
import json

import pytest

from dlcli.core.errors import DataError, UsageError
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.data.parallel.form import open_parallel
from dlcli.datasets.parallel.importer import anki_importer, text_importer, tsv_importer
from dlcli.datasets.parallel.options import AlignedOptions, ColumnOptions

NUMBERS = "一二三四五六七八九十"
ROWS = [(f"I have {a} and {b}.", f"我有{NUMBERS[a]}和{NUMBERS[b]}。") for a in range(10) for b in range(5)]
NOTE = "CC-BY 2.0 (France) Attribution: tatoeba.org #538123 (CM) & #891077 (Martha)"
QUICK = {"tokenizer": "char", "min_count": 1}


def write(path, rows, *, more="", bom=""):
    path.write_text(bom + "".join(f"{one}\t{two}{more}\n" for one, two in rows), encoding="utf-8")
    return path


def prepare(importer, source, folder, said=None):
    report = (said if said is not None else []).append
    card, _ = prepare_dataset(importer, source, folder, command="dl prepare", force=True, report=report)
    return open_parallel(folder), card


def pairs_of(form):
    return sorted(pair for split in form.splits() for pair in form.sentences(split, range(form.num_pairs(split))))


CHINESE_FIRST = sorted((zh, en) for en, zh in ROWS)


@pytest.mark.parametrize("source", ["zh", "cmn", "en"])
def test_anki_is_read_in_either_direction(tmp_path, source):
    path = write(tmp_path / "cmn.txt", ROWS, more=f"\t{NOTE}", bom="\ufeff")
    options = ColumnOptions(source_language=source, target_language="zh" if source == "en" else "en", **QUICK)
    said = []
    form, card = prepare(anki_importer(options), path, tmp_path / "p", said)
    expected = sorted(ROWS) if source == "en" else CHINESE_FIRST
    assert pairs_of(form) == expected
    assert form.languages == ({"source": "en", "target": "zh"} if source == "en" else {"source": "zh", "target": "en"})
    assert card.items == {"train": 40, "valid": 5, "test": 5}
    assert card.details["rows"]["read"] == card.details["rows"]["kept"] == 50
    assert card.details["groups"]["shared"]["test in train"] == {"source": 0, "target": 0, "either": 0}
    assert "byte order mark" in said[0] and ("columns 1 and 2" if source == "en" else "columns 2 and 1") in said[0]


def test_the_same_file_gives_the_same_bytes(tmp_path):
    path = write(tmp_path / "t.tsv", ROWS)
    options = ColumnOptions(vocab_size=320, joint=True)
    for name in ("one", "two"):
        form, card = prepare(tsv_importer(options), path, tmp_path / name)
        assert form.is_joint and card.details["joint"]
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.[jn]*"))
    assert len(files) > 10
    for file in files:
        if file.name != "packed.json":  # times of the files
            assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file


@pytest.mark.parametrize(
    ("header", "columns", "order"),
    [
        ("", None, (0, 1)),
        ("en\tzh\n", None, (0, 1)),
        ("Target\tSource\n", None, (0, 1)),
        ("English\tChinese\n", None, (0, 1)),
        ("", "2,1", (0, 1)),
        ("", "3,2", (2, 0, 1)),
    ],
)
def test_columns_are_told_by_header_script_or_option(tmp_path, header, columns, order):
    cells = [[dict(enumerate([*row, "x"]))[place] for place in order] for row in ROWS]
    path = tmp_path / "t.tsv"
    path.write_text(header + "".join("\t".join(row) + "\n" for row in cells), encoding="utf-8")
    form, card = prepare(tsv_importer(ColumnOptions(columns=columns, **QUICK)), path, tmp_path / "p")
    assert pairs_of(form) == CHINESE_FIRST
    assert card.details["rows"]["read"] == 50


FRENCH = [(f"I have {a} and {b}.", f"J'ai {a} et {b} !") for a in range(10) for b in range(5)]


def test_like_scripts_are_told_by_anki_s_english_column(tmp_path):
    path = write(tmp_path / "fra.txt", FRENCH)
    form, _ = prepare(anki_importer(ColumnOptions(source_language="fr", **QUICK)), path, tmp_path / "p")
    assert form.sentences("train", [0])[0][0].startswith("J'ai")
    with pytest.raises(DataError, match="which column is in the language 'fr'"):
        prepare(anki_importer(ColumnOptions(source_language="fr", target_language="de")), path, tmp_path / "q")
    form, _ = prepare(
        tsv_importer(ColumnOptions(source_language="en", target_language="fr", **QUICK)), path, tmp_path / "q"
    )
    assert form.sentences("train", [0])[0][1].startswith("J'ai")


@pytest.mark.parametrize(
    ("options", "says", "hint"),
    [
        ({"source_language": "ru"}, "no column in the language 'ru'", "--source"),
        ({"columns": "1,2"}, "column 1 is not in 'zh'", "--columns 2,1, or exchange"),
        ({"columns": "1,2", "source_language": "ru"}, "column 1 is not in 'ru'", "name the languages"),
    ],
)
def test_a_wrong_direction_is_named(tmp_path, options, says, hint):
    path = write(tmp_path / "t.tsv", ROWS)
    with pytest.raises(DataError, match=says) as caught:
        prepare(tsv_importer(ColumnOptions(**options)), path, tmp_path / "p")
    assert hint in caught.value.hint
    assert not (tmp_path / "p").exists()


def test_dirt_is_cleaned_dropped_and_counted(tmp_path):
    rows = [
        *ROWS,
        ("I  have 1 ,  really?", "我有１，真的吗?"),
        ("", "空"),
        ("same", "same"),
        ("x" * 10_000, "长"),
        ("word " * 60, "短"),
        ROWS[0],
        ("Traditional.", "我絶不會。"),
    ]
    path = write(tmp_path / "t.tsv", rows)
    with path.open("a", encoding="utf-8") as stream:
        stream.write("\n\nonly one column\n")
    said = []
    form, card = prepare(tsv_importer(ColumnOptions(**QUICK)), path, tmp_path / "p", said)
    counts = {
        "read": 58,
        "broken": 1,
        "empty": 1,
        "identical": 1,
        "too_long": 1,
        "unequal": 1,
        "duplicates": 1,
        "kept": 52,
    }
    assert card.details["rows"] == counts
    assert ("我有1，真的吗？", "I have 1, really?") in pairs_of(form)
    assert card.details["cleaned"] == {"source": 1, "target": 2}
    assert card.details["traditional"] == 1
    assert card.warnings == ("lines that lack a column were skipped, 1: line 60: 1 column",)
    assert any("52 kept" in line for line in said)


def test_parts_have_the_sizes_that_are_asked_for(tmp_path):
    path = write(tmp_path / "t.tsv", ROWS)
    for valid, test, items in ((0, 7, {"train": 43, "test": 7}), (0.1, 0.2, {"train": 35, "valid": 5, "test": 10})):
        _, card = prepare(tsv_importer(ColumnOptions(valid=valid, test=test, **QUICK)), path, tmp_path / "p")
        assert card.items == items
    with pytest.raises(DataError, match="too few pairs, 50, for 40"):
        prepare(tsv_importer(ColumnOptions(valid=20, test=20)), path, tmp_path / "q")


def test_a_random_split_says_what_leaks(tmp_path):
    rows = [(en, zh) for zh, en in CHINESE_FIRST for en in (en, en.replace("I have", "I've"))]
    path = write(tmp_path / "t.tsv", rows)
    for split, leaks in (("random", True), ("groups", False)):
        _, card = prepare(tsv_importer(ColumnOptions(split=split, **QUICK)), path, tmp_path / "p")
        assert bool(card.details["groups"]["shared"]["test in train"]["either"]) == leaks
        assert bool(card.warnings) == leaks
        assert card.details["groups"]["count"] == 50 and card.details["groups"]["largest"] == 2
    assert len(rows) == 100


def test_one_group_cannot_be_split(tmp_path):
    path = write(tmp_path / "t.tsv", [("one", f"一{number}") for number in range(30)])
    with pytest.raises(DataError, match="in 1 groups, valid gets none"):
        prepare(tsv_importer(ColumnOptions(**QUICK)), path, tmp_path / "p")


@pytest.mark.parametrize("kind", ["word", "char", "bpe"])
def test_every_tokenizer_is_stored_with_its_size(tmp_path, kind):
    path = write(tmp_path / "t.tsv", ROWS)
    options = ColumnOptions(tokenizer=kind, target_tokenizer="char", vocab_size=330, min_count=1)
    form, card = prepare(tsv_importer(options), path, tmp_path / "p")
    assert card.details["tokenizers"]["source"] == {"kind": kind, "size": form.tokenizers["source"].size}
    assert card.details["tokenizers"]["target"] == {"kind": "char", "size": form.tokenizers["target"].size}
    assert card.details["unknown"]["train"] == {"source": 0, "target": 0}
    assert card.details["lengths"]["target"]["max"] == max(form.lengths("train", "target"))


def test_options_that_contradict_each_other_are_refused():
    with pytest.raises(UsageError, match=r"--joint: not with bpe and char"):
        tsv_importer(ColumnOptions(joint=True, target_tokenizer="char"))
    with pytest.raises(UsageError, match=r"--valid 10\.5"):
        tsv_importer(ColumnOptions(valid=10.5))
    for columns in ("1", "1,1", "0,1", "a,b", "1,2,3"):
        with pytest.raises(UsageError, match="--columns"):
            tsv_importer(ColumnOptions(columns=columns))


def aligned(folder, *, names=("c.zh", "c.en"), rows=ROWS):
    folder.mkdir(exist_ok=True)
    for name, place in zip(names, (1, 0), strict=True):
        text = "".join(f"{row[place]}\n" for row in rows).encode()
        (folder / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return folder


@pytest.mark.parametrize(
    ("names", "source", "options"),
    [
        (("c.zh", "c.en"), "c.zh", {}),
        (("c.zh.gz", "c.en"), "c", {}),
        (("c.zh.txt", "c.en.txt.gz"), "", {}),
        (("c.cmn", "c.eng"), "c.cmn", {"source_language": "cmn", "target_language": "eng"}),
        (("a.b.zh", "a.b.en"), "a.b", {}),
        (("left", "right"), "left", {"target_file": "right"}),
    ],
)
def test_aligned_files_are_found_plain_or_compressed(tmp_path, names, source, options):
    folder = aligned(tmp_path / "src", names=names)
    (folder / "other.de").write_text("x")
    if "target_file" in options:
        options = {"target_file": str(folder / options["target_file"])}
    form, card = prepare(text_importer(AlignedOptions(**options, **QUICK)), folder / source, tmp_path / "p")
    assert pairs_of(form) == CHINESE_FIRST
    assert [entry["file"] for entry in card.sources] == list(names)


def test_unequal_files_are_refused_with_both_counts(tmp_path):
    folder = aligned(tmp_path / "src")
    with (folder / "c.en").open("a") as stream:
        stream.write("one more\nand more\n")
    with pytest.raises(DataError, match=r"c\.zh has 50 lines, but .*c\.en has 52"):
        prepare(text_importer(AlignedOptions(**QUICK)), folder / "c", tmp_path / "p")


def test_exchanged_and_missing_files_are_named(tmp_path):
    folder = aligned(tmp_path / "src", names=("c.en", "c.zh"))
    with pytest.raises(DataError, match="is not in the language 'zh'") as caught:
        prepare(text_importer(AlignedOptions(**QUICK)), folder / "c", tmp_path / "p")
    assert caught.value.hint == "exchange the two files"
    (folder / "c.en").unlink()
    for source, says in (("c", "no files of target"), ("d", "no files of source"), ("", "no files of target")):
        with pytest.raises(DataError, match=says):
            prepare(text_importer(AlignedOptions()), folder / source, tmp_path / "p")
    with pytest.raises(DataError, match=r"none\.txt: no such file"):
        prepare(text_importer(AlignedOptions(target_file="none.txt")), folder / "c.zh", tmp_path / "p")


def test_a_folder_is_read_if_it_has_one_file(tmp_path):
    folder = tmp_path / "cmn-eng"
    folder.mkdir()
    write(folder / "cmn.txt", ROWS)
    (folder / "_about.txt").write_text("about")
    form, _ = prepare(anki_importer(ColumnOptions(**QUICK)), folder, tmp_path / "p")
    assert pairs_of(form) == CHINESE_FIRST
    write(folder / "more.tsv", ROWS)
    with pytest.raises(DataError, match="2 files of text"):
        prepare(anki_importer(ColumnOptions()), folder, tmp_path / "p")


def test_lower_case_and_normal_form_are_stored_with_the_tokenizers(tmp_path):
    path = write(tmp_path / "t.tsv", ROWS)
    options = ColumnOptions(lowercase="target", unicode="nfc", **QUICK)
    form, card = prepare(tsv_importer(options), path, tmp_path / "p")
    assert all(target == target.lower() for _, target in pairs_of(form))
    assert json.loads(json.dumps(card.details["cleaning"]["target"])) == {
        "language": "en",
        "normal_form": "nfc",
        "is_lower": True,
    }
    assert not form.tokenizers["source"].cleaning.is_lower
    assert dataclasses.asdict(options)["lowercase"] == card.details["options"]["lowercase"]


@pytest.mark.slow
def test_tatoeba_is_read_as_published(real_data, tmp_path):
    path = real_data / "cmn-eng" / "cmn.txt"
    if not path.exists():
        pytest.skip("DLCLI_DATA has no cmn-eng")
    _, card = prepare(anki_importer(ColumnOptions(tokenizer="char")), path, tmp_path / "p")
    assert card.items == {"train": 27_040, "valid": 1_000, "test": 1_000}
    assert card.details["rows"]["read"] == 29_155 and card.details["rows"]["duplicates"] == 115
    assert card.details["traditional"] == 11
    assert card.details["groups"]["count"] == 24_356 and card.details["groups"]["largest"] == 25
    assert not any(count for sides in card.details["groups"]["shared"].values() for count in sides.values())
