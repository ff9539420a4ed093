"""Pretrained weights: published ones, a local file's, or another run's."""

from __future__ import annotations

import pickle
import re
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.core.errors import RunError, UsageError, first_line, why_refused
from dlcli.models.heads import head_name
from dlcli.models.images.efficientnet_lite import EfficientNetLite, own_names
from dlcli.models.images.published import IMAGENET_PIXELS, PIXELS, published_file
from dlcli.models.images.small_stem import stem_name
from dlcli.models.safetensors_files import read_safetensors

DEFAULT = "default"
"""Requests a network's published weights, the best of several."""

AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
"""Auxiliary heads of GoogLeNet and Inception v3, which are not built here."""

WRAPPED_IN = ("model", "state_dict")
"""Keys of the weights in a checkpoint: of dl and torchvision's reference scripts, and of timm."""

PREFIXES = ("module.", "network.")
"""Prefixes of all names if a network was saved inside another module: DistributedDataParallel, dl's `Normalised`."""

BEST_OF_RUN = Path("checkpoints", "best.pt")

SAFETENSORS, CONFIG = "model.safetensors", "config.json"
"""Files of a folder of weights, ours (`dl export --format safetensors`) or of the hub."""

_OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)$")
"""torchvision's DenseNet files still use `norm.1.weight` for what is now `norm1.weight`."""


def expected_pixels(name: str, source: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and std, per channel in [0, 1], of the pixels that weights expect: a run's own, else ImageNet's.

    Their length is the number of channels: 1 or 3.

    Args:
        name: name of the network.
        source: as in `load_pretrained`.

    Raises:
        RunError: the file is missing, damaged or refused.

    Source: torchvision's `ImageClassification` presets; `transform_input` of its GoogLeNet and Inception v3.
    """
    content = _read(_path_of(name, source)) if source != DEFAULT else {}
    state = _weights_in(content)
    mean, scale = state.get("mean"), state.get("scale")
    if isinstance(mean, Tensor) and isinstance(scale, Tensor) and mean.numel() == scale.numel() in (1, 3):
        return tuple((mean.flatten() / 255).tolist()), tuple((1 / (255 * scale.flatten())).tolist())
    return PIXELS.get(name, IMAGENET_PIXELS)


def load_pretrained(model: nn.Module, name: str, source: str, image_size: int, *, is_whole: bool = False) -> None:
    """Load pretrained weights into a classifier, in place.

    All names and shapes must match, with two exceptions for a network that is to be trained. The head keeps its fresh
    weights if the number of classes differs. The first convolution is summed over RGB for one channel, and keeps its
    fresh weights if its kernel was changed for small images. ViT's position embeddings are interpolated to the image
    size.

    Args:
        model: the network, adapted to its classes, channels and image size.
        name: name of the network.
        source: "default" for the published weights (see `published_file`), a file of weights, or the folder of a run.
        image_size: side of the images in pixels.
        is_whole: whether nothing may keep its fresh weights, since the network is to answer as it is.

    Raises:
        UsageError: the network has no published weights.
        DataError: they are not installed, or cannot be downloaded.
        RunError: the file is missing, damaged, refused, or does not fit.
    """
    path = _path_of(name, source)
    state = _fit(read_state_dict(path), model, path, image_size, is_whole)
    try:
        missing, unexpected = model.load_state_dict(state, strict=False)
    except (RuntimeError, ValueError) as error:
        raise _does_not_fit(path, name, " ".join(str(error).split())) from None
    fresh = () if is_whole else (f"{head_name(model)}.", f"{stem_name(model)}.weight")
    missing = [key for key in missing if not key.startswith(fresh)]
    if missing or unexpected:
        wrong = [f"no {key}" for key in missing[:2]] + [f"unknown {key}" for key in unexpected[:2]]
        raise _does_not_fit(path, name, f"{', '.join(wrong)} ({len(missing) + len(unexpected)} names differ)")


def count_classes(model: nn.Module, name: str, source: str) -> int:
    """Return the number of classes of a file of weights.

    Args:
        model: the network, with any number of classes.
        name: name of the network.
        source: the file.

    Raises:
        UsageError: it is a checkpoint of dl, or a run, which names its classes.
        RunError: the file is missing, damaged, refused, or has no head of several classes.
    """
    path = _path_of(name, source)
    if "description" in _read(path):
        raise UsageError(
            f"--pretrained {source}: weights of a run, which also holds their classes",
            hint=f"name {source} in the place of {name}, without --pretrained",
        )
    key = f"{head_name(model)}.weight"
    head = _own_names(read_state_dict(path), model).get(key)
    if head is None or head.ndim not in (2, 4) or len(head) < 2:
        found = "no" if head is None else "one output in"
        raise _does_not_fit(path, name, f"{found} {key}, so it cannot answer as it is")
    return len(head)


def _path_of(name: str, source: str) -> Path:
    if source == DEFAULT:
        return published_file(name)
    path = Path(source).expanduser()
    if not path.is_dir():
        return path
    return path / SAFETENSORS if (path / SAFETENSORS).is_file() else path / BEST_OF_RUN


HINT = (
    "--pretrained takes `default`, a run's folder, a .safetensors file or its folder, or a file of named weights, "
    "as torch.save(model.state_dict(), FILE) writes it"
)


def _read(path: Path) -> dict[Any, Any]:
    """Return the content of a file, on the CPU; only tensors and plain values are unpickled."""
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about the pickle protocol; the content is checked below
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise RunError(f"{path}: no such file", hint=HINT) from None
    except pickle.UnpicklingError as error:
        raise RunError(f"{path}: {why_refused(error)}", hint=HINT) from None
    except (OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise RunError(f"{path}: damaged: {first_line(error)}", hint=HINT) from None
    if not isinstance(content, dict) or not content:
        raise RunError(f"{path}: holds no named weights", hint=HINT)
    return content


def _read_safetensors(path: Path) -> dict[Any, Any]:
    """Return the weights as in a checkpoint; with a description, of which nothing is read, if they are a run's."""
    weights = OrderedDict(read_safetensors(path))
    config = path.with_name(CONFIG)
    is_ours = path.name == SAFETENSORS and config.is_file() and b'"library_name": "dlcli"' in config.read_bytes()
    return {"model": weights, **({"description": str(config)} if is_ours else {})}


def _weights_in(content: Mapping[Any, Any]) -> Mapping[Any, Any]:
    for name in WRAPPED_IN:
        if isinstance(content.get(name), dict):
            return content[name]  # type: ignore[no-any-return]
    return content


def read_state_dict(path: Path) -> OrderedDict[str, Tensor]:
    """Return the tensors of a file by the network's own names, without wrappers and prefixes.

    Raises:
        RunError: the file is missing, damaged, refused, or holds something else.
    """
    content = _weights_in(_read(path))
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise RunError(f"{path}: {str(key)[:60]!r} is not the name of a tensor", hint=HINT)
    state = OrderedDict(content)
    for prefix in PREFIXES:
        inner = OrderedDict((key[len(prefix) :], value) for key, value in state.items() if key.startswith(prefix))
        state = inner or state
    # MNASNet distinguishes its two versions by the metadata that state_dict() stores as attributes.
    state.__dict__.update(vars(content) if isinstance(content, OrderedDict) else {})
    return state


def _own_names(state: OrderedDict[str, Tensor], model: nn.Module) -> OrderedDict[str, Tensor]:
    """Return the weights without auxiliary heads, by the names that the network has for them."""
    if isinstance(model, EfficientNetLite):
        state = OrderedDict(own_names(state, model))
    for key in list(state):
        old = _OLD_DENSENET.match(key)
        if key.startswith(AUXILIARY):
            del state[key]
        elif old:
            state[old[1] + old[2]] = state.pop(key)
    return state


def _fit(
    state: OrderedDict[str, Tensor], model: nn.Module, path: Path, image_size: int, is_whole: bool
) -> OrderedDict[str, Tensor]:
    state = _own_names(state, model)
    if not is_whole:
        _drop_unfitting(state, model)
    if "encoder.pos_embedding" in state:
        state = _fit_positions(state, model, path, image_size)
    return state


def _drop_unfitting(state: OrderedDict[str, Tensor], model: nn.Module) -> None:
    """Remove a head of other classes and a stem of another kernel, in place."""
    own = model.state_dict()
    head, stem = f"{head_name(model)}.", f"{stem_name(model)}.weight"
    for key in [key for key in state if key.startswith(head)]:
        if key in own and state[key].shape != own[key].shape:
            del state[key]
    if stem in state and state[stem].shape != own[stem].shape:
        _fit_stem(state, stem, own[stem].shape)


def _fit_positions(
    state: OrderedDict[str, Tensor], model: nn.Module, path: Path, image_size: int
) -> OrderedDict[str, Tensor]:
    from torchvision.models.vision_transformer import VisionTransformer, interpolate_embeddings  # two seconds

    if isinstance(model, VisionTransformer):
        try:
            state = OrderedDict(interpolate_embeddings(image_size, model.patch_size, state))
        except (ValueError, RuntimeError) as error:
            raise RunError(f"{path}: its position embeddings do not fit: {first_line(error)}") from None
    return state


def _fit_stem(state: OrderedDict[str, Tensor], key: str, shape: torch.Size) -> None:
    weight = state[key]
    if weight.ndim != 4 or weight.shape[0] != shape[0]:
        return  # load_state_dict reports how they differ
    if weight.shape[2:] != shape[2:]:
        del state[key]
    elif shape[1] == 1:
        # A grey image is an RGB image of three equal channels: summed filters give the same output.
        state[key] = weight.sum(dim=1, keepdim=True)


def _does_not_fit(path: Path, name: str, reason: str) -> RunError:
    return RunError(f"{path}: does not fit {name}: {reason[:160]}", hint="pass weights of the same network")
