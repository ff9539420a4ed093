"""Bad command lines: what is typed, what it must be answered with, and the means to arrange the mistake."""

from __future__ import annotations

import errno
import fnmatch
import json
import os
import shutil
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dlcli.core.errors import ExitCode
from dlcli.core.run_dir import RunDir
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.datasets.tables.options import TableOptions
from dlcli.datasets.tables.table import TableImporter
from dlcli.datasets.text.labelled import csv_importer
from dlcli.datasets.text.options import TextOptions

RUN = "digits-lenet-1"
QUICK = "--model lenet --epochs 1 --batch-size 512 --precision fp32 --device cpu --threads 1"

MAX_LINES = 6


@dataclass(frozen=True)
class Row:
    """A bad command line.

    Attributes:
        line: what is typed after `dl`.
        code: the exit code.
        says: what stderr must name.
        arrange: fills the folder.
        answers: the number of lines on stdout that answer for what was good.
        leaves: patterns of the paths that may be new or changed.
    """

    line: str
    code: ExitCode
    says: str
    arrange: Callable[[Any], object] = lambda bench: None
    answers: int = 0
    leaves: tuple[str, ...] = ()


def damage(*edits: Callable[[RunDir], object]) -> Callable[[Any], object]:
    """Return an arrangement: the trained run, damaged."""

    def arrange(bench: Any) -> None:
        run = RunDir(bench.run())
        for edit in edits:
            edit(run)

    return arrange


def change_info(**changes: Any) -> Callable[[RunDir], object]:
    return lambda run: run.info_file.write_text(json.dumps({**json.loads(run.info_file.read_text()), **changes}))


def cut_file(path: Path, part: float = 0.5) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])


def cut_checkpoints(run: RunDir) -> None:
    for path in (run.best_checkpoint, run.last_checkpoint):
        cut_file(path)


def remove_checkpoints(run: RunDir) -> None:
    shutil.rmtree(run.best_checkpoint.parent)


def name_other_network(run: RunDir) -> None:
    run.config_file.write_text(run.config_file.read_text().replace('"lenet"', '"cnn"'))


def run_with_trap(bench: Any) -> None:
    bench.run()
    bench.write(f"runs/{RUN}/checkpoints/best.pt", bench.trap())


def fill_disk(bench: Any, pattern: str = "*") -> None:
    """Let every write that is meant to last fail, where the file's name matches."""
    fsync = os.fsync

    def full(descriptor: int) -> None:
        if fnmatch.fnmatch(Path(f"/proc/self/fd/{descriptor}").readlink().name, pattern):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    bench.patch.setattr(os, "fsync", full)


def write_onnx_without_metadata(bench: Any) -> None:
    import onnx
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1])
    answer = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["images"], ["logits"])], "graph", [value], [answer])
    bench.write(
        "model.onnx",
        helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 18)]).SerializeToString(),
    )
    assert onnx.load("model.onnx").graph.name == "graph"
    bench.png("cat.png")


def write_cut_archive(bench: Any) -> None:
    bench.cifar("cifar-10-batches-py")
    with tarfile.open("cifar.tar.gz", "w:gz") as archive:
        archive.add("cifar-10-batches-py")
    cut_file(Path("cifar.tar.gz"))


TEXTS = "label,text\n" + "".join(f"{row % 2},{'好坏'[row % 2]} {row}\n" for row in range(40))


def prepare_texts(bench: Any) -> None:
    """Prepare some labelled texts as data/t."""
    bench.write("t.csv", TEXTS)
    importer = csv_importer(TextOptions(tokenizer="whitespace", min_count=1))
    prepare_dataset(importer, Path("t.csv"), Path("data/t"), command="", force=False, report=lambda line: None)


def write_csv(bench: Any, *, has_days: bool = False, more: str = "") -> None:
    """Write a table of 40 rows with a price, perhaps with dates, perhaps with more below."""
    days = [f",2020-01-{1 + row % 28:02d}" if has_days else "" for row in range(40)]
    rows = [f"{2 * row},{10 + 3 * (row % 7)}{days[row]}" for row in range(40)]
    bench.write("t.csv", "\n".join([f"size,price{',day' if has_days else ''}", *rows, more]))


def prepare_csv(bench: Any, change: tuple[str, str] = ("", ""), card: Mapping[str, Any] | None = None) -> None:
    """Prepare a table as data/t, then change its table.csv and its card's details."""
    write_csv(bench)
    importer = TableImporter(TableOptions(target="price"))
    prepare_dataset(importer, Path("t.csv"), Path("data/t"), command="", force=False, report=lambda line: None)
    for path, text in (
        (Path("data/t/table.csv"), lambda text: text.replace(*change, 1) if change[0] else text),
        (Path("data/t/dataset.json"), lambda text: with_details(text, card) if card else text),
    ):
        path.write_text(text(path.read_text()))


def with_details(text: str, details: Mapping[str, Any]) -> str:
    card = json.loads(text)
    return json.dumps({**card, "details": {**card["details"], **details}})


def prepare_photos(bench: Any, **card: Any) -> None:
    """Write a prepared folder data/photos whose card differs from the truth by what is given."""
    bench.photos("data/photos/train")
    bench.photos("data/photos/test", count=2)
    truth = {
        "schema": 1,
        "form": "images",
        "name": "photos",
        "classes": ["cat", "dog"],
        "counts": {"train": {"cat": 8, "dog": 8}, "test": {"cat": 2, "dog": 2}},
        "details": {"channels": 1, "image_size": [8, 8], "mean": [0.5], "std": [0.2]},
    }
    bench.write("data/photos/dataset.json", json.dumps({**truth, **card}))


def run_and_good_and_bad_picture(bench: Any) -> None:
    bench.run()
    bench.png("good.png")
    bench.write("empty.png")


def run_and_photos(bench: Any) -> None:
    bench.run()
    bench.photos("photos")


def with_empty_stdin(bench: Any) -> None:
    bench.run()
    bench.patch.setattr("sys.stdin", bench.write("nothing").open())


def with_stdin(content: bytes | str, *arrangements: Callable[[Any], object]) -> Callable[[Any], object]:
    """Return an arrangement: the trained run with two pictures, and standard input with this content."""

    def arrange(bench: Any) -> None:
        run_and_picture(bench)
        bench.png("猫.png")
        bench.patch.setattr("sys.stdin", bench.write("stdin", content).open())
        for each in arrangements:
            each(bench)

    return arrange


def without_cuda(bench: Any) -> None:
    bench.digits()
    bench.patch.setattr(torch.cuda, "is_available", lambda: False)


def arrange_all(*arrangements: Callable[[Any], object]) -> Callable[[Any], object]:
    def arrange(bench: Any) -> None:
        for each in arrangements:
            each(bench)

    return arrange


def run_and_picture(bench: Any) -> None:
    bench.run()
    bench.png("cat.png")


USAGE, DATA, RUN_CODE, EXPORT = ExitCode.USAGE, ExitCode.DATA, ExitCode.RUN, ExitCode.EXPORT
