"""The stored summary of a cross-validation, which somebody else may have written. Torch-free."""

from __future__ import annotations

from typing import Any

from dlcli.core.records import is_number


def is_summary(value: Any, num_folds: int, *, with_baselines: bool) -> bool:
    """Return whether a value of JSON has what is printed of a summary."""
    if not isinstance(value, dict) or type(value.get("items")) is not int:
        return False
    folds = value.get("folds")
    tables: list[Any] = [value.get(name) for name in ("metrics", "fold_means", "standard_errors")]
    has_figures = all(map(_are_figures, tables)) and all(set(tables[0]) <= set(other) for other in tables[1:])
    if not has_figures or not isinstance(value.get("lower_is_better"), list):
        return False
    if not isinstance(folds, list) or len(folds) != num_folds:
        return False
    if not with_baselines and "baselines" not in value:
        return True
    baselines, errors = value.get("baselines"), value.get("baseline_errors")
    if not isinstance(baselines, dict) or not isinstance(errors, dict) or set(baselines) != set(errors):
        return False
    return all(map(_are_figures, (*baselines.values(), *errors.values())))


def _are_figures(value: Any) -> bool:
    return isinstance(value, dict) and all(figure is None or is_number(figure) for figure in value.values())
