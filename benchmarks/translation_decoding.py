"""Translating test sentences with a trained transformer: our search beside CTranslate2's, with the same weights.

    pip install ctranslate2
    python benchmarks/translation_decoding.py RUN data/anki [--sentences 1000] [--rounds 3] [--beam 1 4]

- `run`: the run's network in torch, our search.
- `onnx`: its exported folder in ONNX Runtime, the same search: what `dl predict FOLDER` computes.
- `float32`, `int8`: CTranslate2 (MIT), which is C++ alone, given the weights of the `safetensors` export.

Each way translates the tokens of the same sentences, 64 at a time, those of like length together, on one thread in a
process of its own, the ways in turn: sentences per CPU second (the second pass of two), median and range; peak memory
of the whole process; the share of sentences that are equal to those of `run`. Scores are not divided by lengths, since
the two programs do that differently.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.data.parallel.form import open_parallel
from dlcli.data.parallel.tokenizers import END, PAD, START, UNKNOWN
from dlcli.tasks.translation.config import TranslationInference
from dlcli.tasks.translation.search import GraphFunction, search

WAYS = ("run", "onnx", "float32", "int8")
BATCH, LONGEST = 64, 60

Translate = Callable[[list[list[int]], int], list[list[int]]]


def test_sentences(data: Path, count: int) -> list[list[int]]:
    """Return the tokens of source sentences of the test split, the longest first."""
    form = open_parallel(data)
    ids, offsets = form.ids("test", "source"), form.offsets("test", "source")
    lines = [ids[start:end].tolist() for start, end in itertools.pairwise(offsets[: count + 1])]
    return sorted(lines, key=len, reverse=True)


def ours(graphs: Mapping[str, GraphFunction]) -> Translate:
    """Return our search over an encoder and a step."""

    def translate(lines: list[list[int]], beam: int) -> list[list[int]]:
        lengths = np.array([len(line) for line in lines])
        source = np.full((len(lines), lengths.max()), PAD, np.int64)
        for row, line in enumerate(lines):
            source[row, : len(line)] = line
        inference = TranslationInference(beam=beam, length_penalty=0.0)
        found = search(graphs, {"source": source, "source_lengths": lengths}, inference)["sentences"][:, 0].tolist()
        return [[token for token in line if token] for line in found]

    return translate


def of_run(exports: Path) -> Translate:
    """Return the search over the network in torch."""
    import torch

    from dlcli.engine.runs.restore import load_task_from_file
    from dlcli.tasks.translation.exporting import graph_functions

    torch.set_num_threads(1)
    task, _ = load_task_from_file(exports / "safetensors")
    network: Any = task.model
    return ours(graph_functions(network.eval(), network.target_table.num_embeddings))


def of_onnx(exports: Path) -> Translate:
    """Return the search over the exported folder."""
    from dlcli.export.folder import open_graphs

    return ours({name: graph.run for name, graph in open_graphs(exports / "onnx", threads=1).graphs.items()})


def of_ctranslate2(exports: Path, precision: str) -> Translate:
    """Return CTranslate2's search with the same weights."""
    import ctranslate2

    translator = ctranslate2.Translator(
        str(exports / "ctranslate2"), compute_type=precision, inter_threads=1, intra_threads=1
    )

    def translate(lines: list[list[int]], beam: int) -> list[list[int]]:
        found = translator.translate_batch(
            [[str(token) for token in line] for line in lines],
            beam_size=beam,
            length_penalty=0.0,
            min_decoding_length=1,
            max_decoding_length=LONGEST,
            disable_unk=True,
            suppress_sequences=[[str(PAD)], [str(START)]],
        )
        return [[int(token) for token in each.hypotheses[0]] for each in found]

    return translate


def convert(weights_folder: Path, folder: Path) -> None:
    """Write the weights of a pre-norm transformer with sinusoidal places and tied tables as CTranslate2 reads them."""
    from ctranslate2.specs.transformer_spec import TransformerSpec
    from safetensors.numpy import load_file

    weights = load_file(weights_folder / "model.safetensors")
    num_layers = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("decoder."))
    heads = json.loads((weights_folder / "config.json").read_text())["config"].get("heads") or 4
    spec = TransformerSpec.from_config(num_layers, heads)
    width = weights["encoder_norm.weight"].shape[0]
    for side, table in ((spec.encoder, "source_table"), (spec.decoder, "target_table")):
        (side.embeddings[0] if isinstance(side.embeddings, list) else side.embeddings).weight = weights[
            f"{table}.weight"
        ]
        side.position_encodings.encodings = sinusoids(512, width)
    spec.decoder.projection.weight = weights["target_table.weight"]
    for name, side in (("encoder", spec.encoder), ("decoder", spec.decoder)):
        norm(side.layer_norm, weights, f"{name}_norm")
        for number, layer in enumerate(side.layer):
            own, inner = f"{name}.{number}.own", f"{name}.{number}.inner"
            norm(layer.self_attention.layer_norm, weights, f"{own}.residual.norm")
            linear(layer.self_attention.linear[0], weights, f"{own}.project")
            linear(layer.self_attention.linear[1], weights, f"{own}.merge")
            norm(layer.ffn.layer_norm, weights, f"{inner}.residual.norm")
            linear(layer.ffn.linear_0, weights, f"{inner}.widen")
            linear(layer.ffn.linear_1, weights, f"{inner}.narrow")
    for number, layer in enumerate(spec.decoder.layer):
        cross, own = f"decoder.{number}.cross", slice(2 * number * width, 2 * (number + 1) * width)
        norm(layer.attention.layer_norm, weights, f"{cross}.residual.norm")
        linear(layer.attention.linear[0], weights, f"{cross}.query")
        layer.attention.linear[1].weight, layer.attention.linear[1].bias = (
            weights[f"context.{part}"][own] for part in ("weight", "bias")
        )
        linear(layer.attention.linear[2], weights, f"{cross}.merge")
    spec.register_source_vocabulary([str(token) for token in range(len(weights["source_table.weight"]))])
    spec.register_target_vocabulary([str(token) for token in range(len(weights["target_table.weight"]))])
    spec.config.unk_token, spec.config.bos_token, spec.config.eos_token = str(UNKNOWN), str(START), str(END)
    spec.config.decoder_start_token = str(START)
    spec.validate()
    spec.optimize()
    spec.save(str(folder))


def norm(spec: Any, weights: Mapping[str, np.ndarray], name: str) -> None:
    """Set the two vectors of a norm."""
    spec.gamma, spec.beta = weights[f"{name}.weight"], weights[f"{name}.bias"]


def linear(spec: Any, weights: Mapping[str, np.ndarray], name: str) -> None:
    """Set a matrix and its bias."""
    spec.weight, spec.bias = weights[f"{name}.weight"], weights[f"{name}.bias"]


def sinusoids(count: int, width: int) -> np.ndarray:
    """Return a sine and a cosine in turn for each place, (count, width) float32."""
    angles = np.arange(count)[:, None] * np.exp(np.arange(0, width, 2) * (-np.log(10_000.0) / width))
    return np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(count, -1)[:, :width].astype(np.float32)


def measure(options: argparse.Namespace) -> None:
    """Print the rate, the peak memory and the sentences of one way as JSON; what a process of this program does."""
    lines = test_sentences(options.data, options.sentences)
    exports = Path(options.run)
    translate = {"run": of_run, "onnx": of_onnx}.get(options.way, lambda at: of_ctranslate2(at, options.way))(exports)
    for _ in range(2):
        started, found = time.process_time(), []
        for start in range(0, len(lines), BATCH):
            found += translate(lines[start : start + BATCH], options.beam[0])
        rate = len(lines) / (time.process_time() - started)
    print(json.dumps({"rate": rate, "megabytes": peak_memory() / 1e6, "sentences": found}))


def peak_memory() -> int:
    """Return the largest memory of this process in bytes (of Linux; `getrusage` would give the parent's, if larger)."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return 1024 * int(line.split()[1])


def main() -> None:
    """Measure each way in processes of their own, in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("data", type=Path)
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--beam", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        measure(options)
        return
    print(f"# {platform.machine()}, one thread, {options.sentences} sentences, {options.rounds} rounds")
    with tempfile.TemporaryDirectory() as name:
        for format in ("safetensors", "onnx"):
            command = [sys.executable, "-m", "dlcli", "export", options.run, "--format", format, "--quiet"]
            subprocess.run([*command, "--out", str(Path(name) / format)], check=True, capture_output=True)
        (Path(name) / "ctranslate2").mkdir()
        convert(Path(name) / "safetensors", Path(name) / "ctranslate2")
        for beam in options.beam:
            answers: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
            for _ in range(options.rounds):
                for way in WAYS:
                    words = [name, str(options.data), "--sentences", str(options.sentences), "--beam", str(beam)]
                    command = [sys.executable, __file__, *words, "--way", way]
                    answers[way].append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
            for way, found in answers.items():
                rates = [each["rate"] for each in found]
                same = np.mean(
                    [a == b for a, b in zip(found[0]["sentences"], answers["run"][0]["sentences"], strict=True)]
                )
                memory = max(each["megabytes"] for each in found)
                print(
                    f"beam {beam}  {way:8} {statistics.median(rates):7.1f} sentences per CPU second "
                    f"({min(rates):.1f}-{max(rates):.1f}), {memory:5.0f} MB, equal {same:.1%}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
