"""Findings of `dl doctor` on sentence pairs: lengths, unlike pairs, several translations, leaks, unknown tokens."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from dlcli.core.findings import OK, WARNING, Finding
from dlcli.data.parallel.filtering import are_alike
from dlcli.data.parallel.form import ParallelForm, open_parallel
from dlcli.data.parallel.groups import shared_sentences
from dlcli.data.parallel.languages import MAX_SAMPLED, is_possible, letters_by_script, script_names
from dlcli.data.parallel.tokenizers import UNKNOWN
from dlcli.data.parallel.writer import SIDES

LONG = 256
"""Tokens of a sentence that a batch holds by default."""
MANY = 0.01
"""Share of long or unlike pairs from which on they are a warning."""
UNLIKE = 4.0
"""Lengths are unlike if they differ by more than this factor, as when preparing."""
MANY_UNKNOWN = 0.05
"""Share of unknown tokens from which on the target cannot be said well."""
LEAKING = 0.01
"""Share of leaking pairs from which on figures are too good by more than their own uncertainty."""

Pairs = Sequence[tuple[str, str]]


def examine_parallel(folder: Path) -> Iterator[Finding]:
    """Yield findings from the card and its warnings, and on the pairs of each split.

    Raises:
        DataError: the folder holds no pairs, or does not match its card.
    """
    form = open_parallel(folder)
    card = form.card
    kinds = ", ".join(f"{tokenizer.size:,} {tokenizer.kind} tokens" for tokenizer in form.tokenizers.values())
    source, target = form.languages.values()
    yield Finding("card", OK, f"{card.name}: {source} to {target}, {kinds}{', joint' if form.is_joint else ''}")
    yield from (Finding("card", WARNING, text) for text in card.warnings)
    splits = {split: form.sentences(split, np.arange(form.num_pairs(split))) for split in form.splits()}
    yield Finding("pairs", OK, ", ".join(f"{len(pairs):,} {split}" for split, pairs in splits.items()))
    yield from _scripts(form, splits["train"])
    yield _lengths(form)
    yield _unlike(form)
    yield from _several(splits)
    yield from _leaks(splits)
    yield from _unknown(form)


def _scripts(form: ParallelForm, pairs: Pairs) -> Iterator[Finding]:
    for place, (side, language) in enumerate(form.languages.items()):
        letters = letters_by_script(pair[place] for pair in pairs[:: max(1, len(pairs) // MAX_SAMPLED)])
        if not is_possible(language, letters):
            yield Finding("language", WARNING, f"the {side} is not in {language!r}: it has {script_names(letters)}")


def _lengths(form: ParallelForm) -> Finding:
    described, most = [], 0.0
    for side in SIDES:
        lengths = form.lengths("train", side)
        most = max(most, float((lengths > LONG).mean()))
        described.append(
            f"{side} {lengths.mean():.1f} on average, 95 % up to {np.percentile(lengths, 95):.0f}, at most"
            f" {lengths.max():,}"
        )
    cut = f"; {most:.1%} are longer than {LONG} and will be cut" if most >= MANY else ""
    return Finding("lengths", WARNING if cut else OK, f"tokens: {'; '.join(described)}{cut}")


def _unlike(form: ParallelForm) -> Finding:
    lengths = np.stack([form.lengths("train", side) for side in SIDES], axis=1).astype(np.float64)
    count = int((~are_alike(lengths, UNLIKE)).sum())
    is_many = count >= MANY * len(lengths)
    text = f"{count:,} training pairs differ in length by over {UNLIKE:g} times"
    return Finding("lengths", WARNING if is_many else OK, f"{text}: are lines shifted?" if is_many else text)


def _several(splits: Mapping[str, Pairs]) -> Iterator[Finding]:
    for split, pairs in splits.items():
        counts = Counter(source for source, _ in pairs)
        several = sum(count > 1 for count in counts.values())
        share = several / len(counts)
        yield Finding(
            "targets", OK, f"{split}: {several:,} of {len(counts):,} sources ({share:.0%}) have several targets"
        )


def _plain(sentence: str) -> str:
    """Return a sentence without case, punctuation and blanks; as it is where nothing else is in it."""
    return re.sub(r"[\W_]+", "", sentence.casefold()) or sentence


def _leaks(splits: Mapping[str, Pairs]) -> Iterator[Finding]:
    """Yield how many pairs of a split share a sentence with another one, exactly or but for case and punctuation."""
    equal = shared_sentences(splits)
    alike = shared_sentences({split: [(_plain(one), _plain(two)) for one, two in splits[split]] for split in splits})
    for name, counts in equal.items():
        later, _, earlier = name.partition(" in ")
        total, near = len(splits[later]), alike[name]["either"] - counts["either"]
        text = f"{counts['either']:,} of {total:,} {later} pairs have a sentence that is also in {earlier}"
        if near:
            text += f", {near:,} more but for case and punctuation"
        yield Finding("leaks", WARNING if counts["either"] + near >= LEAKING * total else OK, text)


def _unknown(form: ParallelForm) -> Iterator[Finding]:
    for split in form.splits():
        shares = {side: float((form.ids(split, side) == UNKNOWN).mean()) for side in SIDES}
        text = ", ".join(f"{share:.2%} of the {side}'s tokens" for side, share in shares.items())
        state = WARNING if max(shares.values()) >= MANY_UNKNOWN else OK
        yield Finding(
            "unknown", state, f"{split}: {text}", "use bpe, or a lower --min-count" if state == WARNING else ""
        )
