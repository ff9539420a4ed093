"""Every built-in form names things that exist, and a task that reads it."""

from __future__ import annotations

import dataclasses

import pytest

from dlcli.core.builtin_forms import FORMS
from dlcli.core.registry import find_task, load_object

REFERENCES = [
    (name, field.name)
    for name, form in FORMS.items()
    for field in dataclasses.fields(form)
    if ":" in (getattr(form, field.name) or "") and field.name not in ("name", "summary")
]


@pytest.mark.parametrize(("name", "field"), REFERENCES)
def test_a_reference_is_a_function_that_exists(name: str, field: str) -> None:
    assert callable(load_object(getattr(FORMS[name], field)))


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_known_by_its_name_and_has_a_task(name: str) -> None:
    assert FORMS[name].name == name
    assert FORMS[name].summary
    task = find_task(FORMS[name].task)
    assert task is not None
    assert task.form == name
