"""Who is answered: tokens, hosts, origins."""

from __future__ import annotations

import pytest
from serve.conftest import BEARER, TOKEN, Halving, open_halving

from dlcli.serve.access import OPEN, client_id


@pytest.fixture
def guarded(serving):
    """A server that wants a token."""
    return serving("toy", opens=lambda _: open_halving(Halving()), token=TOKEN).client


@pytest.mark.parametrize(
    "header", [None, "", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer é"]
)
def test_without_the_token_only_what_holds_nothing_is_answered(guarded, header):
    headers = {"Authorization": header.encode()} if header is not None else {}
    for method, path in (
        ("POST", "/predict"),
        ("GET", "/metadata"),
        ("GET", "/metrics"),
        ("POST", "/admin/reload"),
        ("GET", "/x"),
    ):
        answered = guarded.request(method, path, headers=headers)
        assert answered.status_code == 401
        assert answered.headers["WWW-Authenticate"] == "Bearer"
    assert {guarded.get(path).status_code for path in OPEN} == {200}


def test_with_the_token_everything_is(guarded):
    assert guarded.post("/predict", json={"input": 2}, headers=BEARER).status_code == 200
    lower = {"Authorization": f"bearer  {TOKEN}"}
    assert guarded.get("/metrics", headers=lower).status_code == 200


def test_a_name_that_leads_to_this_machine_is_not_this_machine(serving, guarded):
    client = serving("toy", opens=lambda _: open_halving(Halving())).client
    for host in ("localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000", "LOCALHOST"):
        assert client.get("/health", headers={"Host": host}).status_code == 200
    for host in ("evil.example", "localhost.evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "[::1"):
        assert client.get("/health", headers={"Host": host}).status_code == 421
    assert guarded.get("/health", headers={"Host": "models.example"}).status_code == 200


def test_pages_of_other_sites_are_not_answered(serving):
    client = serving("toy", opens=lambda _: open_halving(Halving())).client
    own = {"Host": "localhost:80", "Origin": "http://localhost:80"}
    assert client.post("/predict", json={"input": 2}, headers=own).status_code == 200
    for origin in ("http://evil.example", "null", "http://localhost:81"):
        other = {"Host": "localhost:80", "Origin": origin}
        assert client.post("/predict", json={"input": 2}, headers=other).status_code == 403


def test_without_a_token_nothing_is_administered(serving):
    client = serving("toy", opens=lambda _: open_halving(Halving())).client
    for method, path in (("PUT", "/admin/models/a/1"), ("DELETE", "/admin/models/toy/1"), ("POST", "/admin/reload")):
        answered = client.request(method, path)
        assert (answered.status_code, answered.json()["fix"]) == (403, "start the server with --token")


@pytest.mark.parametrize("text", ["", "a b", "a\n", "é", "x" * 65, "../x", "<b>"])
def test_an_identifier_that_could_be_anything_else_is_none(text):
    assert client_id({"x-request-id": text}) is None
    assert client_id({"x-request-id": "ok-1.2_3"}) == "ok-1.2_3"
