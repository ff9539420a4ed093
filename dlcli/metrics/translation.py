"""Metrics of translation over all sentences of a split: sacrebleu's BLEU and chrF, and the loss of forced words.

Sources: Papineni et al. 2002 (BLEU), Popovic 2015 (chrF), Post 2018 (arXiv:1804.08771): BLEU means something only with
its tokenizer and signature, so the name has the one and the report the other.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dlcli.core.files import finite
from dlcli.metrics.item_scores import ItemFigure, ItemScores, scores_of

BLEU_TOKENIZERS = {"zh": "zh", **dict.fromkeys(("ja", "ko", "th", "lo", "km", "my"), "char")}
"""Language -> sacrebleu's tokenizer for it, of those that need no further package; "13a" for all others."""

NUM_SHOWN = 10
"""Best and worst sentences in a report."""
LENGTH_BOUNDS = (1, 6, 11, 16, 21, 31)
"""The first length of each bucket of source lengths, in tokens."""
_RESAMPLES = 1000
_MAX_RESAMPLED = 3_000_000
"""Sentences over all resamples at most, since sacrebleu holds 72 bytes for each of them in memory."""
_LEAST_RESAMPLES = 100


def bleu_tokenizer(language: str) -> str:
    """Return the name of sacrebleu's tokenizer for the target's language."""
    return BLEU_TOKENIZERS.get(language, "13a")


class TranslationMetric:
    """Collects translations and references, or losses of forced words, and computes their metrics.

    Memory: the sentences.

    Args:
        decode: the ids of a sentence's tokens -> its text; picklable.
        language: code of the target's language, which chooses BLEU's tokenizer.
        several_references: measure each distinct source once, against all targets that it has in the split.
    """

    def __init__(
        self, decode: Callable[[Sequence[int]], str], language: str, *, several_references: bool = False
    ) -> None:
        self.language = language
        self.several_references = several_references
        self._decode = decode
        self._loss = 0.0
        self._num_tokens = 0
        self._rows: list[tuple[str, str, str, int]] = []

    def update(self, batch: Mapping[str, Any], outputs: Mapping[str, np.ndarray]) -> None:
        """Add a batch.

        Args:
            batch: for sentences, `source_texts` and `target_texts`, lists of N strings, and `source_lengths` (N,).
            outputs: `losses` (N,) summed over the target's tokens in nats and `num_tokens` (N,); or `sentences`
                (N, K, T) token ids padded with 0, the best of K first; or both.

        Raises:
            ValueError: there is neither, or the numbers of sentences differ.
        """
        if "losses" not in outputs and "sentences" not in outputs:
            raise ValueError(f"neither losses nor sentences, but {', '.join(outputs)}")
        if "losses" in outputs:
            self._loss += float(outputs["losses"].astype(np.float64).sum())
            self._num_tokens += int(outputs["num_tokens"].sum())
        if "sentences" in outputs:
            answers = [self._decode([token for token in row if token]) for row in outputs["sentences"][:, 0].tolist()]
            lengths = batch["source_lengths"].tolist()
            self._rows += zip(batch["source_texts"], batch["target_texts"], answers, lengths, strict=True)

    def merge(self, other: TranslationMetric) -> None:
        """Append what another metric has collected.

        Raises:
            ValueError: it is of another language or other references.
        """
        if (other.language, other.several_references) != (self.language, self.several_references):
            raise ValueError("cannot merge metrics of different languages or references")
        self._loss += other._loss
        self._num_tokens += other._num_tokens
        self._rows += other._rows

    def compute(self) -> dict[str, float]:
        """Return the values of what was collected.

        - `loss`: the mean over target tokens, the end among them, in nats; `perplexity`: e to the power of it;
        - `bleu_<tokenizer>` and `chrf`, 0 to 100, over the corpus.
        """
        values: dict[str, float] = {}
        if self._num_tokens:
            loss = self._loss / self._num_tokens
            values |= {"loss": loss, "perplexity": math.exp(min(loss, 700.0)) if loss == loss else math.nan}
        if self._rows:
            _, references, answers, _ = self._measured()
            values |= {name: score.score for name, score in _scores(answers, references, self.language).items()}
        return values

    def report(self) -> dict[str, Any]:
        """Return the full report as JSON values; undefined values are None.

        - `metrics`: those of `compute`;
        - `signatures`: metric -> sacrebleu's signature, without which figures cannot be compared;
        - `intervals`: metric -> [low, high], 95 % by sacrebleu's bootstrap of up to 1,000 resamples, its seed 12345;
        - `brevity_penalty`, and `length_ratio` of answers to references, both of BLEU;
        - `by_length`: for each range of source lengths its sentences' number, BLEU and chrF;
        - `best`, `worst`: sentences with their chrF;
        - `num_sentences`, `num_references`.
        """
        found: dict[str, Any] = {"metrics": self.compute(), "lower_is_better": ["loss", "perplexity"]}
        found["lower_is_better"] = [name for name in found["lower_is_better"] if name in found["metrics"]]
        if self._rows:
            found |= self._report_of_sentences()
        return dict(finite(found))

    def _measured(self) -> tuple[list[str], list[list[str]], list[str], list[int]]:
        """Return sources, the references of each, answers, and lengths of sources, in an order of their own.

        The order does not depend on processes and batches, so that equal sentences give an equal bootstrap.
        """
        rows = sorted(self._rows)
        if not self.several_references:
            return (
                [row[0] for row in rows],
                [[row[1]] for row in rows],
                [row[2] for row in rows],
                [row[3] for row in rows],
            )
        by_source: dict[str, tuple[list[str], str, int]] = {}
        for source, target, answer, length in rows:
            by_source.setdefault(source, ([], answer, length))[0].append(target)
        found = by_source.values()
        return [*by_source], [list(each[0]) for each in found], [each[1] for each in found], [each[2] for each in found]

    def item_scores(self) -> ItemScores | None:
        """Return what resampling needs of each sentence: the counts of which BLEU is made."""
        if not self._rows:
            return None
        sources, references, answers, _ = self._measured()
        name = f"bleu_{bleu_tokenizer(self.language)}"
        statistics, signature = bleu_statistics(answers, references, self.language)
        figure = ItemFigure(statistics, "bleu", signature=signature)
        truths = ["\n".join([source, *texts]) for source, texts in zip(sources, references, strict=True)]
        return scores_of(np.arange(len(answers)), truths, {name: figure}, names_items=True)

    def _report_of_sentences(self) -> dict[str, Any]:
        sources, references, answers, lengths = self._measured()
        resamples = min(_RESAMPLES, _MAX_RESAMPLED // len(answers))
        resamples = resamples if resamples >= _LEAST_RESAMPLES and len(answers) > 1 else 0
        scores = _scores(answers, references, self.language, resamples)
        bleu = scores[f"bleu_{bleu_tokenizer(self.language)}"]
        each = sentence_chrf(answers, references)
        order = np.argsort(each, kind="stable").tolist()

        def shown(row: int) -> dict[str, Any]:
            texts = {"source": sources[row], "target": references[row][0], "answer": answers[row]}
            return {"chrf": float(each[row]), **texts}

        return {
            "signatures": {name: score.signature for name, score in scores.items()},
            "intervals": {name: score.interval for name, score in scores.items() if score.interval is not None},
            "brevity_penalty": bleu.brevity_penalty,
            "length_ratio": bleu.length_ratio,
            "by_length": _by_length(answers, references, np.array(lengths), self.language),
            "best": [shown(row) for row in order[::-1][:NUM_SHOWN]],
            "worst": [shown(row) for row in order[:NUM_SHOWN]],
            "num_sentences": len(answers),
            "num_references": sum(map(len, references)),
        }


class CorpusScore:
    """A corpus figure of sacrebleu.

    Args:
        score: sacrebleu's score.
        signature: the metric's signature.
        has_interval: whether it was resampled.

    Attributes:
        score: 0 to 100.
        signature: see above.
        interval: [low, high] of 95 %, or None.
        brevity_penalty, length_ratio: of BLEU; NaN for chrF.
    """

    def __init__(self, score: Any, signature: str, has_interval: bool) -> None:
        self.score = float(score.score)
        self.signature = signature
        self.interval: list[float] | None = None
        self.brevity_penalty = float(getattr(score, "bp", math.nan))
        self.length_ratio = float(getattr(score, "ratio", math.nan))
        if has_interval:
            facts = json.loads(score.format(width=4, signature=signature, is_json=True))
            # sacrebleu leaves them out where every resample scored 0, as a network's of the first minutes do.
            mean, half = facts.get("confidence_mean", 0.0), facts.get("confidence_var", 0.0)
            self.interval = [mean - half, mean + half]


def _scores(
    answers: Sequence[str], references: Sequence[Sequence[str]], language: str, resamples: int = 0
) -> dict[str, CorpusScore]:
    """Return name -> figure of `bleu_<tokenizer>` and `chrf`.

    Args:
        answers: N translations.
        references: the references of each, at least one.
        language: of the target.
        resamples: of the bootstrap; 0 for none.
    """
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    tokenizer = bleu_tokenizer(language)
    width = max(map(len, references))
    streams: list[Any] = [
        [texts[place] if place < len(texts) else None for texts in references] for place in range(width)
    ]
    found = {}
    for name, metric in ((f"bleu_{tokenizer}", BLEU(tokenize=tokenizer)), ("chrf", CHRF())):
        score = metric.corpus_score(answers, streams, n_bootstrap=max(resamples, 1))
        found[name] = CorpusScore(score, str(metric.get_signature()), has_interval=resamples > 0)
    return found


def corpus_metrics(answers: Sequence[str], references: Sequence[Sequence[str]], language: str) -> dict[str, float]:
    """Return `bleu_<tokenizer>` and `chrf` of translations that come from elsewhere, such as a baseline.

    Args:
        answers: N translations.
        references: the references of each, at least one.
        language: of the target.
    """
    return {name: score.score for name, score in _scores(answers, references, language).items()}


def bleu_statistics(
    answers: Sequence[str], references: Sequence[Sequence[str]], language: str
) -> tuple[np.ndarray, str]:
    """Return what BLEU sums over sentences, (N, 10) float64, and sacrebleu's signature.

    Args:
        answers: N translations.
        references: the references of each, at least one.
        language: of the target.

    Returns:
        For each sentence the n-grams that are right and all of them, of four orders each, and the lengths of the
        answer and of the closest reference.
    """
    from sacrebleu.metrics.bleu import BLEU

    metric = BLEU(tokenize=bleu_tokenizer(language), effective_order=True)
    rows = []
    for answer, texts in zip(answers, references, strict=True):
        found = metric.sentence_score(answer, list(texts))
        rows.append([*found.counts, *found.totals, found.sys_len, found.ref_len])
    return np.array(rows, np.float64).reshape(len(rows), 10), f"tok:{bleu_tokenizer(language)}|smooth:exp"


def sentence_chrf(answers: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """Return chrF of each sentence, (N,) float64 from 0 to 100."""
    from sacrebleu.metrics.chrf import CHRF

    score = CHRF().sentence_score
    pairs = zip(answers, references, strict=True)
    return np.array([score(answer, list(texts)).score for answer, texts in pairs], np.float64)


def _by_length(
    answers: Sequence[str], references: Sequence[Sequence[str]], lengths: np.ndarray, language: str
) -> list[dict[str, Any]]:
    """Return the figures of each range of source lengths that has sentences."""
    bucket = np.searchsorted(LENGTH_BOUNDS, lengths, side="right")
    found = []
    for number in np.unique(bucket).tolist():
        rows = np.flatnonzero(bucket == number).tolist()
        low = LENGTH_BOUNDS[max(number - 1, 0)]
        name = f"{low}-{LENGTH_BOUNDS[number] - 1}" if number < len(LENGTH_BOUNDS) else f"{low}+"
        figures = corpus_metrics([answers[row] for row in rows], [references[row] for row in rows], language)
        found.append({"tokens": name, "sentences": len(rows), **figures})
    return found
