"""Images a second of a training beside busy processes, by the number of threads and by how idle threads wait.

    python benchmarks/shared_machine.py [--busy 0 1 2 4] [--steps 30] [--rounds 3] [--precision fp32]

Each figure is a process of its own, since OpenMP reads its settings when torch is loaded: AirNet on batches of random
images, timed after a warm-up. "spin" is OpenMP's default, in which a thread that has finished first spins until the
others have; "sleep" is what `dl` sets (OMP_WAIT_POLICY=passive). "auto" is `dl`'s default: sleeping threads, as many as
`choose_threads` finds fastest, whose timing is not counted. Variants are interleaved; medians over the rounds are
printed, with the least and the greatest.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from dlcli.cli.process import make_threads_sleep
from dlcli.core.cores import usable_cores

WIDTH, BATCH_SIZE = 16, 256
ALL = usable_cores()
VARIANTS = {"spin, all": (ALL, False), "sleep, all": (ALL, True), "one": (1, True), "auto": (0, True)}


def measure(threads: int, steps: int, precision: str) -> float:
    """Return images a second; 0 threads mean as many as are chosen."""
    import torch

    from dlcli.engine.compute.device import open_device
    from dlcli.engine.compute.threads import choose_threads
    from dlcli.engine.compute.trial import time_step
    from dlcli.engine.task import Update
    from dlcli.models.images.airnet import AirNet
    from dlcli.models.images.normalised import Normalised

    network = Normalised(AirNet(num_classes=10, width=WIDTH), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))

    class Step:
        model = network

        def training_step(self, batch):  # type: ignore[no-untyped-def]
            loss = torch.nn.functional.cross_entropy(self.model(batch["images"]), batch["labels"])
            yield Update("network", {"loss": loss}, len(batch["labels"]))

    device = open_device("cpu", threads=threads or None).with_precision(precision)
    task = Step()
    device.place(network)
    batch = {
        "images": torch.randint(0, 256, (BATCH_SIZE, 3, 32, 32), dtype=torch.uint8),
        "labels": torch.randint(0, 10, (BATCH_SIZE,)),
    }
    if not threads:
        choose_threads(task, device, batch)  # type: ignore[arg-type]
    for _ in range(3):
        time_step(task, device, batch)  # type: ignore[arg-type]
    started = time.perf_counter()
    for _ in range(steps):
        time_step(task, device, batch)  # type: ignore[arg-type]
    return steps * BATCH_SIZE / (time.perf_counter() - started)


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep this many processes busy."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        time.sleep(0.2 if others else 0.0)
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--busy", type=int, nargs="*", default=[0, 1, 2, 4])
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)  # of a process that measures
    options = parser.parse_args()
    if options.threads is not None:
        print(measure(options.threads, options.steps, options.precision))
        return
    print(f"{platform.processor() or platform.machine()}, {ALL} cores, {options.precision}, batches of {BATCH_SIZE}")
    for count in options.busy:
        found: dict[str, list[float]] = {name: [] for name in VARIANTS}
        for _ in range(options.rounds):
            for name, (threads, sleeps) in VARIANTS.items():
                environment = dict(os.environ)
                if sleeps:
                    make_threads_sleep(environment)
                words = ["--threads", str(threads), "--steps", str(options.steps), "--precision", options.precision]
                with busy(count):
                    done = subprocess.run(
                        [sys.executable, __file__, *words], env=environment, capture_output=True, check=True
                    )
                found[name].append(float(done.stdout))
        parts = [f"{name} {statistics.median(v):7,.0f} ({min(v):,.0f}-{max(v):,.0f})" for name, v in found.items()]
        print(f"{count} busy: {'   '.join(parts)}", flush=True)


if __name__ == "__main__":
    main()
