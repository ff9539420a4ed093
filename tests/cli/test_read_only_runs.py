"""A run that cannot be written, since it is shared or mounted, answers all the same."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

RUN = "digits-lenet-1"


@pytest.fixture
def read_only(bench: Any) -> Any:
    """The folder with a trained run in which nothing can be created or written."""
    run = bench.run()
    bench.png("cat.png")
    opened, made = Path.open, Path.mkdir

    def refuse(path: Path) -> None:
        if path.resolve().is_relative_to(run):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    def open_(path: Path, mode: str = "r", *args: Any, **more: Any) -> Any:
        if mode[0] in "wax":
            refuse(path)
        return opened(path, mode, *args, **more)

    def mkdir(path: Path, *args: Any, **more: Any) -> None:
        if not path.is_dir():
            refuse(path)
        made(path, *args, **more)

    bench.patch.setattr(Path, "open", open_)
    bench.patch.setattr(Path, "mkdir", mkdir)
    return bench


def test_eval_gives_the_figures_and_says_that_they_are_not_stored(read_only: Any, dl: Any) -> None:
    before = read_only.files()
    answer = dl("eval", RUN, "--json", "--threads", "1")
    report = json.loads(answer.out)
    assert (answer.code, report["plots"]) == (0, [])
    assert report["metrics"]["accuracy"] > 0
    said = "warning: runs/digits-lenet-1 cannot be written (Read-only file system): the report is not stored"
    assert said in answer.err.splitlines()
    assert dl("eval", RUN, "--fail-under", "accuracy=0.999").code == 7
    assert read_only.files() == before


@pytest.mark.parametrize(
    "line",
    [
        f"predict {RUN} cat.png",
        f"visualize curves {RUN} --out curves.png",
        f"visualize features {RUN} cat.png --out drawn",
        f"export {RUN} --format torchscript --out model.ts",
        f"doctor {RUN}",
        f"runs {RUN}",
        f"rerun {RUN} --check",
    ],
)
def test_what_is_written_elsewhere_is_written(line: str, read_only: Any, dl: Any) -> None:
    before = read_only.files()
    answer = dl(*line.split())
    assert answer.code == 0, answer.err
    after = read_only.files()
    assert {path: after[path] for path in before if path != "runs/latest"} == {
        path: digest for path, digest in before.items() if path != "runs/latest"
    }


@pytest.mark.parametrize(("line", "code"), [(f"visualize curves {RUN}", 3), (f"export {RUN} --format torchscript", 5)])
def test_what_would_be_written_into_it_is_refused_with_its_place(line: str, code: int, read_only: Any, dl: Any) -> None:
    answer = dl(*line.split())
    assert (answer.code, f"runs/{RUN}" in answer.err) == (code, True), answer.err
