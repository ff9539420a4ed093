"""The losses of classifiers: of a batch's logits and labels a float32 scalar, the mean over the items."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from dlcli.tasks.classes.options import read_loss
from dlcli.tasks.classes.teacher import Teacher

_LEAST = 1e-7
"""Of 1 - p, whose power has an infinite slope at 0 if the exponent is below 1."""


def focal_terms(log_probabilities: Tensor, gamma: float) -> Tensor:
    """Return -(1 - p)^gamma log p of each log p: the cross-entropy, where well-classified items count little.

    Source: Lin et al. 2017, arXiv:1708.02002, equation 4.
    """
    rest = -torch.expm1(log_probabilities)
    return -(rest.clamp(min=_LEAST) ** gamma) * log_probabilities


def cross_entropy(
    logits: Tensor, labels: Tensor, smoothing: float, class_weights: Tensor | None, gamma: float = 0.0
) -> Tensor:
    """Return the mean cross-entropy of a batch, or its focal loss, a float32 scalar.

    With class weights, too, the sum is divided by the number of items, not by the sum of the weights as in torch's
    mean, so that the gradients of two micro-batches add up to those of the large batch.

    Args:
        logits: (N, C).
        labels: (N,) int64.
        smoothing: fraction of the target spread over all classes (Szegedy et al. 2015, arXiv:1512.00567).
        class_weights: (C,), or None for equal weights.
        gamma: exponent of the focal loss; 0 is the cross-entropy.
    """
    logits = logits.float()
    if gamma == 0:
        total = F.cross_entropy(logits, labels, class_weights, label_smoothing=smoothing, reduction="sum")
        return total / len(labels)
    terms = focal_terms(logits.log_softmax(1), gamma)
    if class_weights is not None:
        terms = terms * class_weights
    wanted = (1 - smoothing) * terms.gather(1, labels[:, None]).sum() + smoothing * terms.mean(1).sum()
    return wanted / len(labels)


def with_margin(name: str, logits: Tensor, labels: Tensor, margin: float, scale: float) -> Tensor:
    """Return logits in which the true class must win by a margin, (N, C) float32.

    Args:
        name: `am-softmax` subtracts the margin from the cosine of the true class, `arcface` adds it to the angle.
        logits: (N, C), cosines times `scale`.
        labels: (N,) int64.
        margin: of cosines, or an angle in radians.
        scale: that of the head.

    Source: Wang et al. 2018, arXiv:1801.05599, equation 6; Deng et al. 2019, arXiv:1801.07698, equation 3. Beyond an
    angle of pi - margin the cosine of the sum would rise again; as in insightface, a constant is subtracted there.
    """
    logits = logits.float()
    cosines = logits.gather(1, labels[:, None]) / scale
    if name == "am-softmax":
        wanted = cosines - margin
    else:
        sines = (1 - cosines.square()).clamp(min=_LEAST).sqrt()
        turned = cosines * math.cos(margin) - sines * math.sin(margin)
        wanted = torch.where(cosines > -math.cos(margin), turned, cosines - margin * math.sin(margin))
    return logits.scatter(1, labels[:, None], scale * wanted)


class ClassLoss:
    """The loss that the options of a classifier name.

    Args:
        text: `--loss`, such as `focal:2`.
        smoothing: `--label-smoothing`.

    Attributes:
        name: its name among the losses of an update.
        teacher: whose answers are learned, too; None for the labels alone.
    """

    def __init__(self, text: str, smoothing: float, teacher: Teacher | None = None) -> None:
        self.teacher = teacher
        self._name, self._values = read_loss(text)
        self.name = self._name.replace("-", "_")
        self._smoothing = smoothing

    def __call__(self, logits: Tensor, labels: Tensor, class_weights: Tensor | None) -> Tensor:
        """Return the mean loss of a batch, a float32 scalar.

        Args:
            logits: (N, C).
            labels: (N,) int64.
            class_weights: (C,), or None for equal weights.
        """
        if "margin" in self._values:
            logits = with_margin(self._name, logits, labels, self._values["margin"], self._values["scale"])
        return cross_entropy(logits, labels, self._smoothing, class_weights, self._values.get("gamma", 0.0))

    def of_step(
        self, logits: Tensor, labels: Tensor, class_weights: Tensor | None, *inputs: Tensor
    ) -> dict[str, Tensor]:
        """Return the losses of a training step by name: of the labels, and with a teacher of its answers.

        Args:
            logits, labels, class_weights: as for the loss alone.
            inputs: those of the network, for the teacher.
        """
        return self.of_network(logits, labels, class_weights, self.taught(*inputs))

    def taught(self, *inputs: Tensor) -> Tensor | None:
        """Return the teacher's answers to a batch, (N, C); None without a teacher."""
        return self.teacher.answers(*inputs) if self.teacher is not None else None

    def of_network(
        self, logits: Tensor, labels: Tensor, class_weights: Tensor | None, answers: Tensor | None
    ) -> dict[str, Tensor]:
        """Return what `of_step` does, of one of several networks that learn from the same `answers` of a teacher."""
        loss = self(logits, labels, class_weights)
        if self.teacher is None or answers is None:
            return {self.name: loss}
        weight = self.teacher.weight
        return {self.name: (1 - weight) * loss, "distillation": weight * self.teacher.loss(logits, answers)}
