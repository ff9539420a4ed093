from __future__ import annotations

import pytest

from dlcli.core import errors
from dlcli.core.errors import DataError, DlError, ExitCode, did_you_mean, nearest


def test_every_error_has_its_documented_code():
    codes = {cls.__name__: cls.exit_code for cls in DlError.__subclasses__() if cls is not errors.StoppedError}
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
    assert lines[0] == "error: what"


def test_the_nearest_name_is_found_whatever_its_case():
    assert nearest("RESNET", ["resnet", "vgg"]) == "resnet"
    assert nearest("zzz", ["resnet", "vgg"]) is None
    assert did_you_mean("resnte", ["resnet", "vgg"]) == "did you mean 'resnet'?"
    assert did_you_mean("zzz", ["resnet", "vgg"]) == "known: resnet, vgg"
