"""Tables to compare models on, each written as a CSV: real ones, scikit-learn's embedded ones, and generated ones.

The generated ones have 20,000 rows. Friedman's three functions (1991) are smooth; `mixed` has numbers, gaps, and
categories of 3 to 200 values that interact; `steps` is a sum of boxes, which trees represent exactly.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

ROWS = 20_000

Cells = Sequence[Sequence[object]]


def _embedded(name: str) -> tuple[Sequence[str], Cells]:
    from sklearn import datasets

    found = getattr(datasets, f"load_{name}")()
    names = [f"x{index}" for index in range(found.data.shape[1])]
    target = found.target if name == "diabetes" else [f"class {value}" for value in found.target]
    return [*names, "y"], [[*row, value] for row, value in zip(found.data.tolist(), target, strict=True)]


def _friedman(number: int, noise: float, seed: int) -> tuple[Sequence[str], Cells]:
    from sklearn import datasets

    make = (datasets.make_friedman1, datasets.make_friedman2, datasets.make_friedman3)[number - 1]
    features, target = make(n_samples=ROWS, noise=noise, random_state=seed)
    return [*(f"x{index}" for index in range(features.shape[1])), "y"], np.column_stack([features, target]).tolist()


def _steps(seed: int) -> tuple[Sequence[str], Cells]:
    """Return 8 numbers and a target of 40 boxes over two or three of the first six, with a signal of variance 1."""
    random = np.random.default_rng(seed)
    features = random.uniform(size=(ROWS, 8))
    signal = np.zeros(ROWS)
    for _ in range(40):
        chosen = random.choice(6, random.integers(2, 4), replace=False)
        edges = random.uniform(0.2, 0.8, len(chosen))
        sides = random.integers(0, 2, len(chosen)) * 2 - 1
        signal += random.normal() * np.all((features[:, chosen] - edges) * sides > 0, axis=1)
    target = signal / signal.std() + 0.3 * random.normal(size=ROWS)
    return [*(f"x{index}" for index in range(8)), "y"], np.column_stack([features, target]).round(5).tolist()


def _mixed(seed: int, *, is_classes: bool = False) -> tuple[Sequence[str], Cells]:
    """Return 6 numbers with 5 % gaps and 4 categories; slopes, levels and a threshold depend on the categories."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(ROWS, 6))
    numbers[:, 3] = np.exp(numbers[:, 3])
    numbers[:, 4] = random.integers(1, 8, ROWS)
    sizes = (3, 8, 30, 200)
    places = [np.minimum(random.geometric(3 / size, ROWS) - 1, size - 1) for size in sizes]
    slopes, levels, jumps = random.normal(size=3), random.normal(size=30), random.normal(size=8)
    signal = slopes[places[0]] * numbers[:, 0] + levels[places[2]] + 0.5 * random.normal(size=200)[places[3]]
    signal += jumps[places[1]] * (numbers[:, 1] > 0.3 * places[0]) + np.sin(2 * numbers[:, 2])
    signal += 0.5 * np.log(numbers[:, 3]) * (numbers[:, 4] >= 4) + 0.3 * numbers[:, 0] * numbers[:, 1]
    target = signal / signal.std() + 0.4 * random.normal(size=ROWS)
    known = np.where(random.uniform(size=numbers.shape) < 0.05, np.nan, numbers.round(5))
    words = [[f"{'abcd'[k]}{place}" for place in column] for k, column in enumerate(places)]
    numeric = [["" if np.isnan(value) else f"{value:.10g}" for value in row] for row in known]
    answers = [("high" if value > 0.5 else "low") if is_classes else f"{value:.5f}" for value in target]
    names = [*(f"x{index}" for index in range(6)), "kind", "group", "town", "shop", "y"]
    return names, [[*row, *(word[at] for word in words), answers[at]] for at, row in enumerate(numeric)]


TABLES: Mapping[str, Callable[[int], tuple[Sequence[str], Cells]]] = {
    "diabetes": lambda _: _embedded("diabetes"),
    "breast-cancer": lambda _: _embedded("breast_cancer"),
    "wine": lambda _: _embedded("wine"),
    "iris": lambda _: _embedded("iris"),
    "digits": lambda _: _embedded("digits"),
    "friedman1": lambda seed: _friedman(1, 1.0, seed),
    "friedman2": lambda seed: _friedman(2, 125.0, seed),
    "friedman3": lambda seed: _friedman(3, 0.1, seed),
    "steps": _steps,
    "mixed": _mixed,
    "mixed-classes": lambda seed: _mixed(seed, is_classes=True),
}
"""Name -> (seed) -> the columns' names, the last being the target, and the rows; only generated tables have a seed."""

FILES: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "housing": ("housing/housing.data", {"target": "column_14", "drop": {"column_12": "encodes race"}}),
    "auto-mpg": ("auto-mpg/auto-mpg.data", {"target": "column_1"}),
}
"""Name -> a file below the folder of data, and how it is prepared."""


def write_set(name: str, path: Path, seed: int) -> str:
    """Write a table that is not a file as a CSV, and return the name of its target."""
    names, rows = TABLES[name](seed)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(names)
        writer.writerows(rows)
    return names[-1]
