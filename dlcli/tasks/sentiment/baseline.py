"""The floor that a text classifier has to beat: TF-IDF of characters and logistic regression.

On Chinese reviews this floor is high (waimai_10k 89.65 %, ChnSentiCorp_htl 89.97 %, online_shopping 93.39 %, 5-fold),
and many deep nets do not pass it. Torch-free; scikit-learn is imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.text.audit.token_kinds import without
from dlcli.metrics.classification import ClassificationMetric

INVERSE_PENALTY = 4.0
"""scikit-learn's C."""
LEAST_TEXTS = 2
"""Characters and pairs of characters that stand in fewer training texts are left out."""
MOST_FEATURES = 1_000_000
"""The most frequent pairs; Chinese has some 300,000 in 80,000 posts."""
MOST_STEPS = 300
LEAST_PROBABILITY = 1e-12
"""What a class gets at least, so that one sure mistake does not make the loss infinite."""


def tfidf_baseline(
    train_texts: Sequence[str],
    train_labels: np.ndarray,
    test_texts: Sequence[str],
    test_labels: np.ndarray,
    *,
    num_classes: int,
    strip: Iterable[str] = (),
) -> dict[str, float]:
    """Return how well logistic regression over TF-IDF of characters and character pairs does on the test texts.

    Sublinear term frequencies, rows of unit length, L2 penalty. Deterministic.

    Args:
        train_labels, test_labels: (N,) integers in [0, num_classes).
        strip: kinds of token that are left out, as the tokenizer leaves them out; else the floor would see emoticons
            that the model it stands beside never saw.

    Returns:
        What `ClassificationMetric` reports of single figures (`accuracy`, `loss`, `macro_f1`, ...; a class that the
        training texts lack is never predicted), and `num_features`.

    Raises:
        DataError: the training texts are of one class only, or hold no character that stands in two of them; or there
            are no test texts.
        ValueError: there is not one label for each text.
    """
    if len(train_texts) != len(train_labels) or len(test_texts) != len(test_labels):
        raise ValueError("one label for each text")
    if len(np.unique(train_labels)) < 2:
        raise DataError("the baseline needs training texts of two classes", hint="look at `dl doctor DATA`")
    if not len(test_texts):
        raise DataError("the baseline has no texts to be measured on", hint="choose another --split")
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    vectorizer = TfidfVectorizer(
        analyzer="char",
        ngram_range=(1, 2),
        min_df=LEAST_TEXTS,
        max_features=MOST_FEATURES,
        sublinear_tf=True,
        dtype=np.float32,
    )
    stripped = frozenset(strip)
    try:
        train_vectors = vectorizer.fit_transform(without(text, stripped) for text in train_texts)
    except ValueError as error:  # scikit-learn's answer where no feature is left
        raise DataError(f"the baseline finds nothing in the training texts: {error}") from None
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=MOST_STEPS)
    model.fit(train_vectors, train_labels)
    probabilities = np.zeros((len(test_texts), num_classes))
    probabilities[:, model.classes_] = model.predict_proba(
        vectorizer.transform(without(text, stripped) for text in test_texts)
    )
    metric = ClassificationMetric(num_classes)
    metric.update(np.log(np.maximum(probabilities, LEAST_PROBABILITY)), np.asarray(test_labels))
    metrics: dict[str, float] = metric.report([str(index) for index in range(num_classes)])["metrics"]
    return metrics | {"num_features": float(train_vectors.shape[1])}
