"""How generated images compare with real ones: means, distances of features, and what a classifier sees. Torch-free."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dlcli.data.codec import Arrays
from dlcli.tasks.comparing import INCEPTION, Extract, distances
from dlcli.tasks.generation.codec import GENERATED
from dlcli.tasks.generation.sampling import spread

MIN_COMPARED = 2
"""Images from which on a distance is defined: it leaves out the similarity of an image to itself."""


class Remembering:
    """A function of images that computes the value for real ones once: baselines compare others with them too.

    Args:
        compute: (N, C, H, W) uint8 -> features, or what a judge makes of them.
        labels: the classes of a judge.
    """

    def __init__(self, compute: Callable[[np.ndarray], Any], labels: tuple[str, ...] = ()) -> None:
        self.labels = labels
        self._compute = compute
        self._known: dict[bytes, Any] = {}

    def __call__(self, images: np.ndarray) -> Any:
        """Return the value for images, (N, C, H, W) uint8; the first ones, which are the real, are remembered."""
        key = hashlib.sha256(images.tobytes()).digest()
        if key in self._known:
            return self._known[key]
        value = self._compute(images)
        if not self._known:
            self._known[key] = value
        return value


class SamplesMetric:
    """See `dlcli.engine.task.Metric`; a split is held in memory, since distances are between sets.

    Args:
        extractors: name of the distance -> features of images.
        judge: a classifier: (N, C, H, W) uint8 -> `probabilities` (N, K) and `features` (N, F); None without one.
        labels: the classes that were requested, in terms of `batch["classes"]`; empty for an unconditional run.
        most_made: kernel distances compare at most this many of the generated images, evenly spaced; None for all.
    """

    def __init__(
        self,
        extractors: Mapping[str, Extract],
        judge: Remembering | None = None,
        labels: tuple[str, ...] = (),
        *,
        most_made: int | None = None,
    ) -> None:
        self._extractors = extractors
        self._judge = judge
        self._labels = labels
        self._most_made = most_made
        self._rows: list[np.ndarray] = []
        self._real: list[np.ndarray] = []
        self._made: list[np.ndarray] = []
        self._classes: list[np.ndarray] = []
        self._report: dict[str, Any] | None = None

    def update(self, batch: Mapping[str, Any], outputs: Arrays) -> None:
        """Add real images `images` (N, C, H, W) uint8 with their `rows`, and `generated` ones of the same shape."""
        self._rows.append(batch["rows"])
        self._real.append(batch["images"])
        self._made.append(outputs[GENERATED])
        self._classes.append(batch.get("classes", np.full(len(batch["rows"]), -1)))
        self._report = None

    def merge(self, other: SamplesMetric) -> None:
        """Add the images of another process's metric."""
        self._rows += other._rows
        self._real += other._real
        self._made += other._made
        self._classes += other._classes
        self._report = None

    def compute(self) -> dict[str, float]:
        """Return the figures over all images."""
        metrics: dict[str, float] = self.report()["metrics"]
        return metrics

    def report(self) -> dict[str, Any]:
        """Return the figures, the number of images, and with a judge what it sees of each class."""
        if self._report is None:
            self._report = self._measure()
        return self._report

    def _measure(self) -> dict[str, Any]:
        order = np.argsort(np.concatenate(self._rows), kind="stable")  # subsets do not depend on who measured what
        real, made = np.concatenate(self._real)[order], np.concatenate(self._made)[order]
        classes = np.concatenate(self._classes)[order]
        figures = {"mean_error": mean_error(real, made), "diversity": diversity(real, made, classes)}
        judged = None
        if len(real) >= MIN_COMPARED:
            some = spread(made, len(made) if self._most_made is None else self._most_made)
            for name, extract in self._extractors.items():
                compared = made if name == INCEPTION else some  # a Fréchet distance is biased by the number of images
                figures |= distances(name, extract(real), extract(compared))
        if self._judge is not None:
            judged = self._judge(real), self._judge(made)
            if len(real) >= MIN_COMPARED:
                figures |= distances("kid_judge", judged[0].features, judged[1].features)
            figures |= self._judged_figures(*judged, classes)
        report: dict[str, Any] = {
            "metrics": figures,
            "lower_is_better": [name for name in figures if name.startswith(("mean_error", "kid", "fid"))],
            "compared": {"real": len(real), "generated": len(made)},
        }
        if judged is not None and self._judge is not None:
            report["judged"] = _class_entries(self._judge.labels, judged[0].probabilities, judged[1].probabilities)
        return report

    def _judged_figures(self, real: Any, made: Any, classes: np.ndarray) -> dict[str, float]:
        figures = {
            "confidence": float(made.probabilities.max(1).mean()),
            "confidence_real": float(real.probabilities.max(1).mean()),
            "class_entropy": class_entropy(made.probabilities),
            "class_entropy_real": class_entropy(real.probabilities),
        }
        if self._labels and self._judge is not None:
            requested = np.array([self._judge.labels.index(name) for name in self._labels])[classes]
            figures["class_accuracy"] = float((made.probabilities.argmax(1) == requested).mean())
            figures["class_accuracy_real"] = float((real.probabilities.argmax(1) == requested).mean())
        return figures


def mean_error(real: np.ndarray, made: np.ndarray) -> float:
    """Return the mean absolute difference of the mean images, in grey levels of 255.

    Args:
        real, made: (N, C, H, W) and (M, C, H, W) uint8.
    """
    return float(np.abs(real.mean(0, dtype=np.float64) - made.mean(0, dtype=np.float64)).mean())


def diversity(real: np.ndarray, made: np.ndarray, classes: np.ndarray | None = None) -> float:
    """Return the deviation of made images from their mean in relation to that of real ones: 1 if equal, 0 for copies.

    A generator that has collapsed makes the same few images from any noise, a conditional one often the same image of
    each class: so with classes, the deviations are from the mean of each class. NaN if the real images are all equal.

    Args:
        real, made: (N, C, H, W) and (M, C, H, W) uint8.
        classes: (N,) the class of each real image, which was requested of the generated one, so that M is N; None
            without classes.
    """
    spread = [_deviation(images, classes) for images in (real, made)]
    return spread[1] / spread[0] if spread[0] > 0 else float("nan")


def _deviation(images: np.ndarray, classes: np.ndarray | None) -> float:
    """Return the root of the mean squared deviation of images from their mean, or from that of their class."""
    labels = np.zeros(len(images), np.int64) if classes is None else classes
    parts = [labels == label for label in np.unique(labels)]
    return float(np.sqrt(sum(images[own].var(0, dtype=np.float64).mean() * own.mean() for own in parts)))


def class_entropy(probabilities: np.ndarray) -> float:
    """Return the entropy of the histogram of the most probable classes, in nats; the log of their number at most.

    Args:
        probabilities: (N, K).
    """
    shares = _shares(probabilities)
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum()) + 0.0


def _shares(probabilities: np.ndarray) -> np.ndarray:
    counts = np.bincount(probabilities.argmax(1), minlength=probabilities.shape[1])
    return np.asarray(counts / counts.sum())


def _class_entries(labels: tuple[str, ...], real: np.ndarray, made: np.ndarray) -> list[dict[str, Any]]:
    shares = zip(labels, _shares(made), _shares(real), strict=True)
    return [{"class": name, "generated": float(one), "real": float(other)} for name, one, other in shares]
