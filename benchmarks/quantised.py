"""Latency of ResNet-18 at batch 1: eager torch, its ONNX file in fp32, and the same file in int8.

    python benchmarks/quantised.py [--rounds 15] [--size 224] [--threads 1,2]

torchvision's network with random weights, on random images, calibrated with 8 of them: time does not depend on what
they are. The ways take turns (A B C A B C), so that what else the machine does meets all of them; the medians of the
rounds are compared, after two rounds that do not count. Each number of threads has a process of its own. The first
line says whether the CPU has VNNI, on which the gain of int8 depends.
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
from collections.abc import Callable
from pathlib import Path
from statistics import median

WARM_UP = 2


def has_vnni() -> str:
    """Return which instructions for products of 8 bits the CPU has, as Linux lists them."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("flags")[2].splitlines()[0].split()
    except (OSError, IndexError):
        return "unknown"
    return ", ".join(flag for flag in ("avx512f", "avx512_vnni", "avx_vnni", "amx_int8") if flag in flags) or "none"


def ways(size: int, threads: int, folder: Path) -> dict[str, Callable[[], object]]:
    """Return each way as a function that answers one image."""
    import numpy as np
    import torch
    import torchvision

    from dlcli.export.exporting import export_model
    from dlcli.export.plan import cut_samples, single_graph
    from dlcli.export.quantise import quantise_file
    from dlcli.export.runtime import open_model

    torch.manual_seed(0)
    torch.set_num_threads(threads)
    network = torchvision.models.resnet18().eval()
    images = np.random.default_rng(0).normal(size=(11, 3, size, size)).astype(np.float32)
    metadata = {"task": "classification", "assets": {}}
    plan = single_graph(
        network, inputs=("images",), outputs=("logits",), samples=cut_samples({"images": images}), metadata=metadata
    )
    plain, small = folder / "fp32.onnx", folder / "int8.onnx"
    export_model(plan, "onnx", plain, report=print)
    quantise_file(plain, small, ({"images": image[None]} for image in images[:8]))
    files = {name: open_model(path, threads=threads) for name, path in (("onnx fp32", plain), ("onnx int8", small))}
    one = images[:1]
    tensor = torch.from_numpy(one)

    def eager() -> object:
        with torch.inference_mode():
            return network(tensor)

    return {"eager": eager, **{name: lambda file=file: file.run({"images": one}) for name, file in files.items()}}


def measure(rounds: int, size: int, threads: int) -> dict[str, float]:
    """Return the median milliseconds of each way."""
    with tempfile.TemporaryDirectory() as folder:
        timed: dict[str, list[float]] = {}
        found = ways(size, threads, Path(folder))
        for number in range(WARM_UP + rounds):
            for name, way in found.items():
                start = time.perf_counter()
                way()
                if number >= WARM_UP:
                    timed.setdefault(name, []).append(1e3 * (time.perf_counter() - start))
        return {name: median(values) for name, values in timed.items()}


def main() -> None:
    """Measure each number of threads in a process of its own, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--inside", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(measure(options.rounds, options.size, options.inside)))
        return
    print(f"{platform.machine()}, 8-bit instructions: {has_vnni()}, load {os.getloadavg()[0]:.1f}")
    print(
        "| threads | eager ms | onnx fp32 ms | onnx int8 ms | eager / int8 | fp32 / int8 |\n|---|---|---|---|---|---|"
    )
    for threads in (int(each) for each in options.threads.split(",")):
        line = [sys.executable, __file__, "--inside", str(threads), "--rounds", str(options.rounds)]
        done = subprocess.run(
            [*line, "--size", str(options.size)],
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            capture_output=True,
            text=True,
            check=True,
        )
        found = json.loads(done.stdout.splitlines()[-1])
        eager, plain, small = (found[name] for name in ("eager", "onnx fp32", "onnx int8"))
        row = f"{eager:.1f} | {plain:.1f} | {small:.1f} | {eager / small:.2f} | {plain / small:.2f}"
        print(f"| {threads} | {row} |", flush=True)


if __name__ == "__main__":
    main()
