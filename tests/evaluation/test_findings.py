"""How neighbouring buckets are told together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nmt.evaluation.findings import find
from nmt.evaluation.results import Finding
from nmt.evaluation.table import compare_on
from nmt.evaluation.translations import Evaluations
from tests.evaluation.test_table import OPTIONS, made
from tests.texts import REFERENCES, outputs

BASE = outputs(0.3, 1)


def compared(lengths: list[int], errors: dict[int, float]) -> tuple[list[Finding], dict[str, float]]:
    """Findings on sources of these lengths, and p-values by bucket, of a system with these shares of errors."""
    by_share = {share: outputs(share, 6) for share in errors.values()}
    hypotheses = []
    for number, length in enumerate(lengths):
        share = errors[length]
        hypotheses.append(by_share[share][number])
    sources = ["w " * length for length in lengths]
    systems = Evaluations({"a": {"1": made(BASE, sources)}, "b": {"1": made(hypotheses, sources)}})
    options = replace(OPTIONS, bucket_bounds=[5, 10, 15])
    _, differences = compare_on(systems, "a", options)
    p_values = {one.bucket: one.p_value for one in differences if one.metric == "bleu"}
    return find(systems, "a", options), p_values


@pytest.fixture(scope="module")
def sure_and_not():
    """Surely better up to 10 words, by little in the first bucket; no better beyond."""
    lengths = [5, 10, 15, 20] * (len(REFERENCES) // 4)
    return compared(lengths, {5: 0.19, 10: 0.05, 15: 0.25, 20: 0.3})


def test_of_buckets_told_together_the_least_sure_p_value_is_told(sure_and_not):
    findings, p_values = sure_and_not
    [together] = [finding for finding in findings if finding.differ]
    assert together.range == "1-10" and p_values["1-5"] != p_values["6-10"]
    assert together.p_value == max(p_values["1-5"], p_values["6-10"])


def test_where_none_of_them_is_sure_the_smallest_p_value_is_told(sure_and_not):
    findings, p_values = sure_and_not
    [together] = [finding for finding in findings if not finding.differ]
    assert together.range == "11+" and p_values["11-15"] != p_values["16+"]
    assert together.p_value == min(p_values["11-15"], p_values["16+"])


def test_a_bucket_with_too_few_sentences_parts_its_neighbours():
    lengths = [5] * 45 + [10] * 5 + [15] * 50
    findings, p_values = compared(lengths, {5: 0.05, 10: 0.05, 15: 0.05})
    assert "6-10" not in p_values
    assert [finding.range for finding in findings] == ["1-5", "11-15"]
