from __future__ import annotations

import os
import pickle
import urllib.error
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights
from torchvision.transforms.functional import normalize

from dlcli.core.errors import DataError, RunError
from dlcli.models.heads import head_name
from dlcli.models.images.lenet import SmallCNN
from dlcli.models.images.normalised import Normalised
from dlcli.models.images.pretrained import expected_pixels, load_pretrained
from dlcli.models.images.zoo import build_torchvision

NAME = "squeezenet1_1"
HEAD = {"classifier.1.weight", "classifier.1.bias"}


def _save(folder: Path, state: object, name: str = "weights.pth") -> str:
    path = folder / name
    torch.save(state, path)
    return str(path)


def _differing(a: nn.Module, state: dict[str, Tensor]) -> set[str]:
    return {key for key, value in a.state_dict().items() if not torch.equal(value, state[key])}


@pytest.fixture(scope="module")
def source() -> OrderedDict[str, Tensor]:
    torch.manual_seed(1)
    return build_torchvision(NAME, num_classes=7).state_dict()


def test_file_gives_all_but_the_head(source: OrderedDict[str, Tensor], tmp_path: Path) -> None:
    model = build_torchvision(NAME, num_classes=3, pretrained=_save(tmp_path, source))
    own = model.state_dict()
    assert {
        key for key in source if own[key].shape != source[key].shape or not torch.equal(own[key], source[key])
    } == HEAD


def test_file_of_as_many_classes_gives_the_head_too(source: OrderedDict[str, Tensor], tmp_path: Path) -> None:
    assert _differing(build_torchvision(NAME, num_classes=7, pretrained=_save(tmp_path, source)), source) == set()


def test_backbone_without_head_will_do(source: OrderedDict[str, Tensor], tmp_path: Path) -> None:
    backbone = {key: value for key, value in source.items() if key not in HEAD}
    torch.manual_seed(2)
    assert _differing(build_torchvision(NAME, num_classes=7, pretrained=_save(tmp_path, backbone)), source) == {
        "classifier.1.weight"  # both biases begin at nought
    }


def test_grey_image_answers_as_the_same_image_in_colour(source: OrderedDict[str, Tensor], tmp_path: Path) -> None:
    path = _save(tmp_path, source)
    grey = build_torchvision(NAME, num_classes=7, in_channels=1, pretrained=path).eval()
    colour = build_torchvision(NAME, num_classes=7, pretrained=path).eval()
    images = torch.randn(2, 1, 96, 96)
    with torch.no_grad():
        torch.testing.assert_close(grey(images), colour(images.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-4)


def test_small_stem_whose_kernel_differs_stays_fresh(tmp_path: Path) -> None:
    source = build_torchvision("resnet18", num_classes=4).state_dict()
    model = build_torchvision("resnet18", num_classes=4, image_size=32, pretrained=_save(tmp_path, source))
    own = model.state_dict()
    assert {key for key in source if own[key].shape != source[key].shape} == {"conv1.weight"}
    assert all(torch.equal(own[key], source[key]) for key in source if key != "conv1.weight")


def _small_vit(image_size: int) -> nn.Module:
    from torchvision.models import VisionTransformer

    return VisionTransformer(image_size, 16, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=8, num_classes=4)


def test_position_embeddings_are_interpolated_and_the_class_token_s_is_kept(tmp_path: Path) -> None:
    source, model = _small_vit(112).state_dict(), _small_vit(64)
    load_pretrained(model, "vit", _save(tmp_path, source), 64)
    old, new = source["encoder.pos_embedding"], model.state_dict()["encoder.pos_embedding"]
    assert (old.shape, new.shape) == ((1, 50, 8), (1, 17, 8))
    assert torch.equal(new[:, 0], old[:, 0])
    torch.testing.assert_close(new[:, [1, 4, 13, 16]], old[:, [1, 7, 43, 49]])  # corners stay corners


def test_old_densenet_names_and_auxiliary_heads_are_understood(tmp_path: Path) -> None:
    source = build_torchvision("densenet121", num_classes=4, image_size=32).state_dict()
    old = {key.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): value for key, value in source.items()}
    assert old.keys() != source.keys()
    model = build_torchvision("densenet121", num_classes=4, image_size=32, pretrained=_save(tmp_path, old))
    assert _differing(model, source) == set()
    google = build_torchvision("googlenet", num_classes=4).state_dict()
    with_side_heads = {**google, "aux1.fc1.weight": torch.zeros(3)}
    assert (
        _differing(build_torchvision("googlenet", num_classes=4, pretrained=_save(tmp_path, with_side_heads)), google)
        == set()
    )


def test_mnasnet_keeps_its_version(tmp_path: Path) -> None:
    source = build_torchvision("mnasnet0_5", num_classes=4).state_dict()
    model = build_torchvision("mnasnet0_5", num_classes=4, pretrained=_save(tmp_path, source))
    assert _differing(model, source) == set()


class _Malicious:
    def __init__(self, target: Path) -> None:
        self._target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self._target),)


@pytest.mark.parametrize("write", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_malicious_pickle_is_refused_and_does_nothing(write: object, tmp_path: Path) -> None:
    trace, path = tmp_path / "trace", tmp_path / "weights.pth"
    write({"features.0.weight": _Malicious(trace)}, path)  # type: ignore[operator]
    with pytest.raises(RunError, match="refused"):
        build_torchvision(NAME, num_classes=3, pretrained=str(path))
    assert not trace.exists()


@pytest.mark.parametrize("wrap", [lambda state: {"model": state}, lambda state: {"state_dict": state, "epoch": 3}])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_wrapped_weights_are_found(wrap: object, prefix: str, source: OrderedDict[str, Tensor], tmp_path: Path) -> None:
    named = OrderedDict((prefix + key, value) for key, value in source.items())
    path = _save(tmp_path, wrap(named))  # type: ignore[operator]
    assert _differing(build_torchvision(NAME, num_classes=7, pretrained=path), source) == set()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_runs_folder_gives_its_weights_and_its_pixels(channels: int, tmp_path: Path) -> None:
    mean, std = (0.5, 0.4, 0.3)[:channels], (0.2, 0.3, 0.4)[:channels]
    network = Normalised(SmallCNN(num_classes=4, in_channels=channels), mean, std)
    (tmp_path / "checkpoints").mkdir()
    torch.save({"schema": 1, "model": network.state_dict()}, tmp_path / "checkpoints" / "best.pt")
    assert expected_pixels("cnn", str(tmp_path)) == (pytest.approx(mean), pytest.approx(std))
    other = SmallCNN(num_classes=6, in_channels=channels)
    load_pretrained(other, "cnn", str(tmp_path), 28)
    head = head_name(other)
    assert _differing(other, OrderedDict(network.network.state_dict())) == {f"{head}.weight", f"{head}.bias"}


@pytest.mark.parametrize("name", ["resnet18", "vit_b_16", "swin_t", "mnasnet0_5"])
def test_published_weights_expect_the_pixels_of_torchvisions_presets(name: str) -> None:
    preset = get_model_weights(name).DEFAULT.transforms()
    assert expected_pixels(name, "default") == (tuple(preset.mean), tuple(preset.std))


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_pixels_are_as_torchvisions_own_network_transforms_them(name: str) -> None:
    preset, pixels = get_model_weights(name).DEFAULT.transforms(), torch.rand(2, 3, 4, 4)
    theirs = get_model(name, transform_input=True, aux_logits=True, init_weights=False)
    wanted = theirs._transform_input(normalize(pixels, preset.mean, preset.std))
    torch.testing.assert_close(normalize(pixels, *map(list, expected_pixels(name, "default"))), wanted)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such file") as caught:
        build_torchvision(NAME, num_classes=3, pretrained=str(tmp_path / "none.pth"))
    assert "default" in str(caught.value.hint)


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 torn", b"\x80\x02}q\x00."])
def test_damaged_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(RunError):
        build_torchvision(NAME, num_classes=3, pretrained=str(path))


def test_truncated_file_is_refused(source: OrderedDict[str, Tensor], tmp_path: Path) -> None:
    path = Path(_save(tmp_path, source))
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(RunError, match="damaged"):
        build_torchvision(NAME, num_classes=3, pretrained=str(path))


@pytest.mark.parametrize("content", [[1, 2], {}, {"epoch": 3}, {1: torch.zeros(2)}, torch.zeros(3)])
def test_file_of_something_else_is_refused(content: object, tmp_path: Path) -> None:
    with pytest.raises(RunError):
        build_torchvision(NAME, num_classes=3, pretrained=_save(tmp_path, content))


def test_weights_of_another_network_are_refused(source: OrderedDict[str, Tensor], tmp_path: Path) -> None:
    path = _save(tmp_path, source)
    with pytest.raises(RunError, match="does not fit resnet18"):
        build_torchvision("resnet18", num_classes=3, pretrained=path)
    wrong_shape = {**source, "features.3.squeeze.weight": torch.zeros(1)}
    with pytest.raises(RunError, match="does not fit"):
        build_torchvision(NAME, num_classes=3, pretrained=_save(tmp_path, wrong_shape))
    one_missing = {key: value for key, value in source.items() if key != "features.3.squeeze.weight"}
    with pytest.raises(RunError, match=r"no features\.3\.squeeze\.weight"):
        build_torchvision(NAME, num_classes=3, pretrained=_save(tmp_path, one_missing))


def test_position_embeddings_of_no_square_are_refused(tmp_path: Path) -> None:
    source = _small_vit(112).state_dict()
    source["encoder.pos_embedding"] = torch.zeros(1, 12, 8)
    with pytest.raises(RunError, match="position embeddings"):
        load_pretrained(_small_vit(64), "vit", _save(tmp_path, source), 64)


def test_default_weights_without_network_name_the_file_to_fetch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise urllib.error.URLError("no route")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(DataError, match="cannot be downloaded") as caught:
        build_torchvision(NAME, num_classes=3, pretrained="default")
    assert "squeezenet1_1-b8a52dc0.pth by hand" in str(caught.value.hint)
    assert "--pretrained FILE" in str(caught.value.hint)


def test_default_weights_are_fetched_once_with_their_checksum(
    source: OrderedDict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []

    def fetch(url: str, path: str, checksum: str | None, progress: bool) -> None:
        asked.append(checksum)
        torch.save(source, path)

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    for _ in range(2):
        assert _differing(build_torchvision(NAME, num_classes=7, pretrained="default"), source) == set()
    assert asked == ["b8a52dc0"]
