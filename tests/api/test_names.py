"""`import dlcli` is free, and gives what it promises when it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import dlcli
from dlcli.core import errors

HEAVY = ("torch", "numpy", "cv2", "typer", "PIL", "dlcli.core")


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = f"import sys, dlcli; dir(dlcli); sys.exit(any(name in sys.modules for name in {HEAVY!r}))"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_training_is_found_without_torch_and_errors_without_numpy() -> None:
    program = "import sys, dlcli; dlcli.DlError; first = 'numpy' in sys.modules; dlcli.train; sys.exit({})"
    program = program.format("first or 'torch' in sys.modules")
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


@pytest.mark.parametrize("name", dlcli.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name: str) -> None:
    value = getattr(dlcli, name)
    assert isinstance(value, str) or value.__doc__
    assert name in dir(dlcli)


def test_every_error_is_public_but_those_of_the_command_line_alone() -> None:
    classes = {name: value for name, value in vars(errors).items() if isinstance(value, type)}
    known = {name for name, value in classes.items() if issubclass(value, errors.DlError)}
    assert known - set(dlcli.__all__) == {"PartialError", "ThresholdError"}


def test_another_name_is_an_error_of_attributes() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = dlcli.trian
    with pytest.raises(ImportError):
        from dlcli import trian  # noqa: F401
