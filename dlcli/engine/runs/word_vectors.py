"""The word vectors of a run, with which another training starts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlcli.core.errors import DataError
from dlcli.core.run_dir import resolve_run
from dlcli.data.text.vocabulary import SPECIALS, Vocabulary
from dlcli.engine.runs.restore import load_task
from dlcli.engine.task import network_of
from dlcli.visualize.word_weights import embedding_of


def vectors_of_run(reference: str, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the vectors of those words that a run has, as `dlcli.models.text.vectors.read_vectors` does of a file.

    Args:
        reference: the run, of word vectors or of any network with an embedding of words.
        words: the vocabulary; the special ones are no words.

    Returns:
        (K,) int64 indices into `words`, (K, D) float32 vectors, and D.

    Raises:
        RunError: there is no such run, or it is damaged.
        DataError: it has no vocabulary.
        UsageError: it has no word vectors.
    """
    run = resolve_run(reference)
    task, _ = load_task(run)
    assets = task.assets()
    if "vocab" not in assets:
        raise DataError(f"{run.path}: a run without a vocabulary has no word vectors", hint="name a run of texts")
    place = {word: number for number, word in enumerate(Vocabulary.from_json(assets["vocab"]).tokens)}
    table = embedding_of(network_of(task)).weight.detach().float().cpu().numpy()
    wanted = range(len(SPECIALS), len(words))
    found = [
        (index, place[words[index]]) for index in wanted if words[index] in place and table[place[words[index]]].any()
    ]
    rows, places = np.array(found, np.int64).reshape(-1, 2).T
    return rows, table[places], table.shape[1]
