"""Near-duplicates among texts: equal but for case, marks and blanks, or of nearly the same runs of characters.

The similarity is the cosine of TF-IDF vectors over runs of 2 to 4 characters, which needs no words and so suits every
script. Candidates are the nearest of each text among random projections of these vectors (Johnson & Lindenstrauss
1984), found by an exact search; what decides is the cosine of the vectors themselves.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np

from dlcli.data.collection import Pairs, label_numbers, pairs_of_equals
from dlcli.data.neighbours import nearest_rows

SIMILAR = 0.8
"""The least cosine of near-duplicates: of a sentence of ten words, about one is another."""

MAX_TEXTS = 100_000
"""Different texts up to which similar ones are looked for, which takes some minutes; of more, only equal ones are."""

NUM_CANDIDATES = 5
NUM_DIRECTIONS = 256
"""Values of a projection; a cosine is then off by 0.06 (a standard deviation)."""

NUM_RUNS = 1 << 17
"""Values to which runs of characters are hashed, so that memory does not grow with the number of different ones."""


def similar_texts(texts: Sequence[str]) -> Pairs:
    """Return the pairs of texts that are near-duplicates.

    Of texts that are equal but for case, marks and blanks, each is paired with the first only, and the first alone is
    compared with others.

    Time: 20,000 short texts take half a minute of one core. Memory: about 2 kB a text of 100 characters.
    """
    plain = [normalised(text) for text in texts]
    first, second = pairs_of_equals(label_numbers(plain))
    copies = np.zeros(len(texts), bool)
    copies[second] = True
    distinct = np.flatnonzero(~copies)
    equal = Pairs(first, second, np.ones(len(first)), SIMILAR)
    if len(distinct) > MAX_TEXTS:
        note = f"more than {MAX_TEXTS:,} different texts: only those that are equal but for case and marks are paired"
        return Pairs(equal.first, equal.second, equal.similarity, 1.0, (note,))
    found = _similar([plain[number] for number in distinct.tolist()])
    return Pairs(
        np.concatenate([equal.first, distinct[found.first]]),
        np.concatenate([equal.second, distinct[found.second]]),
        np.concatenate([equal.similarity, found.similarity]),
        SIMILAR,
    )


def normalised(text: str) -> str:
    """Return the letters, digits and other symbols of a text in lower case, with single blanks between its parts.

    A text of marks alone, such as "?!", remains as it is.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(" " if unicodedata.category(mark)[0] in "PZC" else mark for mark in folded)
    return " ".join(kept.split()) or " ".join(folded.split())


def _similar(texts: Sequence[str]) -> Pairs:
    """Return the pairs of near-duplicates among different texts."""
    from scipy.sparse import csr_array
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    if len(texts) < 2:
        return Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), SIMILAR)
    counting = HashingVectorizer(
        analyzer="char", ngram_range=(2, 4), lowercase=False, norm=None, alternate_sign=False, n_features=NUM_RUNS
    )
    vectors = TfidfTransformer(sublinear_tf=True).fit_transform(counting.transform(texts)).astype(np.float32)
    used, places = np.unique(vectors.indices, return_inverse=True)
    vectors = csr_array((vectors.data, places.reshape(-1), vectors.indptr), shape=(len(texts), len(used)))
    signs = np.random.default_rng(0).integers(0, 2, (len(used), NUM_DIRECTIONS), dtype=np.int8) * np.float32(2) - 1
    projected = np.asarray(vectors @ signs)
    rows = nearest_rows(projected, projected, NUM_CANDIDATES, exclude=np.arange(len(texts))).rows
    pairs = np.stack([np.repeat(np.arange(len(texts)), rows.shape[1]), rows.reshape(-1)], axis=1)
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    cosines = np.asarray(vectors[pairs[:, 0]].multiply(vectors[pairs[:, 1]]).sum(axis=1), np.float64).reshape(-1)
    is_similar = cosines >= SIMILAR
    return Pairs(pairs[is_similar, 0], pairs[is_similar, 1], np.minimum(cosines[is_similar], 1.0), SIMILAR)
