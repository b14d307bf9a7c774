"""What the cells of a table say where something is missing, and which columns and rows there are."""

from __future__ import annotations

import html
import re

import markdown
import pytest

from nmt.evaluation.results import MeasureInfo, Row
from nmt.report import tables
from tests.report.comparisons import make_comparison

BLEU = MeasureInfo("bleu", "BLEU")
REPETITION = MeasureInfo("repetition", "repeated 4-grams", "%", explains=True, in_console=True)
ENTROPY = MeasureInfo("attention_entropy", "attention entropy", explains=True)
SENTENCES = {"1-10": 7, "all": 1234}


def row(bucket: str, metric: str, score: float, low: float | None = None, high: float | None = None) -> Row:
    return Row("s", "1", "test", bucket, SENTENCES[bucket], metric, score, low, high)


def cells_of(rows: list[Row]) -> list[list[str]]:
    """The cells of a score table, without the rule under its header."""
    header, _, *lines = tables.score_table(rows, [BLEU, REPETITION, ENTROPY]).splitlines()
    cells = []
    for line in [header, *lines]:
        inner = line.strip("| ")
        cells.append(re.split(r" +\| +", inner))
    return cells


def test_a_score_table_has_a_dash_where_a_measure_has_no_row_in_a_bucket():
    rows = [row("1-10", "bleu", 20, 10, 30), row("all", "bleu", 30, 25, 35), row("all", "repetition", 5, 4, 6)]
    assert cells_of(rows) == [
        ["source words", "sentences", "BLEU", "repeated 4-grams, %"],
        ["1-10", "7", "20.0 [10.0, 30.0]", "–"],
        ["all", "1,234", "30.0 [25.0, 35.0]", "5.0 [4.0, 6.0]"],
    ]


def test_what_explains_and_does_not_fit_a_console_is_no_column_of_a_score_table():
    rows = [row("all", "bleu", 30, 25, 35), row("all", "attention_entropy", 2, 1, 3)]
    header, _ = cells_of(rows)
    assert header == ["source words", "sentences", "BLEU"]


def test_without_a_band_a_chosen_score_is_in_round_brackets_and_one_that_explains_is_not():
    assert tables.with_band(row("all", "bleu", 30), BLEU) == "(30.0)"
    assert tables.with_band(row("all", "repetition", 5), REPETITION) == "5.0"


def test_a_table_of_one_measure_leaves_out_buckets_where_no_system_has_it():
    comparison = make_comparison()
    links = comparison.measure("alignment_error")
    lines = tables.measure_table(comparison, "test", links).rows
    assert [line[0] for line in lines] == ["13+", "all"], "attention was kept of a long sentence alone"


@pytest.mark.parametrize("text", ["__proto__", "a|b", "<bt>", "`x`", "_one_"])
def test_a_table_in_markdown_shows_a_text_as_it_is(text):
    page = markdown.markdown(tables.markdown_table(["system", "x"], [[text, "1"]]), extensions=["tables"])
    cells = re.findall(r"<td[^>]*>(.*?)</td>", page)
    assert [html.unescape(re.sub("<[^>]*>", "", cell)) for cell in cells] == [text, "1"]
