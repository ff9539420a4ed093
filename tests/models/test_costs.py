"""The geometry of receptive fields, worked by hand."""

from __future__ import annotations

from dlcli.models.costs import Field, LayerSummary, Reach, Summary, join


def test_a_chain_of_strided_convolutions_is_the_one_worked_by_hand() -> None:
    # r = 1 + sum over layers of (kernel - 1) * product of the strides before it: 3, 7, 15.
    field, sides = Field(), []
    for _ in range(3):
        field = field.slide((3, 3), (2, 2), (1, 1))
        sides.append(field.side)
    assert sides == [3, 7, 15]
    assert field.height == Reach(-7, 7, 8), "unit 0 stands on pixel 0, the next one 8 pixels on"


def test_a_dilated_kernel_is_as_wide_as_its_outermost_weights() -> None:
    assert Field().slide((3, 3), dilation=(4, 4)).side == 9


def test_the_longer_side_counts() -> None:
    assert Field().slide((1, 7)).side == 7
    assert Field().slide((5, 3)).side == 5


def test_shifted_maps_see_more_together_than_each() -> None:
    left, right = Field().slide((2, 2), padding=(0, 1)), Field().slide((2, 2))
    joined = join([left, right])
    assert joined is not None
    assert (left.side, right.side, joined.width) == (2, 2, Reach(-1, 1))


def test_maps_of_different_steps_or_of_an_unknown_one_have_no_field_together() -> None:
    assert join([Field(), Field().slide((1, 1), (2, 2))]) is None
    assert join([Field(), None]) is None


def test_the_memory_of_a_network_is_that_of_its_layers() -> None:
    layers = tuple(LayerSummary(name, "Conv2d", (), 0, bytes_moved=size) for name, size in (("a", 3), ("b", 4)))
    assert Summary(layers, 0, 0, 0, 0, None).bytes_moved == 7
