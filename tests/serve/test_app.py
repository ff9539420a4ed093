"""Requests and answers: equal to `dl predict`, whatever else is asked for at the same time."""

from __future__ import annotations

import base64
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from prometheus_client.parser import text_string_to_metric_families
from serve.conftest import BEARER, STORED, TOKEN, Halving, open_halving, open_stored

from dlcli.answering.answers import answer
from dlcli.core.files import finite
from dlcli.serve.models import Limits

KINDS = {
    "classification": sorted((STORED / "classification" / "data" / "test").rglob("*.png"))[:5],
    "sentiment": [STORED / "sentiment" / "data" / "test.jsonl"],
    "regression": [STORED / "regression" / "data" / "table.csv"],
    "table-classification": [STORED / "table-classification" / "data" / "table.csv"],
}


def model_of(kind: str) -> str:
    return str(STORED / kind / "model.onnx")


def predicted(kind: str, *inputs: str) -> list[dict]:
    """Return the records of `dl predict`."""
    opened = open_stored(model_of(kind))
    return [
        {"input": source.name, **finite(given.record)}
        for source, given in answer(opened, list(opened.codec.expand(inputs)))
    ]


def rounded(value):
    """Return a JSON value without the last digits of its numbers, which depend on the size of a batch."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def test_images_as_files_and_in_base64_are_answered_as_dl_predict_answers_them(serving):
    client, paths = serving(model_of("classification")).client, KINDS["classification"]
    expected = predicted("classification", *map(str, paths))
    by_name = [{**record, "input": path.name} for record, path in zip(expected, paths, strict=True)]
    files = [("file", (path.name, path.read_bytes())) for path in paths]
    answered = client.post("/predict", files=files)
    assert answered.status_code == 200
    assert rounded(answered.json()["records"]) == rounded(by_name)
    texts = [base64.b64encode(path.read_bytes()).decode() for path in paths]
    document = client.post("/models/model/1/predict", json={"inputs": texts}).json()
    by_number = [{**record, "input": str(number)} for number, record in enumerate(expected)]
    assert rounded(document["records"]) == rounded(by_number)
    assert (document["model"], document["version"]) == ("model", "1")
    one = client.post("/models/model/predict", json={"input": f"data:image/png;base64,{texts[0]}"}).json()
    assert rounded(one["records"]) == rounded(by_number[:1])
    raw = client.post("/predict", content=paths[0].read_bytes(), headers={"Content-Type": "image/png"}).json()
    assert rounded(raw["records"]) == rounded(by_number[:1])


def test_texts_are_answered_as_dl_predict_answers_them(serving):
    client = serving(model_of("sentiment")).client
    [path] = KINDS["sentiment"]
    expected = predicted("sentiment", str(path))
    objects = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert rounded(client.post("/predict", json={"inputs": objects}).json()["records"]) == rounded(expected)
    document = client.post("/predict", files=[("file", ("test.jsonl", path.read_bytes()))]).json()
    assert rounded(document["records"]) == rounded(expected)
    texts = [each["text"] for each in objects]
    plain = [{key: value for key, value in record.items() if not key.startswith("given_")} for record in expected]
    assert rounded(client.post("/predict", json={"inputs": texts}).json()["records"]) == rounded(plain)
    fields = client.post("/predict", files=[("text", (None, text.encode())) for text in texts]).json()
    assert rounded(fields["records"]) == rounded(plain)


@pytest.mark.parametrize("kind", ["regression", "table-classification"])
def test_rows_are_answered_as_dl_predict_answers_them(serving, kind):
    client, [path] = serving(model_of(kind)).client, KINDS[kind]
    expected = [{**record, "input": Path(record["input"]).name} for record in predicted(kind, str(path))]
    document = client.post("/predict", files=[("file", ("table.csv", path.read_bytes()))]).json()
    assert rounded(document["records"]) == rounded(expected)
    header, *lines = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
    rows = [dict(zip(header, line, strict=True)) for line in lines[:7]]
    answered = client.post("/predict", json={"inputs": rows}).json()["records"]
    for found, record in zip(answered, expected, strict=False):
        assert rounded({**found, "input": "", "note": ""}) == rounded({**record, "input": "", "note": ""})
    raw = client.post("/predict", content=path.read_bytes(), headers={"Content-Type": "text/csv; charset=utf-8"}).json()
    assert [rounded(record["input"]) for record in raw["records"][:2]] == ["0:2", "0:3"]


def test_one_bad_input_among_many_has_an_error_and_the_others_their_answers(serving):
    client = serving("toy", opens=lambda _: open_halving(Halving())).client
    answered = client.post("/predict", json={"inputs": ["4", "no number", 8, None]})
    assert answered.status_code == 200
    assert answered.json()["records"] == [
        {"input": "4", "half": 2.0},
        {"input": "no number", "error": "not a number"},
        {"input": "8", "half": 4.0},
        {"input": "None", "error": "not a number"},
    ]
    none = client.post("/predict", json={"input": "x"})
    assert none.status_code == 422
    assert none.json()["records"] == [{"input": "x", "error": "not a number"}]


def test_an_input_that_breaks_the_model_fails_alone_and_its_content_is_not_logged(serving):
    bench = serving("toy", opens=lambda _: open_halving(Halving()))
    records = bench.client.post("/predict", json={"inputs": ["4", "explode", "6"]}).json()["records"]
    assert [record.get("half") for record in records] == [2.0, None, 3.0]
    assert records[1]["error"] == "the model failed: RuntimeError"
    assert bench.said == ["toy@1: an input was not answered: RuntimeError"]


def test_requests_at_the_same_time_share_batches_and_each_gets_its_own(serving):
    model = Halving()
    model.hold = 0.02
    bench = serving("toy", opens=lambda _: open_halving(model), limits=Limits(max_batch=16, max_wait_s=0.01))
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: bench.client.post("/predict", json={"input": n}).json(), range(64)))
    assert [each["records"][0]["half"] for each in answers] == [n / 2 for n in range(64)]
    assert sum(map(len, model.batches_seen)) == 64
    assert max(map(len, model.batches_seen)) > 1


def test_characters_that_are_none_and_numbers_beyond_all_are_answered_as_json(serving):
    client = serving(model_of("sentiment")).client
    body = b'{"inputs": ["\\ud800", "a\\u0000b", {"text": "so fine", "weight": 1e999, "id": "\\udfff"}]}'
    answered = client.post("/predict", content=body, headers={"Content-Type": "application/json"})
    assert answered.status_code == 200
    records = json.loads(answered.content)["records"]
    assert (records[0]["input"], records[1]["input"]) == ("\ud800", "a\0b")
    assert (records[2]["weight"], records[2]["id"]) == (None, "\udfff")


def test_drawings_and_pictures_are_pngs_in_base64(serving):
    client = serving("toy", opens=lambda _: open_halving(Halving())).client
    [record, bad] = client.post("/predict?draw=1", json={"inputs": ["4", "x"]}).json()["records"]
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(record["drawing"]), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (2, 3, 3)
    assert "drawing" not in bad
    client = serving(model_of("classification")).client
    [record] = client.post("/predict?draw=true", files=[("f", KINDS["classification"][0].read_bytes())]).json()[
        "records"
    ]
    assert base64.b64decode(record["drawing"]).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("body", "kind", "status", "what"),
    [
        (b"", "application/json", 400, "not JSON"),
        (b"[1]", "application/json", 400, "input and inputs"),
        (b'{"inputs": 3}', "application/json", 400, "not a list"),
        (b'{"input": 1, "inputs": [2]}', "application/json", 400, "one of input"),
        (b'{"inputs": []}', "application/json", 400, "no input"),
        (b'{"input": NaN}', "application/json", 400, "not JSON"),
        (b"\xff\xfe", "application/json", 400, "not JSON"),
        (b'{"input":' + b"[" * 50_000 + b"]" * 50_000 + b"}", "application/json", 400, "JSON"),
        (b'{"input":' + b"[" * 30 + b"]" * 30 + b"}", "application/json", 400, "deeply"),
        (b'{"input": 1}', "application/xml", 415, "content type"),
        (b'{"input": 1}', "", 415, "content type"),
        (b"--x", "multipart/form-data; boundary=y", 400, "no input|cannot be read"),
        (b"x", "multipart/form-data", 400, "cannot be read"),
        (b"", "text/plain", 400, "no input"),
    ],
)
def test_a_body_that_is_none_is_refused_in_one_line(serving, body, kind, status, what):
    client = serving("toy", opens=lambda _: open_halving(Halving())).client
    answered = client.post("/predict", content=body, headers={"Content-Type": kind})
    assert answered.status_code == status
    assert re.search(what, answered.json()["error"])
    assert "\n" not in answered.json()["error"]


@pytest.mark.parametrize(
    "text", ["/etc/passwd", "../../etc/passwd", "cat.png", "file:///etc/passwd", "http://x/y.png", "", "é"]
)
def test_nothing_in_a_request_is_taken_for_a_path(serving, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat.png").write_bytes(KINDS["classification"][0].read_bytes())
    client = serving(model_of("classification")).client
    for body in ({"json": {"input": text}}, {"files": [("file", (text or "x", b"no image"))]}):
        answered = client.post("/predict", **body)
        assert answered.status_code == 422
        assert re.search("base64|not an image|empty", answered.json()["records"][0]["error"])
    texts = serving(model_of("sentiment")).client
    (tmp_path / "many.txt").write_text("so dull\nso fine\n")
    [record] = texts.post("/predict", json={"input": "many.txt"}).json()["records"]  # the text itself
    assert record["input"] == "many.txt"


def test_images_with_too_many_pixels_are_faults_before_they_are_decoded(serving):
    client = serving(model_of("classification"), max_megapixels=0.01).client
    data = cv2.imencode(".png", np.zeros((101, 100), np.uint8))[1].tobytes()
    fine = cv2.imencode(".png", np.zeros((100, 100), np.uint8))[1].tobytes()
    records = client.post("/predict", files=[("f", data), ("f", fine)]).json()["records"]
    assert "more than 0.01 megapixels" in records[0]["error"]
    assert "label" in records[1]


def test_too_many_inputs_and_bytes_are_refused_and_a_lying_length_too(serving):
    bench = serving("toy", opens=lambda _: open_halving(Halving()), limits=Limits(queue=3), max_bytes=200)
    client = bench.client
    many = client.post("/predict", json={"inputs": [1, 2, 3, 4]})
    assert (many.status_code, many.json()["fix"]) == (413, "send at most 3 at once")
    assert client.post("/predict", content=b"1 2 3 4", headers={"Content-Type": "text/plain"}).status_code == 413
    large = client.post("/predict", json={"input": "1" * 200})
    assert large.status_code == 413
    assert large.headers["Connection"] == "close"
    chunks = client.post("/predict", content=(b"1" * 50 for _ in range(9)), headers={"Content-Type": "text/plain"})
    assert chunks.status_code == 413
    assert bench.gate.held == 0
    assert client.post("/predict", json={"input": 1}).status_code == 200


def test_an_answer_that_takes_too_long_is_given_up(serving):
    model = Halving()
    model.hold = 0.5
    bench = serving("toy", opens=lambda _: open_halving(model), timeout_s=0.05)
    answered = bench.client.post("/predict", json={"input": 1})
    assert answered.status_code == 504
    model.hold = 0.0
    bench.state.timeout_s = 30.0
    assert bench.client.post("/predict", json={"input": 1}).json()["records"] == [{"input": "1", "half": 0.5}]


def test_a_full_queue_refuses_and_loses_nothing(serving):
    model = Halving()
    model.hold = 0.2
    bench = serving("toy", opens=lambda _: open_halving(model), limits=Limits(max_batch=1, max_wait_s=0, queue=2))
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda n: bench.client.post("/predict", json={"input": n}), range(12)))
    refused = [each for each in answers if each.status_code == 503]
    assert refused
    assert all(int(each.headers["Retry-After"]) >= 1 for each in refused)
    good = [n for n, each in enumerate(answers) if each.status_code == 200]
    assert [answers[n].json()["records"][0]["half"] for n in good] == [n / 2 for n in good]
    assert len(good) + len(refused) == 12


def test_health_readiness_and_unknown_addresses(serving):
    bench = serving(model_of("regression"))
    client = bench.client
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"status": "ready", "models": ["model@1"]}
    bench.state.is_stopping = True
    assert client.get("/ready").status_code == 503
    assert client.get("/nope").json() == {"error": "no such address", "fix": "GET /openapi.json describes all"}
    assert client.get("/predict").status_code == 405
    assert client.get("/page/../app.py").status_code == 404
    for path in ("/models/other/predict", "/models/model/7/predict"):
        assert client.post(path, json={"input": {}}).status_code == 404


def test_metadata_says_what_each_model_takes_and_nothing_of_where_it_lies(serving):
    names = [f"{kind}={model_of(kind)}" for kind in KINDS]
    answered = serving(*names, default="sentiment").client.get("/metadata")
    document = answered.json()
    takes = {model["name"]: model["takes"] for model in document["models"]}
    assert takes == {"classification": "image", "sentiment": "text", "regression": "row", "table-classification": "row"}
    assert document["default"] == "sentiment@1"
    assert str(STORED) not in answered.text


def test_the_openapi_document_is_valid_and_names_every_route(serving):
    bench = serving(*[f"{kind}={model_of(kind)}" for kind in KINDS], token=TOKEN)
    document = bench.client.get("/openapi.json", headers=BEARER).json()
    OpenAPIV31SpecValidator(document).validate()
    routes = {route.path for route in bench.gate.app.routes}
    paths = {re.sub("/models/(?!{)[^/]+/[^/]+/", "/models/{name}/{version}/", path) for path in document["paths"]}
    assert routes - paths == {"/", "/page.css", "/page.js", "/models/{name}/predict"}
    assert paths <= routes


def test_the_metrics_are_prometheus_text_and_count_what_was_asked(serving):
    client = serving("toy", opens=lambda _: open_halving(Halving())).client
    client.post("/predict", json={"inputs": [1, 2, "x"]})
    client.get("/something/a/client/made/up")
    answered = client.get("/metrics")
    assert answered.headers["content-type"].startswith("text/plain")
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answered.text)
        for sample in family.samples
    }
    assert samples["dl_inputs_total", "1", "ok", "toy"] == 2
    assert samples["dl_inputs_total", "1", "error", "toy"] == 1
    assert samples["dl_requests_total", "/predict", "200", "POST"] == 1
    assert samples["dl_requests_total", "404", "GET", "other"] == 1
    assert samples["dl_batch_size_sum", "1", "toy"] == 3
    assert samples["dl_waiting_inputs", "1", "toy"] == 0
    assert "made" not in answered.text


def test_the_access_log_is_json_without_anything_of_the_client(serving, tmp_path):
    place = tmp_path / "access.jsonl"
    client = serving("toy", opens=lambda _: open_halving(Halving()), log=place).client
    client.post("/predict?draw=secret", json={"inputs": ["7", "secret"]}, headers={"X-Request-ID": "abc-1"})
    client.get("/secret", headers={"X-Request-ID": "no good: secret", "User-Agent": "secret"})
    first, second = map(json.loads, place.read_text().splitlines())
    assert {
        name: first[name] for name in ("id", "method", "route", "status", "model", "version", "inputs", "faults")
    } == {
        "id": "abc-1",
        "method": "POST",
        "route": "/predict",
        "status": 200,
        "model": "toy",
        "version": "1",
        "inputs": 2,
        "faults": 1,
    }
    assert first["bytes_in"] > 0 and first["bytes_out"] > 0 and first["ms"] > 0
    assert (second["route"], second["status"]) == ("other", 404)
    assert "secret" not in place.read_text()


def test_every_answer_has_the_headers_that_keep_pages_apart(serving):
    client = serving("toy", opens=lambda _: open_halving(Halving())).client
    for answered in (client.get("/"), client.get("/nope"), client.post("/predict", json={"input": 1})):
        assert answered.headers["X-Content-Type-Options"] == "nosniff"
        assert answered.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert re.fullmatch("[0-9a-f]{16}", answered.headers["X-Request-ID"])
        assert "access-control-allow-origin" not in answered.headers
    assert client.get("/health", headers={"X-Request-ID": "my.id"}).headers["X-Request-ID"] == "my.id"


def test_the_page_holds_no_address_of_another_server(serving):
    client = serving("toy", opens=lambda _: open_halving(Halving())).client
    for path, kind in (("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")):
        answered = client.get(path)
        assert answered.headers["content-type"].startswith(kind)
        assert set(re.findall(r"https?://[^\s\"']+", answered.text)) <= {"http://www.w3.org/2000/svg"}
        assert "innerHTML" not in answered.text
        assert not re.search(r"<script(?![^>]*src=)|style=|\son\w+=\"", answered.text)
