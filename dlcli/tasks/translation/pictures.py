"""The pictures of sentence pairs and translators: their table, options and drawing functions.

Torch and numpy are not imported until a picture is drawn, so that the help page is fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlcli.core.config import option
from dlcli.core.errors import UsageError, did_you_mean
from dlcli.visualize.pictures import Picture
from dlcli.visualize.subject import Drawn, Subject

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from dlcli.tasks.translation.codec import TranslationCodec


@dataclass(frozen=True)
class AttentionOptions:
    """Options of `attention`."""

    layer: int | None = option(None, "the decoder's layer, from 1 (default: the mean of all)", minimum=1)
    head: int | None = option(None, "the head, from 1 (default: the mean of all)", minimum=1)


@dataclass(frozen=True)
class LengthOptions:
    """Options of `lengths`."""

    split: str = option("train", "the split of the data")


def draw_attention(subject: Subject, options: AttentionOptions) -> Drawn:
    """Yield a heat map of source and target tokens for each input.

    Raises:
        UsageError: the network has no attention, or no such layer or head.
    """
    from dlcli.data.parallel.tokenizers import END
    from dlcli.visualize.alignment import draw_alignment

    codec: TranslationCodec = subject.codec()
    for item in subject.inputs():
        said, weights = attended(subject.network(), codec, item.arrays)
        chosen, label = choose(weights, options)
        ids = item.arrays["source"][0].tolist()
        source, target = codec.source.tokens(ids), codec.target.tokens([*said, END])
        subject.shows([*source, *target])
        title = f"{codec.target.decode(said)} ({label})"
        yield f"attention-{item.name}", draw_alignment(chosen, source, target, title=title)


def attended(network: Any, codec: TranslationCodec, arrays: Mapping[str, Tensor]) -> tuple[list[int], np.ndarray]:
    """Return the ids of a sentence's best translation, and the (layers, heads, T, S) weights with which it is said.

    Args:
        network: the translator, in evaluation mode.
        codec: gives the vocabulary and how to search.
        arrays: `source` (1, S) and `source_lengths` (1,).

    Raises:
        UsageError: the network has no attention.
    """
    import torch

    from dlcli.data.parallel.tokenizers import START
    from dlcli.tasks.translation.exporting import graph_functions
    from dlcli.tasks.translation.search import search

    graphs = graph_functions(network, codec.target.size)
    inputs = {name: tensor.cpu().numpy() for name, tensor in arrays.items()}
    said = [token for token in search(graphs, inputs, codec.inference)["sentences"][0, 0].tolist() if token]
    device = next(network.parameters()).device
    with torch.inference_mode():
        source, lengths = (arrays[name].to(device) for name in ("source", "source_lengths"))
        tokens = torch.tensor([[START, *said]], device=device)
        weights: np.ndarray = (
            network.attention(network.encode(source, lengths), lengths, tokens)[0].float().cpu().numpy()
        )
    return said, weights


def choose(weights: np.ndarray, options: AttentionOptions) -> tuple[np.ndarray, str]:
    """Return the (T, S) weights of a layer and a head, or their means, and a label.

    Args:
        weights: (layers, heads, T, S).
        options: which.

    Raises:
        UsageError: there is no such layer or head.
    """
    labels = []
    for flag, number, count in (("layer", options.layer, weights.shape[0]), ("head", options.head, weights.shape[1])):
        if number is not None and number > count:
            raise UsageError(f"--{flag} {number}: the network has {count}", hint=f"choose 1 to {count}")
        if count > 1:
            labels.append(f"{flag} {number}" if number is not None else f"mean of {count} {flag}s")
    layers = weights if options.layer is None else weights[options.layer - 1 : options.layer]
    heads = layers if options.head is None else layers[:, options.head - 1 : options.head]
    return heads.mean(axis=(0, 1)), ", ".join(labels) or "attention"


def draw_lengths(subject: Subject, options: LengthOptions) -> Drawn:
    """Yield the distribution of sentence lengths in tokens, of source and target.

    Raises:
        UsageError: there is no such split.
    """
    from dlcli.data.parallel.form import open_parallel
    from dlcli.visualize.lengths import draw_lengths

    form = open_parallel(subject.data())
    if options.split not in form.splits():
        raise UsageError(f"--split: no split {options.split!r}", hint=did_you_mean(options.split, form.splits()))
    by_side = {f"{side} ({form.languages[side]})": form.lengths(options.split, side) for side in ("source", "target")}
    yield "lengths", draw_lengths(by_side, title=f"{form.card.name}, {options.split}: tokens per sentence")


PICTURES: Mapping[str, Picture] = {
    "attention": Picture("what is looked at for each word of a translation", "RUN", AttentionOptions, draw_attention),
    "lengths": Picture("sentence lengths of source and target", "RUN or DATA", LengthOptions, draw_lengths),
}
