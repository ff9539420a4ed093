"""What word vectors have to beat: frequency alone, and counted co-occurrences with a truncated SVD. Torch-free.

Both answer the same pairs as the network: whether a word's real neighbour scores above drawn ones.

Source: Levy, Goldberg & Dagan 2015, Q15-1016: positive PMI with smoothed contexts, vectors and contexts each with the
square root of the singular values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dlcli.data.text.contexts import NOISE_POWER
from dlcli.metrics.word_pairs import WordPairMetric

if TYPE_CHECKING:
    from dlcli.tasks.embedding.source import WordSource

SEED = 0


def count_baselines(
    source: WordSource, counts: np.ndarray, split: str, *, size: int, window: int, keep: np.ndarray
) -> dict[str, dict[str, float]]:
    """Return the AUC of each simple model on the pairs of a split.

    Args:
        source: the texts.
        counts: (V,) the run's counts of words.
        split: whose pairs are measured.
        size: of the vectors.
        window: the largest distance of a context word.
        keep: (V,) the probability with which a word stays in the network's training.
    """
    words, owners = source.training_words(counts)
    vectors, contexts = ppmi_vectors(co_occurrences(words, owners, window, keep), size)
    metrics = {"frequency alone": WordPairMetric(), "positive PMI + truncated SVD": WordPairMetric()}
    for batch in source.loader(split, counts, training=False).batches():
        bags, targets, noise = (batch[name].numpy() for name in ("bags", "targets", "noise"))
        words = np.concatenate([targets[:, None], noise], axis=1)
        predicting = vectors[bags].sum(axis=1)  # a sum ranks words as a mean does, and padding has a vector of zeros
        all_scores = (counts[words].astype(np.float64), np.einsum("pd,pkd->pk", predicting, contexts[words]))
        for metric, scores in zip(metrics.values(), all_scores, strict=True):
            values = np.where(words == 0, -np.inf, scores)
            metric.update({}, {"targets": values[:, 0], "noise": values[:, 1:]})
    return {name: {"auc": metric.compute()["auc"]} for name, metric in metrics.items()}


def co_occurrences(words: np.ndarray, owners: np.ndarray, window: int, keep: np.ndarray) -> Any:
    """Return how often each word (row) is expected to have each context (column) in training, (V, V) sparse.

    A window that is drawn from 1 to W reaches a distance of d with probability (W - d + 1) / W.

    Args:
        words: (T,) the words, text after text.
        owners: (T,) the text of each.
        window: W.
        keep: (V,) the probability with which a word stays.
    """
    from scipy.sparse import coo_array, csr_array

    size = len(keep)
    total = csr_array((size, size))
    for distance in range(1, window + 1):
        is_inside = owners[distance:] == owners[:-distance]
        left, right = words[:-distance][is_inside], words[distance:][is_inside]
        weights = keep[left] * keep[right] * (window - distance + 1) / window
        total = total + coo_array((weights, (left, right)), shape=(size, size)).tocsr()
    return total + total.T


def ppmi_vectors(co_occurrences: Any, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors and contexts, (V, D) float64 each, whose products approximate the positive PMI.

    Args:
        co_occurrences: (V, V) sparse, of a word (row) with a context (column).
        size: D; smaller where there are fewer words.
    """
    from sklearn.utils.extmath import randomized_svd

    matrix = co_occurrences.tocoo()
    words = np.asarray(matrix.sum(axis=1)).ravel()
    contexts = np.asarray(matrix.sum(axis=0)).ravel() ** NOISE_POWER
    shares = contexts / contexts.sum()
    pmi = np.log(matrix.data / (words[matrix.row] * shares[matrix.col]))
    matrix.data = np.maximum(pmi, 0)
    rank = min(size, matrix.shape[0] - 1)
    left, values, right = randomized_svd(matrix.tocsr(), n_components=rank, random_state=SEED)
    return left * np.sqrt(values), right.T * np.sqrt(values)
