"""A run as an object: what it is, its figures, and what can be done with it."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.api.drawing import data_uri, png_bytes
from dlcli.api.evaluating import evaluate
from dlcli.api.exporting import export_run
from dlcli.api.loading import Model, load
from dlcli.api.options import Named, word_of
from dlcli.api.predictions import Predictions
from dlcli.core.console import format_figure
from dlcli.core.errors import RunError
from dlcli.core.records import read_metrics
from dlcli.core.run_dir import RunDir, resolve_run


@dataclass(frozen=True)
class Run:
    """A run's folder. What it says is read from its files whenever it is asked for.

    Attributes:
        path: the folder.
    """

    path: Path

    def __fspath__(self) -> str:
        """Return the folder as text, so that the run stands where a path may stand."""
        return str(self.path)

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.path.name

    @property
    def info(self) -> dict[str, Any]:
        """`run.json`: status, task, dataset, model, command, versions, times.

        Raises:
            RunError: it is missing or damaged.
        """
        return RunDir(self.path).info()

    @property
    def status(self) -> str:
        """How the run stands: running, finished, interrupted, failed or diverged."""
        return RunDir(self.path).entry("status")

    @property
    def config(self) -> dict[str, Any]:
        """Every option as it was resolved, by field name."""
        return RunDir(self.path).config()

    @property
    def metrics(self) -> dict[str, Any]:
        """The figures of the best epoch on the validation part; of a cross-validation, those over all predictions."""
        best = self.info.get("best")
        return dict(best) if isinstance(best, Mapping) else {}

    @property
    def history(self) -> list[dict[str, Any]]:
        """The figures of each epoch, the first one first; none of a cross-validation, whose folds have them."""
        path = RunDir(self.path).metrics_file
        return read_metrics(path) if path.exists() else []

    def load(self, **options: Any) -> Model:
        """Return the run's model; see `dlcli.load`."""
        return load(self, **options)

    def predict(self, inputs: Any = None, **options: Any) -> Predictions:
        """Return the answers to inputs; see `dlcli.load`. To ask more than once, open the model once: `run.load()`."""
        return self.load(**options)(inputs)

    def evaluate(self, **options: Any) -> dict[str, Any]:
        """Return the figures on data that was not trained on; see `dlcli.evaluate`."""
        return evaluate(self, **options)

    def export(self, format: str = "onnx", **options: Any) -> Path:
        """Write the network as a file that answers like the run, and return its path; see `dl export`."""
        return export_run(self, format, **options)

    def _repr_html_(self) -> str:
        """Return a table of what the run is, above its training curves."""
        info = self.info
        figures = {
            name: format_figure(value) if isinstance(value, float) else value for name, value in self.metrics.items()
        }
        facts = {name: info.get(name) for name in ("status", "task", "dataset", "model")}
        rows = {"run": str(self.path), **facts, **figures, "seconds": info.get("seconds")}
        cells = "".join(
            f'<tr><th style="text-align:left">{html.escape(str(name))}</th><td>{html.escape(str(value))}</td></tr>'
            for name, value in rows.items()
            if value is not None
        )
        curves = self._repr_png_()
        picture = f'<img alt="training curves" src="{data_uri(curves)}">' if curves is not None else ""
        return f"<table>{cells}</table>{picture}"

    def _repr_png_(self) -> bytes | None:
        """Return the training curves; None before the first epoch."""
        try:
            records = self.history
        except RunError:
            return None
        if not records:
            return None
        from dlcli.visualize.curves import draw_curves

        best = self.metrics.get("epoch")
        return png_bytes(draw_curves(records, self.name, best_epoch=best if isinstance(best, int) else None))


def open_run(run: Named) -> Run:
    """Return a run: of a path, a name under `runs`, "latest", or the newest of a dataset, task or model.

    Raises:
        RunError: there is no such run.
    """
    return Run(resolve_run(word_of(run)).path)
