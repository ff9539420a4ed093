"""The pictures of language models: their table, options and drawing functions.

Torch and numpy are not imported until a picture is drawn, so that the help page is fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlcli.core.config import option
from dlcli.core.errors import UsageError
from dlcli.visualize.pictures import Picture
from dlcli.visualize.subject import Drawn, Subject

if TYPE_CHECKING:
    from dlcli.tasks.language_model.codec import LanguageCodec

BEGINNING = "<begin>"
"""What a text is read from, and where attention goes that finds nothing."""


@dataclass(frozen=True)
class AttentionOptions:
    """Options of `attention`."""

    layer: int | None = option(None, "the layer, from 1 (default: the mean of all)", minimum=1)
    head: int | None = option(None, "the head, from 1 (default: the mean of all)", minimum=1)


def draw_attention(subject: Subject, options: AttentionOptions) -> Drawn:
    """Yield a heat map for each text: how much each of its tokens looks at those before it, and at itself.

    Raises:
        UsageError: the network has no attention, or no such layer or head.
    """
    import torch

    from dlcli.models.language.model import Attends
    from dlcli.models.places import device_of
    from dlcli.visualize.alignment import draw_alignment

    network, codec = subject.network(), subject.codec()
    if not isinstance(network, Attends):
        raise UsageError("this network looks at no other words by attention", hint="train --model transformer")
    language: LanguageCodec = codec
    for item in subject.inputs():
        with torch.inference_mode():
            weights = network.attention(item.arrays["tokens"].to(device_of(network)))[0].float().cpu()
        sizes = {"layer": (options.layer, weights.shape[0]), "head": (options.head, weights.shape[1])}
        for axis, (flag, (number, count)) in enumerate(sizes.items()):
            if number is not None and number > count:
                raise UsageError(f"--{flag} {number}: the network has {count}", hint=f"choose 1 to {count}")
            weights = weights.mean(axis, keepdim=True) if number is None else weights.narrow(axis, number - 1, 1)
        words = [BEGINNING, *language.words(item.source.value)]
        subject.shows(words)
        label = ", ".join(
            f"{flag} {number}" if number is not None else f"mean of {count} {flag}s"
            for flag, (number, count) in sizes.items()
        )
        title = f"each row's token looks at the columns' ({label})"
        yield f"attention-{item.name}", draw_alignment(weights[0, 0].numpy(), words, words, title=title)


PICTURES: Mapping[str, Picture] = {
    "attention": Picture("what each token of a text looks at", "RUN", AttentionOptions, draw_attention),
}
