"""What the documents show can be run: the examples of Python, the recipes for agents, the container, the workflow."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from bad_inputs.advice import why_wrong
from PIL import Image
from shell_lines import lines_of_dl

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
WORKFLOW = DOCS / "examples" / "github-actions.yml"
WHEELS = "https://download.pytorch.org/whl/cpu"


@pytest.mark.parametrize(
    ("shell", "lines"),
    [
        (
            'RUN=$(dl train a --quiet)\ndl eval "$RUN" --json | jq .a',
            ["dl train a --quiet", "dl eval '$RUN' --json"],
        ),
        ("cat a | dl predict m.onnx - --jsonl > out", ["dl predict m.onnx - --jsonl"]),
        ("dl eval x || exit 1 # dl no", ["dl eval x"]),
        ("echo dlx", []),
        ("dl train a \\\n  --epochs 3", ["dl train a --epochs 3"]),
    ],
)
def test_the_calls_in_a_piece_of_shell_are_found(shell: str, lines: list[str]) -> None:
    assert list(lines_of_dl(shell)) == lines


def test_the_page_for_agents_is_what_the_grammar_says() -> None:
    code = "import runpy, sys; sys.stdout.write(runpy.run_path('docs/make_skill_page.py')['render']())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    page = (DOCS / "SKILL.md").read_text(encoding="utf-8")
    assert done.stdout == page, "stale: run `python docs/make_skill_page.py`"
    head = yaml.safe_load(page.split("---\n")[1])
    assert head["name"] == "dl"
    assert len(head["description"]) <= 1024
    assert len(page.splitlines()) < 300


RECIPES = runpy.run_path(str(DOCS / "make_skill_page.py"))["RECIPES"]


@pytest.mark.parametrize("title", [title for title, _ in RECIPES])
def test_each_of_the_ten_recipes_can_be_typed(title: str) -> None:
    [shell] = [shell for own, shell in RECIPES if own == title]
    lines = list(lines_of_dl(shell))
    assert lines and len(RECIPES) == 10
    assert [why for line in lines if (why := why_wrong(line))] == []


@pytest.mark.parametrize("page", ["python.md", "SKILL.md"])
def test_the_lines_of_shell_in_a_page_can_be_typed(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    quoted = [line for line in re.findall(r"`(dl [^`]*)`", text) if "COMMAND" not in line and "[" not in line]
    lines = [line for block in blocks for line in lines_of_dl(block) if " -t " not in line and "docker" not in block]
    assert lines or quoted
    assert [why for line in [*lines, *quoted] if (why := why_wrong(line))] == []


@pytest.mark.slow
def test_the_examples_of_python_run_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.full((8, 8), 7, np.uint8)).save("seven.png")
    rows = [f"{2 + r % 5},{30 + 7 * r % 90},{100 + 13 * r % 70}.5" for r in range(60)]
    Path("houses.csv").write_text("\n".join(["rooms,area,price", *rows]))
    text = (DOCS / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 5
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)  # the examples of our own page
    assert names["report"]["items"] > 100
    assert names["prices"].info["task"] == "regression"


def test_the_workflow_is_yaml_whose_commands_can_be_typed() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    assert workflow[True] == ["push", "pull_request"]  # YAML 1.1 reads the key `on` as a boolean
    assert workflow["permissions"] == {"contents": "read"}
    steps = workflow["jobs"]["model"]["steps"]
    assert all(("run" in step) != ("uses" in step) for step in steps)
    runs = [step["run"] for step in steps if "run" in step]
    assert not any("${{" in run for run in runs), "what an expression gives would be run as shell"
    lines = [line for run in runs for line in lines_of_dl(run)]
    assert {line.split()[1] for line in lines} == {"prepare", "train", "eval", "export", "report"}
    assert [why for line in lines if (why := why_wrong(line))] == []
    assert any("--fail-under" in line for line in lines)
    assert f"--index-url {WHEELS}" in runs[0]
    for run in runs:
        checked = subprocess.run(["bash", "-n"], input=run, text=True, capture_output=True)
        assert (checked.returncode, checked.stderr) == (0, "")


def instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def test_the_image_is_small_runs_as_a_user_and_starts_dl() -> None:
    found = instructions()
    bases = [value for name, value in found if name == "FROM"]
    assert all(re.fullmatch(r"python:3\.\d+-slim( AS \w+)?", base) for base in bases)
    assert [value for name, value in found if name == "USER"] == ["1000"]
    assert [json.loads(value) for name, value in found if name == "ENTRYPOINT"] == [["dl"]]
    assert not [name for name, _ in found if name == "ADD"]
    installs = [value for name, value in found if name == "RUN" and "pip install" in value]
    assert all("--no-cache-dir" in line for line in installs)
    assert f"--index-url={WHEELS}" in installs[0]
    last = max(index for index, (name, _) in enumerate(found) if name == "FROM")
    assert not [value for name, value in found[last:] if "pip" in value or "apt" in value]


def test_all_that_the_image_copies_is_sent_to_the_builder_and_nothing_else() -> None:
    copied = [value.split()[:-1] for name, value in instructions() if name == "COPY" and not value.startswith("--from")]
    names = {name for names in copied for name in names}
    assert all((ROOT / name).exists() for name in names)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    assert {line[1:] for line in ignored if line.startswith("!")} == names


def test_the_line_that_saves_gigabytes_stands_where_people_look() -> None:
    for page in ("README.md", "docs/python.md", "Dockerfile", "docs/examples/github-actions.yml"):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert re.search(rf"--index-url[= ]{WHEELS}", text), page


def test_the_dockerfile_is_clean() -> None:
    if shutil.which("hadolint") is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run(["hadolint", str(ROOT / "Dockerfile")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
