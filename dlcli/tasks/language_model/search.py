"""How the graphs of a language model answer together, for a run and an exported folder alike. Torch-free."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from dlcli.data.codec import Arrays
from dlcli.data.text.sampling import Continued, Sampling, continue_texts
from dlcli.data.text.vocabulary import PAD, UNK
from dlcli.tasks.language_model.config import LanguageModelInference

GraphFunction = Callable[[Arrays], Mapping[str, np.ndarray]]

SCORE_INPUTS, SCORE_OUTPUTS = ("tokens", "lengths"), ("log_probs", "start")
STEP_INPUTS, STEP_OUTPUTS = ("last", "state"), ("next_log_probs", "new_state")

SEEDS = "seeds"
"""The seed of each text's continuation, (N,) int64; a batch of an evaluation has none."""


def search(
    graphs: Mapping[str, GraphFunction], arrays: Arrays, inference: LanguageModelInference | None
) -> dict[str, np.ndarray]:
    """Return the log-probabilities of texts, and what is asked of what follows them.

    Args:
        graphs: "score" and "step"; see `dlcli.models.language.model`.
        arrays: `tokens` (N, T) int64, `lengths` (N,) int64, and perhaps `seeds` (N,) int64.
        inference: what to answer.

    Returns:
        `log_probs` (N, T + 1) float32, 0 behind the end; with `next` also `next_ids` and `next_log_probs` (N, K), best
        first; with `generate` also `generated` (N, L) int64, padded with 0, at least one wide.

    Raises:
        RunError: the network's probabilities are NaN.
    """
    options = inference or LanguageModelInference()
    scored = graphs["score"]({name: arrays[name] for name in SCORE_INPUTS})
    outputs = {"log_probs": scored["log_probs"]}
    if options.next is None and options.generate is None:
        return outputs
    found = _continued(graphs["step"], scored["start"], arrays, options)
    if options.next is not None:
        ids = np.argsort(-found.following, axis=1, kind="stable")[:, : options.next]
        outputs |= {"next_ids": ids, "next_log_probs": np.take_along_axis(found.following, ids, axis=1)}
    if options.generate is not None:
        longest = max(map(len, found.tokens), default=0)
        generated = np.full((len(found.tokens), max(longest, 1)), PAD, np.int64)
        for row, said in zip(generated, found.tokens, strict=True):
            row[: len(said)] = said
        outputs["generated"] = generated
    return outputs


def _continued(step_of: GraphFunction, start: np.ndarray, arrays: Arrays, options: LanguageModelInference) -> Continued:
    texts = [row[:length] for row, length in zip(arrays["tokens"], arrays["lengths"].tolist(), strict=True)]
    seeds = arrays[SEEDS].tolist() if SEEDS in arrays else [options.draw_seed] * len(texts)

    def step(last: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = step_of({"last": last, "state": state})
        return found["next_log_probs"], found["new_state"]

    return continue_texts(
        step,
        start,
        texts,
        seeds,
        Sampling(
            boundary=PAD,
            never=(UNK,),
            most=options.generate or 0,
            temperature=options.temperature,
            top_k=options.top_k_tokens,
            top_p=options.top_p,
        ),
    )
