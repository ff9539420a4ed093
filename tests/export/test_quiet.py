from __future__ import annotations

import logging
import os
import sys
import warnings

import pytest

from dlcli.export.quiet import silenced


def test_nothing_inside_is_heard_and_all_outside_is(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = os.fdopen(1, "w", closefd=False)  # what sys.stdout is outside of pytest
    monkeypatch.setattr(sys, "stdout", kept)
    handler = logging.StreamHandler(sys.stderr)
    logger = logging.getLogger("a library")
    logger.addHandler(handler)
    try:
        sys.stdout.write("before ")
        with silenced():
            print("printed")  # noqa: T201
            kept.write("by an older reference")
            os.write(1, b"by C++")
            os.write(2, b"by C++")
            logger.error("logged")
            warnings.warn("warned", stacklevel=1)
        sys.stdout.write("after")
        sys.stdout.flush()
        logger.error("heard")
    finally:
        logger.removeHandler(handler)
    out, err = capfd.readouterr()
    assert (out, err) == ("before after", "heard\n")


def test_streams_come_back_after_an_exception(capfd: pytest.CaptureFixture[str]) -> None:
    level = logging.root.manager.disable
    with pytest.raises(KeyError), silenced():
        raise KeyError
    os.write(1, b"heard")
    assert capfd.readouterr().out == "heard"
    assert logging.root.manager.disable == level
