"""The font is chosen by the glyphs that it really has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from dlcli.visualize import fonts
from dlcli.visualize.fonts import cjk_font, fit_text, font_for, missing_glyphs, sized_font, text_width


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
