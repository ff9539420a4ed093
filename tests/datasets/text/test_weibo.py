"""weibo_senti_100k: its two labels by name, its columns by their header, and nothing else taken."""

from __future__ import annotations

import pytest

from dlcli.core.errors import DataError
from dlcli.core.registry import find_dataset, load_object
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.data.text.form import open_texts
from dlcli.datasets.text.options import TextOptions
from dlcli.datasets.text.weibo import LABEL_NAMES, weibo_importer


def prepare(tmp_path, rows, header="label,review", **options):
    source = tmp_path / "weibo_senti_100k.csv"
    source.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    importer = weibo_importer(TextOptions(**{"tokenizer": "char", "min_count": 1, **options}))
    card, _ = prepare_dataset(importer, source, tmp_path / "out", command="x", force=False, report=lambda line: None)
    return card, open_texts(tmp_path / "out")


ROWS = [f'{number % 2},"第{number}条, {"开心" if number % 2 else "难过"}"' for number in range(40)]


def test_zero_is_negative_and_one_is_positive(tmp_path):
    card, form = prepare(tmp_path, ROWS)
    assert (card.name, card.form, card.classes) == ("weibo", "text", ("negative", "positive"))
    for split in form.splits():
        texts = form.texts(split, range(len(form.labels(split))))
        assert [int("开心" in text) for text in texts] == form.labels(split).tolist()
    assert sum(map(card.num_items, card.counts)) == 40


@pytest.mark.parametrize("label", ["2", "-1", "positive", "0.5", "10"])
def test_another_label_is_a_broken_row(tmp_path, label):
    card, _ = prepare(tmp_path, [*ROWS, f"{label},不算"])
    assert card.details["rows"]["broken"] == 1
    assert any("line 42" in line and repr(label) in line for line in card.warnings)
    with pytest.raises(DataError, match=r"weibo_senti_100k\.csv"):
        prepare(tmp_path, [*ROWS, f"{label},不算了"], max_bad=0)


def test_labels_may_have_blanks_around_them(tmp_path):
    assert prepare(tmp_path, [row.replace(",", " ,", 1) for row in ROWS])[0].details["rows"]["broken"] == 0


def test_the_command_line_knows_it_by_this_importer():
    spec = find_dataset("weibo")
    assert load_object(spec.importer) is weibo_importer
    assert load_object(spec.options) is TextOptions
    assert set(LABEL_NAMES.values()) == {"negative", "positive"}
