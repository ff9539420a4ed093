"""Pictures of the words of a run that has a vector for each: a map, and the words nearest to one.

Free of torch and numpy until a picture is drawn, for the help page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcli.core.errors import UsageError, did_you_mean
from dlcli.core.table import Table
from dlcli.visualize.subject import Drawn, Subject

if TYPE_CHECKING:
    import numpy as np

NUM_SPECIAL = 2
"""Special tokens at the start of a vocabulary: padding and unknown."""


def word_vectors(subject: Subject) -> np.ndarray:
    """Return the run's word vectors, (V, D) float32."""
    from dlcli.visualize.word_weights import embedding_of

    vectors: np.ndarray = embedding_of(subject.network()).weight.detach().float().cpu().numpy()
    return vectors


def words_of(subject: Subject) -> tuple[str, ...]:
    """Return the run's words in the order of their ids."""
    from dlcli.data.text.vocabulary import Vocabulary

    return Vocabulary.from_json(subject.assets().get("vocab")).tokens


def draw_words(subject: Subject, count: int) -> Drawn:
    """Yield a map of the most frequent words, by which a vocabulary is sorted; those without a vector are left out."""
    import numpy as np

    from dlcli.visualize.embeddings import draw_embeddings

    vectors = word_vectors(subject)[NUM_SPECIAL:]
    has_vector: np.ndarray = np.abs(vectors).sum(axis=1) > 0
    words = [word for word, has in zip(words_of(subject)[NUM_SPECIAL:], has_vector, strict=True) if has][:count]
    subject.shows(words)
    yield "embeddings", draw_embeddings(words, vectors[has_vector][:count], title=f"{subject.name}: word vectors")


def near_table(subject: Subject, word: str, count: int) -> Table:
    """Return the table of the words nearest to one.

    Raises:
        UsageError: the vocabulary does not have the word.
    """
    from dlcli.visualize.embeddings import nearest_neighbours

    words = words_of(subject)
    if word not in words:
        raise UsageError(f"--near: no word {word!r} in the run's vocabulary", hint=did_you_mean(word, words))
    index = list(words).index(word)
    found = [(words[row], cosine) for row, cosine in nearest_neighbours(word_vectors(subject), index, count)]
    rows = [[near, f"{cosine:.3f}"] for near, cosine in found]
    entries = [{"word": near, "cosine": round(cosine, 6)} for near, cosine in found]
    return Table("neighbours", [f"nearest to {word}", "cosine"], rows, entries)
