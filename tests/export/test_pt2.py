"""torch.export files: what they hold and leave out, and that one which could run code is not loaded."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from dlcli.core.errors import RunError
from dlcli.export.exporting import export_model
from dlcli.export.model_file import PT2, kind_of
from dlcli.export.peek import task_name_of
from dlcli.export.pt2 import CONFIGS, CONSTANTS, GRAPH, METADATA, SAMPLES, WEIGHTS
from dlcli.export.runtime import open_model


@pytest.fixture(scope="module")
def exported(plans, tmp_path_factory):
    """Plan name -> (plan, file)."""
    folder = tmp_path_factory.mktemp("程 序")
    found = {}
    for name, make in plans.items():
        torch.manual_seed(0)
        plan = make()
        result = export_model(plan, "pt2", folder / f"{name} 网.pt2", report=lambda line: None)
        found[name] = plan, result.path
    return found


def members_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def write(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"archive/{name}", content)
    return path


def changed_document(members: dict[str, bytes], name: str, change) -> dict[str, bytes]:
    document = json.loads(members[name])
    change(document)
    return {**members, name: json.dumps(document).encode()}


@pytest.mark.parametrize("name", ["image", "two", "sentence"])
def test_a_program_answers_as_its_module_at_sizes_that_it_was_not_traced_with(exported, name):
    plan, path = exported[name]
    [graph] = plan.graphs
    model = open_model(path)
    assert (model.inputs, model.outputs) == (graph.inputs, graph.outputs)
    module = graph.module.eval()
    for sample in graph.samples:
        with torch.inference_mode():
            expected = module(*(torch.from_numpy(sample[key]) for key in graph.inputs))
        expected = expected if isinstance(expected, tuple) else (expected,)
        for value, answer in zip(expected, model.run(sample).values(), strict=True):
            np.testing.assert_allclose(answer, value.numpy(), rtol=1e-5, atol=1e-5)


def test_its_kind_and_task_are_known_from_its_content(exported, tmp_path):
    _, path = exported["image"]
    other = tmp_path / "model.bin"
    other.write_bytes(path.read_bytes())
    assert kind_of(other) == PT2
    assert task_name_of(other) == "classification"


def test_metadata_round_trips_and_other_programs_load_the_file_with_torch_alone(exported):
    plan, path = exported["image"]
    assert open_model(path).metadata["assets"] == plan.metadata["assets"]
    extra = {"dlcli.json": ""}
    program = torch.export.load(io.BytesIO(path.read_bytes()), extra_files=extra)
    assert json.loads(extra["dlcli.json"])["task"] == "classification"
    assert program.module()(torch.zeros(5, 3, 8, 8)).shape == (5, 5)


def test_neither_samples_nor_places_of_this_machine_are_in_the_file(exported):
    plan, path = exported["image"]
    members = members_of(path)
    assert str(Path(__file__).parent).encode() not in b"".join(members.values())
    assert b"site-packages" not in b"".join(members.values())
    example = plan.graphs[0].example["image"].numpy()
    assert not any(example.ravel()[:8].tobytes() in content for content in members.values())


class Bomb:
    def __reduce__(self):
        return (print, ("boom",))


def _target(members, target):
    return changed_document(
        members, GRAPH, lambda document: document["graph_module"]["graph"]["nodes"][0].update(target=target)
    )


def _pickled_weight(members):
    def change(config):
        next(iter(config["config"].values()))["use_pickle"] = True

    return changed_document({**members, f"{WEIGHTS}weight_0": pickle.dumps(Bomb())}, CONFIGS[0], change)


def _constant(members):
    entry = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    members = {**members, f"{CONSTANTS}opaque_obj_0": pickle.dumps(Bomb())}
    return changed_document(members, CONFIGS[1], lambda config: config["config"].update(bomb=entry))


def _size(members, text):
    def change(document):
        values = document["graph_module"]["graph"]["sym_int_values"]
        values["bomb"] = {"as_expr": {"expr_str": text, "hint": None}}

    return changed_document(members, GRAPH, change)


def _spec(members):
    def change(document):
        call = document["graph_module"]["module_call_graph"][0]["signature"]
        call["in_spec"] = call["in_spec"].replace("builtins.tuple", "collections.defaultdict")

    return changed_document(members, GRAPH, change)


def _argument(members, kind, value):
    def change(document):
        document["graph_module"]["graph"]["nodes"][0]["inputs"][0]["arg"] = {kind: value}

    return changed_document(members, GRAPH, change)


def _renamed(members):
    def change(document):
        document["graph_module"]["graph"]["nodes"][0]["inputs"][0]["name"] = "x=print('boom'), y"

    return changed_document(members, GRAPH, change)


UNSAFE = {
    "a function of Python": lambda members: _target(members, "torch.os.system"),
    "a private attribute": lambda members: _target(members, "torch.ops.aten.relu.__class__"),
    "an operator that reads files": lambda members: _target(members, "torch.ops.aten.from_file.default"),
    "an operator of a stranger": lambda members: _target(members, "torch.ops.evil.run.default"),
    "an operator of operators": lambda members: _target(members, "torch.ops.higher_order.cond"),
    "builtins": lambda members: _target(members, "_operator.attrgetter"),
    "a pickled weight": _pickled_weight,
    "a pickled constant": _constant,
    "a size that is a program": lambda members: _size(members, "__import__('os').system('true')"),
    "a size with an attribute": lambda members: _size(members, "Integer(1).func"),
    "a size with a lambda": lambda members: _size(members, "(lambda: 0)()"),
    "a container of another module": _spec,
    "a graph as an argument": lambda members: _argument(members, "as_graph", {"name": "g", "graph": {}}),
    "an object as an argument": lambda members: _argument(members, "as_custom_obj", {"name": "a", "class_fqn": "b"}),
    "an argument's name that is code": _renamed,
    "guards": lambda members: changed_document(
        members, GRAPH, lambda document: document.update(guards_code=["print('boom')"])
    ),
    "a compiled library": lambda members: {**members, "data/aotinductor/model/model.so": b"\x7fELF"},
    "old weights": lambda members: {**members, "models/other.json": b"{}"},
}


@pytest.mark.parametrize("name", UNSAFE)
def test_what_could_run_code_is_refused(exported, tmp_path, capsys, monkeypatch, name):
    monkeypatch.setattr(torch.export, "load", lambda *args, **more: pytest.fail("it was loaded"))
    path = write(tmp_path / "bad.pt2", UNSAFE[name](members_of(exported["image"][1])))
    with pytest.raises(RunError, match=r"holds .* which is not loaded") as caught:
        open_model(path)
    assert len(str(caught.value.message)) < 300
    assert "boom" not in capsys.readouterr().out


def test_a_compressed_member_that_could_fill_the_memory_is_refused(exported, tmp_path):
    members = members_of(exported["image"][1])
    with zipfile.ZipFile(tmp_path / "bomb.pt2", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**members, f"{WEIGHTS}weight_0": bytes(1 << 20)}.items():
            archive.writestr(f"archive/{name}", content)
    with pytest.raises(RunError, match="holds the compressed member"):
        open_model(tmp_path / "bomb.pt2")


def test_pickled_samples_and_old_weights_are_not_even_read(exported, tmp_path, capsys):
    members = {**members_of(exported["image"][1]), SAMPLES: pickle.dumps(Bomb()), f"{WEIGHTS}model.pt": b"pickle"}
    model = open_model(write(tmp_path / "bad.pt2", members))
    assert model.run({"image": np.zeros((1, 3, 8, 8), np.float32)})["logits"].shape == (1, 5)
    assert "boom" not in capsys.readouterr().out


@pytest.mark.parametrize("member", [GRAPH, CONFIGS[0], CONFIGS[1]])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"null", b'{"graph_module": 3}', b'{"config": [1]}'])
def test_a_damaged_document_is_reported(exported, tmp_path, member, content):
    members = members_of(exported["image"][1])
    if member == CONFIGS[1] and content == b"{}":
        content = b"3"
    path = write(tmp_path / "bad.pt2", {**members, member: content})
    with pytest.raises(RunError, match=r"damaged|cannot load|not loaded"):
        open_model(path)


def test_a_file_without_weights_or_metadata_is_reported(exported, tmp_path):
    members = members_of(exported["image"][1])
    with pytest.raises(RunError, match="damaged"):
        open_model(write(tmp_path / "a.pt2", {k: v for k, v in members.items() if k != f"{WEIGHTS}weight_0"}))
    with pytest.raises(RunError, match="no labels"):
        open_model(write(tmp_path / "b.pt2", {k: v for k, v in members.items() if k != METADATA}))


def test_a_truncated_file_is_no_model(exported, tmp_path):
    path = tmp_path / "half.pt2"
    path.write_bytes(exported["image"][1].read_bytes()[:2000])
    with pytest.raises(RunError, match="truncated"):
        open_model(path)


def test_inputs_of_another_shape_are_reported(exported):
    model = open_model(exported["image"][1])
    with pytest.raises(RunError, match="does not take these inputs"):
        model.run({"image": np.zeros((1, 4, 8, 8), np.float32)})
    with pytest.raises(RunError, match="takes the inputs image"):
        model.run({"other": np.zeros((1, 3, 8, 8), np.float32)})
