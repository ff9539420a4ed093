"""How the encoder and the step of a translator answer together, for a run and an exported folder alike. Torch-free."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from dlcli.data.codec import Arrays
from dlcli.data.parallel.tokenizers import END, PAD, START, UNKNOWN
from dlcli.data.text.beam import Hypothesis, Limits, beam_search, repeating_tokens
from dlcli.tasks.translation.config import TranslationInference

GraphFunction = Callable[[Arrays], Mapping[str, np.ndarray]]

NEVER_SAID = (PAD, START, UNKNOWN)
"""Tokens that are part of no translation."""

MORE_TOKENS = 10
"""A translation may have as many tokens more than `--max-ratio` times those of its source: short ones vary widely."""

ENCODER_INPUTS, ENCODER_OUTPUTS = ("source", "source_lengths"), ("context", "state")
STEP_INPUTS = ("last", "context", "source_lengths", "state", "banned")
STEP_OUTPUTS = ("scores", "ids", "new_state")


@dataclass(frozen=True)
class _Beam:
    """The state of a search over B sentences with K hypotheses of each, row by row.

    Attributes:
        context: (B, ...) one for all hypotheses of a sentence, so that it is not copied in every step.
        lengths: (B,) int64 of the sources.
        state: (B * K, ...) of each hypothesis.
        said: (B * K, t) int64 the tokens of each hypothesis, from the start token on.
        width: K; 1 before the first step.
    """

    context: np.ndarray
    lengths: np.ndarray
    state: np.ndarray
    said: np.ndarray
    width: int = 1

    def of_rows(self, rows: np.ndarray, width: int) -> _Beam:
        """Return the beam of these rows, of which `width` belong to each sentence."""
        sentences = rows[::width] // self.width
        is_whole = len(sentences) == len(self.lengths)  # sentences leave the beam, but never change their order
        return _Beam(
            self.context if is_whole else self.context[sentences],
            self.lengths if is_whole else self.lengths[sentences],
            self.state[rows],
            self.said[rows],
            width,
        )


def search(
    graphs: Mapping[str, GraphFunction], arrays: Arrays, inference: TranslationInference
) -> dict[str, np.ndarray]:
    """Return the best translations.

    Args:
        graphs: "encoder" and "step"; see `dlcli.models.seq2seq.translator`.
        arrays: `source` (N, S) int64, padded, and `source_lengths` (N,) int64.
        inference: how to search.

    Returns:
        `sentences` (N, nbest, L) int64, padded with 0, without start and end tokens; `scores` (N, nbest) float32, -inf
        where a sentence has fewer translations.

    Raises:
        RunError: the network's scores are NaN.
    """
    lengths = np.asarray(arrays["source_lengths"], np.int64)
    memory = graphs["encoder"]({"source": arrays["source"], "source_lengths": lengths})
    start = _Beam(memory["context"], lengths, memory["state"], np.empty((len(lengths), 0), np.int64))
    limits = Limits(
        START,
        END,
        np.ceil(inference.max_ratio * lengths).astype(np.int64) + MORE_TOKENS,
        beam=inference.beam,
        num_best=inference.nbest,
        length_penalty=inference.length_penalty,
    )

    def step(last: np.ndarray, beam: _Beam) -> tuple[np.ndarray, np.ndarray, _Beam]:
        beam = replace(beam, said=np.concatenate([beam.said, last[:, None]], axis=1))
        found = graphs["step"](_inputs_of_step(beam, inference.no_repeat))
        num_rows, num_candidates = len(last), 2 * inference.beam
        scores, ids = (found[name].reshape(num_rows, -1)[:, :num_candidates] for name in ("scores", "ids"))
        state = found["new_state"]
        return scores, ids, replace(beam, state=state.reshape(num_rows, *state.shape[2:]))

    def reorder(beam: _Beam, rows: np.ndarray) -> _Beam:
        return beam.of_rows(rows, inference.beam)

    return as_arrays(
        beam_search(step, reorder, start, num_sentences=len(lengths), limits=limits), num_best=inference.nbest
    )


def _inputs_of_step(beam: _Beam, no_repeat: int) -> dict[str, np.ndarray]:
    shape = (len(beam.lengths), beam.width)
    is_first = beam.said.shape[1] == 1
    never = (*NEVER_SAID, END) if is_first else NEVER_SAID  # no translation is empty
    banned = np.broadcast_to(np.array(never), (len(beam.said), len(never)))
    if no_repeat:
        banned = np.concatenate([banned, repeating_tokens(beam.said[:, 1:], no_repeat, PAD)], axis=1)
    return {
        "last": beam.said[:, -1].reshape(shape),
        "context": beam.context,
        "source_lengths": beam.lengths,
        "state": beam.state.reshape(*shape, *beam.state.shape[1:]),
        "banned": banned.reshape(*shape, -1),
    }


def as_arrays(found: list[list[Hypothesis]], num_best: int) -> dict[str, np.ndarray]:
    """Return hypotheses as the outputs `sentences` (N, num_best, L) and `scores` (N, num_best); see `search`."""
    longest = max((len(entry.tokens) for entries in found for entry in entries), default=0)
    sentences = np.full((len(found), num_best, max(longest, 1)), PAD, np.int64)
    scores = np.full((len(found), num_best), -np.inf, np.float32)
    for row, entries in enumerate(found):
        for place, entry in enumerate(entries):
            sentences[row, place, : len(entry.tokens)] = entry.tokens
            scores[row, place] = entry.score
    return {"sentences": sentences, "scores": scores}
