"""A network over columns: gaps, units, bins and unknown categories are its own business."""

from __future__ import annotations

import pytest
import torch

from dlcli.core.train_config import TrainConfig
from dlcli.engine.observers.averaging import averaged_copy
from dlcli.models.tables.numbers import NUMBERS as ENCODINGS
from dlcli.models.tables.numbers import NumericInputs, NumericScale
from dlcli.models.tables.table_mlp import (
    TableClassifier,
    TableMLP,
    TableRegressor,
    embedding_width,
    realmlp,
    tabm,
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
    averaged = averaged_copy(inputs, TrainConfig(epochs=1, batch_size=4, learning_rate=0.1, ema=0.9))
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


@pytest.mark.parametrize("size", [1, 2, 3, 7, 30, 150, 211, 212, 213, 5000])
def test_widths_of_embeddings_follow_their_rule(size):
    assert embedding_width(size) == max(1, min(32, round(1.6 * size**0.56)))


def test_a_number_beyond_the_bins_has_passed_all_of_them_or_none():
    inputs = NumericInputs(SCALES[:1])
    features = inputs(torch.tensor([[-1e30], [0.0], [1.0], [5.0], [1e30]]))[:, 1:]
    assert features.tolist() == [[0, 0], [0, 0], [1, 0], [1, 1], [1, 1]]


def test_a_larger_number_has_never_passed_less_of_a_bin():
    inputs = NumericInputs(SCALES[:1])
    features = inputs(torch.linspace(-3, 8, 50)[:, None])
    assert (features.diff(dim=0) >= 0).all()
    assert ((features[:, 1:] >= 0) & (features[:, 1:] <= 1)).all()


def test_rows_are_answered_one_by_one():
    model = TableRegressor(network(members=3), 1.0, 2.0).eval()
    together, spread = model(NUMBERS, PLACES)
    for row in range(len(NUMBERS)):
        alone, own = model(NUMBERS[row : row + 1], PLACES[row : row + 1])
        torch.testing.assert_close(alone[0], together[row])
        torch.testing.assert_close(own[0], spread[row])


def test_scales_travel_with_the_weights():
    first, second = network(), network(scales=[NumericScale(0.0, 9.0, 9.0, (1.0, 2.0, 3.0)), SCALES[1]])
    second.load_state_dict(first.state_dict())
    torch.testing.assert_close(first(NUMBERS, PLACES), second(NUMBERS, PLACES))


def test_probabilities_of_an_ensemble_sum_to_one_though_its_members_disagree():
    model = TableClassifier(network(members=2, out_features=3))
    with torch.no_grad():
        model.network.mlp.layers[-1].weight.mul_(1000)
    torch.testing.assert_close(model(NUMBERS, PLACES).exp().sum(1), torch.ones(3))


def test_embeddings_of_members_are_apart():
    model = network(members=2)
    first, second = model.categories(PLACES)
    assert not torch.allclose(first[0], second[0])
    assert first.shape == (3, embedding_width(4))


EVERY = [(build, numbers) for build in (TableMLP, tabm, realmlp) for numbers in ENCODINGS]


def built(build, numbers, **options):
    return build(
        **{"scales": SCALES, "category_sizes": [4], "out_features": 3, "hidden": (8, 8), "members": 3, **options},
        numbers=numbers,
    ).eval()


@pytest.mark.parametrize(("build", "numbers"), EVERY)
def test_every_network_answers_a_row_alone_as_in_a_batch(build, numbers):
    model = built(build, numbers)
    together = model(NUMBERS, PLACES)
    assert together.shape == (3, 3, 3)
    for row in range(3):
        torch.testing.assert_close(model(NUMBERS[row : row + 1], PLACES[row : row + 1])[:, 0], together[:, row])


@pytest.mark.parametrize(("build", "numbers"), EVERY)
def test_every_network_reads_gaps_as_medians_and_any_kinds_of_columns(build, numbers):
    gap, median = torch.tensor([[torch.nan, torch.nan]]), torch.tensor([[3.0, -1.0]])
    model = built(build, numbers)
    torch.testing.assert_close(model(gap, PLACES[2:]), model(median, PLACES[2:]))
    assert built(build, numbers, category_sizes=[])(gap).isfinite().all()
    assert built(build, numbers, scales=SCALES[1:], category_sizes=[])(gap[:, :1]).isfinite().all()
    assert built(build, numbers, scales=[])(PLACES).shape == (3, 3, 3)


@pytest.mark.parametrize(("build", "numbers"), EVERY)
def test_a_constant_column_harms_no_network(build, numbers):
    constant = NumericScale(5.0, 5.0, 1.0)  # the scale of a column without spread
    model = built(build, numbers, scales=[*SCALES, constant])
    assert model(torch.cat([NUMBERS, torch.full((3, 1), 5.0)], 1), PLACES).isfinite().all()


@pytest.mark.parametrize(("build", "numbers"), EVERY)
def test_every_parameter_of_every_network_learns(build, numbers):
    model = built(build, numbers).train()
    model(NUMBERS, PLACES).square().sum().backward()
    assert not [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()]


def test_members_of_tabm_share_all_but_adapters_biases_and_heads():
    shared, separate = (built(build, "bins", members=32) for build in (tabm, TableMLP))
    assert shared.mlp.layers[0].weight.shape == separate.mlp.layers[0].weight.shape[1:]
    assert shared.mlp.layers[-1].weight.shape == separate.mlp.layers[-1].weight.shape
    assert [e.weight.shape for e in shared.categories.embeddings] == [(4, embedding_width(4))]
    answers = shared(NUMBERS, PLACES)
    assert not torch.allclose(answers[0], answers[1])
