"""Who may listen where, and with which token."""

from __future__ import annotations

import pytest

from dlcli.core.errors import UsageError
from dlcli.serve.options import TOKEN, ServeOptions, check_options, is_loopback, resolved_token

GOOD = "0123456789abcdef"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_this_machine_may_ask_without_a_token(host):
    assert is_loopback(host)
    check_options(ServeOptions(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "example.org", "localhost.example.org", ""])
def test_others_need_one(host, monkeypatch):
    monkeypatch.delenv(TOKEN, raising=False)
    assert not is_loopback(host)
    with pytest.raises(UsageError, match="whoever reaches") as refused:
        check_options(ServeOptions(host=host))
    assert "--token" in (refused.value.hint or "")
    check_options(ServeOptions(host=host, token=GOOD))
    monkeypatch.setenv(TOKEN, GOOD)
    check_options(ServeOptions(host=host))


def test_the_option_comes_before_the_variable(monkeypatch):
    monkeypatch.setenv(TOKEN, GOOD)
    assert resolved_token(ServeOptions()) == GOOD
    assert resolved_token(ServeOptions(token=GOOD[::-1])) == GOOD[::-1]
    monkeypatch.setenv(TOKEN, "")
    assert resolved_token(ServeOptions()) is None


@pytest.mark.parametrize(
    "token", ["short", "sixteen letters here and blanks", "ünïcödé-ünïcödé-ünïcödé", "a" * 15 + "\n"]
)
def test_a_token_that_can_be_guessed_or_not_be_sent_is_refused(token):
    with pytest.raises(UsageError, match="16 or more"):
        resolved_token(ServeOptions(token=token))


def test_certificate_and_key_belong_together_and_exist(tmp_path):
    with pytest.raises(UsageError, match="belong together"):
        check_options(ServeOptions(cert="a.pem"))
    with pytest.raises(UsageError, match="no such file"):
        check_options(ServeOptions(cert="a.pem", key="b.pem"))
    with pytest.raises(UsageError, match="no such folder"):
        check_options(ServeOptions(model_dir=str(tmp_path / "none")))
