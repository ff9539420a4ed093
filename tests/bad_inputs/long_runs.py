"""Bad command lines about runs that go on, machines that change, and files that are not to be replaced."""

from __future__ import annotations

import errno
import fnmatch
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bad_inputs.arrange import (
    DATA,
    QUICK,
    RUN,
    RUN_CODE,
    USAGE,
    Row,
    arrange_all,
    change_info,
    damage,
    prepare_photos,
    run_and_photos,
    run_and_picture,
    without_cuda,
)
from dlcli.core.errors import ExitCode
from dlcli.core.run_dir import RunDir

HOLD = """
import sys
from pathlib import Path
from dlcli.core.locks import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""

stopped = change_info(status="interrupted")


def hold_run(run: RunDir) -> subprocess.Popen[str]:
    """Hold a run's lock in another process, which ends when it is no longer referred to."""
    line = [sys.executable, "-c", HOLD, str(run.lock_file)]
    process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def train_elsewhere(bench: Any, *edits: Callable[[RunDir], object]) -> None:
    run = RunDir(bench.run())
    for edit in (stopped, *edits):
        edit(run)
    bench.holder = hold_run(run)


def change_json(name: str, change: Callable[[Any], object]) -> Callable[[Any], object]:
    """Return an arrangement: an interrupted run one of whose JSON files says something else."""

    def edit(run: RunDir) -> None:
        path = run.path / name
        value = json.loads(path.read_text())
        change(value)
        path.write_text(json.dumps(value))

    return damage(stopped, edit)


def trained_on(device: str) -> Callable[[RunDir], object]:
    return lambda run: run.config_file.write_text(
        run.config_file.read_text().replace('device = "auto"', f'device = "{device}"')
    )


def fail_writes(pattern: str, number: int = errno.ENOSPC) -> Callable[[Any], object]:
    """Return an arrangement: writes that are meant to last fail where the file's name matches."""

    def arrange(bench: Any) -> None:
        fsync = os.fsync

        def fail(descriptor: int) -> None:
            if fnmatch.fnmatch(Path(f"/proc/self/fd/{descriptor}").readlink().name, pattern):
                raise OSError(number, os.strerror(number))
            fsync(descriptor)

        bench.patch.setattr(os, "fsync", fail)

    return arrange


def one_of_several(**values: str) -> Callable[[Any], object]:
    """Return an arrangement: the prepared digits, and the environment of a process among several."""

    def arrange(bench: Any) -> None:
        bench.digits()
        for name in ("MASTER_ADDR", "MASTER_PORT"):
            bench.patch.delenv(name, raising=False)
        for name, value in values.items():
            bench.patch.setenv(name, value)

    return arrange


def pipe(bench: Any) -> None:
    os.mkfifo(bench.home / "pipe.png")


def link(name: str, target: str) -> Callable[[Any], object]:
    return lambda bench: (bench.home / name).symlink_to(bench.home / target)


CHANGED = "has changed since"
OWN = f"runs/{RUN}"
RESUMED = (f"{OWN}/*",)

RESUMING = {
    f"resumed with --{option}": Row(f"train --resume {RUN} --{option}", USAGE, "--device", damage(stopped))
    for option in ("seed 3", "batch-size 4", "precision bf16", "deterministic", "compile", "profile", "name other")
}

OPTIONS = {
    "resumed on a device that does not exist": Row(
        f"train --resume {RUN} --device gpu", USAGE, "'gpu'", damage(stopped)
    ),
    "resumed on a GPU that is not there": Row(
        f"train --resume {RUN} --device cuda:7",
        ExitCode.DEVICE,
        "cuda:7",
        arrange_all(without_cuda, damage(stopped)),
    ),
    "resumed where its GPU is not": Row(
        f"train --resume {RUN}",
        ExitCode.DEVICE,
        "--device auto",
        arrange_all(without_cuda, damage(stopped, trained_on("cuda:7"))),
    ),
    "resumed with no thread": Row(f"train --resume {RUN} --threads 0", USAGE, "threads", damage(stopped)),
    "resumed with fewer than no worker": Row(f"train --resume {RUN} --workers -1", USAGE, "workers", damage(stopped)),
    "resumed with no device": Row(f"train --resume {RUN} --devices 0", USAGE, "devices", damage(stopped)),
    "finished, resumed on another machine": Row(
        f"train --resume {RUN} --device cpu --workers 0", USAGE, "is finished", lambda b: b.run()
    ),
}

OWNERS = {
    "resumed while it is trained": Row(f"train --resume {RUN}", RUN_CODE, "is being trained by", train_elsewhere),
    "resumed as the latest while it is trained": Row("train --resume latest", RUN_CODE, "kill ", train_elsewhere),
    "resumed by its path while it is trained": Row(
        f"train --resume {OWN} --device cpu", RUN_CODE, "is being trained by process", train_elsewhere
    ),
    "folds resumed while they are trained": Row(
        f"train --resume {RUN}",
        RUN_CODE,
        "is being trained by",
        lambda bench: train_elsewhere(bench, change_info(kind="folds", folds=2)),
    ),
}

OTHER_DATA = {
    "resumed with other classes": Row(
        f"train --resume {RUN}", DATA, CHANGED, change_json("labels.json", lambda labels: labels.reverse())
    ),
    "resumed with one class more": Row(
        f"train --resume {RUN}", DATA, "labels", change_json("labels.json", lambda labels: labels.append("10"))
    ),
    "resumed with another preprocessing": Row(
        f"train --resume {RUN}",
        DATA,
        "preprocess",
        change_json("preprocess.json", lambda value: value.update(mean=[0.1])),
    ),
    "resumed with another size": Row(
        f"train --resume {RUN}",
        DATA,
        "preprocess",
        change_json("preprocess.json", lambda value: value.update(size=[9, 8])),
    ),
    "resumed with fewer items": Row(
        f"train --resume {RUN}",
        DATA,
        "items",
        change_json("data.json", lambda card: card["counts"]["train"].update({"3": 7})),
    ),
    "resumed on the data of another run": Row(
        f"train --resume {RUN} --data data/photos",
        DATA,
        CHANGED,
        arrange_all(prepare_photos, damage(stopped)),
        leaves=("data/photos/packed*",),
    ),
}

FULL_DISK = {
    "disk full at the start": Row(
        f"train digits {QUICK}", DATA, "the disk is full", arrange_all(lambda b: b.digits(), fail_writes("*run.json*")),
        leaves=("runs",),
    ),
    "disk full for the options": Row(
        f"train digits {QUICK}", DATA, "config.toml: the disk is full",
        arrange_all(lambda b: b.digits(), fail_writes("*config.toml*")), leaves=("runs",),
    ),
    "disk full for the classes": Row(
        f"train digits {QUICK}", DATA, "labels.json: the disk is full",
        arrange_all(lambda b: b.digits(), fail_writes("*labels.json*")), leaves=("runs",),
    ),
    "quota used up at the start": Row(
        f"train digits {QUICK}", DATA, "latest",
        arrange_all(lambda b: b.digits(), fail_writes("*latest*", errno.EDQUOT)), leaves=("runs",),
    ),
    "disk full for the last checkpoint": Row(
        f"train --resume {RUN}", DATA, f"resume with `dl train --resume {RUN}`",
        arrange_all(damage(stopped), fail_writes("*last.pt*")), leaves=RESUMED,
    ),
    "quota used up for the last checkpoint": Row(
        f"train --resume {RUN} -q", DATA, "last.pt: the disk is full",
        arrange_all(damage(stopped), fail_writes("*last.pt*", errno.EDQUOT)), leaves=RESUMED,
    ),
    "disk full for the metrics": Row(
        f"train --resume {RUN}", DATA, "metrics.jsonl: the disk is full",
        arrange_all(damage(stopped), fail_writes("*metrics*")), leaves=RESUMED,
    ),
}  # fmt: skip

SEVERAL = {
    "process beyond the last": Row(
        f"train digits {QUICK}", USAGE, "RANK=3", one_of_several(RANK="3", WORLD_SIZE="2", MASTER_ADDR="x")
    ),
    "process before the first": Row(
        f"train digits {QUICK}", USAGE, "RANK=-1", one_of_several(RANK="-1", WORLD_SIZE="2", MASTER_ADDR="x")
    ),
    "several processes without an address": Row(
        f"train digits {QUICK}", USAGE, "MASTER_ADDR", one_of_several(RANK="0", WORLD_SIZE="2")
    ),
    "several processes without a port": Row(
        f"train digits {QUICK}", USAGE, "MASTER_PORT", one_of_several(RANK="0", WORLD_SIZE="2", MASTER_ADDR="x")
    ),
    "process with a word for a number": Row(
        f"train digits {QUICK}", USAGE, "RANK", one_of_several(RANK="first", WORLD_SIZE="2")
    ),
    "folds of several processes": Row(
        f"train digits {QUICK} --folds 2",
        USAGE,
        "--folds",
        one_of_several(RANK="0", WORLD_SIZE="2", MASTER_ADDR="x", MASTER_PORT="1"),
    ),
    "no process": Row(f"train digits {QUICK} --devices 0", USAGE, "devices", lambda b: b.digits()),
}

LONG_RUNS = {**RESUMING, **OPTIONS, **OWNERS, **OTHER_DATA, **FULL_DISK, **SEVERAL}

REPLACED = {
    **{
        f"export: onto the run's {name}": Row(
            f"export {RUN} --out {OWN}/{name}", USAGE, "of the run", lambda b: b.run()
        )
        for name in ("checkpoints/best.pt", "checkpoints/last.pt", "run.json", "plots/../config.toml")
    },
    "export: onto a link to the run's checkpoint": Row(
        f"export {RUN} --out best.pt", USAGE, "of the run",
        arrange_all(damage(), link("best.pt", f"{OWN}/checkpoints/best.pt")),
    ),
    "export: onto a device": Row(f"export {RUN} --out /dev/null", USAGE, "device", lambda b: b.run()),
    "export: onto a pipe": Row(f"export {RUN} --out pipe.png", USAGE, "pipe", arrange_all(damage(), pipe)),
    "visualize: onto its input": Row(
        f"visualize features {RUN} cat.png --out cat.png", USAGE, "an input", run_and_picture
    ),
    "visualize: onto its input by another way": Row(
        f"visualize features {RUN} cat.png --out runs/../cat.png", USAGE, "an input", run_and_picture
    ),
    "visualize: onto a link to its input": Row(
        f"visualize features {RUN} cat.png --out link.png", USAGE, "an input",
        arrange_all(run_and_picture, link("link.png", "cat.png")),
    ),
    "visualize: onto an input of a pattern": Row(
        f"visualize features {RUN} 'c*.png' --out cat.png", USAGE, "an input", run_and_picture
    ),
    "visualize: onto an input in a folder": Row(
        f"visualize features {RUN} photos/cat/0.png --out photos/cat/0.png", USAGE, "an input", run_and_photos
    ),
    "visualize: onto the run's checkpoint": Row(
        f"visualize curves {RUN} --out {OWN}/checkpoints/best.pt", USAGE, "an input", lambda b: b.run()
    ),
    "visualize: onto the run's metrics": Row(
        f"visualize curves {RUN} --out {OWN}/metrics.jsonl", USAGE, "an input", lambda b: b.run()
    ),
    "visualize: onto a picture of the data": Row(
        "visualize grid data/photos --out data/photos/train/cat/0.png", USAGE, "an input", prepare_photos
    ),
    "visualize: onto a device": Row(f"visualize curves {RUN} --out /dev/null", USAGE, "device", lambda b: b.run()),
    "visualize: onto a pipe": Row(
        f"visualize curves {RUN} --out pipe.png", USAGE, "pipe", arrange_all(damage(), pipe)
    ),
    "prepare: onto a device": Row(
        "prepare image-folder photos --out /dev/null", DATA, "/dev/null", lambda b: b.photos("photos")
    ),
    "prepare: onto a link to its source": Row(
        "prepare image-folder photos --out again", DATA, "overlap",
        lambda b: (b.photos("photos"), (b.home / "again").symlink_to(b.home / "photos")),
    ),
}  # fmt: skip
