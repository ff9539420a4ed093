"""Speed of detectors beside their peers: training, and measuring AP.

    dl prepare voc BCCD --out data/bccd --to yolo
    python benchmarks/detection_speed.py train data/bccd [--rounds 2] [--ways dl,scratch,ultralytics,torchvision]
    python benchmarks/detection_speed.py ap data/bccd

Each with one thread; the ways take turns (A B A B), so that what else the machine does meets all of them; medians are
compared. Pin it to one core (`taskset -c 1`).

- `train`: images per CPU second of an epoch after the first, batches of 8 at 320 pixels, photos cached in memory. `dl`
  has the defaults (Wren on efficientnet_lite0, its first half frozen); `scratch` is `--pretrained none`, where every
  weight is trained; `ultralytics` is `yolo11n.yaml` from random weights, its own recipe; `torchvision` is its
  ssdlite320_mobilenet_v3_large from random weights in a plain loop, with the transforms of its reference and photos
  that are already decoded. `dl` fits a photo of 640 x 480 to a canvas of 320 x 256, the other two to 320 x 320.
- `ap`: CPU seconds for COCO's twelve figures from arrays of detections, 100 an image, hotcoco beside pycocotools.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

SIDE, BATCH, EPOCHS = 320, 8, 3
NETS: Mapping[str, tuple[str, ...]] = {"dl": (), "scratch": ("--pretrained", "none")}
NEEDS = {"ultralytics": "ultralytics", "torchvision": "torchvision", "pycocotools": "pycocotools", "hotcoco": "hotcoco"}
ALONE = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_OFFLINE": "true",
    "YOLO_VERBOSE": "false",
}


def require(way: str) -> None:
    """Stop with one line if a way's package is missing."""
    package = NEEDS.get(way)
    if package is not None and importlib.util.find_spec(package) is None:
        sys.exit(f"{way}: the package {package} is not installed")


def part_of(data: Path, folder: Path, count: int) -> Path:
    """Return a copy of the first images of the training split, prepared like the whole."""
    card = json.loads((data / "dataset.json").read_text(encoding="utf-8"))
    for split in ("train", "test"):
        source = data / "annotations" / f"instances_{split}.json"
        content = json.loads(source.read_text(encoding="utf-8"))
        content["images"] = content["images"][:count]
        numbers = {image["id"] for image in content["images"]}
        content["annotations"] = [each for each in content["annotations"] if each["image_id"] in numbers]
        names = {kind["id"]: kind["name"] for kind in content["categories"]}
        counts = dict.fromkeys(card["classes"], 0)
        for each in content["annotations"]:
            counts[names[each["category_id"]]] += 1
        card["counts"][split], card["items"][split] = counts, len(content["images"])
        for kind, suffix in (("images", None), ("labels", ".txt")):
            (folder / kind / split).mkdir(parents=True)
            for image in content["images"]:
                name = Path(image["file_name"]).with_suffix(suffix or Path(image["file_name"]).suffix).name
                shutil.copy(data / kind / split / name, folder / kind / split / name)
        (folder / "annotations").mkdir(exist_ok=True)
        (folder / "annotations" / source.name).write_text(json.dumps(content), encoding="utf-8")
    (folder / "dataset.json").write_text(json.dumps(card), encoding="utf-8")
    lines = (data / "data.yaml").read_text(encoding="utf-8")
    (folder / "data.yaml").write_text(f"path: {folder.resolve()}\n{lines}", encoding="utf-8")
    return folder


def train_dl(way: str, data: Path, folder: Path) -> list[float]:
    """Train in this process; return the CPU seconds of the epochs after the first."""
    from dlcli.cli.app import run

    words = ["train", "detection", "--data", str(data), *NETS[way], "--epochs", str(EPOCHS), "--batch-size", str(BATCH)]
    words += ["--val-fraction", "0", "--quiet", "--device", "cpu", "--threads", "1", "--image-size", str(SIDE)]
    words += ["--name", way]
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()), cpu_clock():
        code = run(words)
    if code:
        sys.exit(f"dl {' '.join(words[:2])}: failed")
    path = folder / "runs" / way
    records = [json.loads(line) for line in (path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [record["seconds"] for record in records[1:]]


@contextlib.contextmanager
def cpu_clock() -> Iterator[None]:
    """Let the seconds that a training records be those of the processor, which waiting for it does not lengthen."""
    clock = time.perf_counter
    time.perf_counter = time.process_time
    try:
        yield
    finally:
        time.perf_counter = clock


def train_ultralytics(data: Path, folder: Path) -> list[float]:
    """Train; return the CPU seconds of the epochs after the first."""
    import torch

    torch.set_num_threads(1)
    from ultralytics import YOLO

    seconds: list[float] = []
    started = [0.0]

    def end(_: Any) -> None:
        seconds.append(time.process_time() - started[0])

    model = YOLO("yolo11n.yaml", verbose=False)
    model.add_callback("on_train_epoch_start", lambda _: started.__setitem__(0, time.process_time()))
    model.add_callback("on_train_epoch_end", end)
    with contextlib.redirect_stdout(io.StringIO()):
        model.train(
            data=str(data / "data.yaml"),
            imgsz=SIDE,
            batch=BATCH,
            epochs=EPOCHS,
            pretrained=False,
            device="cpu",
            workers=0,
            cache="ram",
            val=False,
            plots=False,
            close_mosaic=0,
            project=str(folder),
            exist_ok=True,
            verbose=False,
        )
    return seconds[1:]


def train_torchvision(data: Path) -> list[float]:
    """Train ssdlite in a plain loop; return the CPU seconds of the epochs after the first."""
    import torch
    from torchvision import tv_tensors
    from torchvision.models.detection import ssdlite320_mobilenet_v3_large
    from torchvision.transforms import v2

    from dlcli.data.annotated.form import open_annotated

    torch.set_num_threads(1)
    torch.manual_seed(0)
    form = open_annotated(data)
    records = list(form.of_split("train"))
    photos = [torch.from_numpy(form.read(record).transpose(2, 0, 1).copy()) for record in records]
    transform = v2.Compose(
        [v2.RandomPhotometricDistort(), v2.RandomIoUCrop(), v2.RandomHorizontalFlip(), v2.SanitizeBoundingBoxes()]
    )
    net = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=len(form.card.classes) + 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=4e-5)
    net.train()

    def item(row: int) -> tuple[Any, Any]:
        objects = records[row].objects
        boxes = torch.tensor([each.box for each in objects], dtype=torch.float32).reshape(-1, 4)
        size = (records[row].height, records[row].width)
        target = {
            "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=size),
            "labels": torch.tensor([each.label + 1 for each in objects], dtype=torch.int64),
        }
        image, target = transform(tv_tensors.Image(photos[row]), target)
        return image.float() / 255, target

    seconds = []
    for _ in range(EPOCHS):
        started = time.process_time()
        for rows in torch.randperm(len(records)).split(BATCH):
            images, targets = zip(*map(item, rows.tolist()), strict=True)
            loss = sum(net(list(images), list(targets)).values())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        seconds.append(time.process_time() - started)
    return seconds[1:]


def seconds_of(way: str, data: Path) -> list[float]:
    """Return the CPU seconds of the epochs after the first of one training."""
    with tempfile.TemporaryDirectory() as name:
        if way in NETS:
            return train_dl(way, data, Path(name))
        return train_ultralytics(data, Path(name)) if way == "ultralytics" else train_torchvision(data)


def compare_training(data: Path, ways: Sequence[str], rounds: int, images: int) -> None:
    """Print images per second of each way."""
    with tempfile.TemporaryDirectory() as name:
        part = part_of(data, Path(name), images)
        found: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(rounds):
            for way in ways:
                command = [sys.executable, __file__, "train", str(part), "--one", way]
                done = subprocess.run(command, capture_output=True, text=True, env=ALONE, check=False)
                if done.returncode:
                    sys.exit(f"{way}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
                rates = [images / seconds for seconds in json.loads(done.stdout.splitlines()[-1])]
                found[way] += rates
                print(f"{way}: {rates}", file=sys.stderr, flush=True)
        report(found, "images/CPU s")


def report(found: Mapping[str, Sequence[float]], unit: str) -> None:
    """Print the median, the range and the ratio to the first way's median."""
    first = median(next(iter(found.values())))
    for way, values in found.items():
        middle = median(values)
        spread = f"{min(values):.3g}-{max(values):.3g}, n = {len(values)}"
        print(f"{way:34} {middle:8.3g} {unit} ({spread})  {middle / first:.2f}x", flush=True)


def compare_ap(data: Path, rounds: int) -> None:
    """Print seconds for COCO's figures of the same detections; both must agree."""
    import hotcoco
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    path = data / "annotations" / "instances_train.json"
    truth = json.loads(path.read_text(encoding="utf-8"))
    rows = some_detections(truth)

    def by_pycocotools() -> Sequence[float]:
        with contextlib.redirect_stdout(io.StringIO()):
            reference = COCO(str(path))
            evaluation = COCOeval(reference, reference.loadRes(rows), "bbox")
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        return list(evaluation.stats)

    def by_hotcoco() -> Sequence[float]:
        with contextlib.redirect_stdout(io.StringIO()):
            reference = hotcoco.COCO(str(path))
            evaluation = hotcoco.COCOeval(reference, reference.load_res(rows), "bbox")
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        return list(evaluation.stats)

    ways: dict[str, Callable[[], Sequence[float]]] = {"hotcoco": by_hotcoco, "pycocotools": by_pycocotools}
    found: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, call in ways.items():
            started = time.process_time()
            figures = call()
            found[way].append(time.process_time() - started)
            assert np.allclose(figures, by_hotcoco(), atol=1e-9), way
    print(f"{len(rows):,} detections in {len(truth['images'])} images, AP {figures[0]:.3f} by both")
    report(found, "s")


def some_detections(truth: Mapping[str, Any]) -> np.ndarray:
    """Return 100 detections an image, (D, 7): image, left, top, width, height, score, class; some near the objects."""
    random = np.random.default_rng(0)
    kinds = [kind["id"] for kind in truth["categories"]]
    by_image: dict[int, list[Any]] = {image["id"]: [] for image in truth["images"]}
    for each in truth["annotations"]:
        by_image[each["image_id"]].append((*each["bbox"], each["category_id"]))
    rows = []
    for image in truth["images"]:
        own = np.array(by_image[image["id"]] or [(0, 0, 1, 1, kinds[0])], np.float64)
        chosen = own[random.integers(len(own), size=100)]
        boxes = chosen[:, :4] + random.normal(0, 0.1, (100, 4)) * chosen[:, [2, 3, 2, 3]]
        boxes[:, 2:] = np.maximum(boxes[:, 2:], 1)
        labels = np.where(random.random(100) < 0.8, chosen[:, 4], random.choice(kinds, 100))
        rows.append(np.column_stack([np.full(100, image["id"]), boxes, random.random(100), labels]))
    return np.concatenate(rows)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "ap"))
    parser.add_argument("data", type=Path)
    parser.add_argument("--ways", default="dl,scratch,ultralytics,torchvision")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--images", type=int, default=96, help="photos of the training split that are learned from")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    os.environ.update(ALONE)
    if given.one is not None:
        print(json.dumps(seconds_of(given.one, given.data)))
        return
    ways = given.ways.split(",")
    needed = {"train": ways, "ap": ("hotcoco", "pycocotools")}[given.what]
    for way in needed:
        require(way)
    import torch

    print(f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}, one thread")
    if given.what == "train":
        compare_training(given.data, ways, given.rounds, given.images)
    else:
        compare_ap(given.data, given.rounds)


if __name__ == "__main__":
    main()
