"""The networks of language models by name, and how they are built from a task's options."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dlcli.core.errors import UsageError, did_you_mean
from dlcli.core.registry import Network, load_object
from dlcli.tasks.language_model.config import LanguageModelConfig

if TYPE_CHECKING:
    from torch import nn


def _network(build: str, summary: str, source: str) -> Network:
    return Network(f"dlcli.models.language.{build}", summary, source)


NETWORKS: Mapping[str, Network] = {
    "ngram": _network(
        "ngram:NGram", "counts, smoothed by Kneser-Ney or add-k: the floor", "Chen & Goodman 1998, TR-10-98"
    ),
    "feedforward": _network(
        "feedforward:FeedForwardLanguageModel", "a hidden layer over the last words", "Bengio et al. 2003, JMLR 3"
    ),
    "rnn": _network("recurrent:rnn", "a plain recurrent layer", "Mikolov et al. 2010, Interspeech"),
    "lstm": _network("recurrent:lstm", "long short-term memory", "Zaremba et al. 2014, arXiv:1409.2329"),
    "transformer": _network(
        "transformer:TransformerLanguageModel", "layers of attention to the words before", "Radford et al. 2018"
    ),
}

NGRAM = "ngram"

FOR_ALL = ("model", "max_length", "tied")
"""Options that have an effect, or none, whether a network has them or not."""


def build_network(config: LanguageModelConfig, vocab_size: int) -> nn.Module:
    """Return the network that the configuration names.

    Raises:
        UsageError: there is no such network, it lacks an option that was given, or a size does not fit it.
    """
    if config.model not in NETWORKS:
        raise UsageError(f"--model: no network {config.model!r}", hint=did_you_mean(config.model, NETWORKS))
    build = load_object(NETWORKS[config.model].build)
    known = inspect.signature(build).parameters
    own: dict[str, Any] = {}
    for name, value in asdict(config).items():
        if name in known and value is not None:
            own[name] = value
        elif value is not None and name not in FOR_ALL and name not in known:
            flag = name.replace("_", "-")
            raise UsageError(f"--{flag}: {config.model} has no such option", hint=f"choose {_takers(name)}")
    network: nn.Module = build(vocab_size=vocab_size, **own)
    return network


def _takers(option: str) -> str:
    """Return the networks that have an option, in words."""
    builds = {name: inspect.signature(load_object(spec.build)).parameters for name, spec in NETWORKS.items()}
    return " or ".join(f"--model {name}" for name, known in builds.items() if option in known)
