"""Requests a second and their latency by concurrency: `dl serve` beside a plain FastAPI server of the same ONNX file.

    python benchmarks/serve_load.py MODEL.onnx IMAGE --seconds 10 --concurrency 1 8 32

Both servers run one process and one thread of onnxruntime, decode the same file with the same codec, and are asked by
the same client, in a process of its own, over connections that stay open. The plain server is what people write first:
an endpoint that answers each request alone, in FastAPI's thread pool. Needs: fastapi.

CPU ms is the CPU time of the server's process for an answer, which depends little on what else the machine does.

Every answer is checked: its status, and the record, which must be that of the first. Memory is the resident set of the
server's process. What else the machine does shows in the load average, which is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BOUNDARY = "benchmark"


def request_of(image: Path) -> bytes:
    """Return the bytes of a request that uploads an image."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{image.name}"\r\n\r\n'
    body = head.encode() + image.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()
    lines = [
        "POST /predict HTTP/1.1",
        "Host: localhost",
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}",
        f"Content-Length: {len(body)}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[int, bytes]:
    """Return the status and the body of one answer."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:"))
    return int(head.split(b" ", 2)[1]), await reader.readexactly(length)


async def load(port: int, request: bytes, concurrency: int, seconds: float) -> tuple[list[float], int]:
    """Return the latencies in seconds of all answers, and how many were not as the first."""
    latencies: list[float] = []
    expected: list[object] = []
    wrong = 0
    end = time.perf_counter() + seconds

    async def client() -> None:
        nonlocal wrong
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < end:
            begin = time.perf_counter()
            status, body = await ask(reader, writer, request)
            latencies.append(time.perf_counter() - begin)
            label = json.loads(body)["records"][0].get("label")
            expected.append(label)
            wrong += status != 200 or label is None or label != expected[0]
        writer.close()

    await asyncio.gather(*(client() for _ in range(concurrency)))
    return latencies, wrong


def serve_plain(model: str, port: int) -> None:
    """Run the plain server."""
    import uvicorn
    from fastapi import FastAPI, UploadFile

    from dlcli.answering.opening import open_model
    from dlcli.data.codec import Source

    globals()["UploadFile"] = UploadFile  # where FastAPI looks for what the annotation names
    opened = open_model(model, device="cpu", threads=1, report=print)
    app = FastAPI()

    @app.post("/predict")
    def predict(file: UploadFile) -> dict[str, object]:
        item = opened.codec.encode(Source(file.filename or "", file.file.read()))
        [(_, arrays)] = opened.codec.batches([item])
        [answer] = opened.codec.decode(opened.predictor.run(arrays), [item])
        return {"records": [answer.record]}

    uvicorn.run(app, port=port, log_level="critical")


@contextmanager
def server(command: list[str], port: int) -> Iterator[int]:
    """Start a server, wait until it listens, and give its process."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(1200):
            try:
                asyncio.run(asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 1))
                break
            except OSError:
                time.sleep(0.1)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def resident_mb(pid: int) -> float:
    """Return the memory of a process in megabytes."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1000


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has taken, in seconds: it depends little on what else the machine does."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print a line for each server and concurrency."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("image", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--rounds", type=int, default=1, help="both servers in turn, so often")
    parser.add_argument("--workers", default="1", help="of dl serve")
    parser.add_argument("--max-wait-ms", default="0", help="of dl serve")
    parser.add_argument("--plain", type=int, metavar="PORT", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.plain is not None:
        serve_plain(given.model, given.plain)
        return
    request = request_of(given.image)
    port = 8999
    more = ["--port", str(port), "--threads", "1", "--workers", given.workers, "--max-wait-ms", given.max_wait_ms]
    servers = {
        "dl serve": [sys.executable, "-m", "dlcli", "serve", f"m={given.model}", *more],
        "FastAPI": [sys.executable, __file__, given.model, str(given.image), "--plain", str(port)],
    }
    print("server     clients    req/s   p50 ms   p99 ms  CPU ms  answers  wrong  load")
    for _ in range(given.rounds):
        for name, command in servers.items():
            with server(command, port) as pid:
                asyncio.run(load(port, request, 4, 2.0))  # warm
                before = resident_mb(pid)
                for concurrency in given.concurrency:
                    cpu = cpu_s(pid)
                    latencies, wrong = asyncio.run(load(port, request, concurrency, given.seconds))
                    ranked = sorted(latencies)
                    p50, p99 = (1000 * ranked[int(share * (len(ranked) - 1))] for share in (0.5, 0.99))
                    each = 1000 * (cpu_s(pid) - cpu) / len(ranked)
                    rate = len(ranked) / given.seconds
                    figures = f"{rate:8.0f} {p50:8.1f} {p99:8.1f} {each:7.2f} {len(ranked):8} {wrong:6}"
                    print(f"{name:10} {concurrency:7} {figures}  {os.getloadavg()[0]:.1f}", flush=True)
                print(f"{name:10} memory {before:.0f} MB warm, {resident_mb(pid):.0f} MB at the end", flush=True)


if __name__ == "__main__":
    main()
