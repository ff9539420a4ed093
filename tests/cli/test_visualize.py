"""`dl visualize` looks among the pictures of the run's task first, then among the general ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcli.cli import pictures
from dlcli.cli.pictures import all_pictures, find_picture, pictures_of
from dlcli.core.registry import TASKS
from dlcli.visualize.pictures import PICTURES, Picture
from dlcli.visualize.subject import Drawn, NoOptions, Subject

OWN = {"classification": ["cam"], "sentiment": ["attention", "embeddings", "lengths"], "regression": []}


def draw_red(subject: Subject, options: NoOptions) -> Drawn:
    del options
    subject.shows(["red"])
    yield f"red-{len(subject.assets()['labels'])}", np.full((4, 4, 3), (255, 0, 0), np.uint8)


RED = Picture("nothing but red", "RUN", NoOptions, draw_red)


@pytest.fixture
def red_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let classification have a picture of its own by the name of a general one."""

    def load(reference: str) -> Any:
        return {"curves": RED} if "classification" in reference else {}

    monkeypatch.setattr(pictures, "load_object", load)


@pytest.mark.parametrize(("task", "names"), OWN.items())
def test_a_task_names_its_own_pictures_and_no_general_one(task: str, names: list[str]) -> None:
    assert list(pictures_of(TASKS[task])) == names
    assert not set(names) & set(PICTURES)


def test_general_pictures_are_listed_first_and_then_those_of_the_tasks() -> None:
    assert list(all_pictures()) == [*PICTURES, "cam", "attention", "embeddings", "lengths"]
    assert all_pictures()["lengths"].owner == "sentiment"
    assert all_pictures()["grid"].owner is None


def test_the_help_page_lists_every_picture_with_what_it_shows(dl: Any, bench: Any) -> None:
    page = " ".join(dl("visualize", "-h").out.split())
    for name, found in all_pictures().items():
        assert f"{name}: {found.picture.summary}" in page


def test_a_task_s_own_picture_wins_over_a_general_one_on_its_runs_alone(red_curves: None) -> None:
    own = find_picture("curves", TASKS["classification"])
    assert own is not None
    assert (own.picture, own.owner) == (RED, "classification")
    for spec in (TASKS["sentiment"], None):
        general = find_picture("curves", spec)
        assert general is not None
        assert (general.picture, general.owner) == (PICTURES["curves"], None)
    assert find_picture("no-such-picture", None) is None


def test_the_picture_of_a_run_is_that_of_its_task(dl: Any, bench: Any, red_curves: None) -> None:
    bench.run()
    answer = dl("visualize", "--out", "red.png", "curves", "digits-lenet-1")
    assert (answer.code, answer.out) == (0, "red.png\n")
    assert dl("visualize", "curves", "digits-lenet-1").out == "runs/digits-lenet-1/plots/red-10.png\n"
    assert "nothing but red" in dl("visualize", "curves", "digits-lenet-1", "-h").out


@pytest.mark.parametrize(("subject", "code"), [("digits-lenet-1", 2), ("./data/digits", 3)])
def test_the_picture_of_another_task_names_that_task(subject: str, code: int, dl: Any, bench: Any) -> None:
    bench.run()
    answer = dl("visualize", "lengths", subject)
    assert (answer.code, answer.out) == (code, "")
    assert "lengths is a picture of sentiment" in answer.err
    assert "cam" in answer.err


def test_a_misspelt_picture_is_answered_with_the_nearest_of_any_task(dl: Any, bench: Any) -> None:
    answer = dl("visualize", "attenton", "some-run")
    assert answer.code == 2
    assert "did you mean 'attention'?" in answer.err


def test_samples_are_those_of_the_folder_s_form(dl: Any, bench: Any) -> None:
    bench.photos("photos")
    assert dl("visualize", "grid", "photos", "--out", "g.png").code == 0
    assert Path("g.png").read_bytes().startswith(b"\x89PNG")
    assert dataclasses.is_dataclass(PICTURES["grid"].options)
