"""`dlcli.load`: a trained model, opened once and asked as often as one likes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

from dlcli.answering.answers import answer, batches_of_sources
from dlcli.answering.opening import Opened, open_model, task_of
from dlcli.api.inputs import sources_of
from dlcli.api.options import Named, console_of, optional_word, resolve_inference, word_of
from dlcli.api.predictions import Prediction, Predictions
from dlcli.core.errors import DataError, UsageError
from dlcli.core.files import finite
from dlcli.core.registry import TaskSpec

INPUT_HINT = "pass files, folders or globs of inputs that the model reads"
MAX_BATCH = 1_000_000


@runtime_checkable
class _HasLabels(Protocol):
    labels: Sequence[str]


class Model:
    """A trained model, ready to answer; `load` opens one.

    Attributes:
        name: the run or the file.
        task: the task's name.
        labels: the classes in order; none if the task has none.
    """

    def __init__(self, opened: Opened, spec: TaskSpec | None) -> None:
        self._opened = opened
        self.name = opened.name
        self.task = spec.name if spec is not None else ""
        self.labels: tuple[str, ...] = tuple(opened.codec.labels) if isinstance(opened.codec, _HasLabels) else ()

    def __call__(self, inputs: Any = None, *, batch_size: int = 64) -> Predictions:
        """Return the records of `dl predict` for inputs, in order.

        Args:
            inputs: one input or several. A text is what it would be on the command line: a path, a folder, a glob, or
                a text itself. Further: the bytes of a file; for images arrays (H, W, C) uint8 RGB, batches of them
                (N, H, W, C), and pictures of Pillow; for tables mappings and frames of pandas; for texts mappings with
                a field `text` and frames. None for a model that draws from nothing.
            batch_size: inputs that are answered together, 1 to 1,000,000.

        Raises:
            UsageError: there is no input, or one of a kind that the model does not read.
            DataError: none of the inputs could be read. If some could, the records of the others have an `error`.
        """
        found = list(self.stream(inputs, batch_size=batch_size))
        failed = [each.record for each in found if not each.is_answered]
        if not found:
            raise UsageError("no input was given", hint=INPUT_HINT)
        if len(failed) == len(found):
            name, why = str(failed[0]["input"]), str(failed[0]["error"])
            what = why if why.startswith(name) else f"{name}: {why}"
            if len(found) == 1:
                raise DataError(what, hint=INPUT_HINT)
            raise DataError(f"none of the {len(found)} inputs could be read", details=[what], hint=INPUT_HINT)
        return Predictions(found, self._opened.codec)

    def stream(self, inputs: Any = None, *, batch_size: int = 64) -> Iterator[Prediction]:
        """Yield the answers one by one, so that a film or a folder of any size needs the memory of a batch.

        See `__call__` for the inputs; one that cannot be read has an `error` in its record.
        """
        if type(batch_size) is not int or not 1 <= batch_size <= MAX_BATCH:
            raise UsageError(f"batch_size must be a number from 1 to {MAX_BATCH:,}, not {batch_size!r}")
        codec = self._opened.codec
        for sources in batches_of_sources(sources_of(codec, inputs), batch_size):
            for source, given in answer(self._opened, sources):
                record = finite({"input": source.name, **given.record})
                yield Prediction(record, source, given, codec)

    def __repr__(self) -> str:
        """Return what it is, for a prompt."""
        classes = f", {len(self.labels)} labels" if self.labels else ""
        return f"<dlcli model {self.name}: {self.task}{classes}>"


def load(
    run: Named,
    *,
    device: str = "auto",
    threads: int | None = None,
    pretrained: Named | None = None,
    embed: bool = False,
    **options: Any,
) -> Model:
    """Open a trained model: whatever `dl predict` takes; an ONNX file needs no torch.

    Args:
        run: a run or what names one, a checkpoint, an exported file or the folder of several, or with `pretrained` a
            network.
        device, threads: where it computes.
        pretrained: "default" or a file: `run` is a network's name, with these weights.
        embed: whether its answers also have the vector of each input (`Predictions.embeddings`).
        options: the task's inference options, by field name: `top_k=3`, `threshold=0.5`.

    Raises:
        RunError: there is no such run or file, or it is damaged.
        UsageError: an option is not one of the task's, or its value is wrong.
        DataError: the published weights are not there.
        DeviceError: there is no such device.
    """
    word, weights = word_of(run), optional_word(pretrained)
    spec = task_of(word, weights)
    opened = open_model(
        word,
        device=device,
        threads=threads,
        inference=resolve_inference("load()", spec, options),
        pretrained=weights,
        embeds=embed,
        report=console_of(verbose=False).warn,
    )
    return Model(opened, spec)
