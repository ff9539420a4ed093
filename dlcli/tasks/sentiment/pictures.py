"""The pictures of texts and text classifiers: their table, options and drawing functions.

Torch and numpy are not imported until a picture is drawn, so that the help page is fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlcli.core.config import option
from dlcli.core.errors import UsageError, did_you_mean
from dlcli.core.table import Table
from dlcli.visualize import items
from dlcli.visualize.items import EmbeddingOptions
from dlcli.visualize.pictures import Picture
from dlcli.visualize.subject import Drawn, Subject
from dlcli.visualize.words import draw_words, near_table

if TYPE_CHECKING:
    from dlcli.tasks.sentiment.codec import TextCodec


@dataclass(frozen=True)
class AttentionOptions:
    """Options of `attention`."""

    gradient: bool = option(False, "weight words by gradient even if the network has attention")


@dataclass(frozen=True)
class TextEmbeddingOptions(EmbeddingOptions):
    """Options of `embeddings` of texts and words."""

    texts: bool = option(False, "draw the texts of a split, coloured by class, in place of the words")
    words: int = option(400, "draw the N most frequent words", minimum=2, maximum=2000)
    near: str | None = option(None, "print the words nearest to WORD instead of drawing", metavar="WORD")
    top_k: int = option(10, "with --near: the number of words", short="k", minimum=1, maximum=100_000)


@dataclass(frozen=True)
class LengthOptions:
    """Options of `lengths`."""

    split: str = option("train", "the split of the data")


def draw_attention(subject: Subject, options: AttentionOptions) -> Drawn:
    """Yield a heat strip over the words of each input."""
    from dlcli.data.labels import read_labels
    from dlcli.visualize.attention import draw_attention
    from dlcli.visualize.word_weights import word_weights

    model, labels = subject.network(), read_labels(subject.assets().get("labels"))
    codec: TextCodec = subject.codec()
    for item in subject.inputs():
        words = codec.words(item.source) or ["<unk>"]
        subject.shows(words)
        weights, index, probability, origin = word_weights(model, *item.arrays.values(), by_gradient=options.gradient)
        answer = f"{labels[index]} {probability:.1%}, weights: {origin}"
        yield f"attention-{item.name}", draw_attention(words, weights, title=subject.name, label=answer)


def draw_embeddings(subject: Subject, options: TextEmbeddingOptions) -> Drawn:
    """Yield a map of the most frequent words, by which a vocabulary is sorted, or of the texts of a split.

    Raises:
        UsageError: `--lda` of words, which have no classes.
    """
    if options.texts:
        yield from items.draw_embeddings(subject, options)
        return
    if options.lda:
        raise UsageError("--lda: words have no classes", hint="add --texts to draw the texts of a split")
    yield from draw_words(subject, options.words)


def neighbours(subject: Subject, options: TextEmbeddingOptions) -> Table | None:
    """Return the table of the words nearest to `options.near`, or None without it.

    Raises:
        UsageError: the vocabulary does not have the word.
    """
    return None if options.near is None else near_table(subject, options.near, options.top_k)


def draw_lengths(subject: Subject, options: LengthOptions) -> Drawn:
    """Yield the distribution of text lengths in tokens, by class.

    Raises:
        UsageError: there is no such split.
    """
    import numpy as np

    from dlcli.data.text.form import open_texts
    from dlcli.visualize.lengths import draw_lengths

    form = open_texts(subject.data())
    if options.split not in form.splits():
        raise UsageError(f"--split: no split {options.split!r}", hint=did_you_mean(options.split, form.splits()))
    lengths, labels = np.diff(form.offsets(options.split)), form.labels(options.split)
    by_class = {name: lengths[labels == index] for index, name in enumerate(form.card.classes)}
    yield "lengths", draw_lengths(by_class, title=f"{form.card.name}, {options.split}: tokens per text")


PICTURES: Mapping[str, Picture] = {
    "attention": Picture("the weight of each word in the answer", "RUN", AttentionOptions, draw_attention),
    "embeddings": Picture(
        "a map of the frequent words, or of texts", "RUN", TextEmbeddingOptions, draw_embeddings, neighbours
    ),
    "lengths": Picture("text lengths by class", "RUN or DATA", LengthOptions, draw_lengths),
}
