from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dlcli.export.eager import as_function


class Halves(nn.Module):
    """Returns the halves of a sum, one of them in bfloat16, and writes into its first input."""

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        first += second
        return first / 2, (first / 2).bfloat16()


def test_names_become_positions_and_outputs_become_arrays_by_name():
    module = nn.Bilinear(2, 3, 4).eval()
    function = as_function(module, ("left", "right"), ("product",))
    left, right = np.ones((5, 2), np.float32), np.full((5, 3), 2, np.float32)
    expected = module(torch.from_numpy(left), torch.from_numpy(right)).detach().numpy()
    found = function({"right": right, "left": left})
    assert list(found) == ["product"]
    np.testing.assert_array_equal(found["product"], expected)


def test_inputs_stay_as_they_were_and_bfloat16_is_returned_as_float32():
    first, second = np.array([[1.0, 2.0]], np.float32), np.array([[3.0, 5.0]], np.float32)
    found = as_function(Halves(), ("first", "second"), ("exact", "rounded"))({"first": first, "second": second})
    np.testing.assert_array_equal(first, [[1.0, 2.0]])
    np.testing.assert_array_equal(found["exact"], [[2.0, 3.5]])
    assert {array.dtype for array in found.values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(found["rounded"], found["exact"])


def test_read_only_arrays_are_taken():
    array = np.ones((1, 2), np.float32)
    array.flags.writeable = False
    assert as_function(nn.Identity(), ("x",), ("y",))({"x": array})["y"].tolist() == [[1.0, 1.0]]


def test_another_number_of_outputs_than_names_is_an_error():
    function = as_function(Halves(), ("first", "second"), ("only",))
    with pytest.raises(ValueError, match=r"returns 2 outputs, .* \('only',\)"):
        function({"first": np.ones((1, 1), np.float32), "second": np.ones((1, 1), np.float32)})
