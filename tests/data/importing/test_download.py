"""Downloads against a server on this machine: whole, resumed, and every way to fail."""

from __future__ import annotations

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dlcli.core.errors import DataError
from dlcli.data.importing.download import download_file

CONTENT = bytes(range(256)) * 4000
MD5 = hashlib.md5(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT. The path says how: /ranges, /whole (knows no ranges), /cut (breaks off), /away, /ftp."""

    def do_GET(self):
        self.server.ranges.append(self.headers.get("Range"))
        if self.path == "/away":
            self.send_error(404)
            return
        if self.path in ("/ftp", "/moved"):
            self.send_response(302)
            self.send_header("Location", "ftp://127.0.0.1/x" if self.path == "/ftp" else "/ranges")
            self.end_headers()
            return
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(match[1]) if match and self.path == "/ranges" else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : start + 1000] if self.path == "/cut" else CONTENT[start:])

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.ranges = []
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def fetch(url, target, **options):
    return download_file(url, target, **{"md5": MD5, "page": "the-page", "report": lambda _line: None, **options})


@pytest.mark.parametrize("path", ["/ranges", "/whole", "/moved"])
def test_the_whole_file_is_fetched_once(server, tmp_path, path):
    target = tmp_path / "sub" / "file"
    assert fetch(server.url + path, target) == target
    asked = len(server.ranges)
    fetch(server.url + path, target)
    assert target.read_bytes() == CONTENT and len(server.ranges) == asked
    assert [entry.name for entry in target.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("path", ["/ranges", "/whole"])
def test_a_part_is_completed_or_begun_again(server, tmp_path, path):
    (tmp_path / "file.part").write_bytes(CONTENT[:5000])
    fetch(server.url + path, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.ranges == ["bytes=5000-"]


def test_a_part_that_is_whole_is_taken(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT)
    fetch(server.url + "/ranges", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_broken_connection_keeps_what_came_and_goes_on(server, tmp_path):
    with pytest.raises(DataError, match="resumes after"):
        fetch(server.url + "/cut", tmp_path / "file")
    assert (tmp_path / "file.part").read_bytes() == CONTENT[:1000]
    fetch(server.url + "/ranges", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_another_checksum_is_refused_and_removed(server, tmp_path):
    with pytest.raises(DataError, match="checksum") as caught:
        fetch(server.url + "/ranges", tmp_path / "file", md5="0" * 32)
    assert "the-page" in caught.value.hint
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", ["/ranges", "/whole"])
def test_too_many_bytes_are_refused(server, tmp_path, path):
    with pytest.raises(DataError, match="exceed"):
        fetch(server.url + path, tmp_path / "file", max_bytes=1000)
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize(("path", "reason"), [("/away", "404"), ("/ftp", "ftp|302")])
def test_a_server_that_does_not_give_it_names_the_page(server, tmp_path, path, reason):
    with pytest.raises(DataError, match=reason) as caught:
        fetch(server.url + path, tmp_path / "file")
    assert "the-page" in caught.value.hint


def test_without_a_network_the_page_is_named(server, tmp_path):
    port = server.server_port
    server.server_close()
    with pytest.raises(DataError, match="cannot be downloaded") as caught:
        fetch(f"http://127.0.0.1:{port}/x", tmp_path / "file")
    assert "the-page" in caught.value.hint


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_only_http_is_fetched(tmp_path, url):
    with pytest.raises(DataError, match="only http"):
        fetch(url, tmp_path / "file")
