"""Records are a plain list, and a notebook shows them without running or trusting anything in them."""

from __future__ import annotations

import base64
import csv
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import dlcli
from dlcli.api.drawing import data_uri, png_bytes
from dlcli.cli.app import run as run_line


class Tags(HTMLParser):
    """Collects the tags of a page, and refuses one that is closed in the wrong place."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def tags_of(page: str) -> list[str]:
    tags = Tags()
    tags.feed(page)
    assert not tags.open
    return tags.seen


def test_records_are_a_list_of_plain_dictionaries(home: Path) -> None:
    records = dlcli.load("images")(["grey.png", "colour.png"])
    assert isinstance(records, list)
    assert records == json.loads(json.dumps(records)) == json.loads(records.to_json())
    assert "\n" in records.to_json(indent=2)


@pytest.mark.parametrize(("run", "given"), [("images", ["grey.png", "none.png"]), ("prices", ["q.csv"])])
def test_rows_are_those_of_the_csv(run: str, given: list[str], home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rows = dlcli.load(run)(given).to_rows()
    capfd.readouterr()
    run_line(["predict", run, *given, "--csv"])
    printed = list(csv.DictReader(capfd.readouterr().out.splitlines()))
    assert [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows] == printed


def test_a_frame_of_pandas_has_these_rows_or_pandas_is_missed_by_name(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = dlcli.load("images")("grey.png")
    with monkeypatch.context() as patch, pytest.raises(dlcli.UsageError, match="pandas is not installed"):
        patch.setitem(sys.modules, "pandas", None)
        records.to_pandas()
    pandas = pytest.importorskip("pandas")
    frame = records.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == ["input", "label", "probability", "error"]


def test_a_notebook_shows_pictures_and_a_table(home: Path) -> None:
    records = dlcli.load("images", top_k=2)(["grey.png", "none.png", "colour.png"])
    page = records._repr_html_()
    tags = tags_of(page)
    assert (tags.count("img"), tags.count("tr")) == (2, 1 + 2 + 1 + 2)
    [first, _] = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert cv2.imdecode(np.frombuffer(base64.b64decode(first), np.uint8), cv2.IMREAD_COLOR) is not None
    assert "error: none.png: cannot be read" in page
    png = records._repr_png_()
    assert png is not None and png.startswith(b"\x89PNG")


def test_rows_of_tables_are_shown_without_pictures_and_can_be_drawn(home: Path) -> None:
    records = dlcli.load("prices")("q.csv")
    assert "img" not in tags_of(records._repr_html_())
    assert records.draw(1).shape[2] == 3
    assert records._repr_png_() is not None


def test_markup_in_an_input_is_text(home: Path) -> None:
    page = dlcli.load("texts")("<script>alert(1)</script> how fine")._repr_html_()
    assert "script" not in tags_of(page)
    assert "&lt;script&gt;" in page


def test_many_rows_are_counted_and_what_is_gone_is_left_out(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "gone.png"
    path.write_bytes(Path("grey.png").read_bytes())
    records = dlcli.load("images", top_k=6)([str(path)] * 10)
    path.unlink()
    page = records._repr_html_()
    assert "img" not in tags_of(page)
    assert "10 more rows" in page
    assert records._repr_png_() is None
    with pytest.raises(dlcli.DataError):
        records.draw()


def test_a_picture_for_a_notebook_is_bounded_and_keeps_its_colours() -> None:
    picture = np.zeros((50, 2000, 3), np.uint8)
    picture[:, :, 0] = 255
    decoded = cv2.imdecode(np.frombuffer(png_bytes(picture), np.uint8), cv2.IMREAD_COLOR)
    assert decoded.shape == (22, 900, 3)
    assert decoded[0, 0].tolist() == [0, 0, 255]  # OpenCV's order: blue, green, red
    assert data_uri(b"x") == "data:image/png;base64,eA=="
