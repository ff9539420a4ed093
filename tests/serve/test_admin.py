"""Versions that come, go and share the traffic while the server runs."""

from __future__ import annotations

import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from serve.conftest import BEARER, STORED, TOKEN, Halving, open_halving, open_stored

from dlcli.core.errors import RunError
from dlcli.serve.plan import plan_of


class Versions:
    """Opens toys whose factor is the number at the end of their target; a damaged one cannot be opened."""

    def __init__(self) -> None:
        self.damaged: set[str] = set()
        self.opened: list[str] = []

    def __call__(self, target: str):
        name = Path(target).name
        if name in self.damaged:
            raise RunError(f"{name}: damaged")
        self.opened.append(name)
        model = Halving()
        model.factor = float(name[-1])
        return open_halving(model)


@pytest.fixture
def versions() -> Versions:
    return Versions()


def ask(client, path: str = "/predict", **headers: str) -> float:
    answered = client.post(path, json={"input": 1}, headers={**BEARER, **headers})
    assert answered.status_code == 200, answered.text
    return answered.json()["records"][0]["half"]


@pytest.fixture
def folder(tmp_path):
    """A folder of models."""
    for name in ("m3", "m4"):
        (tmp_path / "models" / name).mkdir(parents=True)
    (tmp_path / "outside9").mkdir()
    return tmp_path / "models"


def test_a_version_is_loaded_asked_made_the_default_and_unloaded(serving, versions, folder):
    client = serving("a=m1", opens=versions, token=TOKEN, model_dir=folder).client
    loaded = client.put("/admin/models/a/2", json={"model": "m3"}, headers=BEARER)
    assert (loaded.status_code, loaded.json()["models"]) == (200, ["a@1", "a@2"])
    assert [
        ask(client, path) for path in ("/predict", "/models/a/1/predict", "/models/a/2/predict", "/models/a/predict")
    ] == [1, 1, 3, 3]
    assert client.delete("/admin/models/a/1", headers=BEARER).status_code == 409  # the default
    assert client.put("/admin/traffic", json={"default": "a@2"}, headers=BEARER).status_code == 200
    assert ask(client) == 3
    assert client.delete("/admin/models/a/1", headers=BEARER).json()["models"] == ["a@2"]
    assert client.post("/models/a/1/predict", json={"input": 1}, headers=BEARER).status_code == 404
    assert client.delete("/admin/models/a/1", headers=BEARER).status_code == 404


@pytest.mark.parametrize("name", ["../outside9", "/etc", "m3/../../outside9", "none", "", ".", "link", "a\0b"])
def test_only_what_lies_in_the_folder_of_models_is_loaded(serving, versions, folder, name):
    (folder / "link").symlink_to(folder.parent / "outside9")
    client = serving("a=m1", opens=versions, token=TOKEN, model_dir=folder).client
    answered = client.put("/admin/models/a/2", json={"model": name}, headers=BEARER)
    assert (answered.status_code, answered.json()["error"]) == (404, "no such model in --model-dir")
    assert versions.opened == ["m1"]


def test_without_a_folder_nothing_is_loaded_and_bad_names_are_refused(serving, versions, folder):
    client = serving("a=m1", opens=versions, token=TOKEN).client
    assert client.put("/admin/models/a/2", json={"model": "m3"}, headers=BEARER).status_code == 403
    client = serving("a=m1", opens=versions, token=TOKEN, model_dir=folder).client
    assert client.put("/admin/models/a%20b/2", json={"model": "m3"}, headers=BEARER).status_code == 409
    for body in ({"model": 3}, ["m3"], {}):
        assert client.put("/admin/models/a/2", json=body, headers=BEARER).status_code == 400
    for body in ({}, {"else": 1}, {"shares": [1]}, {"default": 1}):
        assert client.put("/admin/traffic", json=body, headers=BEARER).status_code == 400
    for body in ({"default": "b@1"}, {"shares": {"a@1": -1}}, {"shares": {"a@1": "x"}}):
        assert client.put("/admin/traffic", json=body, headers=BEARER).status_code == 409


def test_a_version_that_cannot_be_opened_changes_nothing(serving, versions, folder):
    versions.damaged = {"m3"}
    client = serving("a=m1", opens=versions, token=TOKEN, model_dir=folder).client
    answered = client.put("/admin/models/a/1", json={"model": "m3"}, headers=BEARER)
    assert (answered.status_code, answered.json()["error"]) == (409, "m3: damaged")
    assert ask(client) == 1


def test_reloading_opens_everything_again_and_keeps_what_is_damaged_now(serving, versions):
    bench = serving("a=m1", "b=m2", opens=versions, token=TOKEN)
    assert bench.client.post("/admin/reload", headers=BEARER).json()["faults"] == []
    assert versions.opened == ["m1", "m2", "m1", "m2"]
    versions.damaged = {"m2"}
    answered = bench.client.post("/admin/reload", headers=BEARER)
    assert answered.status_code == 500
    assert answered.json()["faults"] == ["b@1: the old one stays: m2: damaged"]
    assert bench.said == answered.json()["faults"]
    assert [ask(bench.client, f"/models/{name}/predict") for name in "ab"] == [1, 2]


def test_a_file_that_is_damaged_keeps_the_old_model_and_a_whole_one_replaces_it(serving, tmp_path):
    place = tmp_path / "m.onnx"
    shutil.copy(STORED / "sentiment" / "model.onnx", place)
    client = serving(f"m={place}", opens=open_stored, token=TOKEN).client

    def ask_text():
        return client.post("/predict", json={"input": "so fine"}, headers=BEARER)

    before = ask_text().json()["records"]
    place.write_bytes(place.read_bytes()[:1000])
    assert client.post("/admin/reload", headers=BEARER).status_code == 500
    assert ask_text().json()["records"] == before
    shutil.copy(STORED / "regression" / "model.onnx", place)
    assert client.post("/admin/reload", headers=BEARER).status_code == 200
    assert client.get("/metadata", headers=BEARER).json()["models"][0]["takes"] == "row"
    assert ask_text().status_code == 422


def test_a_change_is_read_opened_and_written_while_no_other_worker_makes_one(serving, versions, folder):
    bench = serving("a=m1", opens=versions, token=TOKEN, model_dir=folder)
    seen: list[str] = []

    @contextmanager
    def alone():
        seen.append("alone")
        yield
        seen.append("not alone")

    def base():
        seen.append("read")
        return bench.shelf.plan

    bench.state.alone, bench.shelf._base = alone, base
    bench.state.on_change = lambda plan, reload: seen.extend([*versions.opened[1:], "written"])
    for name, status, changed in (("m3", 200, ["m3", "written"]), ("m4", 409, [])):
        versions.damaged.add("m4")
        answered = bench.client.put("/admin/models/a/2", json={"model": name}, headers=BEARER)
        assert (answered.status_code, seen) == (status, ["alone", "read", *changed, "not alone"])
        seen.clear()


def test_nothing_is_lost_while_versions_replace_each_other(serving, versions):
    client = serving("a=m1", opens=versions, token=TOKEN).client
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask, client) for _ in range(120)]
        for _ in range(5):
            assert client.post("/admin/reload", headers=BEARER).status_code == 200
        assert [each.result() for each in asked] == [1.0] * 120


def test_shares_of_the_traffic_follow_the_identifier_or_the_draw(serving, versions):
    client = serving("a=m1", "a@2=m2", opens=versions, token=TOKEN, share="a@1=0.75,a@2=0.25").client
    by_id = {f"id-{n}": ask(client, **{"X-Request-ID": f"id-{n}"}) for n in range(200)}
    assert 30 <= Counter(by_id.values())[2.0] <= 70
    assert all(ask(client, **{"X-Request-ID": each}) == by_id[each] for each in list(by_id)[:20])
    drawn = Counter(ask(client) for _ in range(200))
    assert 30 <= drawn[2.0] <= 70
    client.put("/admin/traffic", json={"shares": {"a@2": 1}}, headers=BEARER)
    assert {ask(client) for _ in range(10)} == {2.0}
    client.put("/admin/traffic", json={"shares": {}}, headers=BEARER)
    assert {ask(client) for _ in range(10)} == {1.0}


def test_versions_by_the_identifier_are_the_same_on_every_machine(serving, versions):
    bench = serving("a=m1", "a@2=m2", opens=versions, share="a@1=0.5,a@2=0.5")
    found = [bench.shelf.choose(f"id-{n}").entry.version for n in range(12)]
    assert found == ["1", "2", "1", "1", "2", "1", "2", "2", "2", "1", "1", "1"]
    assert plan_of(["a=m1", "a@2=m2"], None, "a@1=0.5,a@2=0.5") == bench.shelf.plan
