"""A classifier that starts from a language model: embedding and body of the same network over the same tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.core.errors import DataError, UsageError
from dlcli.core.run_dir import resolve_run
from dlcli.core.train_config import TrainConfig
from dlcli.data.text.vocabulary import PAD

STARTED = ("rnn", "lstm", "transformer")
"""The networks that are language models too."""

HEAD = "head."
"""The parameters of a classifier that no language model has."""


def start_from(
    reference: str, networks: Iterable[nn.Module], assets: Mapping[str, Any], name: str, train: TrainConfig
) -> None:
    """Set all of a classifier but its head to the weights of a language model's run; padding stays zero.

    Args:
        reference: `--pretrained`, a run.
        networks: the classifier, or the members of an ensemble.
        assets: the classifier's, `vocab` and `preprocess` among them.
        name: of the network.
        train: the options of the loop.

    Raises:
        UsageError: the run is of another task or another network, or the training is a cross-validation.
        RunError: there is no such run, or it is damaged.
        DataError: it reads other tokens, or is of another size.
    """
    if train.folds is not None or train.splits is not None:
        raise UsageError(
            "--pretrained: in a cross-validation it has seen the texts that a fold tests", hint="leave out --folds"
        )
    from dlcli.engine.runs.restore import load_task

    run = resolve_run(reference)
    source, description = load_task(run)
    where = f"--pretrained {run.path}"
    if description.task != "language-model":
        raise UsageError(f"{where}: a run of {description.task}", hint="name a run of language-model")
    if description.model != name:
        raise UsageError(
            f"{where}: its network is {description.model}, not {name}", hint=f"add --model {description.model}"
        )
    _require_same_tokens(source.assets(), assets, where)
    theirs = source.model.state_dict()
    for network in networks:
        _take(theirs, network, description.config, where)


def _take(theirs: Mapping[str, Tensor], network: nn.Module, config: Mapping[str, Any], where: str) -> None:
    """Set a network's weights; see `start_from`. `config` has the sizes of the language model."""
    own = {name: weights for name, weights in network.state_dict().items() if not name.startswith(HEAD)}
    for name, weights in own.items():
        shape = tuple(theirs[name].shape) if name in theirs else None
        if shape != tuple(weights.shape):
            sizes = ", ".join(
                f"--{key.replace('_', '-')} {config[key]}"
                for key in ("embedding_dim", "hidden", "layers")
                if config.get(key) is not None
            )
            raise DataError(
                f"{where}: {name} has the shape {shape or 'of none'}, and {tuple(weights.shape)} in this network",
                hint=f"train with its sizes{': ' + sizes if sizes else ''}, in one direction",
            )
    with torch.no_grad():
        for name, weights in own.items():
            weights.copy_(theirs[name])
        own["embedding.weight"][PAD] = 0.0


def _require_same_tokens(theirs: Mapping[str, Any], own: Mapping[str, Any], where: str) -> None:
    specs = [{**assets["preprocess"]["tokenizer"], "unicode": ""} for assets in (theirs, own)]
    if specs[0] != specs[1]:
        raise DataError(
            f"{where}: its texts were cut by a different tokenizer, {specs[0]['name']}",
            details=[f"this data: {specs[1]['name']}"],
            hint="train the language model on this data, or on texts that were prepared alike",
        )
    if theirs["vocab"] != own["vocab"]:
        raise DataError(
            f"{where}: its vocabulary has {len(theirs['vocab']):,} tokens, and this data another of "
            f"{len(own['vocab']):,}",
            hint="train the language model on this data: `dl train language-model --data DATA`",
        )
