"""Options of `dl prepare` for tables, separate from the importers so that help pages import no numpy."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import MAX_SEED, option


@dataclass(frozen=True)
class HousingOptions:
    """Options of `dl prepare housing`."""

    keep_b: bool = option(False, "keep column B, which encodes the share of Black residents")
    test_fraction: float = option(0.2, "fraction of the rows for the test split", minimum=0.01, maximum=0.9)
    seed: int = option(0, "seed of the split", minimum=0, maximum=MAX_SEED)


@dataclass(frozen=True)
class TableOptions:
    """Options of `dl prepare table`."""

    target: str | None = option(None, "column to predict", metavar="COLUMN")
    task: str = option("auto", "kind of target (auto: by its values)", choices=("auto", "regression", "classification"))
    drop: tuple[str, ...] = option((), "column to leave out (repeatable)", metavar="COLUMN")
    categorical: tuple[str, ...] = option((), "column whose numbers are categories (repeatable)", metavar="COLUMN")
    keep: tuple[str, ...] = option(
        (), "column to use although it numbers or names the rows (repeatable)", metavar="COLUMN"
    )
    ordered: tuple[str, ...] = option(
        (),
        "column of ordered categories and its order: size=S,M,L (repeatable)",
        metavar="COLUMN=A,B,C",
        is_advanced=True,
    )
    encoding: str = option(
        "auto", "encoding, such as gb18030 or cp1252 (auto: UTF-8, else judged by the bytes)", metavar="NAME"
    )
    delimiter: str = option("auto", "column delimiter", choices=("auto", "comma", "tab", "semicolon", "pipe", "spaces"))
    header: str = option("auto", "whether the first row is a header", choices=("auto", "yes", "no"))
    test_fraction: float = option(0.2, "fraction of the rows for the test split", minimum=0.01, maximum=0.9)
    seed: int = option(0, "seed of the split", minimum=0, maximum=MAX_SEED)
    max_bad: int = option(100, "stop when more than N rows are malformed", minimum=0, maximum=10**9)
