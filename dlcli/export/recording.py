"""What is kept of an export: the metadata in the file, and what the file was found to be, in the run. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dlcli.core.errors import RunError
from dlcli.core.files import finite, write_json
from dlcli.core.run_dir import EXPORTS_FILE, RunDir

if TYPE_CHECKING:
    from dlcli.export.plan import ExportResult


def stored_metadata(plan: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is stored in a file: the metadata of its plan and of what is exported.

    The plan's assets win: they say what only the file has, such as limits that are a part of its graph.
    """
    return {**plan, **more, "assets": {**more.get("assets", {}), **plan.get("assets", {})}}


def result_document(result: ExportResult) -> dict[str, Any]:
    """Return what a file was found to be as JSON values; the answer of `dl export --json`."""
    document = {
        "path": str(result.path),
        "format": result.format,
        "exporter": result.exporter,
        "bytes": result.bytes,
        "sha256": result.sha256,
        "max_difference": result.max_difference,
        "is_telling": result.is_telling,
        "checks": [asdict(check) for check in result.checks],
    }
    return dict(finite(document))  # answers that cannot be compared differ infinitely


def record_export(run: RunDir, result: ExportResult) -> None:
    """Note in the run what its export was found to be, for `dl report`; a file elsewhere has no place there.

    Raises:
        OSError: the run cannot be written.
    """
    if result.path.parent.resolve() != run.exports.resolve():
        return
    try:
        known = run.read_json(f"exports/{EXPORTS_FILE}")
    except RunError:
        known = {}
    record = {**result_document(result), "path": result.path.name}
    write_json(run.exports / EXPORTS_FILE, {**(known if isinstance(known, dict) else {}), result.path.name: record})
