"""The page beside an exported file: its head is the Hugging Face hub's YAML, its body says what one should know.

Head: https://huggingface.co/docs/hub/model-cards#model-card-metadata. Nothing is claimed that the run does not hold: a
run without an evaluation has a card without figures, and a licence stands there only where the user names one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from dlcli.core.console import format_figure
from dlcli.core.errors import DlError
from dlcli.core.installing import FROM_SOURCE
from dlcli.core.records import is_number
from dlcli.core.run_dir import RunDir
from dlcli.data.card import GIVEN_AWAY, SHARED_ITEMS, Card
from dlcli.report.evaluations import Evaluation, is_older_than_weights, read_evaluations
from dlcli.report.sections import duration

MAX_LABELS = 50
MAX_WARNINGS = 20
MAX_LISTED = 200
"""Characters of an asset's value that are shown."""

READERS: Mapping[str, str] = {
    "prototxt": "Caffe reads it together with the `.caffemodel` beside it, and so does OpenCV 4 "
    "(`cv2.dnn.readNetFromCaffe`).",
    "word2vec": "gensim (`KeyedVectors.load_word2vec_format`) and fastText read it, and so does "
    "`dl train sentiment --embedding FILE`.",
}
"""What opens the files that `dl predict` does not, by format."""


@dataclass(frozen=True)
class Exported:
    """What a card says of the file.

    Attributes:
        file: its name, or that of the folder.
        format: "onnx", "torchscript", ...
        bytes, sha256: of all files, and of the main one.
        checks: how many samples were compared with the run.
        max_difference: the largest difference of them.
        script: the name of the script beside it; "" for none.
        changes: what the file has that the run has not, one sentence each ("Half of its weights were pruned.").
        is_changed: whether the figures of the run are not those of the file.
    """

    file: str
    format: str
    bytes: int
    sha256: str
    checks: int
    max_difference: float
    script: str = ""
    changes: tuple[str, ...] = ()
    is_changed: bool = False


def model_card(
    exported: Exported,
    metadata: Mapping[str, Any],
    *,
    pipeline: str,
    run: RunDir | None,
    license: str | None,
    mark: str,
) -> str:
    """Return the card of an exported model as Markdown with a YAML head.

    Args:
        exported: the file.
        metadata: as stored in the file: task, model, dataset, assets.
        pipeline: the hub's word for the task; "" if it has none.
        run: the run that was exported; None for a network without one.
        license: an identifier of the hub's list; None for none.
        mark: by which the page is known as written by a program.
    """
    name = str(metadata.get("run") or metadata.get("model") or exported.file)
    card = _card_of(run)
    measured = None if exported.is_changed else _evaluation_of(run)
    head = _head(name, metadata, exported, card, measured, pipeline, license)
    text = yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=1000)
    parts = [
        f"# {_plain(name)}",
        _what(metadata, exported, mark),
        *_section("How it was trained", _training(run, metadata)),
        *_section("Data", _data(card)),
        *_section("Figures", _figures(run, measured, exported)),
        *_section("Inputs and preprocessing", _inputs(metadata, exported.format)),
        *_section("How to run it", _usage(exported)),
        *_section("Limits", _limits(card, measured, run, license)),
    ]
    return f"---\n{text}---\n\n" + "\n\n".join(parts) + "\n"


def _card_of(run: RunDir | None) -> Card | None:
    try:
        return Card.from_json(run.read_json(run.card_file.name), str(run.card_file)) if run is not None else None
    except DlError:
        return None


def _evaluation_of(run: RunDir | None) -> Evaluation | None:
    """Return the run's evaluation of its present weights; that of the test split first."""
    if run is None:
        return None
    for found in read_evaluations(run):
        if not is_older_than_weights(run, found.split):
            return found
    return None


def _head(
    name: str,
    metadata: Mapping[str, Any],
    exported: Exported,
    card: Card | None,
    measured: Evaluation | None,
    pipeline: str,
    license: str | None,
) -> dict[str, Any]:
    """Return the hub's metadata; a key that nothing is known of is left out."""
    task, model, dataset = (str(metadata.get(key) or "") for key in ("task", "model", "dataset"))
    tags = [tag for tag in (exported.format, task, model, *exported_tags(exported)) if tag]
    figures = _numbers(measured.report["metrics"]) if measured is not None else {}
    head: dict[str, Any] = {
        "license": license,
        "library_name": "dlcli",
        "pipeline_tag": pipeline,
        "tags": list(dict.fromkeys(tags)),
        "datasets": [dataset] if dataset else [],
        "metrics": list(figures),
    }
    if measured is not None and figures:
        where = {"name": card.name if card is not None else dataset, "type": dataset or "unknown"}
        entry = {
            "task": {"type": pipeline or task, "name": task},
            "dataset": {**where, "split": measured.split},
            "metrics": [{"type": key, "value": value, "name": key} for key, value in figures.items()],
        }
        head["model-index"] = [{"name": name, "results": [entry]}]
    return {key: value for key, value in head.items() if value}


def exported_tags(exported: Exported) -> Sequence[str]:
    """Return the tags of a file that is not the run as it was trained."""
    return ("modified",) if exported.is_changed else ()


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {key: round(float(value), 6) for key, value in metrics.items() if is_number(value) and math.isfinite(value)}


def _section(title: str, lines: Iterator[str]) -> list[str]:
    body = "\n".join(lines)
    return [f"## {title}", body] if body else []


def _what(metadata: Mapping[str, Any], exported: Exported, mark: str) -> str:
    task, model, dataset = (_code(str(metadata.get(key) or "")) for key in ("task", "model", "dataset"))
    learned = f", trained on {dataset}" if dataset else ", with random weights"
    size = f"{exported.bytes / 1e6:.1f} MB"
    lines = [
        f"{_code(exported.file)} is a {model} for {task}{learned}: {exported.format}, {size}.",
        f"Its answers differ from the network's by at most {exported.max_difference:.1e} in {exported.checks} checks.",
        f"SHA-256 `{exported.sha256}`. {mark}.",
    ]
    return "\n".join([*lines, *exported.changes])


def _training(run: RunDir | None, metadata: Mapping[str, Any]) -> Iterator[str]:
    if run is None:
        if "run" not in metadata:
            yield "This network was not trained here."
        return
    info = run.info()
    yield f"```sh\n{_without_places(str(info.get('command') or ''))}\n```"
    facts = [("epochs", info.get("epochs")), ("parameters", info.get("parameters")), ("seed", info.get("seed"))]
    facts += [("time", duration(info.get("seconds"))), ("device", info.get("device"))]
    versions = info.get("versions")
    torch = versions.get("torch") if isinstance(versions, Mapping) else None
    facts += [("precision", info.get("precision")), ("torch", torch)]
    yield "".join(f"\n- {name}: {_shown(value)}" for name, value in facts if value is not None)


def _data(card: Card | None) -> Iterator[str]:
    if card is None:
        return
    counts = ", ".join(f"{card.num_items(split):,} {split}" for split in card.splits)
    yield f"{_code(card.name)}: {counts}."
    if card.classes:
        shown = ", ".join(_plain(label) for label in card.classes[:MAX_LABELS])
        rest = len(card.classes) - MAX_LABELS
        yield f"{len(card.classes)} classes: {shown}{f' and {rest:,} more' if rest > 0 else ''}."
    if card.command:
        yield f"\n```sh\n{_without_places(card.command)}\n```"
    yield "\n" + ("Found while the data was prepared:" if card.warnings else "Nothing was found amiss in the data.")
    for warning in card.warnings[:MAX_WARNINGS]:
        yield f"- {_plain(_without_places(warning))}"
    if len(card.warnings) > MAX_WARNINGS:
        yield f"- {len(card.warnings) - MAX_WARNINGS:,} more"


def _figures(run: RunDir | None, measured: Evaluation | None, exported: Exported) -> Iterator[str]:
    if exported.is_changed:
        yield "The figures of the run are not those of this file, which was changed after it was trained."
        return
    if measured is None:
        if run is not None:
            yield "None: the run was not evaluated. `dl eval RUN`, then export again."
        return
    items = measured.report.get("items")
    yield f"Split `{measured.split}`{f', {items:,} items' if isinstance(items, int) else ''}.\n"
    lower = measured.report.get("lower_is_better") or ()
    yield "| metric | value | 95 % interval |\n|---|---|---|"
    for name, value in _numbers(measured.report["metrics"]).items():
        bounds = measured.intervals.get(name)
        interval = f"{format_figure(bounds[0])} to {format_figure(bounds[1])}" if bounds else ""
        yield f"| {name}{' (lower is better)' if name in lower else ''} | {format_figure(value)} | {interval} |"


def _inputs(metadata: Mapping[str, Any], format: str) -> Iterator[str]:
    names = {key: ", ".join(_code(str(each)) for each in metadata.get(key, ())) for key in ("inputs", "outputs")}
    if names["inputs"]:
        yield f"Inputs: {names['inputs']}; outputs: {names['outputs']}.\n"
    assets = metadata.get("assets")
    for name, value in assets.items() if isinstance(assets, Mapping) else ():
        if isinstance(value, Mapping):
            yield from (f"- {_plain(name)}, {_plain(key)}: {_shown(each)}" for key, each in value.items())
        elif name != "labels":
            yield f"- {_plain(name)}: {_shown(value)}"
    if format != "word2vec":  # words and numbers alone
        yield "\nThe file itself holds all of this, so a program can read it from there."


def _usage(exported: Exported) -> Iterator[str]:
    if exported.script:
        yield f"```sh\npython {exported.script} INPUT...\n```\n\nor, with everything that `dl` can do:\n"
    if reader := READERS.get(exported.format):
        yield reader
        return
    yield f"```sh\ndl predict {exported.file} INPUT...\n```\n\n{FROM_SOURCE}"


def _limits(card: Card | None, measured: Evaluation | None, run: RunDir | None, license: str | None) -> Iterator[str]:
    yield "- It knows what its training data shows, and answers anything else with the same confidence."
    if card is not None and card.classes:
        yield "- It chooses among the classes above, whatever it is given."
    warnings = card.warnings if card is not None else ()
    if any(map(SHARED_ITEMS.match, warnings)):
        yield "- The data leaks between its parts, so the figures are too good."
    if any(map(GIVEN_AWAY.match, warnings)):
        yield "- Something in the data gives the answers away, see above, so the figures are too good."
    if measured is not None:
        yield f"- The figures are those of the split `{measured.split}` of the same data; other data is harder."
    elif run is not None:
        yield "- How good it is was not measured."
    if license is None:
        yield "- No licence is stated, so ask whoever gave you this file."


def _shown(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return _plain(text if len(text) <= MAX_LISTED else f"{text[:MAX_LISTED]}…")


def _code(text: str) -> str:
    """Return a name in Markdown's marks of code; "" for none."""
    line = " ".join(text.replace("`", "'").split())
    return f"`{line}`" if line else ""


def _plain(text: str) -> str:
    """Return a text as one line that Markdown and HTML leave as it is."""
    line = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_\[\]|#])", r"\\\1", line)


def _without_places(text: str) -> str:
    """Return a command without the folders of the machine that it ran on, and as one line."""
    return re.sub(r"(?<![\w.:/])(?:/|~/|[A-Z]:\\)(?:[^\s'\"/\\]+[/\\])*(?=[^\s/\\])", "", " ".join(text.split()))
