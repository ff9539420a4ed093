"""Bags of words: the classical models of texts, beside the floor of characters (`baseline`). Torch-free.

The words are the tokens of the run, so they are cleaned, stemmed and without stop words as the network's are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dlcli.tasks.sentiment.baseline import INVERSE_PENALTY, LEAST_TEXTS, MOST_FEATURES, MOST_STEPS, figures_of

COUNTS = "counts of words + naive Bayes"
TFIDF = "tf-idf of words + logistic regression"


def word_baselines(
    tokens_of_all: Callable[[Sequence[str]], list[list[str]]],
    train_texts: Sequence[str],
    train_labels: np.ndarray,
    test_texts: Sequence[str],
    test_labels: np.ndarray,
    *,
    num_classes: int,
) -> dict[str, dict[str, float]]:
    """Return the metrics, on the test texts, of two models of the words of a text, whatever their order.

    Multinomial naive Bayes over counts, smoothed by 1 (Manning, Raghavan & Schuetze 2008, chapter 13), and logistic
    regression over sublinear TF-IDF with rows of unit length. Deterministic.

    Args:
        tokens_of_all: the tokenizer.
        train_texts, test_texts: N texts each.
        train_labels, test_labels: (N,) integers in [0, num_classes).
        num_classes: the number of classes; one that the training texts lack is never predicted.

    Returns:
        Name of the model -> metrics, as `tfidf_baseline`; {} if no word occurs in two training texts.
    """
    from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import MultinomialNB

    vectorizer = CountVectorizer(analyzer=_as_is, min_df=LEAST_TEXTS, max_features=MOST_FEATURES)
    try:
        train_counts = vectorizer.fit_transform(tokens_of_all(train_texts))
    except ValueError:  # scikit-learn raises it if no feature is left
        return {}
    test_counts = vectorizer.transform(tokens_of_all(test_texts))
    weighting = TfidfTransformer(sublinear_tf=True)
    train_weights, test_weights = weighting.fit_transform(train_counts), weighting.transform(test_counts)
    models = {
        COUNTS: (MultinomialNB(), train_counts, test_counts),
        TFIDF: (LogisticRegression(C=INVERSE_PENALTY, max_iter=MOST_STEPS), train_weights, test_weights),
    }
    figures = {}
    for name, (model, train_vectors, test_vectors) in models.items():
        model.fit(train_vectors, train_labels)
        probabilities = np.zeros((len(test_texts), num_classes))
        probabilities[:, model.classes_] = model.predict_proba(test_vectors)
        figures[name] = figures_of(probabilities, test_labels) | {"num_features": float(train_counts.shape[1])}
    return figures


def _as_is(tokens: list[str]) -> list[str]:
    return tokens
