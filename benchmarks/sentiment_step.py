"""Training speed of an LSTM on texts on a CPU: what each of our changes to the tutorials' method gains.

    python benchmarks/sentiment_step.py [--seconds S] [--rounds N] [--threads N]

A: batches of 10, all padded to the longest text of the corpus, torch.optim.Adam's defaults (a dense embedding).
B: A with batches of 64.
C: batches of 64 of similar length (`BucketedOrder`), torch.optim.Adam.
D: C with the fused kernel: `--optimizer adam`. The same numbers as C.
E: C with sparse gradients and `LazyAdam`: `--optimizer lazyadam`. A different algorithm: engine/optim/lazy_adam.py.
F, G: E with batches of 128 and 256.
H: E in bf16 autocast.
The network is `lstm` with a vocabulary of 50,000, word vectors of 300, a state of 128. All clip gradients to 1.

Texts are random tokens with Zipf's frequencies and the lengths of weibo_senti_100k tokenised by jieba (mean 32, median
26, 95 % up to 80, the longest 117), drawn from its 5-percent quantiles. Results are sentences per second of wall time,
and of CPU time, which is less sensitive to other work on the machine; the methods are interleaved, S seconds each per
round. The time includes making the batches, and excludes the first step of each turn, which builds kernels.
"""

from __future__ import annotations

import argparse
import itertools
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import Optimizer

from dlcli.data.order import Order
from dlcli.data.text.loader import BucketedOrder, text_loader
from dlcli.engine.compute.gradients import clip_gradients
from dlcli.engine.optim.lazy_adam import LazyAdam
from dlcli.models.text.recurrent import lstm

VOCAB, EMBEDDING, HIDDEN = 50_000, 300, 128
NUM_TEXTS = 20_000
LENGTH_QUANTILES = (
    1, 5, 7, 8, 10, 13, 15, 17, 20, 23, 26, 29, 33, 38, 43, 48, 56, 65, 73, 80, 117,
)  # fmt: skip


@dataclass(frozen=True)
class Way:
    """One method of training: its batches, optimizer and number format."""

    batch: int
    is_bucketed: bool
    optimizer: str
    is_bf16: bool = False


WAYS = {
    "A tutorial: batch 10, padded to the longest": Way(10, False, "adam"),
    "B batch 64": Way(64, False, "adam"),
    "C batch 64, like lengths": Way(64, True, "adam"),
    "D C, fused Adam": Way(64, True, "fused"),
    "E C, LazyAdam": Way(64, True, "lazy"),
    "F E, batch 128": Way(128, True, "lazy"),
    "G E, batch 256": Way(256, True, "lazy"),
    "H E, bf16": Way(64, True, "lazy", is_bf16=True),
}


def corpus() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the concatenated token ids of all texts, the offset of each text, and the labels."""
    random = np.random.default_rng(0)
    places = np.linspace(0, 1, len(LENGTH_QUANTILES))
    lengths = np.interp(random.random(NUM_TEXTS), places, LENGTH_QUANTILES).round().astype(np.int64)
    lengths[0] = LENGTH_QUANTILES[-1]
    offsets = np.concatenate([[0], lengths.cumsum()])
    frequencies = 1 / np.arange(1, VOCAB - 1)
    ids = random.choice(np.arange(2, VOCAB), int(offsets[-1]), p=frequencies / frequencies.sum())
    return ids.astype(np.int32), offsets, random.integers(0, 2, NUM_TEXTS)


def build_optimizer(network: nn.Module, name: str) -> Optimizer:
    """Return the optimizer of a method."""
    if name == "lazy":
        return LazyAdam([{"params": list(network.parameters())}], lr=1e-3)
    return torch.optim.Adam(network.parameters(), lr=1e-3, fused=name == "fused" or None)


def stepper(way: Way, texts: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Callable[[], int]:
    """Return a function that runs one step and returns its number of sentences."""
    ids, offsets, labels = texts
    torch.manual_seed(0)
    network = lstm(
        num_classes=2, vocab_size=VOCAB, embedding_dim=EMBEDDING, hidden=HIDDEN, sparse=way.optimizer == "lazy"
    )
    optimizer = build_optimizer(network, way.optimizer)
    indices = np.arange(NUM_TEXTS)
    order = (
        BucketedOrder(indices, np.diff(offsets), way.batch, seed=0)
        if way.is_bucketed
        else Order(indices, way.batch, seed=0)
    )
    longest = int(np.diff(offsets).max())
    loader = text_loader(ids, offsets, labels, order, max_length=longest, empty=1)
    batches: Iterator[dict[str, torch.Tensor]] = itertools.chain.from_iterable(map(loader.batches, itertools.count()))

    def step() -> int:
        batch = next(batches)
        tokens = batch["tokens"]
        if not way.is_bucketed:
            tokens = F.pad(tokens, (0, longest - tokens.shape[1]))
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=way.is_bf16):
            logits = network(tokens, batch["lengths"])
        F.cross_entropy(logits.float(), batch["labels"]).backward()
        clip_gradients(list(network.parameters()), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return len(tokens)

    return step


def main() -> None:
    """Run the interleaved rounds and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    texts = corpus()
    steps = {name: stepper(way, texts) for name, way in WAYS.items()}
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    for _ in range(options.rounds):
        for name, step in steps.items():
            step()
            started, cpu, count = time.perf_counter(), time.process_time(), 0
            while time.perf_counter() - started < options.seconds:
                count += step()
            rates[name].append((count / (time.perf_counter() - started), count / (time.process_time() - cpu)))
    print(f"# {platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"# sentences per second, median of {options.rounds} rounds of {options.seconds:g} s (min-max), interleaved")
    base = [statistics.median(row) for row in zip(*rates[next(iter(WAYS))], strict=True)]
    for name, rows in rates.items():
        parts = []
        for kind, values, first in zip(("wall", "CPU"), zip(*rows, strict=True), base, strict=True):
            median = statistics.median(values)
            parts.append(f"{kind} {median:7.0f} ({min(values):.0f}-{max(values):.0f}) {median / first:6.2f}x")
        print(f"{name:44} " + "   ".join(parts))


if __name__ == "__main__":
    main()
