from __future__ import annotations

import pytest

from dlcli.core import errors
from dlcli.core.errors import DataError, DlError, ExitCode, StoppedError, did_you_mean, first_line, nearest


def test_every_error_has_its_documented_code():
    own = [cls for cls in DlError.__subclasses__() if cls.__module__ == errors.__name__]
    codes = {cls.__name__: cls.exit_code for cls in own if cls is not errors.StoppedError}
    assert codes == {
        "UsageError": 2,
        "DataError": 3,
        "RunError": 4,
        "ExportError": 5,
        "ParityError": 6,
        "ThresholdError": 7,
        "PartialError": 8,
        "DivergedError": 9,
        "DeviceError": 10,
    }
    assert (ExitCode.INTERRUPTED, ExitCode.TERMINATED) == (130, 143)


@pytest.mark.parametrize("details", [[], ["a"], ["a", "b", "c", "d", "e", "f"], ["two\nlines", "x\ny\nz"]])
def test_a_message_has_at_most_six_lines(details):
    lines = DataError("what\nwhere", details=details, hint="how").lines()
    assert len(lines) <= 6
    assert lines[0] == r"error: what\nwhere"
    assert "\n" not in "".join(lines)


@pytest.mark.parametrize("length", [10, 299, 300, 5000])
def test_a_line_has_at_most_300_characters_and_both_its_ends(length):
    [line, fix] = DataError(f"begin {'x' * length} end", hint="y" * length).lines()
    assert max(len(line), len(fix)) <= 300
    assert line.startswith("error: begin x")
    assert line.endswith("x end")
    assert ("…" in line) == (len(f"error: begin  end{'x' * length}") > 300)


def test_the_nearest_name_is_found_whatever_its_case():
    assert nearest("RESNET", ["resnet", "vgg"]) == "resnet"
    assert nearest("zzz", ["resnet", "vgg"]) is None
    assert did_you_mean("resnte", ["resnet", "vgg"]) == "did you mean 'resnet'?"
    assert did_you_mean("zzz", ["resnet", "vgg"]) == "known: resnet, vgg"


def test_what_is_wrong_stands_first_and_how_to_mend_it_last():
    error = DataError("a.csv: no rows", details=["looked for: a", "found: b"], hint="name another file")
    assert error.lines() == [
        "error: a.csv: no rows",
        "  looked for: a",
        "  found: b",
        "  fix: name another file",
    ]
    assert str(error) == error.message == "a.csv: no rows"


def test_four_details_leave_room_for_the_hint():
    lines = DataError("what", details=["1", "2", "3", "4", "5"], hint="how").lines()
    assert lines == ["error: what", "  1", "  2", "  3", "  4", "  fix: how"]


def test_without_a_hint_nothing_is_said_of_a_fix():
    assert DataError("what", details=iter(["seen"])).lines() == ["error: what", "  seen"]
    assert DataError("what", hint="").lines() == ["error: what"]


def test_a_stopped_training_has_the_code_of_its_signal_and_others_keep_theirs():
    stopped = StoppedError("stopped", exit_code=ExitCode.TERMINATED, hint="resume it")
    assert (stopped.exit_code, stopped.hint) == (143, "resume it")
    assert StoppedError("stopped", exit_code=ExitCode.INTERRUPTED).exit_code == 130
    assert DlError.exit_code == ExitCode.FAULT


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("one", "one"),
        ("\n\n  one  \ntwo", "one"),
        ("", "ValueError"),
        (" \n\t", "ValueError"),
        ("猫" * 160, "猫" * 160),
        ("猫" * 161, "猫" * 157 + "..."),
    ],
)
def test_the_first_line_of_any_exception_is_at_most_160_characters(said, line):
    assert first_line(ValueError(said)) == line


def test_the_limit_of_a_first_line_can_be_set():
    assert first_line(RuntimeError("abcdefgh"), limit=6) == "abc..."


def test_the_known_name_is_suggested_in_its_own_spelling():
    assert nearest("resnet", ["ResNet", "VGG"]) == "ResNet"
    assert nearest("x", []) is None


@pytest.mark.parametrize(("count", "ends"), [(12, "n11"), (13, "n11, ...")])
def test_at_most_twelve_known_names_are_listed(count, ends):
    hint = did_you_mean("zzz", (f"n{number}" for number in range(count)))
    assert hint.startswith("known: n0, n1, ")
    assert hint.endswith(f", {ends}")
