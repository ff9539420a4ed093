"""One function over many files: in order, in threads for large files only."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from dlcli.core.errors import DataError
from dlcli.data.images.each import are_large, for_each


def write(folder: Path, *sizes: int) -> list[Path]:
    paths = [folder / f"{number}.jpg" for number in range(len(sizes))]
    for path, size in zip(paths, sizes, strict=True):
        path.write_bytes(b"\0" * size)
    return paths


@pytest.mark.parametrize(("sizes", "expected"), [((32768, 32768), False), ((32768, 32770), True), ((0, 200_000), True)])
def test_files_are_large_by_their_mean_size(sizes: tuple[int, ...], expected: bool, tmp_path: Path) -> None:
    assert are_large(write(tmp_path, *sizes)) is expected


def test_many_files_are_judged_by_some_of_them(tmp_path: Path) -> None:
    large, small = write(tmp_path, 40_000, 1)
    missing = tmp_path / "missing.jpg"
    files = [large if place % 5 == 0 else missing for place in range(1000)]  # every fifth is looked at
    assert are_large(files) and not are_large([small if each == large else each for each in files])


@pytest.mark.parametrize("large", [False, True])
def test_results_have_the_order_of_the_arguments(large: bool) -> None:
    numbers = list(range(100))
    assert for_each(lambda one, other: (one, other), numbers, numbers[::-1], are_large=large) == list(
        zip(numbers, numbers[::-1], strict=True)
    )


def test_small_files_stay_in_this_thread_and_large_ones_leave_it() -> None:
    own = threading.get_ident()
    assert {for_each(lambda _: threading.get_ident(), range(9), are_large=False)[place] for place in range(9)} == {own}
    assert own not in for_each(lambda _: threading.get_ident(), range(9), are_large=True)


@pytest.mark.parametrize("large", [False, True])
def test_an_error_comes_through(large: bool) -> None:
    def fail(number: int) -> None:
        raise DataError(f"{number}.jpg: damaged")

    with pytest.raises(DataError, match=r"0\.jpg: damaged"):
        for_each(fail, range(3), are_large=large)
