"""What is wrong, where, how to mend it: every mistake is answered briefly, by its exit code, and leaves nothing."""

from __future__ import annotations

import fnmatch
import shlex
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from bad_inputs.advice import advised, why_wrong
from bad_inputs.annotated import ANNOTATED, CHANGED
from bad_inputs.arguments import ARGUMENTS
from bad_inputs.arrange import MAX_LINES, Row
from bad_inputs.augment import AUGMENT
from bad_inputs.columns import COLUMNS
from bad_inputs.domains import DOMAINS
from bad_inputs.encoders import ENCODERS
from bad_inputs.evaluate import EVALUATE
from bad_inputs.fine_tuning import FINE_TUNING
from bad_inputs.folders import FOLDERS
from bad_inputs.generative import GENERATIVE
from bad_inputs.image_tasks import IMAGE_TASKS
from bad_inputs.language import LANGUAGE
from bad_inputs.long_runs import LONG_RUNS, REPLACED
from bad_inputs.pairs import PAIRS
from bad_inputs.predict import PREDICT
from bad_inputs.prepare import PREPARE
from bad_inputs.reading import READING
from bad_inputs.rest import REST
from bad_inputs.serve import SERVE
from bad_inputs.train import TRAIN
from bad_inputs.weights import WEIGHTS

ROWS = {
    f"{command}, {name}" if command else name: row
    for command, rows in (
        ("prepare", PREPARE),
        ("train", TRAIN),
        ("train", LONG_RUNS),
        ("eval", EVALUATE),
        ("predict", PREDICT),
        ("serve", SERVE),
        ("", REST),
        ("", REPLACED),
        ("argument", ARGUMENTS),
        ("augment", AUGMENT),
        ("columns", COLUMNS),
        ("folders", FOLDERS),
        ("reading", READING),
        ("sentence pairs", PAIRS),
        ("language model", LANGUAGE),
        ("domains", DOMAINS),
        ("weights", WEIGHTS),
        ("fine-tuning", FINE_TUNING),
        ("annotated", ANNOTATED),
        ("annotated, changed", CHANGED),
        ("train", IMAGE_TASKS),
        ("generative", GENERATIVE),
        ("encoder", ENCODERS),
    )
    for name, row in rows.items()
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_mistake_is_answered_briefly_and_leaves_nothing(row: Row, bench: Any, dl: Callable[..., Any]) -> None:
    row.arrange(bench)
    before = bench.files()
    answer = dl(*shlex.split(row.line))
    assert (answer.code, row.says in answer.err) == (row.code, True), answer.err
    _check_brief(answer.out, answer.err, row)
    for advice in advised(answer.err):
        assert not why_wrong(advice), answer.err
    after = bench.files()
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert {path for path in changed if not any(fnmatch.fnmatch(path, pattern) for pattern in row.leaves)} == set()
    assert not [path for path in after if path.endswith(".partial")]


def _check_brief(out: str, err: str, row: Row) -> None:
    assert "Traceback" not in err
    lines = err.splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("error: "))
    assert len(lines) <= MAX_LINES, err
    assert max(map(len, lines)) <= 500, err
    assert not [line for line in lines[first + 1 :] if not line.startswith("  ")]
    assert len(out.splitlines()) == row.answers, out


IN_A_PROCESS = ("prepare, batch that is a trap", "train, not prepared", "eval, run missing", "command misspelt")


@pytest.mark.parametrize("name", IN_A_PROCESS)
def test_whole_process_answers_alike(name: str, bench: Any, environment: dict[str, str]) -> None:
    row = ROWS[name]
    row.arrange(bench)
    done = subprocess.run(["dl", *shlex.split(row.line)], env=environment, capture_output=True, text=True)
    assert (done.returncode, row.says in done.stderr) == (row.code, True), done.stderr
    _check_brief(done.stdout, done.stderr, row)
