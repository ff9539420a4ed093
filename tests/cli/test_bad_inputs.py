"""What is wrong, where, how to mend it: every mistake is answered briefly, by its exit code, and leaves nothing."""

from __future__ import annotations

import errno
import fnmatch
import json
import os
import pickle
import shlex
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
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


def _damage(*edits: Callable[[RunDir], object]) -> Callable[[Any], object]:
    """Return an arrangement: the trained run, damaged."""

    def arrange(bench: Any) -> None:
        run = RunDir(bench.run())
        for edit in edits:
            edit(run)

    return arrange


def _info(**changes: Any) -> Callable[[RunDir], object]:
    return lambda run: run.info_file.write_text(json.dumps({**json.loads(run.info_file.read_text()), **changes}))


def _cut(path: Path, part: float = 0.5) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])


def _cut_checkpoints(run: RunDir) -> None:
    for path in (run.best_checkpoint, run.last_checkpoint):
        _cut(path)


def _remove_checkpoints(run: RunDir) -> None:
    shutil.rmtree(run.best_checkpoint.parent)


def _other_network(run: RunDir) -> None:
    run.config_file.write_text(run.config_file.read_text().replace('"lenet"', '"cnn"'))


def _trap(bench: Any) -> None:
    bench.run()
    bench.write(f"runs/{RUN}/checkpoints/best.pt", bench.trap())


def _full_disk(bench: Any, pattern: str = "*") -> None:
    """Let every write that is meant to last fail, where the file's name matches."""
    fsync = os.fsync

    def full(descriptor: int) -> None:
        if fnmatch.fnmatch(Path(f"/proc/self/fd/{descriptor}").readlink().name, pattern):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    bench.patch.setattr(os, "fsync", full)


def _onnx_without_metadata(bench: Any) -> None:
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


def _cut_archive(bench: Any) -> None:
    bench.cifar("cifar-10-batches-py")
    with tarfile.open("cifar.tar.gz", "w:gz") as archive:
        archive.add("cifar-10-batches-py")
    _cut(Path("cifar.tar.gz"))


_TEXTS = "label,text\n" + "".join(f"{row % 2},{'好坏'[row % 2]} {row}\n" for row in range(40))


def _prepared_texts(bench: Any) -> None:
    """Prepare some labelled texts as data/t."""
    bench.write("t.csv", _TEXTS)
    importer = csv_importer(TextOptions(tokenizer="whitespace", min_count=1))
    prepare_dataset(importer, Path("t.csv"), Path("data/t"), command="", force=False, report=lambda line: None)


def _csv(bench: Any, *, has_days: bool = False, more: str = "") -> None:
    """Write a table of 40 rows with a price, perhaps with dates, perhaps with more below."""
    days = [f",2020-01-{1 + row % 28:02d}" if has_days else "" for row in range(40)]
    rows = [f"{2 * row},{10 + 3 * (row % 7)}{days[row]}" for row in range(40)]
    bench.write("t.csv", "\n".join([f"size,price{',day' if has_days else ''}", *rows, more]))


def _prepared_csv(bench: Any, change: tuple[str, str] = ("", ""), card: Mapping[str, Any] | None = None) -> None:
    """Prepare a table as data/t, then change its table.csv and its card's details."""
    _csv(bench)
    importer = TableImporter(TableOptions(target="price"))
    prepare_dataset(importer, Path("t.csv"), Path("data/t"), command="", force=False, report=lambda line: None)
    for path, text in (
        (Path("data/t/table.csv"), lambda text: text.replace(*change, 1) if change[0] else text),
        (Path("data/t/dataset.json"), lambda text: _with_details(text, card) if card else text),
    ):
        path.write_text(text(path.read_text()))


def _with_details(text: str, details: Mapping[str, Any]) -> str:
    card = json.loads(text)
    return json.dumps({**card, "details": {**card["details"], **details}})


def _prepared(bench: Any, **card: Any) -> None:
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


def _good_and_bad(bench: Any) -> None:
    bench.run()
    bench.png("good.png")
    bench.write("empty.png")


def _photos_and_run(bench: Any) -> None:
    bench.run()
    bench.photos("photos")


def _empty_stdin(bench: Any) -> None:
    bench.run()
    bench.patch.setattr("sys.stdin", bench.write("nothing").open())


def _no_cuda(bench: Any) -> None:
    bench.digits()
    bench.patch.setattr(torch.cuda, "is_available", lambda: False)


def _with(*arrangements: Callable[[Any], object]) -> Callable[[Any], object]:
    def arrange(bench: Any) -> None:
        for each in arrangements:
            each(bench)

    return arrange


def _run_and_picture(bench: Any) -> None:
    bench.run()
    bench.png("cat.png")


USAGE, DATA, RUN_CODE, EXPORT = ExitCode.USAGE, ExitCode.DATA, ExitCode.RUN, ExitCode.EXPORT

PREPARE = {
    "source missing": Row("prepare cifar10 nowhere", DATA, "nowhere: no such"),
    "no dataset": Row("prepare", USAGE, "which dataset?"),
    "dataset misspelt": Row("prepare cifar01 x", USAGE, "'cifar10'"),
    "an option's value taken for the dataset": Row("prepare --out mnist --force digits", USAGE, "before its options"),
    "no source": Row("prepare cifar10", USAGE, "name the SOURCE"),
    "source of the embedded": Row("prepare digits x", DATA, "takes no SOURCE"),
    "option misspelt": Row("prepare digits --test-fractoin 0.1", USAGE, "--test-fraction"),
    "option out of range": Row("prepare digits --test-fraction 2", USAGE, "at most 0.9"),
    "option without value": Row("prepare digits --out", USAGE, "--out"),
    "batch cut off": Row(
        "prepare cifar10 src",
        DATA,
        "data_batch_2: not a pickled batch: it is truncated",
        lambda b: _cut(b.cifar("src") / "data_batch_2"),
    ),
    "batch of another kind": Row(
        "prepare cifar10 src",
        DATA,
        "holds a list",
        lambda b: (b.cifar("src") / "data_batch_3").write_bytes(pickle.dumps([1, 2])),
    ),
    "batch that is a trap": Row(
        "prepare cifar10 src",
        DATA,
        "refused: the pickle references",
        lambda b: (b.cifar("src") / "test_batch").write_bytes(b.trap()),
    ),
    "binary version": Row(
        "prepare cifar10 src",
        DATA,
        "this is the binary version",
        lambda b: b.write("src/data_batch_1.bin", b"\0" * 3073),
    ),
    "batch missing": Row(
        "prepare cifar10 src", DATA, "data_batch_4 missing", lambda b: (b.cifar("src") / "data_batch_4").unlink()
    ),
    "label out of range": Row(
        "prepare cifar10 src", DATA, "the label 10", lambda b: b.cifar("src", labels=[0, 1, 2, 10])
    ),
    "fewer labels than images": Row(
        "prepare cifar10 src", DATA, "4 images, but 2 labels", lambda b: b.cifar("src", labels=[0, 1])
    ),
    "archive cut off": Row("prepare cifar10 cifar.tar.gz", DATA, "cifar.tar.gz", _cut_archive),
    "the other cifar": Row("prepare cifar100 src", DATA, "no CIFAR-100 batches", lambda b: b.cifar("src")),
    "idx files missing": Row(
        "prepare mnist src", DATA, "train-images-idx3-ubyte", lambda b: b.write("src/readme.txt", "x")
    ),
    "idx with another magic": Row(
        "prepare mnist src", DATA, "not an idx file", lambda b: b.mnist("src", magic=b"\1\2\x08\x03")
    ),
    "gzip cut off": Row("prepare mnist src", DATA, "truncated or damaged", lambda b: b.mnist("src", cut=400)),
    "folder empty": Row("prepare image-folder src", DATA, "src", lambda b: (b.home / "src").mkdir()),
    "one class": Row("prepare image-folder src", DATA, "a classifier needs two", lambda b: b.photos("src", ("cat",))),
    "too many bad files": Row(
        "prepare image-folder src --max-bad 0",
        DATA,
        "empty.png",
        lambda b: (b.photos("src"), b.write("src/cat/empty.png")),
    ),
    "over the source": Row("prepare image-folder src --out src", DATA, "overlap", lambda b: b.photos("src")),
    "inside the source": Row("prepare image-folder src --out src/new", DATA, "overlap", lambda b: b.photos("src")),
    "over something else": Row(
        "prepare image-folder src --out home",
        DATA,
        "holds files, but no prepared dataset",
        lambda b: (b.photos("src"), b.write("home/thesis.txt", "do not lose")),
    ),
    "over a file": Row(
        "prepare image-folder src --out f", DATA, "is a file", lambda b: (b.photos("src"), b.write("f", "x"))
    ),
    "below a file": Row(
        "prepare image-folder src --out f/new", DATA, "f/new", lambda b: (b.photos("src"), b.write("f", "x"))
    ),
    "disk full": Row(
        "prepare cifar10 src", DATA, "the disk is full", lambda b: (b.cifar("src"), _full_disk(b)), leaves=("data",)
    ),
    "texts that are no file": Row("prepare weibo posts.csv", DATA, "posts.csv"),
    "texts of one class": Row(
        "prepare text-csv t.csv", DATA, "class", lambda b: b.write("t.csv", "label,text\n" + "1,好\n1,真好\n" * 9)
    ),
    "texts without such a column": Row(
        "prepare text-csv t.csv --text-column review", DATA, "'review'", lambda b: b.write("t.csv", _TEXTS)
    ),
    "texts in no encoding": Row(
        "prepare text-csv t.csv", DATA, "byte", lambda b: b.write("t.csv", b"label,text\n1,\xff\xfe\xff\n")
    ),
    "texts that are a picture": Row("prepare text-csv cat.png", DATA, "cat.png", lambda b: b.png("cat.png")),
    "texts with too many broken rows": Row(
        "prepare text-csv t.csv --max-bad 0", DATA, "line", lambda b: b.write("t.csv", _TEXTS + "1,a,b,c\n")
    ),
    "JSON lines that are none": Row(
        "prepare text-jsonl t.jsonl --max-bad 3", DATA, "line 1", lambda b: b.write("t.jsonl", "x\n" * 20)
    ),
    "stop words that are no file": Row(
        "prepare text-csv t.csv --stopwords none.txt", DATA, "none.txt", lambda b: b.write("t.csv", _TEXTS)
    ),
    "tokenizer misspelt": Row("prepare weibo posts.csv --tokenizer jeba", USAGE, "jieba"),
    "table without a target": Row("prepare table t.csv", DATA, "which column", lambda b: _csv(b)),
    "target misspelt": Row("prepare table t.csv --target prise", DATA, "'price'", lambda b: _csv(b)),
    "table with dates": Row(
        "prepare table t.csv --target price", DATA, "--drop 'day'", lambda b: _csv(b, has_days=True)
    ),
    "table that is a picture": Row("prepare table cat.png --target x", DATA, "cat.png", lambda b: b.png("cat.png")),
    "table that is no file": Row("prepare table t.csv --target x", DATA, "t.csv: no such file"),
    "table with a quotation mark that never closes": Row(
        "prepare table t.csv --target price",
        DATA,
        "line 2",
        lambda b: b.write("t.csv", 'size,price\n1,"' + "x" * 200_000),
    ),
    "table with too many ragged rows": Row(
        "prepare table t.csv --target price --max-bad 0", DATA, "line 42", lambda b: _csv(b, more="1,2,3,4\n")
    ),
    "housing that is a CSV": Row("prepare housing t.csv", DATA, "dl prepare table", lambda b: _csv(b)),
    "housing that is not there": Row("prepare housing src", DATA, "src/housing.data", lambda b: b.write("src/x")),
}

TRAIN = {
    "no target": Row("train", USAGE, "which target?"),
    "target misspelt": Row("train digts", USAGE, "'digits'"),
    "not prepared": Row("train cifar10", DATA, "`dl prepare cifar10 SOURCE`"),
    "--data missing": Row("train digits --data nowhere", DATA, "nowhere: no prepared data"),
    "model misspelt": Row(f"train digits {QUICK} --model lenett", USAGE, "'lenet'", lambda b: b.digits()),
    "option misspelt": Row("train digits --epoch 3", USAGE, "--epochs"),
    "value of another type": Row("train digits --epochs many", USAGE, "--epochs"),
    "value out of range": Row("train digits --epochs 0", USAGE, "--epochs must be at least 1"),
    "value not finite": Row("train digits --lr nan", USAGE, "--lr must be a finite number"),
    "choice misspelt": Row("train digits --optimizer adamm", USAGE, "'adam'"),
    "config missing": Row("train digits --config none.toml", USAGE, "none.toml"),
    "config broken": Row(
        "train digits --config c.toml", USAGE, "not a TOML file", lambda b: b.write("c.toml", "a = [")
    ),
    "config not text": Row(
        "train digits --config c.toml", USAGE, "not a TOML", lambda b: b.write("c.toml", b"\xff\xfe")
    ),
    "config with an unknown key": Row(
        "train digits --config c.toml", USAGE, "'epochs'", lambda b: b.write("c.toml", "epoch = 3")
    ),
    "config with another type": Row(
        "train digits --config c.toml", USAGE, "c.toml: epochs must be", lambda b: b.write("c.toml", 'epochs = "3"')
    ),
    "config with a table": Row(
        "train digits --config c.toml", USAGE, "[train] is a table", lambda b: b.write("c.toml", "[train]\nepochs = 3")
    ),
    "one class": Row(f"train src {QUICK}", DATA, "needs two", lambda b: b.photos("src", ("cat",))),
    "empty folder": Row(f"train src {QUICK}", DATA, "src", lambda b: (b.home / "src").mkdir()),
    "card that is no JSON": Row("train photos", DATA, "not JSON", lambda b: b.write("data/photos/dataset.json", "{")),
    "card without classes": Row(
        "train photos", DATA, "not a dataset card", lambda b: b.write("data/photos/dataset.json", "{}")
    ),
    "card with too few classes": Row(
        f"train photos {QUICK}",
        DATA,
        "the card has no class of this name",
        lambda b: _prepared(b, classes=["cat"], counts={"train": {"cat": 8}}),
    ),
    "card with too many classes": Row(
        f"train photos {QUICK}",
        DATA,
        "photos",
        lambda b: _prepared(b, classes=["ant", "cat", "dog"], counts={"train": {"ant": 4, "cat": 8, "dog": 8}}),
    ),
    "card with impossible details": Row(
        f"train photos {QUICK}", DATA, "dataset.json", lambda b: _prepared(b, details={"channels": "x"})
    ),
    "card of a form unknown": Row("train photos", DATA, "'sounds'", lambda b: _prepared(b, form="sounds")),
    "prepared image emptied": Row(
        f"train photos {QUICK}",
        DATA,
        "3.png",
        lambda b: (_prepared(b), b.write("data/photos/train/cat/3.png")),
        leaves=("data/photos/packed", "data/photos/packed/*"),
    ),
    "every image damaged": Row(
        f"train src {QUICK}",
        DATA,
        "src",
        lambda b: [b.write(f"src/{label}/{n}.png", "no picture") for label in ("cat", "dog") for n in range(4)],
    ),
    "network too deep for the images": Row(
        f"train src {QUICK} --model vgg11 --image-size 8", USAGE, "--image-size", lambda b: b.photos("src")
    ),
    "name taken": Row(f"train digits {QUICK} --name {RUN}", USAGE, "exists", lambda b: b.run()),
    "name with a slash": Row(f"train digits {QUICK} --name a/b", USAGE, "not a folder name", lambda b: b.digits()),
    "name that climbs": Row(f"train digits {QUICK} --name ..", USAGE, "not a folder name", lambda b: b.digits()),
    "no such device": Row("train digits --device cuda", ExitCode.DEVICE, "0 CUDA devices", _no_cuda),
    "no such device number": Row("train digits --device cuda:99", ExitCode.DEVICE, "CUDA device", lambda b: b.digits()),
    "device that is none": Row("train digits --device gpu", USAGE, "'gpu'", lambda b: b.digits()),
    "weights for an own network": Row(
        f"train digits {QUICK} --pretrained default", USAGE, "no published weights", lambda b: b.digits()
    ),
    "weights missing": Row(
        f"train digits {QUICK} --model resnet18 --pretrained none.pth", RUN_CODE, "none.pth", lambda b: b.digits()
    ),
    "runs is a file": Row(f"train digits {QUICK}", DATA, "runs", lambda b: (b.digits(), b.write("runs", "x"))),
    "diverged": Row(
        f"train digits {QUICK} --optimizer sgd --lr 1e30 --epochs 4",
        ExitCode.DIVERGED,
        "not finite",
        lambda b: b.digits(),
        leaves=("runs", "runs/*"),
    ),
    "disk full at the start": Row(
        f"train digits {QUICK}", DATA, "the disk is full", lambda b: (b.digits(), _full_disk(b)), leaves=("runs",)
    ),
    "disk full at the checkpoint": Row(
        f"train digits {QUICK}",
        DATA,
        "the disk is full",
        lambda b: (b.digits(), _full_disk(b, "*.pt.*")),
        leaves=("runs", f"runs/{RUN}", f"runs/{RUN}/*", "runs/latest"),
    ),
    "finished already": Row(f"train --resume {RUN}", USAGE, "--from", lambda b: b.run()),
    "resumed with other options": Row(f"train --resume {RUN} --epochs 9", USAGE, "--epochs", lambda b: b.run()),
    "resumed where there is no run": Row("train --resume digits-lenet-2", RUN_CODE, RUN, lambda b: b.run()),
    "resumed before a checkpoint": Row(
        f"train --resume {RUN}", RUN_CODE, "stopped before", _damage(_info(status="interrupted"), _remove_checkpoints)
    ),
    "resumed from half a checkpoint": Row(
        f"train --resume {RUN}", RUN_CODE, "last.pt: damaged", _damage(_info(status="interrupted"), _cut_checkpoints)
    ),
    "from where there is no run": Row("train --from nothing", RUN_CODE, "'nothing'"),
    "from a run with a broken config": Row(
        f"train --from {RUN}", RUN_CODE, "config.toml", _damage(lambda run: run.config_file.write_text("epochs = "))
    ),
    "from a run of a task that is gone": Row(
        f"train --from {RUN}", RUN_CODE, "'juggling'", _damage(_info(task="juggling"))
    ),
    "sentiment without data": Row("train sentiment --model lstm --epochs 5", DATA, "dl prepare weibo SOURCE"),
    "network of texts misspelt": Row("train ./data/t --model lstn", USAGE, "lstm", _prepared_texts),
    "option that the network of texts has not": Row(
        "train ./data/t --model textcnn --bidirectional", USAGE, "--bidirectional: textcnn", _prepared_texts
    ),
    "word vectors that are no file": Row("train ./data/t --embedding v.txt", DATA, "v.txt", _prepared_texts),
    "word vectors of another size": Row(
        "train ./data/t --embedding v.txt",
        USAGE,
        "--embedding-dim 2",
        lambda b: (_prepared_texts(b), b.write("v.txt", "好 1 2\n")),
    ),
    "weight decay that the optimizer has not": Row(
        "train ./data/t --weight-decay 0.1", USAGE, "--weight-decay 0:", _prepared_texts
    ),
    "folds that are one": Row("train digits --folds 1", USAGE, "'1'"),
    "fold of nothing": Row("train digits --fold 2", USAGE, "--folds K"),
    "group of images": Row("train digits --folds 3 --group a", USAGE, "--group", lambda b: b.digits()),
    "splits that are no file": Row("train digits --splits s.json", DATA, "s.json", lambda b: b.digits()),
    "splits of rows that are not there": Row(
        "train digits --splits s.json",
        DATA,
        "row 99999",
        lambda b: (b.digits(), b.write("s.json", '[{"test": [99999]}]')),
    ),
    "table of the other task": Row(
        "train table-classification --data data/t", DATA, "dl train regression", lambda b: _prepared_csv(b)
    ),
    "table with a changed cell": Row(
        "train regression --data data/t",
        DATA,
        "size is 'tall', not a number",
        lambda b: _prepared_csv(b, ("0,10", "tall,10")),
    ),
    "table whose card is damaged": Row(
        "train regression --data data/t", DATA, "columns are damaged", lambda b: _prepared_csv(b, card={"columns": 3})
    ),
    "hidden layers that are none": Row(
        "train regression --data data/t --hidden 64,x", USAGE, "--hidden", lambda b: _prepared_csv(b)
    ),
    "network of tables misspelt": Row(
        "train regression --data data/t --model mpl", USAGE, "'mlp'", lambda b: _prepared_csv(b)
    ),
}

EVALUATE = {
    "no run": Row("eval", USAGE, "RUN"),
    "run missing": Row("eval digit-lenet-1", RUN_CODE, RUN, lambda b: b.run()),
    "no runs at all": Row("eval latest", RUN_CODE, "dl train"),
    "run.json broken": Row(f"eval {RUN}", RUN_CODE, "run.json", _damage(lambda run: run.info_file.write_text("{"))),
    "run.json not text": Row(
        f"eval {RUN}", RUN_CODE, "run.json", _damage(lambda run: run.info_file.write_bytes(b"\xff\xfe\0"))
    ),
    "run.json another thing": Row(
        f"eval {RUN}", RUN_CODE, "not a run", _damage(lambda run: run.info_file.write_text("[]"))
    ),
    "run.json without a task": Row(
        f"eval {RUN}",
        RUN_CODE,
        "'task'",
        _damage(lambda r: r.info_file.write_text('{"schema": 1, "data": "data/digits"}')),
    ),
    "run of a newer version": Row(f"eval {RUN}", RUN_CODE, "newer", _damage(_info(schema=99))),
    "run of a task that is gone": Row(f"eval {RUN}", RUN_CODE, "'juggling'", _damage(_info(task="juggling"))),
    "run in an unknown format": Row(f"rerun {RUN}", RUN_CODE, "'precision'", _damage(_info(precision="fp8"))),
    "resumed in an unknown format": Row(
        f"train --resume {RUN}", RUN_CODE, "'precision'", _damage(_info(precision="fp8", status="interrupted"))
    ),
    "config.toml broken": Row(
        f"eval {RUN}", RUN_CODE, "config.toml", _damage(lambda run: run.config_file.write_text("epochs = "))
    ),
    "config.toml out of range": Row(
        f"eval {RUN}", RUN_CODE, "config.toml", _damage(lambda run: run.config_file.write_text("epochs = -1"))
    ),
    "config.toml missing": Row(f"eval {RUN}", RUN_CODE, "config.toml", _damage(lambda run: run.config_file.unlink())),
    "config.toml with another network": Row(
        f"eval {RUN}", RUN_CODE, "'lenot'", _damage(lambda run: run.config_file.write_text('model = "lenot"'))
    ),
    "labels missing": Row(
        f"eval {RUN}", RUN_CODE, "labels.json", _damage(lambda run: (run.path / "labels.json").unlink())
    ),
    "labels broken": Row(
        f"eval {RUN}", RUN_CODE, "labels", _damage(lambda run: (run.path / "labels.json").write_text('{"a": 1}'))
    ),
    "checkpoint missing": Row(f"eval {RUN}", RUN_CODE, "no such checkpoint", _damage(_remove_checkpoints)),
    "checkpoint cut off": Row(f"eval {RUN}", RUN_CODE, "best.pt: damaged", _damage(_cut_checkpoints)),
    "checkpoint empty": Row(
        f"eval {RUN}", RUN_CODE, "best.pt", _damage(lambda run: run.best_checkpoint.write_bytes(b""))
    ),
    "checkpoint that is a trap": Row(f"eval {RUN}", RUN_CODE, "refused", _trap),
    "checkpoint of another network": Row(f"eval {RUN}", RUN_CODE, "does not fit the network", _damage(_other_network)),
    "data gone": Row(f"eval {RUN}", DATA, "no prepared data", lambda b: (b.run(), (b.home / "data/digits").unlink())),
    "data with an unknown class": Row(f"eval {RUN} --data photos --split train", DATA, "'cat'", _photos_and_run),
    "split misspelt": Row(f"eval {RUN} --split tset", USAGE, "'test'", lambda b: b.run()),
    "split that the data lacks": Row(
        f"eval {RUN} --data own", DATA, "no split 'test'", lambda b: (b.run(), b.photos("own", ("1", "2")))
    ),
    "bound not met": Row(
        f"eval {RUN} --fail-under accuracy=0.999 --no-plots",
        ExitCode.THRESHOLD,
        "under the bound of 0.999",
        lambda b: b.run(),
        answers=26,
        leaves=("runs/*/eval*",),
    ),
    "bound malformed": Row(f"eval {RUN} --fail-under accuracy", USAGE, "METRIC=NUMBER", lambda b: b.run()),
    "bound not a number": Row(f"eval {RUN} --fail-under accuracy=nan", USAGE, "METRIC=NUMBER", lambda b: b.run()),
    "metric misspelt": Row(f"eval {RUN} --fail-under acuracy=0.1", USAGE, "'accuracy'", lambda b: b.run()),
    "threads out of range": Row(f"eval {RUN} --threads 0", USAGE, "--threads", lambda b: b.run()),
}

PREDICT = {
    "no input": Row(f"predict {RUN}", USAGE, "INPUT", lambda b: b.run()),
    "empty picture": Row(
        f"predict {RUN} empty.png --jsonl", DATA, "empty", lambda b: (b.run(), b.write("empty.png")), answers=1
    ),
    "good and bad pictures": Row(
        f"predict {RUN} good.png empty.png --jsonl", ExitCode.PARTIAL, "1 of 2", _good_and_bad, answers=2
    ),
    "text as a picture": Row(
        f"predict {RUN} a.png --csv", DATA, "not an image", lambda b: (b.run(), b.write("a.png", "hello")), answers=2
    ),
    "picture missing": Row(f"predict {RUN} gone.png --jsonl", DATA, "No such file", lambda b: b.run(), answers=1),
    "picture that would fill the memory": Row(
        f"predict {RUN} huge.png --jsonl",
        DATA,
        "pixels are too many",
        lambda b: (b.run(), b.huge_png("huge.png")),
        answers=1,
    ),
    "glob of nothing": Row(f"predict {RUN} '*.jpg' --jsonl", DATA, "*.jpg", lambda b: b.run(), answers=1),
    "folder of nothing": Row(
        f"predict {RUN} photos --jsonl", DATA, "no input", lambda b: (b.run(), (b.home / "photos").mkdir())
    ),
    "nothing piped in": Row(f"predict {RUN} - --jsonl", DATA, "no input", _empty_stdin),
    "run missing": Row("predict digits-lenet-11 x.png", RUN_CODE, RUN, lambda b: b.run()),
    "file that is no model": Row(
        "predict notes.txt x.png", RUN_CODE, "neither", lambda b: b.write("notes.txt", "hello")
    ),
    "file missing": Row("predict model.onnx x.png", RUN_CODE, "no such file"),
    "file that is a trap": Row("predict model.pt x.png", RUN_CODE, "model.pt", lambda b: b.write("model.pt", b.trap())),
    "checkpoint that is half": Row(
        "predict half.pt x.png",
        RUN_CODE,
        "half.pt",
        lambda b: (shutil.copy(b.run() / "checkpoints/best.pt", "half.pt"), _cut(Path("half.pt"))),
    ),
    "ONNX of someone else": Row("predict model.onnx cat.png", RUN_CODE, "contains no labels", _onnx_without_metadata),
    "ONNX cut off": Row(
        "predict model.onnx cat.png",
        RUN_CODE,
        "model.onnx",
        lambda b: (_onnx_without_metadata(b), _cut(Path("model.onnx"), 0.9)),
    ),
    "two forms at once": Row(f"predict {RUN} x.png --json --jsonl", USAGE, "mutually exclusive", lambda b: b.run()),
    "top-k of nothing": Row(f"predict {RUN} x.png --top-k 0", USAGE, "--top-k", lambda b: b.run()),
    "pictures into a file": Row(
        f"predict {RUN} cat.png --save-dir f", DATA, "f: ", lambda b: (_run_and_picture(b), b.write("f", "x"))
    ),
}

REST = {
    "export: format misspelt": Row(f"export {RUN} --format onx", USAGE, "'onnx'", lambda b: b.run()),
    "export: run missing": Row("export digits-lenet-7", RUN_CODE, RUN, lambda b: b.run()),
    "export: network misspelt": Row("export resnet81", RUN_CODE, "resnet81"),
    "export: below a file": Row(
        f"export {RUN} --out f/model.onnx", EXPORT, "f/model.onnx", lambda b: (b.run(), b.write("f", "x"))
    ),
    "export: onto a folder": Row(
        f"export {RUN} --format torchscript --out d", EXPORT, "folder", lambda b: (b.run(), (b.home / "d").mkdir())
    ),
    "export: disk full": Row(
        f"export {RUN} --format torchscript --out new/model.ts",
        EXPORT,
        "free some disk space",
        lambda b: (b.run(), _full_disk(b)),
    ),
    "export: checkpoint cut off": Row(f"export {RUN}", RUN_CODE, "best.pt", _damage(_cut_checkpoints)),
    "visualize: no picture": Row("visualize", USAGE, "which picture?"),
    "visualize: picture misspelt": Row(f"visualize featurs {RUN}", USAGE, "'features'", lambda b: b.run()),
    "visualize: an option's value taken for the picture": Row(
        f"visualize --out cam --quiet features {RUN}", USAGE, "before its options", lambda b: b.run()
    ),
    "visualize: no subject": Row("visualize curves", USAGE, "name a RUN"),
    "visualize: no input": Row(f"visualize cam {RUN}", USAGE, "INPUT", lambda b: b.run()),
    "visualize: run missing": Row("visualize curves nothing", RUN_CODE, "'nothing'"),
    "visualize: layer misspelt": Row(
        f"visualize features {RUN} cat.png --layer conv9", USAGE, "conv9", _run_and_picture
    ),
    "visualize: class misspelt": Row(f"visualize cam {RUN} cat.png --class eight", USAGE, "'eight'", _run_and_picture),
    "visualize: split misspelt": Row("visualize grid digits --split tset", USAGE, "'test'", lambda b: b.digits()),
    "visualize: bad picture": Row(
        f"visualize cam {RUN} empty.png", DATA, "empty.png: ", lambda b: (b.run(), b.write("empty.png"))
    ),
    "visualize: two pictures, one file": Row(
        f"visualize cam {RUN} a.png b.png --out c.png",
        USAGE,
        "name a folder",
        lambda b: (b.run(), b.png("a.png"), b.png("b.png")),
    ),
    "visualize: below a file": Row(
        f"visualize curves {RUN} --out f/c.png", DATA, "f", lambda b: (b.run(), b.write("f", "x"))
    ),
    "visualize: no figures": Row(
        f"visualize curves {RUN}", RUN_CODE, "metrics.jsonl", _damage(lambda run: run.metrics_file.unlink())
    ),
    "visualize: no evaluation": Row(f"visualize confusion {RUN}", RUN_CODE, f"dl eval {RUN}", lambda b: b.run()),
    "visualize: evaluation broken": Row(
        f"visualize confusion {RUN}",
        RUN_CODE,
        "test.json",
        lambda b: (b.run(), b.write(f"runs/{RUN}/eval/test.json", '{"confusion": 3}')),
    ),
    "models: misspelt": Row("models lenett", USAGE, "'lenet'"),
    "models: image too small": Row("models vgg --image-size 4", USAGE, "--image-size"),
    "runs: missing": Row("runs nothing", RUN_CODE, "'nothing'"),
    "runs: one too many": Row("runs a b", USAGE, "b"),
    "doctor: nothing there": Row("doctor nothing", RUN_CODE, "'nothing'"),
    "doctor: a bad image": Row(
        "doctor photos", DATA, "3.png", lambda b: (_prepared(b), b.write("data/photos/train/cat/3.png")), answers=5
    ),
    "doctor: a bad checkpoint": Row(f"doctor {RUN}", RUN_CODE, "damaged", _damage(_cut_checkpoints), answers=5),
    "command misspelt": Row("trian digits", USAGE, "'train'"),
    "option of dl misspelt": Row("--verison", USAGE, "--version"),
}

ROWS = {
    f"{command}, {name}" if command else name: row
    for command, rows in (("prepare", PREPARE), ("train", TRAIN), ("eval", EVALUATE), ("predict", PREDICT), ("", REST))
    for name, row in rows.items()
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_mistake_is_answered_briefly_and_leaves_nothing(row: Row, bench: Any, dl: Callable[..., Any]) -> None:
    row.arrange(bench)
    before = bench.files()
    answer = dl(*shlex.split(row.line))
    assert (answer.code, row.says in answer.err) == (row.code, True), answer.err
    _check_brief(answer.out, answer.err, row)
    after = bench.files()
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert {path for path in changed if not any(fnmatch.fnmatch(path, pattern) for pattern in row.leaves)} == set()
    assert not [path for path in after if path.endswith(".partial")]


def _check_brief(out: str, err: str, row: Row) -> None:
    assert "Traceback" not in err
    lines = err.splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("error: "))
    assert len(lines) <= MAX_LINES, err
    assert not [line for line in lines[first + 1 :] if not line.startswith("  ")]
    assert len(out.splitlines()) == row.answers, out


IN_A_PROCESS = ("prepare, batch that is a trap", "train, not prepared", "eval, run missing", "command misspelt")


@pytest.mark.parametrize("name", IN_A_PROCESS)
def test_whole_process_answers_alike(name: str, bench: Any, environment: dict[str, str]) -> None:
    row = ROWS[name]
    row.arrange(bench)
    done = subprocess.run(["dl", *shlex.split(row.line)], env=environment, capture_output=True, text=True)
    assert (done.returncode, row.says in done.stderr) == (row.code, True), done.stderr
    _check_brief(done.stdout, done.stderr, row)
