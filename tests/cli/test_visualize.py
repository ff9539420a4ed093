"""`dl visualize` looks among the pictures of the run's task first, then among the general ones."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcli.cli import pictures
from dlcli.cli.pictures import all_pictures, find_picture, pictures_of
from dlcli.core.registry import TASKS
from dlcli.data.images.operations.table import OPERATIONS
from dlcli.visualize import grids
from dlcli.visualize.pictures import PICTURES, Picture
from dlcli.visualize.subject import Animation, Drawn, NoOptions, Subject

OWN = {
    "detection": ["boxes", "masks", "augment", "pr", "errors", "anchors", "matches", "pyramid"],
    "classification": ["grid", "cam"],
    "sentiment": ["attention", "embeddings", "lengths"],
    "regression": ["importance", "dependence"],
}


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
def test_a_task_names_its_own_pictures_of_which_two_stand_in_for_general_ones(task: str, names: list[str]) -> None:
    assert list(pictures_of(TASKS[task])) == names
    assert set(names) & set(PICTURES) <= {"grid", "embeddings"}


def test_general_pictures_are_listed_first_and_then_those_of_the_tasks() -> None:
    of_tasks = ["cam", "attention", "lengths", *OWN["detection"], "interpolate", "translate", *OWN["regression"]]
    assert list(all_pictures()) == [*PICTURES, *of_tasks]
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


def test_the_table_of_operations_has_every_one_with_its_range(dl: Any, bench: Any) -> None:
    bench.digits()
    answer = dl("visualize", "grid", "./data/digits", "--augment", "list", "--json")
    assert (answer.code, answer.err) == (0, "")
    entries = json.loads(answer.out)["operations"]
    assert [entry["name"] for entry in entries] == list(OPERATIONS)
    assert all(entry["minimum"] <= entry["default"] <= entry["maximum"] for entry in entries)
    shown = dl("visualize", "grid", "./data/digits", "--augment", "list").out
    assert "degrees of rotation to either side, at most" in shown


@pytest.mark.parametrize("subject", ["./data/digits", "digits-lenet-1"])
def test_a_row_begins_with_the_image_and_goes_on_with_what_training_sees(
    subject: str, dl: Any, bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[dict[str, list[np.ndarray]], str]] = []

    def record(samples: dict[str, list[np.ndarray]], *, title: str) -> np.ndarray:
        drawn.append((samples, title))
        return np.zeros((4, 4, 3), np.uint8)

    monkeypatch.setattr(grids, "draw_samples", record)
    bench.run()
    words = ("visualize", "grid", subject, "--out", "g.png")
    assert dl(*words, "--augment", "flip=1").code == 0
    assert dl(*words, "--augmented").code == 0
    assert dl(*words, "--augment", "each").code == 0
    (flipped, title), (own, own_title), (every, _) = drawn
    assert (list(flipped), title.split(":")[0]) == (list("01234567"), "augment flip=1")
    for image, *versions in flipped.values():
        assert len(versions) == 8
        assert all(np.array_equal(version, image[:, ::-1]) for version in versions)
    assert own_title.startswith("augment default:")
    # The recipe of digits shifts by up to a pixel and mirrors nothing.
    assert not any(np.array_equal(image[:, ::-1], version) for image, *versions in own.values() for version in versions)
    assert [name.partition("=")[0] for name in every] == list(OPERATIONS)
    assert {len(images) for images in every.values()} == {7}


def test_samples_over_the_epochs_are_a_strip_and_an_animation(dl: Any, bench: Any) -> None:
    bench.run()
    answer = dl("visualize", "steps", "digits-lenet-1")
    names = ["runs/digits-lenet-1/plots/steps.png", "runs/digits-lenet-1/plots/steps.gif"]
    assert (answer.code, answer.out.split()) == (0, names)
    assert [Path(name).read_bytes()[:4] for name in names] == [b"\x89PNG", b"GIF8"]
    for out in ("steps.png", "steps.gif"):
        answer = dl("visualize", "steps", "digits-lenet-1", "--out", out)
        assert answer.code == 2 and "there are 2 pictures" in answer.err


def draw_moving(subject: Subject, options: NoOptions) -> Drawn:
    del options
    yield f"moving-{subject.name}", Animation([np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)])


def test_an_animation_is_a_gif_and_a_picture_is_none(dl: Any, bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run()
    moving = Picture("what moves", "RUN", NoOptions, draw_moving)
    monkeypatch.setattr(pictures, "load_object", lambda _: {"moving": moving, "red": RED})
    assert dl("visualize", "moving", "digits-lenet-1", "--out", "m.gif").out == "m.gif\n"
    assert Path("m.gif").read_bytes().startswith(b"GIF8")
    answer = dl("visualize", "moving", "digits-lenet-1", "--out", "m.png")
    assert answer.code == 2 and "an animation is a GIF file" in answer.err
    answer = dl("visualize", "red", "digits-lenet-1", "--out", "r.gif")
    assert answer.code == 2 and "a picture is a PNG file" in answer.err
    assert not Path("m.png").exists() and not Path("r.gif").exists()


def test_inputs_of_one_file_name_have_a_picture_each(dl: Any, bench: Any) -> None:
    run = bench.run()
    inputs = [str(bench.png(f"{place}/1.png", value)) for place, value in (("cat", 10), ("dog", 200))]
    answer = dl("visualize", "cam", str(run), *inputs)
    assert answer.code == 0
    assert [Path(line).name for line in answer.out.splitlines()] == ["cam-1.png", "cam-1-2.png"]
    assert {path.name for path in (run / "plots").glob("cam-*")} == {"cam-1.png", "cam-1-2.png"}
