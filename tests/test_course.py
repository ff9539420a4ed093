"""Every command, picture, dataset, network and option that docs/course.md names is one that there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dlcli.cli.commands import COMMANDS
from dlcli.cli.pictures import all_pictures, pictures_of
from dlcli.core.config import fields_of
from dlcli.core.registry import DATASETS, TASKS, load_object

ROOT = Path(__file__).parent.parent
SPANS = re.findall(r"`([^`\n]+)`", (ROOT / "docs" / "course.md").read_text(encoding="utf-8"))
LINES = [line for span in SPANS for line in re.split(r" && |, (?=dl )", span) if line.startswith("dl ")]


@pytest.mark.parametrize("line", dict.fromkeys(LINES))
def test_a_command_its_picture_and_its_dataset_are_there(line: str) -> None:
    _, command, *words = line.split()
    assert command in COMMANDS
    if command == "visualize":
        assert words[0] in all_pictures()
    if command == "prepare" and words:
        assert words[0] in DATASETS


def test_every_option_is_on_a_help_page() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    known = set(re.findall(r"--[a-z0-9][a-z0-9-]*", page))
    inference = [load_object(spec.inference) for spec in TASKS.values() if spec.inference]
    drawing = [picture.options for spec in TASKS.values() for picture in pictures_of(spec).values()]
    known |= {f"--{info.flag}" for options in (*inference, *drawing) for info in fields_of(options)}
    named = {
        flag
        for span in SPANS
        if not span.startswith("tensorboard")
        for flag in re.findall(r"(?<!\S)--[a-z0-9-]+", span)
    }
    assert len(named) > 40
    assert named <= known


def test_every_network_of_our_own_is_in_its_task_s_table() -> None:
    ours = {name for spec in TASKS.values() for name in load_object(spec.networks)}
    named = {name for span in SPANS for name in re.findall(r"--model (\S+)", span)}
    assert len(named) > 10
    assert named <= ours
