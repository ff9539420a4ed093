"""The baseline that a text classifier has to beat: TF-IDF of characters and logistic regression.

On Chinese reviews it is high (waimai_10k 89.65 %, ChnSentiCorp_htl 89.97 %, online_shopping 93.39 %, 5-fold), and many
deep networks do not reach it. Torch-free; scikit-learn is imported on use.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.text.tokenizing.kinds import without_units
from dlcli.engine.floors import Floor
from dlcli.metrics.classification import ClassificationMetric

if TYPE_CHECKING:
    from dlcli.tasks.sentiment.source import TextSource

INVERSE_PENALTY = 4.0
"""scikit-learn's C."""
LEAST_TEXTS = 2
"""Characters and pairs of characters that occur in fewer training texts are ignored."""
MOST_FEATURES = 1_000_000
"""Limit on the features, the most frequent first; 80,000 Chinese posts have some 300,000."""
MOST_STEPS = 300
QUICK_TEXTS = 4_000
QUICK_TOKENS = 300_000
"""Limits of the floor that a training prints first: these take about a second, beside importing scikit-learn."""
LEAST_VALIDATION = 50
"""On fewer texts the floor and a network differ by chance alone."""
NAME = "tf-idf + logistic regression"
LEAST_PROBABILITY = 1e-12
"""Lower bound of a class probability, so that one confident mistake does not make the loss infinite."""


def tfidf_baseline(
    train_texts: Sequence[str],
    train_labels: np.ndarray,
    test_texts: Sequence[str],
    test_labels: np.ndarray,
    *,
    num_classes: int,
    strip: Iterable[str] = (),
) -> dict[str, float]:
    """Return the metrics, on the test texts, of logistic regression over TF-IDF of characters and character pairs.

    Sublinear term frequencies, rows of unit length, L2 penalty. Deterministic.

    Args:
        train_texts, test_texts: N texts each.
        train_labels, test_labels: (N,) integers in [0, num_classes).
        num_classes: the number of classes; one that the training texts lack is never predicted.
        strip: kinds of token to remove, as the model's tokenizer does; otherwise the baseline would see emoticons that
            the model compared with it never saw.

    Returns:
        The scalar metrics of `ClassificationMetric` (`accuracy`, `loss`, `macro_f1`, ...) and `num_features`.

    Raises:
        DataError: all training texts are of one class, or no character occurs in two of them; or there are no test
            texts.
        ValueError: texts and labels differ in number.
    """
    if len(train_texts) != len(train_labels) or len(test_texts) != len(test_labels):
        raise ValueError("texts and labels differ in number")
    if len(np.unique(train_labels)) < 2:
        raise DataError("the baseline needs training texts of two classes or more", hint="run `dl doctor DATA`")
    if not len(test_texts):
        raise DataError("the baseline has no texts to be evaluated on", hint="choose another --split")
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
        train_vectors = vectorizer.fit_transform(without_units(text, stripped) for text in train_texts)
    except ValueError as error:  # scikit-learn raises it if no feature is left
        raise DataError(f"the baseline finds no features in the training texts: {error}") from None
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=MOST_STEPS)
    model.fit(train_vectors, train_labels)
    probabilities = np.zeros((len(test_texts), num_classes))
    probabilities[:, model.classes_] = model.predict_proba(
        vectorizer.transform(without_units(text, stripped) for text in test_texts)
    )
    return figures_of(probabilities, test_labels) | {"num_features": float(train_vectors.shape[1])}


def figures_of(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return the scalar metrics of (N, C) class probabilities for (N,) labels."""
    num_classes = probabilities.shape[1]
    metric = ClassificationMetric(num_classes)
    metric.update(np.log(np.maximum(probabilities, LEAST_PROBABILITY)), np.asarray(labels))
    metrics: dict[str, float] = metric.report([str(index) for index in range(num_classes)])["metrics"]
    return metrics


def quick_floor(source: TextSource, num_classes: int, strip: Iterable[str]) -> Floor | None:
    """Return the floor on the validation part, fitted on some of the training texts.

    Args:
        source: the texts.
        num_classes: the number of classes.
        strip: see `tfidf_baseline`.

    Returns:
        None if there are too few texts to compare, or they have nothing in common.
    """
    if source.loader("valid", training=False).num_items < LEAST_VALIDATION:
        return None
    train, valid = (
        source.texts_and_labels(split, most=QUICK_TEXTS, most_tokens=QUICK_TOKENS) for split in ("train", "valid")
    )
    try:
        figures = tfidf_baseline(*train, *valid, num_classes=num_classes, strip=strip)
    except DataError:
        return None
    fitted = f"{len(train[0]):,} of {source.loader('train', training=False).num_items:,} texts"
    return Floor(NAME, figures, fitted, "--model tfidf")
