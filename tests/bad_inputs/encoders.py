"""Bad command lines about a pretrained encoder of texts in a folder."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bad_inputs.arrange import DATA, RUN_CODE, USAGE, Row, cut_file, prepare_texts

TINY = Path(__file__).parents[1] / "models" / "text" / "tiny_bert"
BERT = "train ./data/t --model bert --pretrained b --max-length 38"


class _Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("true",)


def changed(*edits: Callable[[], object]) -> Callable[[Any], object]:
    """Return an arrangement: prepared texts, and the tiny BERT in the folder b, changed."""

    def arrange(bench: Any) -> None:
        prepare_texts(bench)
        for name in ("config.json", "vocab.txt", "model.safetensors"):
            bench.write(f"b/{name}", (TINY / name).read_bytes())
        for edit in edits:
            edit()

    return arrange


def configured(**changes: Any) -> Callable[[Any], object]:
    path = Path("b/config.json")
    return changed(lambda: path.write_text(json.dumps({**json.loads(path.read_text()), **changes})))


def replaced(name: str, content: bytes) -> Callable[[Any], object]:
    def replace() -> None:
        Path("b/model.safetensors").unlink()
        Path("b", name).write_bytes(content)

    return changed(replace)


def add_a_word() -> None:
    path = Path("b/vocab.txt")
    path.write_bytes(path.read_bytes() + b"zz\n")


ENCODERS = {
    "bert without weights": Row("train ./data/t --model bert", USAGE, "--pretrained DIR", prepare_texts),
    "pretrained weights of another network": Row(
        "train ./data/t --model textcnn --pretrained b", USAGE, "choose --model bert", prepare_texts
    ),
    "bert in no folder": Row(BERT, DATA, "b: no such folder", prepare_texts),
    "bert in an empty folder": Row(
        BERT, DATA, "config.json", changed(lambda: shutil.rmtree("b"), lambda: Path("b").mkdir())
    ),
    "no bert": Row(BERT, DATA, "'gpt2'", configured(model_type="gpt2")),
    "bert of impossible sizes": Row(BERT, DATA, "hidden_size", configured(hidden_size=-1)),
    "bert of other sizes than its weights": Row(BERT, RUN_CODE, "config.json says", configured(intermediate_size=5)),
    "bert with fewer layers than its weights": Row(BERT, RUN_CODE, "encoder.layer1", configured(num_hidden_layers=1)),
    "bert with another vocabulary": Row(BERT, RUN_CODE, "90 words, but the vocabulary 91", changed(add_a_word)),
    "bert without a vocabulary": Row(BERT, DATA, "no vocab.txt", changed(lambda: Path("b/vocab.txt").unlink())),
    "bert with weights cut off": Row(BERT, DATA, "damaged", changed(lambda: cut_file(Path("b/model.safetensors")))),
    "bert without its weights": Row(BERT, DATA, "no model.safetensors", replaced("model.bin", b"")),
    "bert that is a trap": Row(BERT, RUN_CODE, "refused", replaced("pytorch_model.bin", pickle.dumps(_Code()))),
    "texts longer than bert": Row(BERT.replace("38", "39"), USAGE, "--max-length 38", changed()),
    "bert with layers of one's own": Row(f"{BERT} --layers 3", USAGE, "leave out --layers", changed()),
}
