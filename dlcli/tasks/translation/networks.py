"""The networks of translation by name, and how they are built from a task's options."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dlcli.core.errors import UsageError, did_you_mean
from dlcli.core.registry import Network, load_object
from dlcli.tasks.translation.config import TranslationConfig

if TYPE_CHECKING:
    from torch import nn

NETWORKS: Mapping[str, Network] = {
    "seq2seq": Network(
        "dlcli.models.seq2seq.recurrent:Seq2Seq",
        "GRU or LSTM, attention by Bahdanau, by Luong, or none",
        "Bahdanau et al. 2015, arXiv:1409.0473",
    ),
    "transformer": Network(
        "dlcli.models.seq2seq.transformer:TransformerTranslator",
        "an encoder and a decoder of attention layers",
        "Vaswani et al. 2017, arXiv:1706.03762",
    ),
}

OF_LOSS = ("model", "label_smoothing", "r_drop", "ensemble")
"""Options that belong to the training and not to a network."""

FOR_ALL = ("max_length",)
"""Options that have an effect whether a network has them or not."""


def build_network(config: TranslationConfig, source_size: int, target_size: int, *, is_joint: bool) -> nn.Module:
    """Return the network that the configuration names.

    Args:
        config: the task's options.
        source_size, target_size: the sizes of the vocabularies.
        is_joint: whether they are one.

    Raises:
        UsageError: there is no such network, it lacks an option that was given, or a size does not fit it.
    """
    if config.model not in NETWORKS:
        raise UsageError(f"--model: no network {config.model!r}", hint=did_you_mean(config.model, NETWORKS))
    build = load_object(NETWORKS[config.model].build)
    known = inspect.signature(build).parameters
    own: dict[str, Any] = {}
    for name, value in asdict(config).items():
        if name in OF_LOSS or value is None:
            continue
        if name in known:
            own[name] = value
        elif value is not False and name not in FOR_ALL:
            flag = name.replace("_", "-")
            raise UsageError(f"--{flag}: {config.model} has no such option", hint=f"choose {_takers(name)}")
    network: nn.Module = build(source_size=source_size, target_size=target_size, is_joint=is_joint, **own)
    return network


def _takers(option: str) -> str:
    """Return the networks that have an option, in words."""
    builds = {name: inspect.signature(load_object(spec.build)).parameters for name, spec in NETWORKS.items()}
    return " or ".join(f"--model {name}" for name, known in builds.items() if option in known)
