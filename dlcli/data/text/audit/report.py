"""The leakage audit of labelled texts: does something other than the words reveal the label?

A kind of token (emoticons, URLs, @names, ...) counts as a leak if a small model that sees nothing else comes close to
one that sees everything. A high accuracy then says little about what was learned. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcli.data.text.audit.duplicates import Copies, find_copies
from dlcli.data.text.audit.leakage import (
    LEAK,
    NOTE,
    NaiveBayes,
    Tokens,
    Verdict,
    Yardstick,
    count_by_class,
    read_tokens,
    texts_by_token,
)
from dlcli.data.text.audit.token_kinds import LENGTH, SHOWN, kind_of_token, read_counts

if TYPE_CHECKING:
    from dlcli.data.text.form import TextForm

Finding = dict[str, Any]

MOST_IDS = 300_000
"""Number of the most frequent tokens that are examined individually."""
MOST_CELLS = 2**25
"""Maximum cells of a table of counts, classes x tokens; with very many classes fewer tokens are examined."""
MOST_READ_TRAIN, MOST_READ_MEASURED = 12_000, 4_000
"""Texts read to count units: an accuracy is then known to 1.5 points, in a third of a second."""
OWN_LANGUAGE = 0.5
"""A kind that makes up more of the tokens is the text itself: latin letters in English, digits in coded words."""
COPIES_LEAK = 0.01
"""From this fraction of duplicates on, a measured accuracy may be wrong by a point."""
NUM_LENGTHS = 20
"""Bins of the text length, with equal numbers of texts."""
MOST_COUNTED = 3
"""Counts of a kind are binned as 0, 1, 2, and 3 or more."""
FEWEST_SORTED = 20
"""Minimum number of labels that are not sorted by chance."""
NUM_EXAMPLES = 8
LONGEST_EXAMPLE = 40

ADVICE = {"emoticon": "`--strip-emoticons` prepares the texts without them"}
OTHER_ADVICE = "a model may learn little else"


@dataclass(frozen=True)
class Evidence:
    """Statistics of the V most frequent tokens in the training texts, and the texts for measuring accuracies.

    Attributes:
        counts: (C, V) occurrences of each token in the texts of each class.
        texts: (C, V) number of texts of each class that contain it.
        totals: (C,) number of texts of each class.
        kinds: (V,) kind of each token, "" for a word.
        measured: texts of another split.
        vocabulary, class_names: names of the ids and labels.
    """

    counts: np.ndarray
    texts: np.ndarray
    totals: np.ndarray
    kinds: np.ndarray
    measured: Tokens
    vocabulary: tuple[str, ...]
    class_names: tuple[str, ...]

    def right_with(self, ids: np.ndarray) -> np.ndarray:
        """Return how many training texts each token alone classifies correctly: one class with it, one without it."""
        texts = self.texts[:, ids]
        return np.asarray(texts.max(axis=0) + (self.totals[:, None] - texts).max(axis=0))

    def most_telling(self, ids: np.ndarray) -> np.ndarray:
        """Return the most predictive tokens among `ids`, the best first."""
        return ids[np.argsort(-self.right_with(ids), kind="stable")[:NUM_EXAMPLES]]

    def examples(self, ids: np.ndarray) -> list[Finding]:
        """Return the most predictive tokens among `ids`, with the class that each indicates."""
        best = self.most_telling(ids).tolist()
        return [_example(self.vocabulary[index], self.texts[:, index], self.class_names) for index in best]


def audit_texts(form: TextForm) -> dict[str, Any]:
    """Return what besides the words reveals the label in a prepared text dataset, and which texts are in two splits.

    Of texts without labels it is the latter alone.

    Small models see one kind of token each; they are fitted on train and measured on valid (test if there is none).

    Returns:
        `findings`, leaks first: each has `what`, `severity` ("leak" or "note"), `text` (a sentence with the figures),
        `accuracy`, `majority` and `coverage` (fraction of texts in which it occurs), in [0, 1] or None, and `examples`.
        `warnings`: the sentences of the leaks. JSON values, a few kilobytes, deterministic.
    """
    findings: list[Finding] = []
    measured = next((split for split in ("valid", "test") if _num_texts(form, split)), None)
    if form.card.classes and measured is not None and _num_texts(form, "train"):
        findings += _telling(form, measured)
    findings += [_copies_finding(form, copies) for copies in find_copies(form)]
    findings += _order(form) if form.card.classes else ()
    findings.sort(key=lambda finding: finding["severity"] != LEAK)
    return {"findings": findings, "warnings": [found["text"] for found in findings if found["severity"] == LEAK]}


def _num_texts(form: TextForm, split: str) -> int:
    return len(form.labels(split)) if split in form.splits() else 0


def _telling(form: TextForm, split: str) -> Iterator[Finding]:
    """Yield a finding for each kind of token that reveals the label, and for the most predictive single token."""
    evidence = _gather(form, split)
    everything, _ = NaiveBayes(evidence.counts, evidence.totals, np.ones(len(evidence.kinds), dtype=bool)).predict(
        evidence.measured
    )
    labels = evidence.measured.labels
    yardstick = Yardstick(
        split,
        majority=float((labels == evidence.totals.argmax()).mean()),
        everything=float((everything == labels).mean()),
    )
    by_count = _count_verdicts(form, split)
    leaking = []
    for kind in SHOWN:
        verdicts = [verdict for verdict in (_token_verdict(evidence, kind), by_count.get(kind)) if verdict is not None]
        # On a tie the first: which tokens occur is easier to understand than how many.
        found = (
            _kind_finding(kind, max(verdicts, key=lambda verdict: verdict.accuracy), yardstick) if verdicts else None
        )
        if found is not None:
            yield found
            leaking += [kind] if found["severity"] == LEAK else []
    found = _single_token(evidence, yardstick, leaking)
    if found is not None:
        yield found


def _gather(form: TextForm, split: str) -> Evidence:
    class_names, vocabulary = form.card.classes, form.vocabulary().tokens
    num_ids = max(2, min(len(vocabulary), MOST_IDS, MOST_CELLS // len(class_names)))
    train = read_tokens(form, "train", num_ids=num_ids)
    num_classes = len(class_names)
    return Evidence(
        counts=count_by_class(train.ids, train.labels[train.owners], num_classes=num_classes, num_values=num_ids),
        texts=texts_by_token(train, num_classes=num_classes, num_ids=num_ids),
        totals=np.bincount(train.labels, minlength=num_classes),
        kinds=np.array(["", "", *map(kind_of_token, vocabulary[2:num_ids])]),
        measured=read_tokens(form, split, num_ids=num_ids),
        vocabulary=vocabulary,
        class_names=class_names,
    )


def _token_verdict(evidence: Evidence, kind: str) -> Verdict | None:
    """Return the verdict on seeing which tokens of a kind occur in a text; None if there are none."""
    is_seen = evidence.kinds == kind
    num_seen = evidence.counts[:, is_seen].sum()
    if not num_seen or num_seen > OWN_LANGUAGE * evidence.counts.sum():
        return None
    predicted, is_covered = NaiveBayes(evidence.counts, evidence.totals, is_seen).predict(evidence.measured)
    labels = evidence.measured.labels
    return Verdict(predicted == labels, is_covered, labels, False, evidence.examples(np.flatnonzero(is_seen)))


def _count_verdicts(form: TextForm, split: str) -> dict[str, Verdict]:
    """Return the verdict on knowing how many tokens of a kind a text has, for each kind that occurs."""
    known, known_labels = read_counts(form, "train", MOST_READ_TRAIN)
    asked, labels = read_counts(form, split, MOST_READ_MEASURED)
    return {
        kind: _count_verdict(kind, known[kind], known_labels, asked[kind], labels, form.card.classes)
        for kind in SHOWN
        if asked[kind].any()
    }


def _count_verdict(
    kind: str,
    known: np.ndarray,
    known_labels: np.ndarray,
    asked: np.ndarray,
    labels: np.ndarray,
    class_names: tuple[str, ...],
) -> Verdict:
    if kind == LENGTH:
        edges = np.unique(np.quantile(known, np.arange(1, NUM_LENGTHS) / NUM_LENGTHS))
        bins = [*(f"up to {edge:.0f}" for edge in edges), "longer"]
        known_bins, asked_bins = np.searchsorted(edges, known), np.searchsorted(edges, asked)
    else:
        bins = [*map(str, range(MOST_COUNTED)), f"{MOST_COUNTED} or more"]
        known_bins, asked_bins = np.minimum(known, MOST_COUNTED), np.minimum(asked, MOST_COUNTED)
    table = count_by_class(known_bins, known_labels, num_classes=len(class_names), num_values=len(bins))
    answers = np.where(table.any(axis=0), table.argmax(axis=0), table.sum(axis=1).argmax())
    examples = [_example(name, table[:, index], class_names) for index, name in enumerate(bins)]
    return Verdict(answers[asked_bins] == labels, asked > 0, labels, True, examples[:NUM_EXAMPLES])


def _kind_finding(kind: str, verdict: Verdict, yardstick: Yardstick) -> Finding | None:
    shown = SHOWN[kind]
    severity = yardstick.severity(verdict.is_right)
    share, texts = _percent(float(verdict.is_covered.mean())), f"the {yardstick.split} texts"
    subject = f"the number of {shown} alone reveals" if verdict.is_count else f"the {shown} alone reveal"
    if kind == LENGTH:
        subject = "the length of a text alone reveals"
    if severity is not None:
        has = "" if kind == LENGTH else f"; {share} of them have some"
        text = f"{subject} the label of {_percent(verdict.accuracy)} of {texts} ({_figures(yardstick)}){has}"
    elif verdict.tells_where_it_stands():
        severity = NOTE
        covered = float(verdict.is_right[verdict.is_covered].mean())
        text = f"{share} of {texts} have {shown}; {subject} the label of {_percent(covered)} of these"
    else:
        return None
    if severity == LEAK:
        text = f"the label leaks: {text}; {ADVICE.get(kind, OTHER_ADVICE)}"
    figures = (verdict.accuracy, yardstick.majority, float(verdict.is_covered.mean()))
    return _finding(shown, severity, text, figures, verdict.examples)


def _single_token(evidence: Evidence, yardstick: Yardstick, leaking: list[str]) -> Finding | None:
    """Return the finding on the most predictive single token, outside the kinds that are already reported as leaks."""
    is_candidate = ~np.isin(evidence.kinds, leaking)
    is_candidate[:2] = False
    if not is_candidate.any():
        return None
    candidates = np.flatnonzero(is_candidate)
    best = int(evidence.most_telling(candidates)[0])
    has_token = evidence.measured.has(best)
    answer, other = evidence.texts[:, best].argmax(), (evidence.totals - evidence.texts[:, best]).argmax()
    is_right = np.where(has_token, answer, other) == evidence.measured.labels
    severity = yardstick.severity(is_right)
    if severity is None:
        return None
    accuracy, coverage = float(is_right.mean()), float(has_token.mean())
    text = (
        f"the token {_shortened(evidence.vocabulary[best])!r} alone reveals the label of {_percent(accuracy)} of the"
        f" {yardstick.split} texts ({_figures(yardstick)}); {_percent(coverage)} of them have it"
    )
    if severity == LEAK:
        text = f"the label leaks: {text}; {OTHER_ADVICE}"
    return _finding(
        "single token", severity, text, (accuracy, yardstick.majority, coverage), evidence.examples(candidates)
    )


def _copies_finding(form: TextForm, copies: Copies) -> Finding:
    labels, others = np.asarray(form.labels(copies.split)), np.asarray(form.labels(copies.other))
    num_other_label = sum(int(labels[row] != others[other]) for row, other in copies.pairs)
    share = len(copies.pairs) / len(labels)
    what = f"{copies.split} texts in {copies.other}"
    if not copies.pairs:
        text = (
            f"too many of the {len(labels):,} {copies.split} texts resemble some of {copies.other} to compare them all"
        )
        return _finding(what, NOTE, f"{text}; none of the others is in {copies.other} too", (None, None, None), [])
    text = (
        f"{'' if copies.is_complete else 'at least '}{len(copies.pairs):,} of {len(labels):,} {copies.split} texts"
        f" ({_percent(share)}) are in {copies.other} too, apart from whitespace and punctuation"
    )
    text += f", {num_other_label:,} of them with another label" if num_other_label else ""
    rows, other_rows = zip(*copies.pairs[:3], strict=True)
    mine, theirs = form.texts(copies.split, rows), form.texts(copies.other, other_rows)
    examples = [
        {"row": row, "text": _shortened(text), "other_row": other_row, "other_text": _shortened(other_text)}
        for row, text, other_row, other_text in zip(rows, mine, other_rows, theirs, strict=True)
    ]
    severity = LEAK if share >= COPIES_LEAK else NOTE
    return _finding(what, severity, text, (None, None, share), examples)


def _order(form: TextForm) -> Iterator[Finding]:
    """Yield a note if rows are sorted by label, in the source (if its importer reported it) or in a split."""
    if form.card.details.get("sorted_by_label") is True:
        text = "the rows of the source are sorted by label: shuffle it before you split it"
        yield _finding("label order", NOTE, text, (None, None, None), [])
    for split in form.splits():
        labels = np.asarray(form.labels(split))
        num_runs = int((np.diff(labels) != 0).sum()) + 1
        if len(labels) >= FEWEST_SORTED and 1 < num_runs == len(np.unique(labels)):
            yield _finding("label order", NOTE, f"the {split} texts are sorted by label", (None, None, None), [])


def _finding(
    what: str, severity: str, text: str, figures: tuple[float | None, float | None, float | None], examples: list[Any]
) -> Finding:
    rounded = [None if figure is None else round(figure, 4) for figure in figures]
    named = dict(zip(("accuracy", "majority", "coverage"), rounded, strict=True))
    return {"what": what, "severity": severity, "text": text, **named, "examples": examples}


def _example(name: str, counts: np.ndarray, class_names: tuple[str, ...]) -> Finding:
    """Return the most frequent class of the texts with a token (or with a count of a kind), as JSON values."""
    total, best = int(counts.sum()), int(counts.argmax())
    share = round(float(counts[best]) / max(total, 1), 4)
    return {"token": _shortened(name), "class": class_names[best], "share": share, "texts": total}


def _figures(yardstick: Yardstick) -> str:
    return f"all tokens {_percent(yardstick.everything)}, the largest class {_percent(yardstick.majority)}"


def _percent(share: float) -> str:
    """Return a fraction in per cent; only exactly 0 and 1 are shown as 0 % and 100 %."""
    return f"{share * 100:.0f} %" if share in (0, 1) else f"{min(max(share * 100, 0.1), 99.9):.1f} %"


def _shortened(text: str) -> str:
    line = " ".join(text.split()).encode("utf-8", "replace").decode("utf-8")
    return line if len(line) <= LONGEST_EXAMPLE else line[: LONGEST_EXAMPLE - 1] + "…"
