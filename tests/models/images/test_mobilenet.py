from __future__ import annotations

import pytest
import torch

from dlcli.models.images.mobilenet import MobileNet
from dlcli.models.summary import summarise


@pytest.mark.parametrize(
    ("width", "parameters", "multiply_adds"),
    # The paper's table 6: 4.2 M and 569 M, 1.3 M and 149 M.
    [(1.0, 4_231_976, 568_740_352), (0.5, 1_331_592, 149_497_088)],
)
def test_counts_equal_the_paper_s(width: float, parameters: int, multiply_adds: int) -> None:
    summary = summarise(MobileNet(num_classes=1000, image_size=224, width=width), torch.zeros(1, 3, 224, 224))
    assert (summary.parameters, summary.multiply_adds) == (parameters, multiply_adds)
    assert (round(parameters / 1e6, 1), round(multiply_adds / 1e6)) == {1.0: (4.2, 569), 0.5: (1.3, 149)}[width]
