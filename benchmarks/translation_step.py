"""Training and decoding speed of translators on a CPU, beside the tutorials' method.

    python benchmarks/translation_step.py [--seconds S] [--rounds N] [--threads N] [--sentences N]

Training, in target tokens per second of CPU time and of wall time:

A: a tutorial's transformer: `torch.nn.Transformer`, 32 pairs a batch, all padded to the longest sentence of the corpus,
   losses over padding computed and then ignored, an output layer of its own, torch.optim.Adam.
B: A with batches padded to their own longest sentence.
C: `transformer`: batches of 4,096 tokens of like length, logits of real tokens alone, tied vectors, fused AdamW.
D: C in bf16 autocast.
E: a tutorial's GRU with Bahdanau's attention: 32 pairs a batch, padded to the longest, one step at a time.
F: `seq2seq` with Bahdanau's attention, batches of 4,096 tokens.
G: `seq2seq` with Luong's attention: the decoder runs over all steps in one call.
All networks have a width of 256 and a vocabulary of 8,000 on each side; transformers 3 + 3 layers of 4 heads. All clip
gradients to 1.

Decoding, in sentences per second: the network of C, greedy, N sentences. One at a time without a cache (each token
computes the sentence again), in batches without a cache, in batches with the cache, and that with a beam of 4. The
first three must say the same.

Sentences are random tokens with Zipf's frequencies and the lengths of 27,000 pairs of Tatoeba, Chinese to English, in
pieces: source 5.7 on average, target 8.0. Methods are interleaved, S seconds each per round; results are medians.
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
from torch import Tensor, nn

from dlcli.data.order import Order
from dlcli.data.parallel.loader import SideArrays, parallel_loader
from dlcli.data.parallel.order import TokenOrder
from dlcli.data.parallel.tokenizers import END, PAD, START
from dlcli.engine.compute.gradients import clip_gradients
from dlcli.models.seq2seq.recurrent import Seq2Seq
from dlcli.models.seq2seq.transformer import TransformerTranslator
from dlcli.tasks.translation.config import TranslationInference
from dlcli.tasks.translation.exporting import graph_functions
from dlcli.tasks.translation.losses import training_losses
from dlcli.tasks.translation.search import MORE_TOKENS, NEVER_SAID, search

VOCAB, WIDTH, LAYERS, HEADS = 8_000, 256, 3, 4
NUM_PAIRS = 12_000
LONGEST = 40
BATCH_PAIRS, BATCH_TOKENS = 32, 4096

Batch = dict[str, Tensor]


class TutorialTransformer(nn.Module):
    """The transformer of a tutorial, on torch's own."""

    def __init__(self) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(VOCAB, WIDTH), nn.Embedding(VOCAB, WIDTH)
        self.places = nn.Embedding(LONGEST + 2, WIDTH)
        self.body = nn.Transformer(WIDTH, HEADS, LAYERS, LAYERS, 4 * WIDTH, dropout=0.2, batch_first=True)
        self.head = nn.Linear(WIDTH, VOCAB)

    def forward(self, batch: Batch) -> Tensor:
        """Return (N, T - 1, V) logits."""
        source, target = batch["source"], batch["target"][:, :-1]
        states = self.body(
            self.source(source) + self.places(torch.arange(source.shape[1])),
            self.target(target) + self.places(torch.arange(target.shape[1])),
            tgt_mask=nn.Transformer.generate_square_subsequent_mask(target.shape[1]),
            src_key_padding_mask=source == PAD,
            memory_key_padding_mask=source == PAD,
        )
        return self.head(states)


class TutorialGru(nn.Module):
    """The GRU of a tutorial, with Bahdanau's attention, a step at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(VOCAB, WIDTH), nn.Embedding(VOCAB, WIDTH)
        self.encoder = nn.GRU(WIDTH, WIDTH, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(2 * WIDTH, WIDTH)
        self.attention = nn.Linear(3 * WIDTH, WIDTH)
        self.energy = nn.Linear(WIDTH, 1, bias=False)
        self.decoder = nn.GRU(3 * WIDTH, WIDTH, batch_first=True)
        self.head = nn.Linear(4 * WIDTH, VOCAB)

    def forward(self, batch: Batch) -> Tensor:
        """Return (N, T - 1, V) logits."""
        source, target = batch["source"], batch["target"]
        memory, last = self.encoder(self.source(source))
        hidden = torch.tanh(self.bridge(torch.cat([last[0], last[1]], dim=1)))
        logits = []
        for step in range(target.shape[1] - 1):
            vectors = self.target(target[:, step])
            repeated = hidden[:, None].expand(-1, memory.shape[1], -1)
            energies = self.energy(torch.tanh(self.attention(torch.cat([repeated, memory], dim=2))))[:, :, 0]
            weights = energies.masked_fill(source == PAD, -1e10).softmax(dim=1)
            context = torch.bmm(weights[:, None], memory)[:, 0]
            _, state = self.decoder(torch.cat([vectors, context], dim=1)[:, None], hidden[None])
            hidden = state[0]
            logits.append(self.head(torch.cat([hidden, context, vectors], dim=1)))
        return torch.stack(logits, dim=1)


@dataclass(frozen=True)
class Way:
    """A method of training: its network and its batches."""

    make: Callable[[], nn.Module]
    is_tutorial: bool = False
    is_padded_to_longest: bool = False
    is_bf16: bool = False


def _transformer() -> nn.Module:
    return TransformerTranslator(source_size=VOCAB, target_size=VOCAB, layers=LAYERS, width=WIDTH, heads=HEADS)


def _recurrent(attention: str) -> nn.Module:
    return Seq2Seq(source_size=VOCAB, target_size=VOCAB, width=WIDTH, attention=attention)


WAYS = {
    "A tutorial: transformer, padded to the longest": Way(TutorialTransformer, True, True),
    "B A, padded to the batch's longest": Way(TutorialTransformer, True),
    "C transformer": Way(_transformer),
    "D C, bf16": Way(_transformer, is_bf16=True),
    "E tutorial: GRU + Bahdanau": Way(TutorialGru, True, True),
    "F seq2seq, Bahdanau": Way(lambda: _recurrent("bahdanau")),
    "G seq2seq, Luong": Way(lambda: _recurrent("luong")),
}


def corpus() -> tuple[SideArrays, SideArrays]:
    """Return the tokens of both sides; the lengths of a pair go together."""
    random = np.random.default_rng(0)
    base = random.gamma(3.2, 1.8, NUM_PAIRS)
    frequencies = 1 / np.arange(1, VOCAB - 3)
    sides = []
    for factor in (1.0, 1.4):
        lengths = np.clip((base * factor + random.normal(0, 1, NUM_PAIRS)).round(), 1, LONGEST).astype(np.int64)
        lengths[0] = LONGEST
        offsets = np.concatenate([[0], lengths.cumsum()])
        ids = random.choice(np.arange(4, VOCAB), int(offsets[-1]), p=frequencies / frequencies.sum())
        sides.append(SideArrays(ids.astype(np.int32), offsets))
    return sides[0], sides[1]


def batches_of(way: Way, sides: tuple[SideArrays, SideArrays]) -> Iterator[Batch]:
    """Yield batches without end."""
    rows = np.arange(NUM_PAIRS)
    if way.is_tutorial:
        order = Order(rows, BATCH_PAIRS, seed=0)
    else:
        order = TokenOrder(rows, sides[0].lengths(), sides[1].lengths() + 2, BATCH_TOKENS, seed=0)
    loader = parallel_loader(*sides, order)
    for batch in itertools.chain.from_iterable(map(loader.batches, itertools.count())):
        if way.is_padded_to_longest:
            source, target = batch["source"], batch["target"]
            batch["source"] = F.pad(source, (0, LONGEST - source.shape[1]))
            batch["target"] = F.pad(target, (0, LONGEST + 2 - target.shape[1]))
        yield batch


def stepper(way: Way, sides: tuple[SideArrays, SideArrays]) -> Callable[[], int]:
    """Return a function that runs one step and returns its number of target tokens."""
    torch.manual_seed(0)
    network = way.make()
    parameters = list(network.parameters())
    optimizer = torch.optim.Adam(parameters, lr=1e-4) if way.is_tutorial else torch.optim.AdamW(parameters, fused=True)
    batches = batches_of(way, sides)

    def step() -> int:
        batch = next(batches)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=way.is_bf16):
            if way.is_tutorial:
                logits = network(batch)
                loss = F.cross_entropy(logits.flatten(0, 1), batch["target"][:, 1:].flatten(), ignore_index=PAD)
            else:
                losses, _ = training_losses(network, batch, label_smoothing=0.1, r_drop=0.0)
                loss = losses["cross_entropy"]
        loss.backward()
        clip_gradients(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return int((batch["target_lengths"] - 1).sum())

    return step


def measure_training(options: argparse.Namespace, sides: tuple[SideArrays, SideArrays]) -> None:
    """Print medians of the interleaved rounds of training."""
    steps = {name: stepper(way, sides) for name, way in WAYS.items()}
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    for _ in range(options.rounds):
        for name, step in steps.items():
            step()
            started, cpu, count = time.perf_counter(), time.process_time(), 0
            while time.process_time() - cpu < options.seconds:
                count += step()
            rates[name].append((count / (time.process_time() - cpu), count / (time.perf_counter() - started)))
    print(f"# target tokens per second, median of {options.rounds} rounds of {options.seconds:g} s (min-max)")
    for name, rows in rates.items():
        base = rates[next(each for each in WAYS if each[0] == ("A" if name[0] in "ABCD" else "E"))]
        parts = []
        for kind, values, first in zip(("CPU", "wall"), zip(*rows, strict=True), zip(*base, strict=True), strict=True):
            median = statistics.median(values)
            ratio = median / statistics.median(first)
            parts.append(f"{kind} {median:7.0f} ({min(values):.0f}-{max(values):.0f}) {ratio:5.2f}x")
        print(f"{name:48} " + "   ".join(parts))


@torch.inference_mode()
def without_cache(network: nn.Module, source: Tensor, lengths: Tensor) -> list[list[int]]:
    """Return greedy translations of a batch; each token computes all before it again."""
    memory = network.encode(source, lengths)
    said = torch.full((len(source), 1), START)
    longest = torch.ceil(2.0 * lengths).long() + MORE_TOKENS
    is_done = torch.zeros(len(source), dtype=torch.bool)
    while not bool(is_done.all()):
        logits = network.decode(memory, lengths, said)[:, -1]
        logits[:, list(NEVER_SAID) + ([END] if said.shape[1] == 1 else [])] = float("-inf")
        newest = logits.argmax(1).masked_fill(is_done, PAD)
        is_done = is_done | (newest == END) | (said.shape[1] >= longest)
        said = torch.cat([said, newest.masked_fill(newest == END, PAD)[:, None]], dim=1)
    return [[token for token in line if token] for line in said[:, 1:].tolist()]


def measure_decoding(options: argparse.Namespace, sides: tuple[SideArrays, SideArrays]) -> None:
    """Print the sentences that each way of decoding translates in a second of CPU time."""
    torch.manual_seed(0)
    network = _transformer().eval()
    graphs = graph_functions(network, VOCAB)
    order = np.argsort(-sides[0].lengths()[: options.sentences], kind="stable")
    batches = [order[start : start + 64] for start in range(0, len(order), 64)]

    def padded(rows: np.ndarray) -> tuple[Tensor, Tensor]:
        tokens, lengths = sides[0].padded(rows, LONGEST, is_framed=False)
        return torch.from_numpy(tokens), torch.from_numpy(lengths)

    def searched(rows: np.ndarray, beam: int) -> list[list[int]]:
        source, lengths = padded(rows)
        arrays = {"source": source.numpy(), "source_lengths": lengths.numpy()}
        found = search(graphs, arrays, TranslationInference(beam=beam))["sentences"][:, 0].tolist()
        return [[token for token in line if token] for line in found]

    few = order[:: max(1, len(order) // 50)]  # one at a time takes minutes for all
    ways: dict[str, tuple[list[np.ndarray], Callable[[np.ndarray], list[list[int]]]]] = {
        "one at a time, no cache": (
            [few[place : place + 1] for place in range(len(few))],
            lambda rows: without_cache(network, *padded(rows)),
        ),
        "batches, no cache": (batches, lambda rows: without_cache(network, *padded(rows))),
        "batches, cache (greedy)": (batches, lambda rows: searched(rows, 1)),
        "batches, cache, beam 4": (batches, lambda rows: searched(rows, 4)),
    }
    print("# sentences per second of CPU time")
    answers: dict[str, dict[int, list[int]]] = {}
    first = 0.0
    for name, (parts, way) in ways.items():
        cpu, found = time.process_time(), {}
        for rows in parts:
            found |= zip(rows.tolist(), way(rows), strict=True)
        rate = len(found) / (time.process_time() - cpu)
        first = first or rate
        answers[name] = found
        print(f"{name:48} {rate:8.1f} {rate / first:6.1f}x")
    alone, uncached, cached = list(answers.values())[:3]
    same = np.mean([uncached[row] == cached[row] for row in cached])
    print(
        f"# equal with and without cache: {same:.1%}, one at a time and in batches: "
        f"{np.mean([alone[row] == cached[row] for row in alone]):.1%}"
    )


def main() -> None:
    """Measure training, then decoding."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sentences", type=int, default=1000)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sides = corpus()
    print(f"# {platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    measure_training(options, sides)
    measure_decoding(options, sides)


if __name__ == "__main__":
    main()
