"""The access log survives whatever happens to its file."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from dlcli.core.errors import UsageError
from dlcli.serve.log import AccessLog, own_stderr


def test_lines_are_appended_and_a_renamed_file_is_left_alone(tmp_path):
    place = tmp_path / "a.jsonl"
    place.write_text('{"n": 0}\n')
    log = AccessLog(str(place))
    log.write({"n": 1})
    place.rename(tmp_path / "old.jsonl")
    log.write({"n": 2})
    log.reopen()
    log.write({"n": 3})
    log.close()
    assert [json.loads(line)["n"] for line in (tmp_path / "old.jsonl").read_text().splitlines()] == [0, 1, 2]
    assert [json.loads(line)["n"] for line in place.read_text().splitlines()] == [3]


def test_one_that_cannot_be_opened_again_goes_on_in_the_old_file(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    log = AccessLog(str(folder / "a.jsonl"))
    folder.rename(tmp_path / "moved")
    with pytest.raises(UsageError, match="--access-log"):
        log.reopen()
    log.write({"n": 1})
    assert (tmp_path / "moved" / "a.jsonl").read_text() == '{"n": 1}\n'
    log.close()


SAYS = """
import sys
from dlcli.data.images.muffling import muffled
from dlcli.serve.log import AccessLog, own_stderr

with own_stderr():
    log = AccessLog("-")
    with muffled:  # as while an image is decoded
        log.write({"n": 1})
        log.reopen()
        log.write({"n": 2})
        print("a warning", file=sys.stderr)
    log.close()
print("the end", file=sys.stderr)
"""


def test_what_is_said_while_an_image_is_decoded_reaches_stderr():
    done = subprocess.run([sys.executable, "-c", SAYS], capture_output=True, text=True)
    assert (done.returncode, done.stderr.splitlines()) == (0, ['{"n": 1}', '{"n": 2}', "a warning", "the end"])


def test_a_stream_that_is_no_file_is_left_as_it_is(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    with own_stderr():
        sys.stderr.write("a line\n")
    assert stream.getvalue() == "a line\n"


def test_stderr_is_written_and_never_closed(capsys):
    log = AccessLog("-")
    log.write({"n": 1})
    log.close()
    assert capsys.readouterr().err == '{"n": 1}\n'


def test_without_a_place_nothing_is_written_and_a_full_disk_loses_a_line_alone():
    AccessLog(None).write({"n": 1})
    if Path("/dev/full").exists():
        log = AccessLog("/dev/full")
        log.write({"n": 1})
        log.write({"n": 2})
