"""What `dl export` writes beside a file: its card, and a script that answers inputs with it.

`X.onnx` gets `X.onnx.md` and `X.onnx.py`; a folder of several graphs holds `README.md` and `predict.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.core.config import option
from dlcli.core.errors import DlError

if TYPE_CHECKING:
    from dlcli.core.console import Console
    from dlcli.core.registry import TaskSpec
    from dlcli.core.run_dir import RunDir
    from dlcli.export.plan import ExportResult


@dataclass(frozen=True)
class Beside:
    """Options of what is written beside an exported file."""

    card: bool = option(True, "write a model card and a script beside the file")
    license: str | None = option(
        None,
        "the licence that the card names, by its identifier on the Hugging Face hub (mit, apache-2.0); none by default",
        metavar="ID",
        is_advanced=True,
    )


def write_beside(
    options: Beside,
    result: ExportResult,
    metadata: Mapping[str, Any],
    spec: TaskSpec | None,
    run: RunDir | None,
    console: Console,
    *,
    changes: tuple[str, ...] = (),
    fits_images: bool = False,
) -> dict[str, str]:
    """Write the card and the script of an exported file, or with --no-card remove those of an earlier one.

    Args:
        options: whether to write them.
        result: the file.
        metadata: as it was stored in the file.
        spec: its task; None if it is not known.
        run: the run that was exported; None for a network without one.
        console: for warnings: a file that cannot be written, or that somebody else wrote, is no fault of the export.
        changes: what was changed after the training, one sentence each.
        fits_images: whether the file takes images of any size, so that the script need not fit them.

    Returns:
        "card" and "script" with their paths.
    """
    from dlcli.export.model_file import CARD_PAGE, SCRIPT_PAGE
    from dlcli.export.script import MARK, is_own, script_text

    is_folder = result.path.is_dir()
    card = result.path / CARD_PAGE if is_folder else result.path.with_name(f"{result.path.name}.md")
    script = result.path / SCRIPT_PAGE if is_folder else result.path.with_name(f"{result.path.name}.py")
    if not options.card:
        for path in (card, script):
            if is_own(path):
                path.unlink(missing_ok=True)
        return {}
    from dlcli.report.model_card import Exported, model_card

    can_answer = result.format in ("onnx", "torchscript")
    texts = {}
    if can_answer:
        own = ""
        if spec is not None and result.format == "onnx" and not is_folder:
            own = spec.short_script if fits_images else spec.script
        texts["script"] = script, script_text(own)
    exported = Exported(
        file=result.path.name,
        format=result.format,
        bytes=result.bytes,
        sha256=result.sha256,
        checks=len(result.checks),
        max_difference=result.max_difference,
        script=script.name if can_answer else "",
        changes=changes,
        is_changed=bool(changes),
    )
    pipeline = spec.pipeline if spec is not None else ""
    texts["card"] = (
        card,
        model_card(exported, metadata, pipeline=pipeline, run=run, license=options.license, mark=MARK),
    )
    return {kind: str(path) for kind, (path, text) in texts.items() if _write(path, text, console)}


def _write(path: Path, text: str, console: Console) -> bool:
    """Write a page, and return whether it was; one that another program or a person wrote is left as it is."""
    from dlcli.core.files import write_text
    from dlcli.export.script import is_own

    if path.exists() and not is_own(path):
        console.warn(f"{path}: not written by `dl export`, so left as it is")
        return False
    try:
        write_text(path, text)
    except (OSError, DlError) as error:
        console.warn(f"{path} cannot be written ({error})")
        return False
    return True
