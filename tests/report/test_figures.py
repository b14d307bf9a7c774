"""Figures in letters of every script, and the same file from the same numbers."""

import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib import pyplot as plt

from nmt.evaluation.results import HeatMap
from nmt.report import figures
from tests.report.comparisons import make_comparison


def drawn(letters: str) -> list[str]:
    """Draws a heat map of these letters; returns what Python warned of."""
    picture = HeatMap([f"▁{letter}" for letter in letters], ["</s>"], np.zeros((1, len(letters)), dtype=np.uint8))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figures.svg_text(figures.heat_map("", picture))
        figures.pixels(figures.heat_map("", picture))
    return [str(warning.message) for warning in caught]


@pytest.fixture
def fonts(monkeypatch) -> list[str]:
    """The fonts of this machine besides matplotlib's own: none, until a test adds one."""
    files: list[str] = []
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda *_, **__: files)
    monkeypatch.setattr(font_manager.fontManager, "ttflist", list(font_manager.fontManager.ttflist))
    return files


def font(path: Path, letters: str) -> str:
    """Makes a font in which each of these letters is a square."""
    pen = TTGlyphPen(None)
    for number, corner in enumerate([(0, 0), (0, 500), (500, 500), (500, 0)]):
        pen.lineTo(corner) if number else pen.moveTo(corner)
    pen.closePath()
    builder = FontBuilder(1000)
    builder.setupGlyphOrder([".notdef", "square"])
    builder.setupCharacterMap({ord(letter): "square" for letter in letters})
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "square": pen.glyph()})
    builder.setupHorizontalMetrics({".notdef": (600, 0), "square": (600, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return str(path)


def test_a_script_that_no_font_has_is_told_once_with_what_to_install(fonts, caplog):
    assert drawn("កខគ") == []
    assert drawn("ឃង") == []
    [line] = [record.message for record in caplog.records if "figures" in record.message]
    assert "Khmer" in line and "Noto Sans Khmer" in line and "fonts-noto-core" in line


def test_letters_of_chinese_japanese_and_korean_are_told_in_one_line(fonts, caplog):
    assert drawn("中カ가") == []
    [line] = [record.message for record in caplog.records if "figures" in record.message]
    assert "Han" in line and "fonts-noto-cjk" in line


def test_a_font_of_the_machine_draws_what_the_first_one_lacks(fonts, caplog, tmp_path):
    letters = "କଖ"
    assert unicodedata.name(letters[0]).startswith("ORIYA")
    fonts += [font(tmp_path / "Absent.ttf", "x"), font(tmp_path / "Squares.ttf", letters)]
    assert drawn(letters) == [] and not caplog.records


def test_the_same_numbers_give_the_same_svg():
    comparison = make_comparison()
    first, second = (figures.svg_text(figures.by_length(comparison, "test", "bleu")) for _ in range(2))
    assert first == second


def test_a_system_whose_name_begins_with_a_low_line_is_in_the_legend():
    figure = figures.by_length(make_comparison(("__proto__", "plain")), "test", "bleu")
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["__proto__", "plain"]
    plt.close(figure)
