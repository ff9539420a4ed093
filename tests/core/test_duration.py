from __future__ import annotations

import pytest

from dlcli.core.duration import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("1h30m", 5400), ("1h", 3600), ("1h 2m 3s", 3723), ("0.5h", 1800), ("1.5S", 1.5)],
)
def test_a_length_of_time_is_read_in_seconds(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "5d", "30m1h", "-5m", "0s", "5m later", "1e3s", "nan s"])
def test_what_is_no_length_of_time_is_refused_with_how_to_write_it(text):
    with pytest.raises(ValueError, match="write it as 90s, 5m or 1h30m"):
        parse_duration(text)
