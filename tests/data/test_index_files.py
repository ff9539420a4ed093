"""Index files: which items they name, also where preparing left rows out, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dlcli.core.errors import DataError
from dlcli.core.train_config import TrainConfig
from dlcli.data.index_files import Numbers, count_left_out, count_splits, read_splits
from dlcli.data.parts import num_folds, part_of_fold


def splits_file(tmp_path, content):
    path = tmp_path / "splits.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_index_files_are_read_as_the_uci_splits_are_written(tmp_path):
    np.savetxt(tmp_path / "index_test_0.txt", [3.0, 1.0])
    np.savetxt(tmp_path / "index_train_0.txt", [0.0, 2.0])
    np.savetxt(tmp_path / "index_test_10.txt", [0.0])
    np.savetxt(tmp_path / "index_test_2.txt", [2.0])
    found = [(train.tolist(), test.tolist()) for train, test in read_splits(tmp_path, 4)]
    assert found == [([0, 2], [1, 3]), ([0, 1, 3], [2]), ([1, 2, 3], [0])]
    train = TrainConfig(splits=str(tmp_path), fold=2, val_fraction=0.0)
    assert part_of_fold("train", 4, train, labels=None).tolist() == [0, 1, 3]


def test_json_names_the_same_splits(tmp_path):
    path = splits_file(tmp_path, [{"train": [0], "test": [1, 2]}, {"test": [3]}])
    assert [(a.tolist(), b.tolist()) for a, b in read_splits(path, 4)] == [([0], [1, 2]), ([0, 1, 2], [3])]


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "[1]",
        '[{"test": [9]}]',
        '[{"test": [-1]}]',
        '[{"test": []}]',
        '[{"test": [1, 1]}]',
        '[{"test": [0.5]}]',
        "{",
        '[{"train": [1], "test": [1]}]',
        '[{"test": [1e400]}]',
    ],
)
def test_damaged_splits_are_refused(tmp_path, text):
    with pytest.raises(DataError, match="--splits"):
        read_splits(splits_file(tmp_path, text), 4)


def test_the_row_that_does_not_exist_is_named(tmp_path):
    for row in (-1, 4, 70):
        with pytest.raises(DataError, match=rf"there is no row {row}\n"):
            read_splits(splits_file(tmp_path, [{"test": [row, 2]}]), 4)


def test_rows_are_those_of_the_file_and_left_out_ones_are_skipped_and_counted(tmp_path):
    numbers = Numbers(np.array([2, 5, 3, 7]), 9)  # 0, 1, 4, 6 and 8 were left out, and the others shuffled
    path = splits_file(tmp_path, [{"test": [5, 0, 7]}, {"train": [3, 6, 8], "test": [2]}])
    found = [(train.tolist(), test.tolist()) for train, test in read_splits(path, 4, numbers)]
    assert found == [([0, 2], [1, 3]), ([2], [0])]
    assert count_left_out(path, numbers) == 3
    assert count_splits(path) == num_folds(TrainConfig(splits=str(path)), 4) == 2
    with pytest.raises(DataError, match="there is no row 9"):
        read_splits(splits_file(tmp_path, [{"test": [9]}]), 4, numbers)
    with pytest.raises(DataError, match="left out"):
        read_splits(splits_file(tmp_path, [{"test": [0, 1]}]), 4, numbers)
