"""Which rows train, validate and test, and what simple models make of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from dlcli.core.errors import DataError, UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.data.order import Shard
from dlcli.data.tables.form import open_table
from dlcli.data.tables.origin import left_out_columns
from dlcli.tasks.tables.source import TableSource, table_part

SPLITS = ("train", "valid", "test")


@pytest.fixture
def source(make_table):
    return TableSource(open_table(make_table()), None, TrainConfig(batch_size=16), num_bins=4)


def parts(form, **options):
    return [table_part(form, split, TrainConfig(**options)).tolist() for split in SPLITS]


@pytest.mark.parametrize("options", [{}, {"val_fraction": 0.0}, {"folds": "5", "fold": 2}, {"folds": "loo", "fold": 7}])
def test_every_row_is_in_one_part(make_table, options):
    form = open_table(make_table())
    assert sorted(itertools.chain(*parts(form, **options))) == list(range(form.num_rows))


def test_the_test_rows_of_all_folds_are_the_table(make_table):
    form = open_table(make_table())
    tested = [parts(form, folds="5", fold=fold)[2] for fold in range(1, 6)]
    assert sorted(itertools.chain(*tested)) == list(range(form.num_rows))


def test_rows_of_equal_value_stay_in_one_fold(make_table):
    form = open_table(make_table())
    for split in parts(form, folds="3", fold=1, group="city", val_fraction=0.0):
        cities = set(form.rows.categories[split, 0].tolist())
        assert len(cities) in (0, 1, 2)
    train, _, test = parts(form, folds="3", fold=1, group="city", val_fraction=0.0)
    assert not set(form.rows.categories[train, 0]) & set(form.rows.categories[test, 0])
    with pytest.raises(DataError, match="no column 'town'"):
        parts(form, folds="3", fold=1, group="town")


def test_the_validation_part_has_each_class(make_table):
    form = open_table(make_table("kind"))
    rows = table_part(form, "valid", TrainConfig())
    assert set(form.rows.targets[rows].tolist()) == {0, 1}


def test_a_full_batch_is_one_step_over_all_rows(source):
    loader = source.loader("train", training=True, full_batch=True)
    [batch] = loader.batches()
    assert len(batch["rows"]) == loader.num_items == len(table_part(source.form, "train", TrainConfig()))
    halves = [source.loader("train", training=True, full_batch=True, shard=Shard(rank, 2)) for rank in (0, 1)]
    rows = torch.cat([next(iter(half.batches()))["rows"] for half in halves])
    assert [len(half) for half in halves] == [1, 1]
    assert sorted(rows.tolist()) == sorted(batch["rows"].tolist())


def test_a_batch_holds_the_rows_that_it_names(source):
    for batch in source.loader("train", training=True).batches(3):
        rows = batch["rows"].numpy()
        np.testing.assert_array_equal(batch["numeric"], source.form.rows.numeric[rows].astype(np.float32))
        np.testing.assert_array_equal(batch["targets"], source.form.rows.targets[rows].astype(np.float32))


def test_a_class_that_the_run_does_not_know_is_refused(make_table):
    form = open_table(make_table("kind"))
    columns = TableSource(form, None, TrainConfig(), labels=("cheap", "dear", "free")).columns
    with pytest.raises(DataError, match="'dear' is unknown to the run"):
        TableSource(form, columns, TrainConfig(), labels=("cheap", "free"))


def test_classes_are_matched_by_name(make_table):
    form = open_table(make_table("kind"))
    own, other = (
        TableSource(form, None, TrainConfig(), labels=labels) for labels in (("cheap", "dear"), ("dear", "cheap"))
    )
    np.testing.assert_array_equal(own.targets, 1 - other.targets)


def test_plain_features_have_no_gap_and_one_column_a_category(source):
    features, targets = source.features_of("test")
    assert features.shape == (len(targets), 2 + 3)
    assert np.isfinite(features).all()
    np.testing.assert_array_equal(features[:, 2:].sum(1), 1)


def test_plain_features_are_imputed_and_standardised(source):
    features, _ = source.features_of("train")
    numeric = features[:, :2]
    rows = table_part(source.form, "train", TrainConfig())
    gaps = np.isnan(source.form.rows.numeric[rows, 1])
    np.testing.assert_allclose(numeric[:, 0].mean(), 0, atol=1e-5)
    np.testing.assert_allclose(numeric[:, 0].std(), 1, atol=1e-5)
    age = source.columns.numeric[1]
    np.testing.assert_allclose(numeric[gaps, 1], (age.median - age.mean) / age.std, atol=1e-6)
    assert gaps.any()


@pytest.mark.parametrize("count", [1, 7, 60, 200])
def test_some_rows_come_from_all_over_the_table(source, count):
    rows = source.some_rows(count)
    places = np.linspace(0, source.form.num_rows - 1, count).astype(int)
    np.testing.assert_array_equal(rows["numeric"], source.form.rows.numeric[places].astype(np.float32))
    assert len(rows["categories"]) == count


def test_evaluation_is_in_order_and_training_in_a_seeded_one(source):
    def rows(epoch, *, training):
        return [
            row for batch in source.loader("train", training=training).batches(epoch) for row in batch["rows"].tolist()
        ]

    plain = rows(0, training=False)
    assert plain == rows(5, training=False) == table_part(source.form, "train", TrainConfig()).tolist()
    assert rows(0, training=True) == rows(0, training=True) != rows(1, training=True)
    assert sorted(rows(1, training=True)) == sorted(plain)


def test_class_weights_are_one_on_average_over_the_rows_that_train(make_table):
    source = TableSource(open_table(make_table("kind")), None, TrainConfig(), labels=("cheap", "dear"))
    labels = source.targets[table_part(source.form, "train", TrainConfig())]
    weights, counts = source.class_weights(2), np.bincount(labels)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights * counts, len(labels) / 2, rtol=1e-6)


def test_a_column_to_group_by_is_no_feature_also_if_it_was_left_out(make_table):
    form = open_table(make_table(drop=("age",)))
    options = {"folds": "3", "fold": 1, "val_fraction": 0.0}
    by_city = TableSource(form, None, TrainConfig(**options, group="city"))
    assert by_city.columns.names == ("size",)
    train, _, test = parts(form, **options, group="age")  # left out, in source.csv
    ages = np.array(left_out_columns(form.root, form.card, form.num_rows)["age"])
    assert len(set(ages)) > 3 and not set(ages[train]) & set(ages[test])
    assert TableSource(form, None, TrainConfig(**options, group="age")).columns.names == ("size", "city")
    with pytest.raises(UsageError, match="the column to predict"):
        parts(form, **options, group="price")
    with pytest.raises(DataError, match="no column is left"):
        alone = open_table(make_table(drop=("age", "size"), name="alone"))
        TableSource(alone, None, TrainConfig(**options, group="city"))


def test_index_files_number_the_rows_of_the_users_file(make_table, table_lines, tmp_path):
    lines = [line.rsplit(",", 2)[0] + ",," if row in (1, 2, 5) else line for row, line in enumerate(table_lines)]
    form = open_table(make_table(lines=lines))  # data rows 0, 1 and 4 have no price
    path = tmp_path / "splits.json"
    path.write_text('[{"test": [0, 2, 3, 59]}]')
    train = TrainConfig(splits=str(path), fold=1)
    test = table_part(form, "test", train)
    sizes = [float(lines[1 + row].split(",")[0]) for row in (2, 3, 59)]
    assert form.rows.numeric[test, 0].tolist() == sizes
    [note] = TableSource(form, None, train).notes()
    assert note.startswith("--splits: 1 row ")
    assert TableSource(form, None, TrainConfig(folds="3", fold=1)).notes() == []


def test_far_columns_and_targets_are_centred_before_they_lose_their_digits(make_table):
    start = 1_700_000_000_000
    near, far = (open_table(make_table(lines=_counted_from(offset), name=f"from-{offset}")) for offset in (0, start))
    near, far = (TableSource(form, None, TrainConfig(), num_bins=4) for form in (near, far))
    assert far.columns.offset and far.columns.numeric[0].offset
    for name in ("mean", "lowest", "highest"):
        assert vars(far.columns)[name] - start == pytest.approx(vars(near.columns)[name], abs=1e-2)
    assert far.columns.std == pytest.approx(near.columns.std)
    assert far.columns.numeric[0].std == pytest.approx(near.columns.numeric[0].std)
    assert len(far.columns.numeric[0].edges) == len(near.columns.numeric[0].edges)
    np.testing.assert_allclose(far.features_of("train")[0], near.features_of("train")[0], atol=1e-6)
    np.testing.assert_allclose(
        far.targets.astype(np.float64) + far.columns.offset - start, near.targets.astype(np.float64), atol=1e-2
    )


def _counted_from(offset):
    lines = ["size,city,age,price,kind"]
    for row in range(60):
        size = row * 977 % 6151
        lines.append(f"{offset + size},Lyon,{row % 9},{offset + 3 * size + row % 3},{'dear' if row % 2 else 'cheap'}")
    return lines
