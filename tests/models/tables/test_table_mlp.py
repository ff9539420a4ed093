"""A network over columns: gaps, units, bins and unknown categories are its own business."""

from __future__ import annotations

import pytest
import torch

from dlcli.engine.observers.averaging import averaged_copy
from dlcli.models.tables.table_mlp import (
    NumericInputs,
    NumericScale,
    TableClassifier,
    TableMLP,
    TableRegressor,
    embedding_width,
)

SCALES = [NumericScale(3.0, 2.0, 4.0, (0.0, 1.0, 5.0)), NumericScale(-1.0, 0.0, 0.5)]
NUMBERS = torch.tensor([[0.5, 1.0], [9.0, -1.0], [-3.0, 0.25]])
PLACES = torch.tensor([[1], [2], [0]])


def network(**options):
    return TableMLP(**{"scales": SCALES, "category_sizes": [4], "out_features": 1, "hidden": (8,), **options})


def test_numbers_are_standardised_and_tell_how_far_they_came_through_each_bin():
    features = NumericInputs(SCALES)(NUMBERS)
    expected = [[-0.375, 2.0, 0.5, 0.0], [1.75, -2.0, 1.0, 1.0], [-1.25, 0.5, 0.0, 0.0]]
    torch.testing.assert_close(features[:, :4], torch.tensor(expected))
    assert torch.equal(features[:, 4:], torch.zeros(3, 2))  # the second column has no bins


def test_a_moving_average_leaves_the_scales_alone():
    inputs = NumericInputs(SCALES)
    averaged = averaged_copy(inputs, 0.9)
    for _ in range(5):
        averaged.update_parameters(inputs)
    torch.testing.assert_close(averaged(NUMBERS), inputs(NUMBERS))


def test_a_missing_number_is_as_the_median():
    inputs = NumericInputs(SCALES)
    gap, median = torch.tensor([[torch.nan, 1.0]]), torch.tensor([[3.0, 1.0]])
    assert torch.equal(inputs(gap), inputs(median))


@pytest.mark.parametrize("edges", [(), (0.0, 1.0, 5.0)])
def test_another_unit_of_a_column_changes_no_answer(edges):
    def scale(factor):
        return NumericScale(3 * factor, 2 * factor, 4 * factor, tuple(edge * factor for edge in edges))

    first, second = NumericInputs([scale(1)]), NumericInputs([scale(1000)])
    torch.testing.assert_close(first(NUMBERS[:, :1]), second(1000 * NUMBERS[:, :1]))


@pytest.mark.parametrize("members", [1, 3])
def test_an_unknown_category_adds_nothing(members):
    model = network(members=members)
    for embedding in model.categories.embeddings:
        assert embedding.weight[0].abs().sum() == 0
    assert model.categories(PLACES)[:, 2].abs().sum() == 0
    assert model.categories(PLACES)[:, 0].abs().sum() > 0


@pytest.mark.parametrize("kinds", [(True, True), (True, False), (False, True)])
def test_a_table_of_either_kind_of_column_is_read(kinds):
    has_numbers, has_categories = kinds
    model = network(scales=SCALES if has_numbers else [], category_sizes=[4] if has_categories else [])
    columns = [*([NUMBERS] if has_numbers else []), *([PLACES] if has_categories else [])]
    assert model(*columns).shape == (1, 3, 1)
    assert TableRegressor(model, 0.0, 1.0)(*columns).shape == (3,)


def test_the_answer_is_in_the_targets_units_and_the_mean_of_the_members():
    model = TableRegressor(network(members=4), mean=22.0, std=9.0)
    members = model.standardised(NUMBERS, PLACES) * 9 + 22
    prediction, spread = model(NUMBERS, PLACES)
    torch.testing.assert_close(prediction, members.mean(0))
    torch.testing.assert_close(spread, members.std(0))


def test_bounded_answers_stay_in_their_range():
    model = TableRegressor(network(members=2), mean=22.0, std=9.0, bounds=(21.5, 22.25))
    with torch.no_grad():
        model.network.mlp.layers[-1].weight *= 100
        prediction, _ = model(NUMBERS, PLACES)
    assert prediction.min() >= 21.5 - 1e-5
    assert prediction.max() <= 22.25 + 1e-5
    assert model.members(NUMBERS, PLACES).unique().numel() < 6


def test_a_classifier_answers_by_the_mean_probability_of_its_members():
    model = TableClassifier(network(members=3, out_features=5))
    expected = model.members(NUMBERS, PLACES).softmax(2).mean(0)
    torch.testing.assert_close(model(NUMBERS, PLACES).exp(), expected)
    alone = TableClassifier(network(out_features=5))
    torch.testing.assert_close(alone(NUMBERS, PLACES), alone.members(NUMBERS, PLACES)[0])


def test_embeddings_grow_with_their_categories_up_to_a_bound():
    widths = [embedding_width(size) for size in (2, 10, 100, 10_000)]
    assert widths == sorted(widths)
    assert (widths[0], widths[-1]) == (2, 32)
