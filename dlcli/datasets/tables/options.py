"""What `dl prepare` can be told about tables; apart from the readers, so that help pages import no numpy."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import option


@dataclass(frozen=True)
class HousingOptions:
    """What `dl prepare housing` can be told."""

    keep_b: bool = option(False, "keep the column B, which encodes the share of Black residents")
    test_fraction: float = option(0.2, "part of the rows that becomes the test split", minimum=0.01, maximum=0.9)
    seed: int = option(0, "seed of that split", minimum=0)


@dataclass(frozen=True)
class TableOptions:
    """What `dl prepare table` can be told."""

    target: str | None = option(None, "the column that is predicted", metavar="COLUMN")
    task: str = option(
        "auto", "numbers or classes (auto: by the target's values)", choices=("auto", "regression", "classification")
    )
    drop: tuple[str, ...] = option((), "leave this column out (may be repeated)", metavar="COLUMN")
    categorical: tuple[str, ...] = option((), "take this column's numbers as names (may be repeated)", metavar="COLUMN")
    delimiter: str = option(
        "auto", "what parts the columns", choices=("auto", "comma", "tab", "semicolon", "pipe", "spaces")
    )
    header: str = option("auto", "whether the first row names the columns", choices=("auto", "yes", "no"))
    test_fraction: float = option(0.2, "part of the rows that becomes the test split", minimum=0.01, maximum=0.9)
    seed: int = option(0, "seed of that split", minimum=0)
    max_bad: int = option(
        100, "rows of another length that are skipped before it is an error", minimum=0, metavar="COUNT"
    )
