"""Bodies to sources: depth, names, fields of forms, the claims of headers."""

from __future__ import annotations

import base64
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from serve.conftest import STORED, Halving, Numbers, open_halving

from dlcli.core.errors import DataError
from dlcli.data.codec import Source
from dlcli.data.reading import lines as lines_module
from dlcli.data.text import inputs as text_inputs
from dlcli.serve.faults import RefusedError, queue_full
from dlcli.serve.inputs import MAX_DEPTH, _depth, _within, read_json
from dlcli.serve.models import Limits
from dlcli.tasks.tables import inputs as table_inputs


def claiming_png(side: int) -> bytes:
    """Return a PNG of a few bytes whose header promises a square of this side."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def test_depth_is_counted_without_recursion_and_no_further_than_the_limit():
    assert [_depth(value) for value in (1, [], {}, [[1], {"a": [2]}], {"a": {"b": 1}})] == [0, 1, 1, 3, 2]
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    assert _depth(nested) == MAX_DEPTH + 1
    while nested:  # the interpreter frees it by recursion otherwise
        nested = nested[0]  # type: ignore[assignment]


@pytest.mark.parametrize("body", [b"", b"{", b"nan", b"Infinity", b"-Infinity", b"\xff", b"1" * 5000, b"[" * 100_000])
def test_what_is_no_json_is_refused(body):
    with pytest.raises(RefusedError) as refused:
        read_json(body)
    assert refused.value.status == 400


@pytest.mark.parametrize("side", [1001, 9999, 60_000, 2**31 - 1])
def test_a_bomb_is_a_fault_by_its_header_alone(side):
    source = _within(Source("x", claiming_png(side)), 1.0)
    assert isinstance(source.value, DataError)
    assert "pixels" in source.value.message


def test_an_image_within_the_limit_and_one_that_has_a_fault_already_pass():
    small = Source("x", claiming_png(1000))
    assert _within(small, 1.0) is small
    bad = Source("x", DataError("no"))
    assert _within(bad, 1.0) is bad
    assert isinstance(_within(Source("x", b"no image"), 1.0).value, DataError)


def test_fields_of_a_form_are_read_by_what_the_model_takes(serving):
    image = base64.b64encode(sorted((STORED / "classification" / "data").rglob("*.png"))[0].read_bytes())
    client = serving(str(STORED / "classification" / "model.onnx")).client
    [record] = client.post("/predict", files={"input": (None, image)}).json()["records"]
    assert "label" in record
    client = serving(str(STORED / "regression" / "model.onnx")).client
    [record] = client.post("/predict", files={"input": (None, b'{"size": 1}')}).json()["records"]
    assert record["error"].startswith("lacks the column")
    assert client.post("/predict", files={"input": (None, b"size=1")}).status_code == 400


def test_the_name_of_a_file_is_repeated_and_shortened_and_nothing_else(serving):
    client = serving(str(STORED / "classification" / "model.onnx")).client
    for given, shown in (("../../x.png", "../../x.png"), ("猫 1.png", "猫 1.png"), ("", "0")):
        files = [("f", (given, b"no image"))] if given else [("f", (None, b"no image"))]
        [record] = client.post("/predict", files=files).json()["records"]
        assert record["input"] == shown
    [record] = client.post("/predict", files=[("f", ("a" * 500, b"x"))]).json()["records"]
    assert len(record["input"]) == 200


def test_files_and_fields_together_keep_their_order_and_are_counted(serving):
    client = serving("toy", opens=lambda _: open_halving(Halving())).client
    files = [("a", (None, b"2")), ("b", ("x.txt", b"4\n6\n")), ("c", (None, b"8"))]
    assert [each["half"] for each in client.post("/predict", files=files).json()["records"]] == [1, 2, 3, 4]


@pytest.mark.parametrize("kind", ["sentiment", "regression"])
def test_a_document_of_too_many_inputs_is_refused_before_it_is_read_to_its_end(serving, monkeypatch, kind):
    client = serving(str(STORED / kind / "model.onnx"), limits=Limits(queue=3)).client
    taken, lines = [0], lines_module.lines_of_document

    def counted(data):
        for line in lines(data):
            taken[0] += 1
            yield line

    for module in (text_inputs, table_inputs):
        monkeypatch.setattr(module, "lines_of_document", counted)
    data = b"a\n" * 1000
    for body in ({"content": data, "headers": {"Content-Type": "text/csv"}}, {"files": [("f", data)]}):
        answered = client.post("/predict", **body)
        assert (answered.status_code, answered.json()["error"]) == (413, "more than 3 inputs in one request")
    assert taken[0] <= 2 * 5  # with the line that names the columns


def test_the_files_of_a_form_share_the_limit_of_its_inputs(serving):
    client = serving("toy", opens=lambda _: open_halving(Halving()), limits=Limits(queue=3)).client
    files = [("a", ("x.txt", b"2\n4\n")), ("b", ("y.txt", b"6\n8\n"))]
    assert client.post("/predict", files=files).status_code == 413
    assert client.post("/predict", files=[files[0], ("c", (None, b"6"))]).status_code == 200


def test_others_are_answered_while_a_document_is_read(serving):
    bench = serving("toy", opens=lambda _: open_halving(Halving()))
    others = threading.Event()

    class Slow(Numbers):
        def sources_of_file(self, name, data, most=None):
            assert others.wait(10), "nobody else is answered"
            return super().sources_of_file(name, data, most)

    bench.shelf.find("toy", None).values = Slow()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(bench.client.post, "/predict", content=b"4", headers={"Content-Type": "text/plain"})
        while not bench.gate.held:
            threading.Event().wait(0.01)
        assert bench.client.get("/health").status_code == 200
        others.set()
        assert asked.result().json()["records"] == [{"input": "4", "half": 2.0}]


def test_the_time_to_come_again_is_at_least_a_second():
    assert queue_full(0).headers == {"Retry-After": "1"}
    assert queue_full(7).headers == {"Retry-After": "7"}
    assert set(queue_full(1).body()) == {"error", "fix"}
