from __future__ import annotations

import pytest
import torch

from dlcli.core.errors import RunError, UsageError
from dlcli.models.segmentation.torchvision_nets import build_torchvision_segmenter, segmenter_names

LRASPP, DEEPLAB = "lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large"


def test_the_names_are_torchvisions():
    assert {LRASPP, DEEPLAB, "deeplabv3_resnet50", "fcn_resnet50"} <= set(segmenter_names())


@pytest.mark.parametrize(("name", "num_heads"), [(LRASPP, 1), (DEEPLAB, 2)])
def test_logits_have_the_resolution_of_the_image_for_every_head(name, num_heads):
    torch.manual_seed(0)
    network, images = build_torchvision_segmenter(name, 3).eval(), torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        found = network.logits_by_head(images)
        assert torch.equal(found[0], network(images))
    assert [each.shape for each in found] == [(1, 3, 64, 96)] * num_heads


def test_a_file_gives_all_weights_but_those_of_a_head_for_other_classes(tmp_path):
    torch.manual_seed(0)
    source = build_torchvision_segmenter(LRASPP, 5).network
    torch.save(source.state_dict(), tmp_path / "w.pth")
    same = build_torchvision_segmenter(LRASPP, 5, pretrained=str(tmp_path / "w.pth")).network.state_dict()
    assert all(torch.equal(value, same[name]) for name, value in source.state_dict().items())
    other = build_torchvision_segmenter(LRASPP, 2, pretrained=str(tmp_path / "w.pth")).network.state_dict()
    changed = {name for name, value in source.state_dict().items() if not torch.equal(value, other[name])}
    assert changed
    assert all(name.startswith("classifier.") and ("low" in name or "high" in name) for name in changed)


def test_what_cannot_be_loaded_or_built_is_refused(tmp_path):
    torch.save({"backbone.0.0.weight": torch.zeros(1)}, tmp_path / "w.pth")
    with pytest.raises(RunError, match="does not fit"):
        build_torchvision_segmenter(LRASPP, 2, pretrained=str(tmp_path / "w.pth"))
    with pytest.raises(UsageError, match="no segmentation network 'lrasp'"):
        build_torchvision_segmenter("lrasp", 2)
    with pytest.raises(UsageError, match="--pretrained default"):
        build_torchvision_segmenter(LRASPP, 2, pretrained="default")
