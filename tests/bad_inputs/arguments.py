"""Bad arguments of any command, and bad lists on standard input."""

from __future__ import annotations

from bad_inputs.arrange import DATA, RUN, RUN_CODE, USAGE, Row, with_stdin
from dlcli.core.errors import ExitCode

PARTIAL = ExitCode.PARTIAL
BYTES = bytes(range(256)) * 40

STREAMS = {
    "NUL in one line": Row(f"predict {RUN} -", PARTIAL, "1 of 2", with_stdin("cat.png\nphotos/\0x.png\n"), answers=3),
    "NUL in a pattern": Row(f"predict {RUN} -", PARTIAL, "a NUL", with_stdin("cat.png\n*\0.png\n"), answers=3),
    "names between NULs": Row(f"predict {RUN} -", DATA, "-print0", with_stdin("cat.png\0猫.png\0"), answers=2),
    "bytes of a picture": Row(f"predict {RUN} - --jsonl", DATA, "could be read", with_stdin(BYTES), answers=41),
    "bytes without a line break": Row(
        f"predict {RUN} -", DATA, "a NUL", with_stdin(BYTES.translate(None, b"\r\n")), answers=2
    ),
    "list in UTF-16 without a mark": Row(
        f"predict {RUN} -", DATA, "a NUL", with_stdin("cat.png\n猫.png\n".encode("utf-16-le")), answers=4
    ),
    "list in GBK": Row(
        f"predict {RUN} -", PARTIAL, "No such", with_stdin("cat.png\n猫.png\n".encode("gbk")), answers=3
    ),
    "name too long": Row(f"predict {RUN} -", PARTIAL, "too long", with_stdin(f"{'x' * 5000}\ncat.png\n"), answers=3),
    "path through a file": Row(f"predict {RUN} -", PARTIAL, "Not a dir", with_stdin("cat.png/a\ncat.png\n"), answers=3),
    "escape codes in a name": Row(
        f"predict {RUN} -", PARTIAL, r"\x1b[31mred", with_stdin("\x1b[31mred\ncat.png\n"), answers=3
    ),
}

EMPTY = {
    f"nothing after {line!r}": Row(f"{line} '{nothing}'", USAGE, "is empty", lambda b: b.run())
    for line, nothing in (
        ("train", ""),
        ("train digits --data", ""),
        ("train digits --config", " "),
        ("train digits --name", ""),
        ("train digits --resume", ""),
        ("train digits --model", "\t"),
        ("prepare", ""),
        ("prepare image-folder", ""),
        ("prepare digits --out", ""),
        ("eval", ""),
        (f"eval {RUN} --data", ""),
        ("predict", ""),
        (f"predict {RUN}", ""),
        (f"predict {RUN} cat.png", "  "),
        (f"predict {RUN} --save-dir", ""),
        ("export", ""),
        (f"export {RUN} --out", ""),
        ("visualize", ""),
        ("visualize grid", ""),
        ("visualize grid digits --out", ""),
        ("runs", ""),
        ("models", ""),
        ("rerun", ""),
        ("doctor", ""),
    )
} | {"nothing after an equals sign": Row("train digits --data=", USAGE, "--data is empty")}

TARGETS = {
    "target misspelt beside --data": Row(
        "train digitz --data photos", USAGE, "'digitz' is no task", lambda b: b.photos("photos")
    ),
    "target missing beside --data": Row("train ./no --data photos", USAGE, "--data", lambda b: b.photos("photos")),
    "target another folder than --data": Row(
        "train other --data photos", USAGE, "`dl train photos`", lambda b: (b.photos("photos"), b.photos("other"))
    ),
    "nothing there for both": Row("train no --data nowhere", USAGE, "'no' is no task"),
    "task as a name, target missing": Row("train --name table", USAGE, "which target?"),
}

CONFIGS = {
    name: Row("train digits --config c.toml", USAGE, says, lambda b, text=text: b.write("c.toml", text))
    for name, text, says in (
        ("key twice", "lr = 1\nlr = 2", "not a TOML file"),
        ("option under both names", "lr = 0.1\nlearning_rate = 0.2", "learning_rate is set twice"),
        ("option with both marks", "batch-size = 1\nbatch_size = 2", "batch_size is set twice"),
        ("switch and its opposite", "flip = true\nno-flip = true", "flip is set twice"),
        ("switch that is a text", "no-flip = 'yes'", "'no-flip'"),
        ("origin of the run", "from = 'x'", "type --from after it"),
        ("name of the run", "name = 'x'", "command line only"),
        ("option of the output", "quiet = true", "command line only"),
        ("flag misspelt", "lrr = 0.1", "did you mean 'lr'?"),
        ("wrong value under a flag's name", "lr = 'high'", "c.toml: learning_rate must be"),
        ("number beyond float64", f"lr = {'9' * 400}", "must be a finite number"),
        ("number of 5,000 digits", f"seed = {'9' * 5000}", "not a TOML file"),
        ("marked, then broken", "\ufeffepochs =", "not a TOML file"),
    )
}

NUMBERS = {
    f"{line} is too much": Row(line, USAGE, f"{line.split()[-2]} must be at most", lambda b: b.run())
    for line in (
        "train digits --seed 18446744073709551616",
        f"train digits --seed {2**32}",
        "train digits --threads 100000",
        "train digits --workers 100000",
        "train digits --epochs 99999999999",
        "train digits --batch-size 99999999999",
        "train digits --max-steps 9999999999999",
        "train digits --accumulate 99999999999",
        "train digits --patience 99999999999",
        "train digits --warmup 1e300",
        "train digits --lr 1e300",
        "train digits --image-size 100000",
        "train digits --width 100000",
        "train digits --devices 100000",
        "train digits --fold 99999999999",
        "prepare digits --seed 99999999999999999999",
        f"predict {RUN} cat.png --top-k 99999999999",
        f"predict {RUN} cat.png --batch-size 99999999999",
        "export lenet --seed 99999999999999999999",
        f"eval {RUN} --threads 99999999999",
        "models lenet --num-classes 99999999999",
        "visualize grid digits --per-class 99999999999",
    )
} | {
    "more folds than are sensible": Row("train digits --folds 99999999999", USAGE, "to 1000"),
    "more time than there is": Row("train digits --max-time 99999999999h", USAGE, "at most ten years"),
    "infinite rate": Row("train digits --lr inf", USAGE, "finite"),
    "text for a number": Row("train digits --seed 1e3", USAGE, "--seed"),
}

NAMES = {
    "run of half a character": Row("eval caf\udce9", RUN_CODE, r"no run 'caf\udce9'"),
    "target with a line break": Row("train 'a\nb'", USAGE, r"'a\nb'"),
    "target of 5,000 characters": Row(f"train {'x' * 5000}", USAGE, "…"),
    "data of 5,000 characters": Row(f"train digits --data {'x' * 5000}", DATA, "…"),
    "subject of 5,000 characters": Row(f"doctor {'x' * 5000}", RUN_CODE, "no prepared data, run or model file"),
    "picture of 5,000 characters": Row(f"visualize grid {'x' * 5000}", USAGE, "…"),
    "source of 5,000 characters": Row(f"prepare image-folder {'x' * 5000}", DATA, "…"),
    "network of 5,000 characters": Row(f"export {'x' * 5000}", RUN_CODE, "no run"),
    "run of 5,000 characters": Row(f"eval {'x' * 5000}", RUN_CODE, "no run"),
    "option of 5,000 characters": Row(f"train digits --{'x' * 5000}", USAGE, "…"),
    "value of 5,000 characters": Row(f"train digits --optimizer {'x' * 5000}", USAGE, "…"),
}

ARGUMENTS = {**NAMES, **STREAMS, **EMPTY, **TARGETS, **CONFIGS, **NUMBERS}
