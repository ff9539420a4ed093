from __future__ import annotations

import dataclasses
import re

import pytest

from dlcli.core import registry
from dlcli.core.errors import RunError, UsageError
from dlcli.core.registry import DATASETS, FORMS, TASKS, get_dataset, get_task, load_object

REFERENCE = re.compile(r"[\w.]+:\w+")


@pytest.mark.parametrize("spec", [*FORMS.values(), *TASKS.values(), *DATASETS.values()], ids=lambda spec: spec.name)
def test_every_reference_of_a_spec_exists(spec):
    values = dataclasses.asdict(spec).values()
    references = [value for value in values if isinstance(value, str) and REFERENCE.fullmatch(value)]
    assert references
    for reference in references:
        assert load_object(reference) is not None


def test_every_dataset_has_a_task_that_reads_its_form():
    for spec in DATASETS.values():
        assert get_task(spec.task).form == spec.form


def test_every_task_and_dataset_has_a_form_and_the_task_of_a_form_reads_it():
    assert {spec.form for spec in (*TASKS.values(), *DATASETS.values())} <= set(FORMS)
    assert all(get_task(form.task).form == form.name for form in FORMS.values() if form.task)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UsageError) as caught:
        get_dataset("cifer10")
    assert caught.value.hint == "did you mean 'cifar10'?"


def test_a_missing_object_is_a_clear_error():
    with pytest.raises(RunError, match="does not exist"):
        load_object("dlcli.core.errors:Nothing")
    with pytest.raises(RunError, match="does not exist"):
        load_object("dlcli_no_such_package.x:Nothing")


@dataclasses.dataclass
class FakeEntry:
    name: str
    result: object

    def load(self):
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def test_broken_plugins_are_told_and_harm_nothing(monkeypatch):
    good = dataclasses.replace(TASKS["classification"], name="mine")
    newer, older = (dataclasses.replace(good, name=f"for-{api}", api=api) for api in (2, 0))
    entries = [
        FakeEntry("raises", RuntimeError("boom")),
        FakeEntry("no-spec", object()),
        FakeEntry("taken", TASKS["classification"]),
        FakeEntry("good", good),
        FakeEntry("newer", newer),
        FakeEntry("older", older),
    ]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: entries)
    plugins = registry._load_plugins("dlcli.tasks", registry.TaskSpec, TASKS)
    assert list(plugins.specs) == ["mine"]
    assert [plugin.name for plugin in plugins.broken] == ["raises", "no-spec", "taken", "newer", "older"]
    assert "boom" in plugins.broken[0].reason
    assert plugins.broken[3].reason == "written for api 2, this dl has 1: upgrade dl"
    assert plugins.broken[4].reason == "written for api 0, this dl has 1: upgrade the plugin"


def test_a_plugin_cannot_take_the_name_of_another(monkeypatch):
    mine = dataclasses.replace(DATASETS["digits"], name="mine")
    entries = [FakeEntry("first", mine), FakeEntry("second", dataclasses.replace(mine, summary="other"))]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: entries)
    plugins = registry._load_plugins("dlcli.datasets", registry.DatasetSpec, DATASETS)
    assert plugins.specs == {"mine": mine}
    assert [(plugin.group, plugin.name) for plugin in plugins.broken] == [("dlcli.datasets", "second")]
    assert "'mine'" in plugins.broken[0].reason


@pytest.mark.parametrize("kind", ["task", "dataset"])
def test_what_is_found_is_what_is_listed(kind):
    listed, find, get = {
        "task": (registry.all_tasks(), registry.find_task, registry.get_task),
        "dataset": (registry.all_datasets(), registry.find_dataset, registry.get_dataset),
    }[kind]
    assert all(find(name) is get(name) is spec for name, spec in listed.items())
    assert find("no-such-name") is None
    with pytest.raises(UsageError, match="'no-such-name'"):
        get("no-such-name")


def test_a_list_of_what_there_is_may_be_changed_by_whoever_has_it():
    registry.all_tasks().clear()
    registry.all_datasets().clear()
    assert {*registry.all_tasks()} >= {*TASKS}
    assert {*registry.all_datasets()} >= {*DATASETS}


@pytest.mark.parametrize("reference", ["dlcli.core.errors", "dlcli.core.errors:", "dlcli.core:errors.DataError"])
def test_a_reference_without_an_object_is_a_clear_error(reference):
    with pytest.raises(RunError) as caught:
        load_object(reference)
    assert reference in caught.value.message


def test_a_module_that_lacks_a_package_is_no_missing_module(tmp_path, monkeypatch):
    (tmp_path / "half_a_plugin.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        load_object("half_a_plugin:Task")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("maskrcnn", "`dl train detection --model maskrcnn` trains it"),
        ("fasterrcnn_resnet50_fpn", "`dl train detection --model fasterrcnn_resnet50_fpn` trains it"),
        ("unett", "did you mean 'unet'?"),
    ],
)
def test_a_network_of_another_task_is_answered_with_that_task(name, advice):
    assert registry.network_advice(name, ["unet", "lraspp_mobilenet_v3_large"]) == advice
