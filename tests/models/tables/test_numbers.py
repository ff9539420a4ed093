"""Encodings of numbers: what each adds to the standardised number, and that gaps and units stay its own business."""

from __future__ import annotations

import math

import pytest
import torch

from dlcli.models.tables.numbers import NUMBERS, NumericInputs, NumericScale, PeriodicNumbers, PiecewiseNumbers, plain
from dlcli.tasks.tables.config import NUMBERS as NAMES

SCALES = [NumericScale(3.0, 2.0, 4.0, (0.0, 1.0, 5.0)), NumericScale(-1.0, 0.0, 0.5)]
NUMERIC = torch.tensor([[0.5, 1.0], [9.0, -1.0], [-3.0, 0.25]])


def scrambled(encoding):
    with torch.no_grad():
        for parameter in encoding.parameters():
            parameter.normal_()
    return encoding


def test_the_options_name_every_encoding():
    assert tuple(NUMBERS) == NAMES


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("scales", [SCALES, SCALES[:1], SCALES[1:]])
def test_every_encoding_has_the_width_that_it_states(name, scales):
    encoding = NUMBERS[name](scales)
    numeric = NUMERIC[:, : len(scales)]
    assert encoding(numeric).shape == (3, encoding.num_features)
    assert encoding(numeric[:0]).shape == (0, encoding.num_features)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_missing_number_is_as_the_median(name):
    encoding = scrambled(NUMBERS[name](SCALES))
    gap, median = torch.tensor([[torch.nan, torch.nan]]), torch.tensor([[3.0, -1.0]])
    assert torch.equal(encoding(gap), encoding(median))
    assert encoding(gap).isfinite().all()


@pytest.mark.parametrize("name", NUMBERS)
def test_rows_are_encoded_one_by_one(name):
    encoding = scrambled(NUMBERS[name](SCALES))
    together = encoding(NUMERIC)
    for row in range(3):
        torch.testing.assert_close(encoding(NUMERIC[row : row + 1])[0], together[row])


@pytest.mark.parametrize("name", NUMBERS)
def test_a_column_moves_no_feature_of_another(name):
    encoding = scrambled(NUMBERS[name](SCALES))
    moved = NUMERIC.clone()
    moved[:, 1] += 1
    changed = (encoding(moved) != encoding(NUMERIC)).any(0)
    assert 1 <= changed.sum() <= encoding.num_features / 2


def test_plain_numbers_are_standardised_alone():
    torch.testing.assert_close(plain(SCALES)(NUMERIC), (NUMERIC - torch.tensor([2.0, 0.0])) / torch.tensor([4.0, 0.5]))


def test_a_piecewise_embedding_is_a_column_by_column_linear_layer_over_the_bins():
    encoding = scrambled(PiecewiseNumbers(SCALES, width=5))
    features = NumericInputs(SCALES)(NUMERIC)
    standard, passed = features[:, :2], features[:, 2:].view(3, 2, 2)
    for column in range(2):
        expected = standard[:, column, None] * encoding.scale[column] + encoding.bias.view(2, 5)[column]
        expected = expected + passed[:, column] @ encoding.weight[column]
        torch.testing.assert_close(encoding(NUMERIC).view(3, 2, 5)[:, column], expected)


def test_a_piecewise_embedding_begins_linear():
    encoding = PiecewiseNumbers(SCALES)
    evenly = torch.tensor([[-7.0, 0.0], [0.0, 0.0], [7.0, 0.0], [14.0, 0.0]])
    assert encoding(evenly).diff(n=2, dim=0).abs().max() < 1e-5
    with torch.no_grad():
        encoding.weight.normal_()
    assert encoding(evenly).diff(n=2, dim=0).abs().max() > 0.1


def test_a_periodic_embedding_is_the_number_and_a_linear_layer_over_its_waves():
    encoding = scrambled(PeriodicNumbers(SCALES, waves=3, width=4))
    standard = plain(SCALES)(NUMERIC)
    for column in range(2):
        angles = 2 * math.pi * standard[:, column, None] * encoding.frequency[column]
        waves = torch.cos(angles + encoding.phase.view(2, 3)[column])
        expected = waves @ encoding.weight[column] + encoding.bias.view(2, 3)[column]
        found = encoding(NUMERIC).view(3, 2, 4)[:, column]
        torch.testing.assert_close(found[:, 0], standard[:, column])
        torch.testing.assert_close(found[:, 1:], expected)


def test_a_slower_periodic_embedding_begins_as_the_same():
    answers = []
    for rate in (1.0, 0.1):
        torch.manual_seed(0)
        answers.append(PeriodicNumbers(SCALES, rate=rate)(NUMERIC))
    torch.testing.assert_close(*answers)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_bounded_number_keeps_its_order_and_never_passes_the_bound(name):
    values = torch.tensor([-1e30, -40.0, -4.0, -1.0, 0.0, 1.0, 4.0, 40.0, 1e30])
    encoding = NUMBERS[name]([NumericScale(0.0, 0.0, 1.0)], 3.0)
    assert encoding(values[:, None]).isfinite().all()
    found = plain([NumericScale(0.0, 0.0, 1.0)], 3.0)(values[:, None])[:, 0]
    assert (found.diff() > 0).all()
    assert found.abs().max() <= 3
    assert found[5].item() == pytest.approx(1 / (1 + 1 / 9) ** 0.5)


def test_an_encoding_without_bins_has_no_weights_for_them():
    encoding = PiecewiseNumbers(SCALES[1:])
    assert encoding.weight is None
    assert all(parameter.numel() for parameter in encoding.parameters())
