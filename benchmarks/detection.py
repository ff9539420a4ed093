"""Detectors at equal time: `dl train` beside ultralytics' smallest net and torchvision's ssdlite, on two cores each.

    dl prepare voc BCCD --out data/bccd --to yolo
    python benchmarks/detection.py data/bccd --minutes 5 [--ways dl,scratch,ssdlite,fcos,ultralytics] [--seed 0]

- `dl`: the defaults: Wren on efficientnet_lite0 with its ImageNet weights (extra `pretrained`), partly frozen.
- `scratch`: the same with `--pretrained none`: Wren on its own body, from random weights.
- `ssdlite`, `fcos`: torchvision's ssdlite320_mobilenet_v3_large and fcos_resnet50_fpn from random weights, in our loop
  with our augmentation.
- `ultralytics`: its smallest net from random weights (`yolo11n.yaml`: its published weights need a network, and its
  licence is AGPL), its own recipe at 320 pixels, its own time limit.

All learn from the training split, with no part held out, for the same wall time, and answer for the test split; one
program measures the answers of all of them (COCO's AP, 100 detections, scores from 0.01 on, suppression at 0.6). The
times of imports and of preparing are not counted, nor is the evaluation.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.data.annotated.annotation import AnnotatedImage
from dlcli.data.annotated.fitting import Fit
from dlcli.data.annotated.form import open_annotated
from dlcli.metrics.detection import DetectionMetric

SIDE = 320

WAYS: Mapping[str, tuple[str, ...]] = {
    "dl": (),
    "scratch": ("--pretrained", "none"),
    "ssdlite": ("--model", "ssdlite320_mobilenet_v3_large"),
    "fcos": ("--model", "fcos_resnet50_fpn"),
    "ultralytics": (),
}


def by_dl(data: Path, minutes: float, seed: int, threads: int, folder: Path, options: tuple[str, ...]) -> Path:
    """Train, and return the run."""
    command = [sys.executable, "-m", "dlcli", "train", "detection", "--data", str(data.resolve()), *options]
    command += ["--budget", f"{round(minutes * 60)}s", "--val-fraction", "0", "--quiet", "--device", "cpu"]
    command += ["--seed", str(seed), "--threads", str(threads)]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return folder / done.stdout.strip()


def figures_of_dl(run: Path, data: Path) -> dict[str, float]:
    """Return the AP of a run on the test split."""
    command = [sys.executable, "-m", "dlcli", "eval", str(run), "--data", str(data.resolve()), "--json", "--no-plots"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout)["metrics"])


def by_ultralytics(data: Path, minutes: float, seed: int, threads: int, folder: Path) -> Any:
    """Train ultralytics' smallest net in its own way, and return it."""
    import torch

    torch.set_num_threads(threads)
    from ultralytics import YOLO

    model = YOLO("yolo11n.yaml", verbose=False)
    model.train(
        data=str((data / "data.yaml").resolve()),
        imgsz=SIDE,
        batch=8,
        time=minutes / 60,
        epochs=1000,
        pretrained=False,
        device="cpu",
        seed=seed,
        workers=0,
        cache="ram",
        val=False,
        plots=False,
        project=str(folder),
        exist_ok=True,
        verbose=False,
    )
    return YOLO(str(folder / "train" / "weights" / "last.pt"))


def figures_of_ultralytics(model: Any, data: Path) -> dict[str, float]:
    """Return the AP of its answers to the test split, by our metric."""
    form = open_annotated(data)
    metric = DetectionMetric(form.card.classes)
    for record in form.of_split("test"):
        image = np.ascontiguousarray(form.read(record)[:, :, ::-1])
        [answer] = model.predict(image, imgsz=SIDE, conf=0.01, iou=0.6, max_det=100, verbose=False, device="cpu")
        metric.update(*as_batch(record, answer.boxes.xyxy.numpy(), answer.boxes.conf.numpy(), answer.boxes.cls.numpy()))
    return metric.compute()


def as_batch(
    record: AnnotatedImage, boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return detections in an image's own pixels as a batch of one and its outputs."""
    size = (record.height, record.width)
    batch = {"records": [record], "fits": np.array([Fit(size, size, size).numbers])}
    found = {"boxes": boxes, "scores": scores, "labels": labels.astype(np.int64)}
    return batch, {**{name: values[None] for name, values in found.items()}, "counts": np.array([len(boxes)])}


def main() -> None:
    """Run the ways one after the other and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(given.threads)
    import torch

    print(f"{platform.machine()}, torch {torch.__version__}, {given.threads} threads, {given.data}, seed {given.seed}")
    for way in given.ways.split(","):
        with tempfile.TemporaryDirectory() as name:
            folder, started = Path(name), time.perf_counter()
            common = (given.data, given.minutes, given.seed, given.threads, folder)
            if way == "ultralytics":
                model = by_ultralytics(*common)
                taken = time.perf_counter() - started
                figures = figures_of_ultralytics(model, given.data)
            else:
                run = by_dl(*common, WAYS[way])
                taken = time.perf_counter() - started
                figures = figures_of_dl(run, given.data)
            shown = "  ".join(f"{key} {figures[key]:.3f}" for key in ("ap", "ap50", "ap75"))
            print(f"{way:12} {taken:5.0f} s  {shown}", flush=True)


if __name__ == "__main__":
    main()
