"""Bad command lines of `dl predict`."""

from __future__ import annotations

import shutil
from pathlib import Path

from bad_inputs.arrange import (
    DATA,
    RUN,
    RUN_CODE,
    USAGE,
    Row,
    cut_file,
    run_and_good_and_bad_picture,
    run_and_picture,
    with_empty_stdin,
    write_onnx_without_metadata,
)
from dlcli.core.errors import ExitCode

PREDICT = {
    "vectors in an unknown format": Row(
        f"predict {RUN} a.png --embed v.csv", USAGE, "unknown format", lambda b: (b.run(), b.png("a.png"))
    ),
    "vectors in place of an input": Row(
        f"predict {RUN} a.npy --embed a.npy", USAGE, "an input", lambda b: (b.run(), b.write("a.npy", "x"))
    ),
    "no input": Row(f"predict {RUN}", USAGE, "INPUT", lambda b: b.run()),
    "empty picture": Row(
        f"predict {RUN} empty.png --jsonl", DATA, "empty", lambda b: (b.run(), b.write("empty.png")), answers=1
    ),
    "good and bad pictures": Row(
        f"predict {RUN} good.png empty.png --jsonl", ExitCode.PARTIAL, "1 of 2", run_and_good_and_bad_picture, answers=2
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
    "nothing piped in": Row(f"predict {RUN} - --jsonl", DATA, "no input", with_empty_stdin),
    "run missing": Row("predict digits-lenet-11 x.png", RUN_CODE, RUN, lambda b: b.run()),
    "file that is no model": Row(
        "predict notes.txt x.png",
        RUN_CODE,
        "fix: name a run, a checkpoint in it",
        lambda b: b.write("notes.txt", "hello"),
    ),
    "file missing": Row(
        "predict model.onnx x.png", RUN_CODE, "fix: check the path; `dl export RUN` writes a model file"
    ),
    "file that is a trap": Row("predict model.pt x.png", RUN_CODE, "model.pt", lambda b: b.write("model.pt", b.trap())),
    "checkpoint that is half": Row(
        "predict half.pt x.png",
        RUN_CODE,
        "half.pt",
        lambda b: (shutil.copy(b.run() / "checkpoints/best.pt", "half.pt"), cut_file(Path("half.pt"))),
    ),
    "ONNX of someone else": Row(
        "predict model.onnx cat.png", RUN_CODE, "contains no labels", write_onnx_without_metadata
    ),
    "ONNX cut off": Row(
        "predict model.onnx cat.png",
        RUN_CODE,
        "model.onnx",
        lambda b: (write_onnx_without_metadata(b), cut_file(Path("model.onnx"), 0.9)),
    ),
    "two forms at once": Row(f"predict {RUN} x.png --json --jsonl", USAGE, "mutually exclusive", lambda b: b.run()),
    "top-k of nothing": Row(f"predict {RUN} x.png --top-k 0", USAGE, "--top-k", lambda b: b.run()),
    "a format without a folder": Row(
        f"predict {RUN} cat.png --save-as yolo", USAGE, "--save-dir", lambda b: run_and_picture(b)
    ),
    "a format of another task": Row(
        f"predict {RUN} cat.png --save-dir f --save-as yolo", USAGE, "no such format", lambda b: run_and_picture(b)
    ),
    "pictures into a file": Row(
        f"predict {RUN} cat.png --save-dir f", DATA, "f: ", lambda b: (run_and_picture(b), b.write("f", "x"))
    ),
}
