"""Words outside the dictionary: the hidden Markov model of jieba's finalseg, bit-exact but faster.

States: B, M, E begin, continue and end a word of several characters; S is a word of one. Scores are added in finalseg's
order and ties are broken as by its `max` over (score, letter), so every cut is the same, even if two cuts have the same
score except for rounding (a repeated character). Only the probabilities come from jieba; its dictionary is not loaded.

Imports neither torch nor, at import time, numpy.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

from dlcli.data.text.tokenizing.jieba_package import load_jieba

if TYPE_CHECKING:
    import numpy as np

FIRST_HAN, LAST_HAN = 0x4E00, 0x9FD5
"""The range that finalseg treats as Chinese."""

_STATES = "BMES"
_B, _M, _E, _S = range(4)
_EARLIER, _LATER = [_E, _B, _B, _E], [_S, _M, _M, _S]
"""The two states that may precede each state, in alphabetical order."""
_IMPOSSIBLE = -3.14e100  # finalseg's MIN_FLOAT
_REMEMBERED = 8  # characters; longer runs rarely repeat

_Scores = tuple[float, float, float, float]


@cache
def _steps() -> tuple[_Scores, dict[str, float]]:
    """Return the scores of the states at the first character, and of the eight possible transitions."""
    finalseg = load_jieba().finalseg
    start = tuple(finalseg.start_P[state] for state in _STATES)
    return start, {f"{a}{b}": score for a, row in finalseg.trans_P.items() for b, score in row.items()}


@cache
def _emissions() -> dict[str, _Scores]:
    """Return character -> its score in each state."""
    finalseg = load_jieba().finalseg
    rows = [finalseg.emit_P[state] for state in _STATES]
    characters = set().union(*rows)
    return {character: tuple(row.get(character, _IMPOSSIBLE) for row in rows) for character in characters}


def words_of(run: str) -> tuple[str, ...]:
    """Return the words of a run of Chinese characters as finalseg cuts them."""
    return _remembered(run) if len(run) <= _REMEMBERED else _decode(run)


def _decode(run: str) -> tuple[str, ...]:
    (b, m, e, s), steps = _steps()
    eb, sb, bm, mm, be, me, es, ss = (steps[name] for name in ("EB", "SB", "BM", "MM", "BE", "ME", "ES", "SS"))
    emissions, unknown = _emissions(), (_IMPOSSIBLE,) * 4
    emit_b, emit_m, emit_e, emit_s = emissions.get(run[0], unknown)
    b, m, e, s = b + emit_b, m + emit_m, e + emit_e, s + emit_s
    closed, opened = [(True, True)], [(True, True)]
    for character in run[1:]:
        emit_b, emit_m, emit_e, emit_s = emissions.get(character, unknown)
        b_of_e, b_of_s = e + eb + emit_b, s + sb + emit_b
        m_of_b, m_of_m = b + bm + emit_m, m + mm + emit_m
        e_of_b, e_of_m = b + be + emit_e, m + me + emit_e
        s_of_e, s_of_s = e + es + emit_s, s + ss + emit_s
        closed.append((b_of_s >= b_of_e, s_of_s >= s_of_e))  # on a tie the later letter wins: S over E
        opened.append((e_of_m >= e_of_b, m_of_m >= m_of_b))
        b = b_of_s if b_of_s >= b_of_e else b_of_e
        m = m_of_m if m_of_m >= m_of_b else m_of_b
        e = e_of_m if e_of_m >= e_of_b else e_of_b
        s = s_of_s if s_of_s >= s_of_e else s_of_e
    words, end, is_single = [], len(run), s >= e
    while end:
        start = end - 1
        if is_single:
            is_single = closed[start][1]
        elif start:
            is_inside = opened[start][0]
            start -= 1
            while is_inside and start:  # a run may begin inside a word: unknown characters score equally in all states
                is_inside = opened[start][1]
                start -= 1
            is_single = closed[start][0]
        words.append(run[start:end])
        end = start
    return tuple(reversed(words))


_remembered = lru_cache(maxsize=2**16)(_decode)


@cache
def _emission_table() -> np.ndarray:
    """Return the scores of every Chinese character, (states, characters)."""
    import numpy as np

    table = np.full((4, LAST_HAN - FIRST_HAN + 1), _IMPOSSIBLE)
    for character, scores in _emissions().items():
        if FIRST_HAN <= ord(character) <= LAST_HAN:
            table[:, ord(character) - FIRST_HAN] = scores
    return table


@cache
def _step_tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the scores of the states at the first character, and of the transitions to each state, (states, 1)."""
    import numpy as np

    first, steps = _steps()
    rows = (
        first,
        *([steps[_STATES[a] + b] for a, b in zip(froms, _STATES, strict=True)] for froms in (_EARLIER, _LATER)),
    )
    at_first, earlier, later = (np.array(row)[:, None] for row in rows)
    return at_first, earlier, later


def word_spans(codes: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return start and end of the words of several characters in many runs at once; all other characters are single.

    Args:
        codes: (N,) code points.
        starts: (R,) index in `codes` where each run begins; runs do not overlap.
        lengths: (R,) lengths, at least 1; all characters of a run are Chinese.

    Returns:
        Two (W,) arrays of increasing indices into `codes`; ends are exclusive.
    """
    import numpy as np

    order = np.argsort(-lengths, kind="stable")  # so that the runs that reach a step come first
    starts, lengths = starts[order], lengths[order]
    alive = [int(np.searchsorted(-lengths, -step)) for step in range(int(lengths[0]) + 1 if len(lengths) else 0)]
    table, (scores_at_first, earlier_steps, later_steps) = _emission_table(), _step_tables()
    scores = scores_at_first + table.take(codes[starts] - FIRST_HAN, axis=1)
    sources = np.ones((len(alive), 4, len(starts)), dtype=bool)  # [step, state]: came from the later letter of the two
    is_single = np.empty(len(starts), dtype=bool)
    for step in range(1, len(alive)):
        count = alive[step]
        is_single[count : scores.shape[1]] = scores[_S, count:] >= scores[_E, count:]
        if not count:
            break
        emissions = table.take(codes[starts[:count] + step] - FIRST_HAN, axis=1)
        earlier = scores[_EARLIER, :count] + earlier_steps + emissions
        later = scores[_LATER, :count] + later_steps + emissions
        np.greater_equal(later, earlier, out=sources[step, :, :count])
        scores = np.maximum(earlier, later)
    return _trace(codes, starts, alive, sources, is_single)


def _trace(
    codes: np.ndarray, starts: np.ndarray, alive: list[int], sources: np.ndarray, is_single: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np

    before = np.array([_EARLIER, _LATER], dtype=np.int8)
    states = np.full(len(codes), _S, dtype=np.int8)
    state = np.where(is_single, _S, _E).astype(np.int8)
    everyone = np.arange(len(starts))
    for step in range(len(alive) - 2, -1, -1):
        count = alive[step]
        current = state[:count]
        states[starts[:count] + step] = current
        if step:  # shorter runs stay in their last state until the trace reaches them
            state[:count] = before[sources[step, current, everyone[:count]].view(np.int8), current]
    # A run may begin inside a word: unknown characters score equally in all states.
    states[starts] = np.array([_B, _B, _S, _S], dtype=np.int8)[states[starts]]
    return np.flatnonzero(states == _B), np.flatnonzero(states == _E) + 1
