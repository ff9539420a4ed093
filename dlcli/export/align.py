"""Aligning detections with those of another program, which may sort equal scores differently and rounds differently."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dlcli.export.plan import Arrays, Bounds

BOXES, SCORES, LABELS, COUNTS = "boxes", "scores", "labels", "counts"

RIVAL_IOU = 0.5
"""Of two boxes of one class that overlap by so much suppression may keep either, if their scores nearly tie."""


def detections_aligned(reference: Arrays, answer: Arrays, bounds: Bounds) -> Arrays:
    """Return an answer with its detections in the reference's order, for `Graph.align`.

    Detections are sorted by score. Each of the reference's is matched with the nearest of the answer that has the same
    label and a score within `bounds["scores"]`; detections without a partner fill the remaining places, so that a
    difference remains one. An answer that is not sorted or has numbers that are not finite is left as it is.

    An exact program has a partner for each. Where `bounds["labels"]`, the share of unequal labels, is above zero, two
    kinds may be without one, and are taken from the reference or left out: those whose score is within the bound of
    what is cut off (the list's last score where it is full, else zero), and, as that share of all, rounded up, those
    that overlap a better one of their class, for suppression may drop or keep them.

    Args:
        reference: `boxes` (N, K, 4), `scores` (N, K), `labels` (N, K), and `counts` (N,), the number of detections
            among the K. Other outputs of shape (N, K, ...), such as masks, are reordered with them.
        answer: the same of another program.
        bounds: output -> the largest allowed difference.
    """
    names = (BOXES, SCORES, LABELS, COUNTS)
    if not all(name in answer and name in reference and answer[name].shape == reference[name].shape for name in names):
        return answer  # the comparison reports what is wrong
    rows = [_Row.of(reference, answer, row, bounds) for row in range(len(answer[COUNTS]))]
    if not all(row.given.is_sound(bounds[SCORES]) for row in rows):
        return answer
    if bounds[LABELS] > 0:
        _excuse(rows, bounds)
    aligned = {name: values.copy() for name, values in answer.items()}
    for index, row in enumerate(rows):
        is_reference, places = row.places(answer[SCORES].shape[1])
        for name, values in answer.items():
            if values.shape[:2] == answer[SCORES].shape and name != COUNTS:
                aligned[name][index] = values[index, places]
                if is_reference.any():
                    aligned[name][index, is_reference] = reference[name][index, places[is_reference]]
        aligned[COUNTS][index] += row.count - len(row.given.scores)  # one that is out of range stays so
    return aligned


@dataclass
class _List:
    """The detections of one image: boxes (n, 4), scores (n,), labels (n,), and the score below which they are cut."""

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    cut: float

    @classmethod
    def of(cls, arrays: Arrays, row: int) -> _List:
        count = int(arrays[COUNTS][row].clip(0, arrays[SCORES].shape[1]))
        boxes, scores, labels = (arrays[name][row, :count] for name in (BOXES, SCORES, LABELS))
        is_full = 0 < count == arrays[SCORES].shape[1]
        return cls(boxes, scores, labels, float(scores.min()) if is_full else 0.0)

    def is_sound(self, tie: float) -> bool:
        """Return whether all numbers are finite and the best come first."""
        is_finite = bool(np.isfinite(self.boxes).all() and np.isfinite(self.scores).all())
        return is_finite and not (np.diff(self.scores) > tie).any()


@dataclass
class _Row:
    """An image's detections by both programs.

    Attributes:
        partner: (n,), the place of each of the reference's detections in the answer, or -1.
        lost: (n,), whether one of the reference's has no partner and needs one.
        new: (m,), whether one of the answer's has no partner and needs one.
        count: the number of detections of the aligned answer.
    """

    wanted: _List
    given: _List
    partner: np.ndarray
    lost: np.ndarray
    new: np.ndarray
    count: int = 0

    @classmethod
    def of(cls, reference: Arrays, answer: Arrays, row: int, bounds: Bounds) -> _Row:
        wanted, given = _List.of(reference, row), _List.of(answer, row)
        far = 4 * bounds[BOXES]  # beyond it one distance is as bad as another, so that no exact pair is given up
        distances = np.abs(wanted.boxes[:, None] - given.boxes).sum(2).clip(max=far)
        is_candidate = np.abs(wanted.scores[:, None] - given.scores) <= bounds[SCORES]
        is_candidate &= (wanted.labels[:, None] == given.labels) & np.isfinite(distances)  # NaN is no one's partner
        partner = _nearest(np.where(is_candidate, distances, np.inf))
        return cls(wanted, given, partner, partner < 0, ~np.isin(np.arange(len(given.scores)), partner))

    def places(self, num_places: int) -> tuple[np.ndarray, np.ndarray]:
        """Return for each of the K places whether the reference fills it, and the place there or in the answer."""
        spare = iter(np.flatnonzero(self.new).tolist())
        filled: list[tuple[bool, int]] = []
        for place, partner in enumerate(self.partner.tolist()):
            filler = partner if partner >= 0 else next(spare, -1)
            if filler >= 0:
                filled.append((False, filler))
            elif not self.lost[place]:
                filled.append((True, place))
        filled += [(False, place) for place in spare]
        self.count = len(filled)
        padding = [(False, place) for place in range(len(self.given.scores), num_places)]
        padding += [(True, place) for place in range(len(self.wanted.scores), num_places)]
        filled += padding[: num_places - self.count]
        return np.array([each[0] for each in filled], bool), np.array([each[1] for each in filled], np.int64)


def _excuse(rows: list[_Row], bounds: Bounds) -> None:
    """Excuse those at the cut from having a partner, and those with a rival, if they are few."""
    for row in rows:
        paired = np.flatnonzero(row.partner >= 0)
        distances = np.abs(row.wanted.boxes[paired] - row.given.boxes[row.partner[paired]]).max(1, initial=0.0)
        apart = paired[distances > bounds[BOXES]]  # their nearest are other objects
        row.new[row.partner[apart]], row.lost[apart], row.partner[apart] = True, True, -1
        row.lost &= row.wanted.scores > row.given.cut + bounds[SCORES]
        row.new &= row.given.scores > row.wanted.cut + bounds[SCORES]
    rivals = [
        (
            row.lost & _has_better(row.wanted, row.given, bounds[SCORES]),
            row.new & _has_better(row.given, row.wanted, bounds[SCORES]),
        )
        for row in rows
    ]
    num_all = sum(max(len(row.wanted.scores), len(row.given.scores)) for row in rows)
    if sum(int(lost.sum() + new.sum()) for lost, new in rivals) <= math.ceil(bounds[LABELS] * num_all):
        for row, (lost, new) in zip(rows, rivals, strict=True):
            row.lost &= ~lost
            row.new &= ~new


def _has_better(own: _List, other: _List, tie: float) -> np.ndarray:
    """Return for each of one list's detections whether the other has a rival that may suppress it."""
    corners = (
        np.maximum(own.boxes[:, None, :2], other.boxes[:, :2]),
        np.minimum(own.boxes[:, None, 2:], other.boxes[:, 2:]),
    )
    shared = np.clip(corners[1] - corners[0], 0, None).prod(2)
    areas = [(each.boxes[:, 2:] - each.boxes[:, :2]).prod(1) for each in (own, other)]
    overlaps = shared >= RIVAL_IOU * (areas[0][:, None] + areas[1] - shared)
    is_rival = (own.labels[:, None] == other.labels) & (other.scores >= own.scores[:, None] - tie)
    return np.asarray((overlaps & is_rival).any(1))


def _nearest(distances: np.ndarray) -> np.ndarray:
    """Return for each row its column where the distances of all are least together, or -1.

    Args:
        distances: (n, m), infinite for pairs that cannot match.
    """
    from scipy.optimize import linear_sum_assignment

    can_match = np.isfinite(distances)
    beyond = 1.0 + distances[can_match].sum()  # a pair more is worth any distances
    rows, columns = linear_sum_assignment(np.where(can_match, distances, beyond))
    chosen = np.full(len(distances), -1)
    chosen[rows] = np.where(can_match[rows, columns], columns, -1)
    return chosen
