"""Servers in this process, of stored models and of codecs and models that a test makes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from dlcli.answering.opening import Opened, open_model
from dlcli.data.codec import TEXT, Answer, Arrays, Batches, Encoded, Source, by_shape
from dlcli.serve.access import Access
from dlcli.serve.app import build_app
from dlcli.serve.log import AccessLog
from dlcli.serve.metrics import Metrics
from dlcli.serve.models import Limits, Shelf
from dlcli.serve.plan import plan_of
from dlcli.serve.state import State

STORED = Path(__file__).parent.parent / "stored" / "0.1.0"
TOKEN = "a-token-of-24-characters"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Numbers:
    """Takes texts that are numbers; see `dlcli.data.codec.Values`."""

    kind = TEXT

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}

    def source(self, name: str, value: Any) -> Source:
        return Source(str(value), value)

    def sources_of_file(self, name: str, data: bytes, most: int | None = None) -> list[Source]:
        return [Source(line, line) for line in data.decode().split()]


class Halving:
    """A codec of numbers, and a model that halves them; `factor` tells versions apart."""

    fields: tuple[str, ...] = ("half",)
    listed: str | None = None
    values = Numbers()

    def __init__(self) -> None:
        self.batches_seen: list[list[float]] = []
        self.hold = 0.0
        self.factor = 0.5

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        return (Source(text, text) for text in inputs)

    def encode(self, source: Source) -> Encoded:
        if source.value == "explode":
            raise RuntimeError("secret input")
        try:
            return Encoded(source, {"x": np.array(float(source.value))})
        except (TypeError, ValueError):
            return Encoded(source, None, "not a number")

    def batches(self, items: Sequence[Encoded]) -> Batches:
        return by_shape(items)

    def decode(self, outputs: Arrays, items: Sequence[Encoded]) -> list[Answer]:
        return [Answer({"half": float(value)}) for value in outputs["y"]]

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        return np.zeros((2, 3, 3), np.uint8)

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.batches_seen.append(arrays["x"].tolist())
        if self.hold:
            time.sleep(self.hold)  # a model that takes its time
        return {"y": arrays["x"] * self.factor}


def open_halving(model: Halving) -> Opened:
    """Return the toy as an opened model."""
    return Opened("halving", model, model)


def open_stored(target: str) -> Opened:
    """Return a stored ONNX model, which needs no torch."""
    return open_model(target, device="cpu", threads=1, report=lambda line: None)


@dataclass
class Bench:
    """A server, and what it said."""

    client: TestClient
    shelf: Shelf
    state: State
    gate: Any
    said: list[str] = field(default_factory=list)


@pytest.fixture
def serving() -> Iterator[Callable[..., Bench]]:
    """A function that starts a server in this process: of the words of a command line, and of what opens them."""
    with ExitStack() as stack:

        def start(
            *words: str,
            opens: Callable[[str], Opened] = open_stored,
            token: str | None = None,
            share: str | None = None,
            default: str | None = None,
            limits: Limits | None = None,
            timeout_s: float = 30.0,
            max_bytes: int = 10**6,
            max_megapixels: float = 1.0,
            model_dir: Path | None = None,
            log: Path | None = None,
        ) -> Bench:
            said: list[str] = []
            limits = limits or Limits(max_wait_s=0.0)
            shelf = Shelf(opens, limits, Metrics(), said.append)
            shelf.load(plan_of(words, default, share))
            state = State(shelf, shelf._metrics, timeout_s, limits.queue, max_megapixels, model_dir)
            gate = build_app(
                state, Access("127.0.0.1", token), AccessLog(str(log) if log else None), max_bytes, said.append
            )
            client = stack.enter_context(TestClient(gate, base_url="http://localhost"))
            stack.callback(lambda: client.portal.call(shelf.close) if client.portal else None)
            return Bench(client, shelf, state, gate, said)

        yield start
