"""Folders of images as people have them: what cannot be used in them is answered briefly."""

from __future__ import annotations

import json
import os
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bad_inputs.arrange import DATA, QUICK, RUN, RUN_CODE, USAGE, Row, prepare_photos
from dlcli.core.errors import ExitCode

PARTIAL = ExitCode.PARTIAL
BYTES = "caf\udce9"
PREPARE = "prepare image-folder src"
TRAIN = f"train ./src {QUICK}"


def classes(*names: str, then: Callable[[Any], object] = lambda bench: None) -> Callable[[Any], None]:
    """Return an arrangement: the folder src with images of these classes."""

    def arrange(bench: Any) -> None:
        bench.photos("src", names, 4)
        then(bench)

    return arrange


def int32_tiffs(bench: Any) -> None:
    import numpy as np
    from PIL import Image

    for label in ("ant", "bee"):
        for number in range(3):
            path = bench.write(f"src/{label}/{number}.tif")
            Image.fromarray(np.full((8, 8), number, np.int32)).save(path)


def run_beside(*paths: str, then: Callable[[Any], object] = lambda bench: None) -> Callable[[Any], None]:
    """Return an arrangement: the trained run, pictures of these names, and what `then` makes."""

    def arrange(bench: Any) -> None:
        bench.run()
        for path in paths:
            bench.png(path)
        then(bench)

    return arrange


def link(name: str, target: str) -> Callable[[Any], object]:
    def arrange(bench: Any) -> None:
        path = bench.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)

    return arrange


def unlabelled(*names: str) -> Callable[[Any], None]:
    """Return an arrangement: split folders with images and without classes."""

    def arrange(bench: Any) -> None:
        for name in names:
            bench.png(f"src/{name}/a.png")

    return arrange


def prepared_without(what: str) -> Callable[[Any], None]:
    def arrange(bench: Any) -> None:
        prepare_photos(bench)
        shutil.rmtree(bench.home / "data" / "photos" / what)

    return arrange


def evaluated(arrange: Callable[[Any], object]) -> Callable[[Any], None]:
    """Return an arrangement: the trained run, which knows the classes 0 to 9, and the folder src."""

    def both(bench: Any) -> None:
        bench.run()
        arrange(bench)

    return both


def empty_test_images(bench: Any) -> None:
    bench.photos("src/train", ("0", "1"), 2)
    for label in "01":
        bench.write(f"src/test/{label}/a.png")


NFC, NFD = "caf\xe9", unicodedata.normalize("NFD", "caf\xe9")

NAMES = {
    "class that ends with a dot": Row(PREPARE, DATA, "(to 'etc', for example)", classes("etc.", "bee")),
    "class with a question mark": Row(PREPARE, DATA, "dl train ./src", classes("what?", "bee")),
    "class with a colon": Row(PREPARE, DATA, "'a_b'", classes("a:b", "bee")),
    "class with a backslash": Row(PREPARE, DATA, "(to 'b', for example)", classes("a\\b", "bee")),
    "class with a line break": Row(PREPARE, DATA, "cannot be a folder name", classes("a\nb", "bee")),
    "class called like a device": Row(PREPARE, DATA, "(to '_aux', for example)", classes("aux", "bee")),
    "class with blanks around it": Row(PREPARE, DATA, "(to 'bee', for example)", classes(" bee ", "ant")),
    "classes that differ in case": Row(PREPARE, DATA, "or train on the folder", classes("A", "a", "b")),
    "classes that differ in case beyond ASCII": Row(PREPARE, DATA, "one folder on some", classes("Äpfel", "äpfel")),
    "classes of two Unicode forms": Row(PREPARE, DATA, "Unicode form", classes(NFC, NFD)),
    "class of bytes that are no text": Row(PREPARE, DATA, "rename the class", classes(BYTES, "bee")),
    "class of bytes that are no text, trained": Row(TRAIN, DATA, "is not UTF-8", classes(BYTES, "bee")),
    "classes of two Unicode forms, trained": Row(TRAIN, DATA, "'cafe\\u0301'", classes(NFC, NFD)),
    "classes that differ in a blank, trained": Row(TRAIN, DATA, "look alike", classes("bee", "bee ")),
    "class of bytes that are no text, examined": Row("doctor src", DATA, "is not UTF-8", classes(BYTES, "bee")),
    "class of bytes that are no text, drawn": Row(
        "visualize grid src --out g.png", DATA, "is not UTF-8", classes(BYTES, "bee")
    ),
    "run of bytes that are no text": Row(
        f"train digits {QUICK} --name {BYTES}", USAGE, "not a folder name", lambda b: b.digits()
    ),
}

LAYOUTS = {
    "images without classes": Row(PREPARE, DATA, "it has images, but no class", lambda b: b.png("src/a.png")),
    "images without classes, trained": Row(TRAIN, DATA, "it has images, but no class", lambda b: b.png("src/a.png")),
    "splits without classes": Row(PREPARE, DATA, "train/ has images, but no class", unlabelled("train", "test")),
    "splits without classes, trained": Row(TRAIN, DATA, "no class folders", unlabelled("train", "val", "test")),
    "files that are no images": Row(PREPARE, DATA, "no images by class", lambda b: b.write("src/ant/a.txt", "x")),
    "hidden images alone": Row(PREPARE, DATA, "no images by class", lambda b: b.png("src/ant/.a.png")),
    "hidden classes alone": Row(TRAIN, DATA, "no images by class", lambda b: b.png("src/.ant/a.png")),
    "links to themselves alone": Row(TRAIN, DATA, "no images by class", link("src/ant", "ant")),
    "broken links alone": Row(PREPARE, DATA, "no images by class", link("src/ant/a.png", "nowhere.png")),
    "one class, and a link to it": Row(
        TRAIN, DATA, "add images of another class", classes("ant", then=link("src/bee", "ant"))
    ),
    "one class beside empty ones": Row(
        TRAIN, DATA, "a classifier needs two", classes("ant", then=lambda b: (b.home / "src" / "bee").mkdir())
    ),
    "every image in both classes": Row(
        PREPARE, DATA, "needs two", classes("ant", then=lambda b: shutil.copytree("src/ant", "src/bee"))
    ),
    "class of the test split alone": Row(
        TRAIN,
        DATA,
        "train/ has no class of this name",
        lambda b: (b.photos("src/train"), b.photos("src/test", ("cat", "bee"))),
    ),
    "links from class to class": Row(
        PREPARE,
        DATA,
        "needs two",
        classes("ant", then=lambda b: [link(f"src/bee/{n}.png", f"../ant/{n}.png")(b) for n in range(4)]),
    ),
    "prepared split that is gone": Row(f"train photos {QUICK}", DATA, "'test'", prepared_without("test")),
    "source that is a link to itself": Row("prepare image-folder src", DATA, "no such folder", link("src", "src")),
    "source of bytes that are no text": Row(f"prepare image-folder {BYTES}", DATA, "no such folder"),
}

READING = {
    "integers of 32 bits": Row(f"{PREPARE} --max-bad 2", DATA, "no defined range", int32_tiffs),
    "pictures of another format": Row(
        f"{PREPARE} --max-bad 0", DATA, "GIF is not supported", classes("ant", "bee", then=lambda b: write_gif(b))
    ),
    "integers of 32 bits, predicted": Row(
        f"predict {RUN} src", DATA, "no defined range", evaluated(int32_tiffs), answers=7
    ),
    "named pipe": Row(f"predict {RUN} src", DATA, "no input was given", run_beside(then=lambda b: make_pipe(b))),
    "folder of broken links": Row(
        f"predict {RUN} src", DATA, "no input was given", run_beside(then=link("src/a.png", "nowhere"))
    ),
    "folder of no images": Row(
        f"predict {RUN} src", DATA, "no input was given", run_beside(then=lambda b: b.write("src/deep/a.txt", "x"))
    ),
    "image of bytes that are no text": Row(
        f"predict {RUN} {BYTES}.png --jsonl",
        DATA,
        "could be read",
        run_beside(then=lambda b: b.write(f"{BYTES}.png")),
        1,
    ),
    "nested image emptied": Row(
        f"predict {RUN} src --jsonl",
        PARTIAL,
        "1 of 2",
        run_beside("src/a/b.png", then=lambda b: b.write("src/c/d.jpe")),
        2,
    ),
    "image without a suffix cut off": Row(
        f"predict {RUN} src --jsonl",
        DATA,
        "could be read",
        run_beside(then=lambda b: b.write("src/a", b"\xff\xd8\xff")),
        1,
    ),
    "unlabelled test images": Row(
        f"eval {RUN} --data src",
        DATA,
        "dl predict RUN src/test",
        evaluated(lambda b: (b.photos("src/train", ("0", "1"), 2), b.png("src/test/a.png"))),
    ),
    "no test images": Row(f"eval {RUN} --data src", DATA, "no split 'test'", evaluated(classes("0", "1"))),
    "no test image that can be read": Row(
        f"eval {RUN} --data src", DATA, "nothing to measure", evaluated(empty_test_images)
    ),
    "no validation part": Row(
        f"eval {RUN} --split valid",
        DATA,
        "nothing to measure: the split 'valid' is empty",
        lambda b: set_fraction(b, "0.0"),
    ),
    "grid of unlabelled images": Row(
        "visualize grid src --split test --out g.png",
        USAGE,
        "no split 'test'",
        lambda b: (b.photos("src/train", ("0", "1"), 2), b.png("src/test/a.png")),
    ),
    "model of bytes that are no text": Row(
        f"predict {BYTES}.onnx a.png", RUN_CODE, "no such file", run_beside("a.png")
    ),
}

FOLDERS = {**NAMES, **LAYOUTS, **READING}


def write_gif(bench: Any) -> None:
    from PIL import Image

    Image.new("L", (8, 8)).save(bench.write("src/ant/a.gif"))


def make_pipe(bench: Any) -> None:
    (bench.home / "src").mkdir()
    os.mkfifo(bench.home / "src" / "a.png")


def set_fraction(bench: Any, value: str) -> None:
    config: Path = bench.run() / "config.toml"
    lines = [
        f"val_fraction = {value}" if line.startswith("val_fraction") else line
        for line in config.read_text(encoding="utf-8").splitlines()
    ]
    config.write_text("\n".join(lines), encoding="utf-8")
    assert json.dumps(lines).count(f"val_fraction = {value}") == 1
