"""The pictures of texts and of networks that read them: a table, their options, and how each is made.

Free of torch and numpy until a picture is drawn, for the help page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlcli.core.config import option
from dlcli.core.errors import UsageError, did_you_mean
from dlcli.core.table import Table
from dlcli.visualize.pictures import Picture
from dlcli.visualize.subject import Drawn, Subject

if TYPE_CHECKING:
    import numpy as np

    from dlcli.tasks.sentiment.codec import TextCodec

NUM_SPECIAL = 2
"""Words of a vocabulary that are none: the padding and the unknown."""


@dataclass(frozen=True)
class AttentionOptions:
    """Of `attention`."""

    gradient: bool = option(False, "weigh by the answer's gradient even where the network attends")


@dataclass(frozen=True)
class EmbeddingOptions:
    """Of `embeddings`."""

    words: int = option(400, "the most frequent so many", minimum=2, maximum=2000)
    near: str | None = option(None, "print the words nearest to this one in place of a picture", metavar="WORD")
    top_k: int = option(10, "so many of them", short="k", minimum=1)


@dataclass(frozen=True)
class LengthOptions:
    """Of `lengths`."""

    split: str = option("train", "the part of the data")


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
        weights, index, probability, origin = word_weights(
            model, item.arrays["tokens"], item.arrays["lengths"], by_gradient=options.gradient
        )
        answer = f"{labels[index]} {probability:.1%}, weights: {origin}"
        yield f"attention-{item.name}", draw_attention(words, weights, title=subject.name, label=answer)


def _vectors(subject: Subject) -> np.ndarray:
    """Return the run's word vectors, (V, D) float32."""
    from dlcli.visualize.word_weights import embedding_of

    vectors: np.ndarray = embedding_of(subject.network()).weight.detach().float().cpu().numpy()
    return vectors


def _vocabulary(subject: Subject) -> tuple[str, ...]:
    """Return the run's words in the order of their numbers."""
    from dlcli.data.text.vocabulary import Vocabulary

    return Vocabulary.from_json(subject.assets().get("vocab")).tokens


def draw_embeddings(subject: Subject, options: EmbeddingOptions) -> Drawn:
    """Yield the map of the most frequent words: a vocabulary is in the order of their number."""
    from dlcli.visualize.embeddings import draw_embeddings

    vectors, shown = _vectors(subject), slice(NUM_SPECIAL, NUM_SPECIAL + options.words)
    words = _vocabulary(subject)[shown]
    subject.shows(words)
    yield "embeddings", draw_embeddings(words, vectors[shown], title=f"{subject.name}: word vectors")


def neighbours(subject: Subject, options: EmbeddingOptions) -> Table | None:
    """Return the words nearest to one, where the user asks for them."""
    if options.near is None:
        return None
    from dlcli.visualize.embeddings import nearest_neighbours

    words = _vocabulary(subject)
    if options.near not in words:
        raise UsageError(
            f"--near: no word {options.near!r} in the run's vocabulary", hint=did_you_mean(options.near, words)
        )
    index = list(words).index(options.near)
    found = [(words[row], cosine) for row, cosine in nearest_neighbours(_vectors(subject), index, options.top_k)]
    rows = [[word, f"{cosine:.3f}"] for word, cosine in found]
    entries = [{"word": word, "cosine": round(cosine, 6)} for word, cosine in found]
    return Table("neighbours", [f"nearest to {options.near}", "cosine"], rows, entries)


def draw_lengths(subject: Subject, options: LengthOptions) -> Drawn:
    """Yield the distribution of the texts' lengths in tokens."""
    import numpy as np

    from dlcli.data.text.form import open_texts
    from dlcli.visualize.lengths import draw_lengths

    form = open_texts(subject.data())
    if options.split not in form.splits():
        raise UsageError(f"--split: no split {options.split!r}", hint=did_you_mean(options.split, form.splits()))
    lengths, labels = np.diff(form.offsets(options.split)), form.labels(options.split)
    by_class = {name: lengths[labels == index] for index, name in enumerate(form.card.classes)}
    yield "lengths", draw_lengths(by_class, title=f"{form.card.name}, {options.split}: tokens a text")


PICTURES: Mapping[str, Picture] = {
    "attention": Picture("which words of a text the answer rests on", "RUN", AttentionOptions, draw_attention),
    "embeddings": Picture("a map of the frequent words", "RUN", EmbeddingOptions, draw_embeddings, neighbours),
    "lengths": Picture("how long the texts of each class are", "RUN or DATA", LengthOptions, draw_lengths),
}
