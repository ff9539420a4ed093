"""The font is chosen by the glyphs that it really has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from dlcli.visualize import fonts
from dlcli.visualize.fonts import (
    cjk_font,
    code_points,
    draw_lines,
    fit_text,
    font_for,
    font_properties,
    line_height,
    missing_glyphs,
    sized_font,
    text_width,
)


def write_font(path: Path, characters: str) -> Path:
    """Write a TrueType font whose only glyph, a square, stands for each of the characters."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 800), (800, 800), (800, 0)):
        pen.lineTo(corner)
    pen.closePath()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "square"])
    builder.setupCharacterMap({ord(character): "square" for character in characters})
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "square": pen.glyph()})
    builder.setupHorizontalMetrics({".notdef": (500, 0), "square": (900, 0)})
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return path


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Return the list of fonts that count as installed beside DejaVu."""
    paths: list[Path] = []
    monkeypatch.setattr(fonts, "chinese_candidates", lambda: iter(paths))
    fonts._font_for.cache_clear()
    yield paths
    fonts._font_for.cache_clear()


def test_latin_text_takes_the_font_that_ships_with_matplotlib(installed: list[Path]) -> None:
    assert font_for(["cat → dog…", "Überzug", "90 %"]) == fonts.Font(fonts.latin_font(), "")


def test_font_with_all_glyphs_wins_over_one_with_some(installed: list[Path], tmp_path: Path) -> None:
    installed += [write_font(tmp_path / "some.ttf", "猫"), write_font(tmp_path / "all.ttf", "猫狗 ")]
    assert font_for(["猫", "狗 猫"]) == fonts.Font(tmp_path / "all.ttf", "")


def test_missing_glyphs_are_named_once(installed: list[Path], tmp_path: Path) -> None:
    assert missing_glyphs(["猫狗", "猫 cat\n"]) == "狗猫"
    fonts._font_for.cache_clear()
    installed.append(write_font(tmp_path / "some.ttf", "猫cat"))
    assert font_for(["猫狗", "cat"]) == fonts.Font(tmp_path / "some.ttf", "狗")


def test_damaged_font_file_is_passed_over(installed: list[Path], tmp_path: Path) -> None:
    (tmp_path / "broken.ttf").write_bytes(b"\x00\x01\x00\x00 not a font")
    installed += [tmp_path / "broken.ttf", tmp_path / "gone.ttf", write_font(tmp_path / "good.ttf", "猫")]
    assert font_for(["猫"]).path == tmp_path / "good.ttf"


def test_chinese_font_must_have_the_common_characters(installed: list[Path], tmp_path: Path) -> None:
    assert cjk_font() is None
    fonts._font_for.cache_clear()
    installed.append(write_font(tmp_path / "common.ttf", fonts.COMMON_CHINESE))
    assert cjk_font() == tmp_path / "common.ttf"


def test_regular_sans_comes_before_bold_and_serif() -> None:
    paths = [Path(f"{name}.otf") for name in ("Any", "NotoSerifCJK-Regular", "NotoSansCJK-Bold", "NotoSansCJK-Regular")]
    ordered = [path.stem for path in sorted(paths, key=fonts._preference)]
    assert ordered == ["NotoSansCJK-Regular", "NotoSansCJK-Bold", "NotoSerifCJK-Regular", "Any"]


@pytest.mark.parametrize("width", [12, 40, 90, 400])
def test_cut_text_fits_and_is_the_longest_that_does(width: int) -> None:
    face = sized_font(fonts.latin_font(), 12)
    text = "a class with a long name"
    cut = fit_text(text, face, width)
    assert text_width(cut, face) <= width
    if cut != text:
        head = cut.removesuffix(fonts.ELLIPSIS)
        assert text.startswith(head)
        longer = text[: len(head) + 1].rstrip()
        longer = longer if longer != head else text[: len(head) + 2]
        assert text_width(longer + fonts.ELLIPSIS, face) > width


LATIN = fonts.Font(fonts.latin_font(), "")


def ink(strip: np.ndarray, background: int = 255) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and the columns that hold ink."""
    rows, columns = np.nonzero((strip != background).any(axis=2))
    return rows, columns


@pytest.mark.parametrize(("align", "offset"), [("center", 0), ("right", 1)])
def test_a_line_stands_in_the_middle_or_at_the_right(align: str, offset: int) -> None:
    strip = draw_lines(["HH"], width_px=200, height_px=40, size_px=16, font=LATIN, align=align, margin_px=3)
    rows, columns = ink(strip)
    left, right = columns.min(), 199 - columns.max()
    assert abs((rows.min() + rows.max()) / 2 - 20) <= 2
    assert abs(right - left) <= 3 if not offset else right <= 3 + 2


def test_lines_stand_under_each_other_as_one_block() -> None:
    options = {"width_px": 120, "height_px": 100, "size_px": 16, "font": LATIN}
    first, second = (ink(draw_lines(lines, **options))[0] for lines in (["H", ""], ["", "H"]))
    assert second.min() - first.min() == line_height(16)
    both = ink(draw_lines(["H", "H"], **options))[0]
    assert (both.min(), both.max()) == (first.min(), second.max())


@pytest.mark.parametrize(("background", "is_dark_ink"), [(255, True), (128, True), (127, False), (0, False)])
def test_the_ink_stands_out_from_the_background(background: int, is_dark_ink: bool) -> None:
    strip = draw_lines(["H"], width_px=40, height_px=30, size_px=16, font=LATIN, background=background)
    assert (strip.shape, strip.dtype) == ((30, 40, 3), np.uint8)
    extreme = int(strip.min()) if is_dark_ink else int(strip.max())
    assert abs(extreme - background) >= 90
    assert (strip[0] == background).all()


def test_what_is_too_wide_is_cut_inside_its_margins() -> None:
    strip = draw_lines(["W" * 90], width_px=100, height_px=30, size_px=16, font=LATIN, margin_px=10)
    _, columns = ink(strip)
    assert columns.min() >= 9
    assert columns.max() <= 90


def test_line_breaks_inside_a_line_are_spaces() -> None:
    options = {"width_px": 120, "height_px": 30, "size_px": 16, "font": LATIN}
    assert np.array_equal(draw_lines(["a\n\tb"], **options), draw_lines(["a b"], **options))


@pytest.mark.parametrize(("size", "height"), [(10, 14), (13, 18), (19, 27)])
def test_lines_are_two_fifths_of_their_size_apart(size: int, height: int) -> None:
    assert line_height(size) == height


def test_the_width_of_a_text_is_the_sum_of_its_parts() -> None:
    face = sized_font(fonts.latin_font(), 20)
    assert text_width("", face) == 0
    assert text_width("mm", face) == pytest.approx(2 * text_width("m", face), abs=1)
    assert text_width("mmmm", sized_font(fonts.latin_font(), 40)) == pytest.approx(2 * text_width("mmmm", face), abs=2)


def test_the_glyphs_of_a_font_are_those_in_its_file(tmp_path: Path) -> None:
    assert code_points(write_font(tmp_path / "two.ttf", "猫a")) == {ord("猫"), ord("a")}
    assert {ord("A"), ord("ü"), ord("→")} <= code_points(fonts.latin_font())
    assert code_points(tmp_path / "none.ttf") == frozenset()


def test_matplotlib_draws_with_the_chosen_file(tmp_path: Path) -> None:
    path = write_font(tmp_path / "some.ttf", "猫")
    assert font_properties(fonts.Font(path, "")).get_file() == str(path)


def test_spaces_and_control_characters_need_no_glyph(installed: list[Path]) -> None:
    assert font_for([" a\n\x00\ud800\u200b"]) == LATIN
    assert missing_glyphs([]) == ""
