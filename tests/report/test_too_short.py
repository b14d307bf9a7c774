"""A bucket of length whose references hold hardly any n-gram: its score is kept, but neither shown nor judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib import pyplot as plt

from nmt.evaluation.comparison import compare_test_set, merged
from nmt.evaluation.measures.measure import chosen_measures, measure_infos
from nmt.evaluation.options import EvaluationOptions
from nmt.evaluation.results import Comparison
from nmt.evaluation.translations import Evaluations
from nmt.report import tables
from nmt.report.documents import markdown_summary
from nmt.report.figures import by_length
from nmt.report.latex import latex_table
from tests.evaluation.test_table import made
from tests.report.comparisons import make_comparison
from tests.texts import REFERENCES, outputs

OPTIONS = EvaluationOptions(bucket_bounds=[2, 12], resamples=100, metrics=["bleu", "chrf"])
SHORT = 50  # sentences of two words, before as many of eleven


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    """Perfect outputs against poor ones, half of them of two words."""
    references = [" ".join(line.split()[:2]) for line in REFERENCES[:SHORT]] + REFERENCES[SHORT:]
    poor = ["x x"] * SHORT + outputs(0.3, 1)[SHORT:]
    by_system = {}
    for name, hypotheses in (("fixed", poor), ("attention", references)):
        by_system[name] = {"1": replace(made(hypotheses, references), references=references)}
    fields = merged([compare_test_set(Evaluations(by_system), "fixed", OPTIONS)])
    return replace(make_comparison(("fixed", "attention")), measures=measure_infos(), **fields)


def test_perfect_outputs_of_two_words_are_told_as_too_short_and_keep_their_figure(comparison):
    row = comparison.find("attention", "test", "1-2", "bleu")
    assert row.score == 0 and row.low == 0
    table = tables.comparison_table(comparison, "test", "bleu")
    assert table.rows[0] == ["1-2", "50", "too short for BLEU", "too short for BLEU"]
    assert not any("too short" in cell for cell in [*table.rows[1], *table.rows[2]])
    for text in (markdown_summary(comparison), latex_table(comparison, "test", "bleu")):
        assert "too short for BLEU" in text
    assert "too short" not in tables.comparison_table(comparison, "test", "chrf").markdown(), "100 of 100"
    rows = [row for row in comparison.rows if row.system == "attention"]
    console = tables.score_table(rows, comparison.measures, buckets=comparison.buckets["test"])
    assert console.count("too short for BLEU") == 1


def test_neither_findings_nor_curves_speak_of_a_bucket_too_short_for_the_measure(comparison):
    assert [finding.range for finding in comparison.findings] == ["3-12"]
    figure = by_length(comparison, "test", "bleu")
    points = [line.get_xdata() for line in figure.axes[0].get_lines()]
    assert np.array_equal(points, [[1], [1]])
    plt.close(figure)


@pytest.mark.parametrize("name", ["accuracy", "ter", "chrf"])
def test_of_references_without_a_word_no_measure_says_anything(name):
    [measure] = chosen_measures([name])
    assert measure.too_short(measure.statistics_of_texts(["", ""], ["", ""]))
    assert not measure.too_short(measure.statistics_of_texts(["a b", ""], ["a b", ""]))
