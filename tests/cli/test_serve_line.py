"""What `dl serve` refuses before anything listens, and what it says once it does."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from dlcli.cli import serve
from dlcli.core.console import Console
from dlcli.core.errors import ExitCode
from dlcli.serve.options import ServeOptions
from dlcli.serve.plan import plan_of

from .conftest import RUN


def announced(monkeypatch: pytest.MonkeyPatch, options: ServeOptions, *, is_json: bool = False) -> tuple[str, str]:
    """Return what is written to stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)
    plan = plan_of(["a=one.onnx", "b=two.onnx"], options.default, options.share)
    serve._announce(Console(is_json=is_json), options, plan, "http://127.0.0.1:8000")
    return out.getvalue(), err.getvalue()


def test_the_address_is_the_answer_and_the_models_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = announced(monkeypatch, ServeOptions())
    assert out == "http://127.0.0.1:8000\n"
    assert "one.onnx, the default" in err
    assert "two.onnx" in err
    assert "in the clear" not in err


def test_the_document_has_every_model_and_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = announced(monkeypatch, ServeOptions(), is_json=True)
    found = json.loads(out)
    assert [each["name"] for each in found["models"]] == ["a", "b"]
    assert found["default"].startswith("a@")
    assert found["url"] == "http://127.0.0.1:8000"


def test_an_address_that_others_reach_without_tls_is_warned_of_and_never_shows_the_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, err = announced(monkeypatch, ServeOptions(host="0.0.0.0", token="secret-of-mine-alone"))
    assert "in the clear" in err
    assert "Authorization: Bearer TOKEN" in err
    assert "secret-of-mine" not in out + err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("a=lenet", "b=cnn", "--pretrained", "w.pt"), "for one network alone"),
        ((RUN, "--beam", "4"), "--beam"),
        ((RUN, "--port", "99999"), "port"),
    ],
)
def test_what_cannot_be_served_is_said_before_anything_listens(
    bench: Any, dl: Any, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], reason: str
) -> None:
    bench.run()
    monkeypatch.setattr("socket.socket.listen", lambda *_: pytest.fail("it listens"))
    answer = dl("serve", *words)
    assert answer.code in (ExitCode.USAGE, ExitCode.RUN, ExitCode.DATA)
    assert reason in answer.err
    assert len(answer.err.splitlines()) <= 6


def test_a_missing_package_is_named_with_the_line_that_installs_it(
    bench: Any, dl: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.run()
    monkeypatch.setattr(serve, "PACKAGES", ("starlette", "no_such_package"))
    answer = dl("serve", RUN)
    assert answer.code == ExitCode.USAGE
    assert "dl serve needs no_such_package" in answer.err
    assert "fix: in dl's source folder: pip install '.[serve]'" in answer.err
