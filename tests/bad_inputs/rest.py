"""Bad command lines of the other commands."""

from __future__ import annotations

from bad_inputs.arrange import (
    DATA,
    EXPORT,
    RUN,
    RUN_CODE,
    USAGE,
    Row,
    cut_checkpoints,
    damage,
    fill_disk,
    prepare_photos,
    run_and_picture,
)

REST = {
    "export: format misspelt": Row(f"export {RUN} --format onx", USAGE, "'onnx'", lambda b: b.run()),
    "export: an opset that nothing writes": Row(f"export {RUN} --opset 99", USAGE, "at most 23", lambda b: b.run()),
    "export: an opset for another format": Row(
        f"export {RUN} --format pt2 --opset 18", USAGE, "choose --format onnx", lambda b: b.run()
    ),
    "export: half for another format": Row(
        f"export {RUN} --format torchscript --half", USAGE, "onnx or safetensors", lambda b: b.run()
    ),
    "export: random weights as safetensors": Row("export lenet --format safetensors", USAGE, "no options from which"),
    "export: the vector of weights alone": Row(
        f"export {RUN} --format safetensors --embed", USAGE, "without it", lambda b: b.run()
    ),
    "export: a folder of weights onto a file": Row(
        f"export {RUN} --format safetensors --out f", EXPORT, "it is a file", lambda b: (b.run(), b.write("f", "x"))
    ),
    "predict: a folder of another program's weights": Row(
        "predict hub x.png",
        RUN_CODE,
        "no labels and preprocessing",
        lambda b: ((b.home / "hub").mkdir(), b.write("hub/config.json", "{}"), b.write("hub/model.safetensors", "x")),
    ),
    "export: a network without a run to prune": Row("export lenet --prune 0.5", USAGE, "without a run"),
    "export: all weights to prune": Row(f"export {RUN} --prune 1", USAGE, "0.99", lambda b: b.run()),
    "export: a limit of what is lost, and nothing to prune": Row(
        f"export {RUN} --max-drop 0.1", USAGE, "needs --prune", lambda b: b.run()
    ),
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
        lambda b: (b.run(), fill_disk(b)),
    ),
    "export: checkpoint cut off": Row(f"export {RUN}", RUN_CODE, "best.pt", damage(cut_checkpoints)),
    "report: no run": Row("report", USAGE, "RUN"),
    "report: run missing": Row("report digits-lenet-7", RUN_CODE, RUN, lambda b: b.run()),
    "report: not a page": Row(f"report {RUN} --out page.txt", USAGE, ".html", lambda b: b.run()),
    "report: onto a folder": Row(
        f"report {RUN} --out d.html", USAGE, "d.html", lambda b: (b.run(), (b.home / "d.html").mkdir())
    ),
    "report: data missing": Row(f"report {RUN} --eval --data d", DATA, "d: no prepared data", lambda b: b.run()),
    "report: checkpoint cut off": Row(f"report {RUN} --eval", RUN_CODE, "best.pt", damage(cut_checkpoints)),
    "compare: no run": Row("compare", USAGE, "RUN"),
    "compare: one run": Row(f"compare {RUN} {RUN}", USAGE, "two runs", lambda b: b.run()),
    "compare: run missing": Row(f"compare {RUN} nowhere", RUN_CODE, "nowhere", lambda b: b.run()),
    "compare: not evaluated": Row(f"compare {RUN} b", RUN_CODE, "dl eval", lambda b: (b.run(), b.run("b"))),
    "compare: not a picture": Row(f"compare {RUN} b --out c.jpg", USAGE, ".png", lambda b: (b.run(), b.run("b"))),
    "visualize: no picture": Row("visualize", USAGE, "which picture?"),
    "visualize: picture misspelt": Row(f"visualize featurs {RUN}", USAGE, "'features'", lambda b: b.run()),
    "visualize: no subject": Row("visualize curves", USAGE, "name a RUN"),
    "visualize: no image": Row("visualize filters", USAGE, "name an IMAGE"),
    "visualize: image missing": Row("visualize filters cat.jpg", DATA, "cat.jpg: no such file"),
    "visualize: image is a folder": Row("visualize histogram d", DATA, "d: a folder", lambda b: (b.home / "d").mkdir()),
    "visualize: image without pixels": Row(
        "visualize histogram empty.png", DATA, "empty.png: the file is empty", lambda b: b.write("empty.png")
    ),
    "visualize: operation misspelt": Row(
        "visualize filters a.png --only sobl", USAGE, "'sobel'", lambda b: b.png("a.png")
    ),
    "visualize: even side": Row("visualize filters a.png --size 4", USAGE, "--size 4: even", lambda b: b.png("a.png")),
    "visualize: kernel with a gap": Row(
        "visualize filters a.png --kernel 1,,2", USAGE, "'' is not a number", lambda b: b.png("a.png")
    ),
    "visualize: kernel not finite": Row(
        "visualize filters a.png --kernel nan", USAGE, "'nan' is not a number", lambda b: b.png("a.png")
    ),
    "visualize: kernel with a short row": Row(
        "visualize filters a.png --kernel 1,2;3", USAGE, "rows of 2, 1 numbers", lambda b: b.png("a.png")
    ),
    "visualize: kernel too wide": Row(
        f"visualize filters a.png --kernel {','.join('1' * 32)}", USAGE, "more than 31", lambda b: b.png("a.png")
    ),
    "visualize: onto the image": Row(
        "visualize filters a.png --only flip --out a.png", USAGE, "not replaced", lambda b: b.png("a.png")
    ),
    "visualize: a run's option": Row("visualize filters a.png --top-k 3", USAGE, "--top-k", lambda b: b.png("a.png")),
    "visualize: no input": Row(f"visualize cam {RUN}", USAGE, "INPUT", lambda b: b.run()),
    "visualize: run missing": Row("visualize curves nothing", RUN_CODE, "'nothing'"),
    "visualize: layer misspelt": Row(
        f"visualize features {RUN} cat.png --layer conv9", USAGE, "conv9", run_and_picture
    ),
    "visualize: class misspelt": Row(f"visualize cam {RUN} cat.png --class eight", USAGE, "'eight'", run_and_picture),
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
        f"visualize curves {RUN}", RUN_CODE, "metrics.jsonl", damage(lambda run: run.metrics_file.unlink())
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
    "doctor: nothing there": Row("doctor nothing", RUN_CODE, "no prepared data, run or model file 'nothing'"),
    "doctor: a bad image": Row(
        "doctor photos", DATA, "3.png", lambda b: (prepare_photos(b), b.write("data/photos/train/cat/3.png")), answers=5
    ),
    "doctor: near-duplicates of the machine": Row("doctor --near-duplicates", USAGE, "name prepared data"),
    "doctor: near-duplicates of nothing": Row("doctor nothing --near-duplicates", RUN_CODE, "'nothing'"),
    "doctor: near-duplicates of a folder without images": Row(
        "doctor empty --near-duplicates", DATA, "images by class", lambda b: b.write("empty/a.txt", "x")
    ),
    "doctor: near-duplicates of a form that has none": Row(
        "doctor data/t --near-duplicates",
        USAGE,
        "cannot be compared",
        lambda b: b.write("data/t/dataset.json", '{"form": "parallel", "name": "t", "classes": [], "counts": {}}'),
    ),
    "doctor: near-duplicates of damaged images": Row(
        "doctor data/photos --near-duplicates",
        DATA,
        "3.png",
        lambda b: (prepare_photos(b), b.write("data/photos/train/cat/3.png")),
        leaves=("data/photos/packed*",),
    ),
    "doctor: a sheet that is no PNG": Row(
        "doctor photos --near-duplicates --out x.gif", USAGE, "ends in .png", lambda b: b.photos("photos")
    ),
    "doctor: outliers of data": Row("doctor photos --outliers", USAGE, "name a run", lambda b: b.photos("photos")),
    "doctor: a run for nothing": Row(
        f"doctor photos --run {RUN}", USAGE, "--near-duplicates", lambda b: b.photos("photos")
    ),
    "doctor: a sheet of nothing": Row(
        "doctor photos --out x.png", USAGE, "nothing to draw", lambda b: b.photos("photos")
    ),
    "doctor: a bad checkpoint": Row(f"doctor {RUN}", RUN_CODE, "damaged", damage(cut_checkpoints), answers=5),
    "command misspelt": Row("trian digits", USAGE, "'train'"),
    "option of dl misspelt": Row("--verison", USAGE, "--version"),
}
