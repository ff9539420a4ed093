"""Boston housing in its published format."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.core.errors import DataError
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.data.tables.form import open_table
from dlcli.datasets.tables.housing import NAMES, HousingImporter
from dlcli.datasets.tables.options import HousingOptions


def prepared(source, folder, **options):
    card, _ = prepare_dataset(
        HousingImporter(HousingOptions(**options)), source, folder, command="x", force=False, report=lambda line: None
    )
    return card, open_table(folder)


@pytest.fixture
def source(tmp_path):
    values = np.random.default_rng(0).uniform(1, 9, (30, 14)).round(3)
    text = "\n".join("  ".join(f"{value:8.3f}" for value in row) for row in values)
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "housing.data").write_text(f"{text}\n\n")
    return tmp_path / "source", values


def test_b_is_left_out_unless_asked_for_and_it_is_said_why(source, tmp_path):
    folder, values = source
    card, form = prepared(folder, tmp_path / "out/a")
    assert form.target == "MEDV"
    assert form.names("numeric") == [name for name in NAMES[:-1] if name != "B"]
    [warning] = [line for line in card.warnings if line.startswith("'B'")]
    assert "--keep-b" in warning
    card, form = prepared(folder / "housing.data", tmp_path / "out/b", keep_b=True)
    assert not [line for line in card.warnings if line.startswith("'B'")]
    np.testing.assert_array_equal(form.rows.numeric, values[:, :13])
    np.testing.assert_array_equal(form.rows.targets, values[:, 13])


def test_a_row_of_another_length_is_refused_with_its_line(source, tmp_path):
    folder, _ = source
    path = folder / "housing.data"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:4], "1 2 3", *lines[4:]]))
    with pytest.raises(DataError, match="line 5: not the 14 numbers"):
        prepared(folder, tmp_path / "out")


@pytest.mark.slow
def test_the_real_file_has_506_rows(real_data, tmp_path):
    card, form = prepared(real_data / "housing", tmp_path / "out")
    assert form.num_rows == 506
    assert (card.counts, card.items) == ({}, {"train": 405, "test": 101})
    assert (form.rows.targets.min(), form.rows.targets.max()) == (5.0, 50.0)
