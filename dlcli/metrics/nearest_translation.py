"""The baseline of a translator: the translation of the nearest training source."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_MAX_SIMILARITIES = 2**22
"""Similarities in memory at a time, of 8 bytes each."""


def nearest_translations(sources: Sequence[str], targets: Sequence[str], queries: Sequence[str]) -> list[str]:
    """Return for each query the target of the training source that is nearest by TF-IDF over its characters.

    Nearest is the largest cosine of sublinear TF-IDF weights of runs of one to three characters; the first of equals.

    Args:
        sources: M training sources, at least one.
        targets: M translations.
        queries: N sentences.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
    known = vectorizer.fit_transform(sources)
    asked = vectorizer.transform(queries)
    step = max(1, _MAX_SIMILARITIES // len(sources))
    found: list[str] = []
    for start in range(0, len(queries), step):
        similarities = (asked[start : start + step] @ known.T).toarray()
        found += [targets[row] for row in np.argmax(similarities, axis=1).tolist()]
    return found
