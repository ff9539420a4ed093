"""Real processes: signals, sockets, slow clients, TLS."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from serve.conftest import BEARER, STORED, TOKEN
from serve.server import client, started

from dlcli.core.errors import ExitCode, UsageError
from dlcli.core.files import write_json
from dlcli.core.locks import hold
from dlcli.serve.options import ServeOptions
from dlcli.serve.plan import Entry, Plan
from dlcli.serve.running import address_of, open_socket
from dlcli.serve.workers import LOCK, PLAN

MODEL = STORED / "sentiment" / "model.onnx"


def test_a_port_that_is_taken_is_said_and_an_address_that_is_none():
    listener = open_socket(ServeOptions(port=0))
    port = listener.getsockname()[1]
    assert address_of(listener, ServeOptions()) == f"http://127.0.0.1:{port}"
    assert address_of(listener, ServeOptions(host="localhost", cert="x")) == f"https://localhost:{port}"
    with pytest.raises(UsageError, match="cannot listen on") as taken:
        open_socket(ServeOptions(port=port))
    assert "--port 0" in (taken.value.hint or "")
    listener.close()
    with pytest.raises(UsageError, match="cannot listen"):
        open_socket(ServeOptions(host="no.such.host.invalid"))


@pytest.mark.slow
def test_one_server_from_its_first_answer_to_its_last(tmp_path):
    place = tmp_path / "m.onnx"
    shutil.copy(MODEL, place)
    log = tmp_path / "access.jsonl"
    with started(f"m={place}", "--access-log", str(log), "--max-wait-ms", "300") as server:
        assert server.await_line("m@1") == f"m@1: {place}, the default\n"
        with client(server) as asked:
            first = asked.post("/predict", json={"input": "so fine"}).json()["records"]
            place.write_bytes(b"damaged")
            server.send(signal.SIGHUP)
            server.await_line("m@1: the old one stays")
            assert asked.post("/predict", json={"input": "so fine"}).json()["records"] == first
            shutil.copy(STORED / "regression" / "model.onnx", place)
            log.rename(tmp_path / "rotated.jsonl")
            server.send(signal.SIGHUP)
            server.await_line("reloaded: m@1")
            assert asked.get("/metadata").json()["models"][0]["takes"] == "row"
        assert [json.loads(line)["route"] for line in log.read_text().splitlines()] == ["/metadata"]
        assert len((tmp_path / "rotated.jsonl").read_text().splitlines()) == 2
        # What waits for its batch when SIGTERM comes is answered.
        with ThreadPoolExecutor(8) as pool, client(server) as asked:
            futures = [pool.submit(asked.post, "/predict", json={"input": {}}) for _ in range(8)]
            while '"/predict"' not in log.read_text() and not any(each.running() for each in futures):
                threading.Event().wait(0.01)
            threading.Event().wait(0.15)
            code = server.end()
            assert {each.result().status_code for each in futures} == {422}
        assert code == ExitCode.TERMINATED
        assert server.said[-1].startswith("error: stopped by SIGTERM; ")
        assert not any("Traceback" in line for line in server.said)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs Linux' /proc")
def test_an_onnx_file_is_served_without_torch():
    with started(f"m={MODEL}") as server, client(server) as asked:
        assert asked.post("/predict", json={"input": "so fine"}).status_code == 200
        mapped = Path(f"/proc/{server.process.pid}/maps").read_text()
        assert "onnxruntime" in mapped
        assert "libtorch" not in mapped


@pytest.mark.slow
def test_slow_and_broken_clients_are_cut_off_and_others_are_answered():
    with started(f"m={MODEL}", "--timeout", "10", "--max-mb", "0.1") as server:

        def talk(*parts: bytes) -> bytes:
            with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
                for part in parts:
                    connection.sendall(part)
                answer = b""
                while chunk := connection.recv(65536):
                    answer += chunk
            return answer

        head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        with ThreadPoolExecutor(8) as pool:
            half_header = pool.submit(talk, b"GET /health HTTP/1.1\r\nHost: loc")
            nothing = pool.submit(talk)
            half_body = pool.submit(talk, head + b"Content-Length: 50\r\n\r\n{")
            too_large = pool.submit(talk, head + b"Content-Length: 99999999\r\n\r\n")
            long_header = pool.submit(talk, b"GET / HTTP/1.1\r\nX: " + b"a" * 40_000)
            garbage = pool.submit(talk, b"\x16\x03\x01\x02\x00\x01\r\n\r\n")
            both = head + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\n\r\n"
            smuggled = pool.submit(talk, both)
            with client(server) as asked:
                assert asked.post("/predict", json={"input": "so fine"}).status_code == 200
            assert half_header.result() == nothing.result() == b""
            assert half_body.result().startswith(b"HTTP/1.1 408 ")
            assert too_large.result().startswith(b"HTTP/1.1 413 ")
            assert long_header.result().startswith(b"HTTP/1.1 4")
            assert garbage.result().startswith(b"HTTP/1.1 400 ")
            assert smuggled.result().count(b"HTTP/1.1 ") == 1
        with client(server) as asked:
            assert asked.get("/health").status_code == 200
        assert server.end(signal.SIGINT) == ExitCode.INTERRUPTED


@pytest.mark.slow
def test_with_a_certificate_it_answers_over_tls_and_with_another_host_only_with_the_token(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("makes no certificate without openssl")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    line = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    subprocess.run([*line.split(), *names], check=True, capture_output=True)
    words = (f"m={MODEL}", "--host", "0.0.0.0", "--cert", str(cert), "--key", str(key))
    with started(*words, environment={"DLCLI_TOKEN": TOKEN}) as server:
        assert server.url.startswith("https://0.0.0.0:")
        trusted = ssl.create_default_context(cafile=str(cert))
        with client(server, verify=trusted) as asked:
            asked.base_url = f"https://localhost:{server.port}"
            assert asked.get("/metadata").status_code == 401
            assert asked.post("/predict", json={"input": "so fine"}, headers=BEARER).status_code == 200
        assert not any(TOKEN in text for text in server.said)
        server.end()


@pytest.mark.slow
def test_workers_share_a_socket_follow_each_other_and_are_replaced(tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(STORED / "regression" / "model.onnx", models / "other.onnx")
    words = (f"m={MODEL}", "--workers", "2", "--model-dir", str(models), "--token", TOKEN)
    with started(*words) as server, client(server, headers=BEARER) as asked:
        for _ in range(20):
            assert asked.post("/predict", json={"input": "so fine"}).status_code == 200
        assert 'route="/predict",status="200"} 20.0' in asked.get("/metrics").text
        assert asked.put("/admin/models/other/1", json={"model": "other.onnx"}).status_code == 200

        def all_have(number: int) -> bool:
            found = []
            for _ in range(20):  # on connections of their own, which either worker may take
                with client(server, headers=BEARER) as fresh:
                    found.append(len(fresh.get("/ready").json()["models"]))
            return set(found) == {number}

        for _ in range(60):
            if all_have(2):
                break
        else:
            raise AssertionError("a worker does not follow")
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
        workers = [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        server.await_line("a worker has died")
        os.kill(workers[1], signal.SIGSTOP)  # so that whoever answers is the new one
        with client(server, headers=BEARER) as fresh:
            assert fresh.get("/ready").json()["models"] == ["m@1", "other@1"]
            assert fresh.post("/models/other/predict", json={"input": {}}).status_code == 422
        os.kill(workers[1], signal.SIGCONT)
        assert server.end() == ExitCode.TERMINATED


@pytest.mark.slow
def test_a_change_in_one_worker_waits_for_that_of_another_and_builds_on_it(tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(MODEL, models / "other.onnx")
    words = (f"m={MODEL}", "--workers", "2", "--model-dir", str(models), "--token", TOKEN)
    with (
        started(*words, environment={"TMPDIR": str(tmp_path)}) as server,
        client(server, headers=BEARER) as asked,
        ThreadPoolExecutor(1) as pool,
    ):
        [folder] = tmp_path.glob("dl-serve-*")
        with hold(folder / LOCK):  # as a worker that is making a change
            second = pool.submit(asked.put, "/admin/models/b/1", json={"model": "other.onnx"})
            threading.Event().wait(1.0)
            plan = Plan.from_json(json.loads((folder / PLAN).read_text()))
            write_json(folder / PLAN, plan.with_entry(Entry("a", "1", str(MODEL))).to_json())
        assert second.result().json()["models"] == ["m@1", "a@1", "b@1"]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_who_is_told_to_reload_before_the_models_are_open_does_so_afterwards(workers):
    with started(f"m={MODEL}", "--workers", str(workers), script="told_early.py") as server, client(server) as asked:
        server.await_line("reloaded: m@1", workers)
        assert asked.get("/health").status_code == 200
        assert server.end() == ExitCode.TERMINATED
        assert not any("has died" in line for line in server.said)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_said_while_images_are_decoded_is_not_lost(tmp_path, workers):
    place = tmp_path / "m.onnx"
    shutil.copy(MODEL, place)
    words = (f"m={place}", "--workers", str(workers), "--access-log", "-")
    with started(*words, script="muffled.py") as server, client(server) as asked:
        assert asked.get("/health").status_code == 200
        assert json.loads(server.await_line('"route": "/health"'))["status"] == 200
        place.write_bytes(b"damaged")
        server.send(signal.SIGHUP)
        server.await_line("m@1: the old one stays", workers)
        assert server.end() == ExitCode.TERMINATED


@pytest.mark.slow
def test_a_model_that_cannot_be_opened_ends_the_start_with_one_error(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"no model")
    for more in ([], ["--workers", "2"]):
        command = [sys.executable, "-m", "dlcli", "serve", "m.onnx", "--port", "0", *more]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)},
        )
        assert (done.returncode, done.stdout) == (ExitCode.RUN, "")
        assert done.stderr.startswith("error: ")
        assert len(done.stderr.splitlines()) <= 6


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_a_server_whose_terminal_is_closed_ends_in_place_of_reloading(tmp_path):
    import pty

    pid, terminal = pty.fork()
    if pid == 0:  # the child, in a terminal of its own
        os.environ["PYTHONPATH"] = str(Path(__file__).parent.parent.parent)
        words = ["serve", f"m={MODEL}", "--port", "0", "--threads", "1", "--access-log", str(tmp_path / "a.log")]
        os.execv(sys.executable, [sys.executable, "-m", "dlcli", *words])
    said = b""
    while b"http://" not in said:
        said += os.read(terminal, 1024)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == ExitCode.TERMINATED
