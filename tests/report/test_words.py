"""What the report says in words: of which models, over which lengths, by how much, and how surely."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from nmt.jobs import compare
from nmt.report import words
from nmt.report.documents import markdown_report, markdown_summary
from nmt.report.figures import by_length
from nmt.report.latex import latex_table
from nmt.report.page import html_text
from nmt.report.records import csv_text
from nmt.schemas import CompareConfig, SystemOptions
from tests.report.comparisons import make_comparison


@pytest.fixture(scope="module")
def comparison():
    return make_comparison()


def test_a_finding_over_several_lengths_tells_the_smallest_and_the_largest_difference(comparison):
    differences = {}
    for row in comparison.differences:
        if (row.system, row.metric) == ("attention", "bleu") and row.bucket != "all":
            differences[row.bucket] = row.difference
    [least, most] = sorted(differences, key=differences.__getitem__)
    told = next(told for told in words.findings(comparison) if "attention is ahead" in told)
    assert f"by {differences[least]:.1f} ({least}) to {differences[most]:.1f} ({most}) BLEU" in told
    assert abs(differences[least] - differences[most]) > 1, "one number for both would be wrong"


def test_of_every_length_behind_the_lead_is_told_from_the_smallest_on(comparison):
    behind = {"differ": True, "range": "every", "low": 1, "high": None, "difference": -5.0}
    ends = {"least": -1.0, "least_at": "1-8", "most": -9.0, "most_at": "9-12"}
    finding = replace(comparison.findings[0], **behind, **ends)
    [told] = words.findings(replace(comparison, findings=[finding]))
    assert told.startswith("At every length attention is behind fixed by 1.0 (1-8) to 9.0 (9-12) BLEU (together 5.0 ±")


def test_the_smallest_p_value_that_the_resamples_can_give_is_told_as_a_bound(comparison):
    ahead, same = words.findings(comparison)
    assert "p ≤ 0.0067" in ahead, "two lengths, each without a hit among 300 resamples: 2 / 301, rounded up"
    assert re.search(r"\(-\d\.\d BLEU, p = 0\.\d+\)", same), "and one that was measured is told as it is"


@pytest.mark.parametrize(
    ("seeds", "said"), [(("1",), "these two trained models"), (("1", "2"), "the test does not see how seeds differ")]
)
def test_every_finding_says_what_the_test_can_not_see(seeds, said):
    comparison = make_comparison(("fixed", "attention"), seeds)
    findings = words.findings(comparison)
    assert findings and all(said in finding for finding in findings)
    for text in (markdown_report(comparison), markdown_summary(comparison), html_text(comparison)):
        assert said in text


def test_every_label_says_characters_where_sources_are_counted_in_them(comparison):
    counted = replace(comparison, units={"test": "characters"})
    report = markdown_report(counted)
    assert "Up to 12 characters attention" in report
    page = re.sub("</?span.*?>", "", html_text(counted))
    texts = (report, page, latex_table(counted, "test", "bleu"), markdown_summary(counted))
    for text in texts:
        assert "source characters" in text
        labels = set(re.findall(r"source words \w+", text))
        assert labels <= {"source words translated", "source words whose"}, "what is linked are words everywhere"
    [axes] = by_length(counted, "test", "bleu").axes
    assert axes.get_xlabel() == "source length in characters"


def test_a_budget_of_millions_is_told_in_full(monkeypatch):
    monkeypatch.setattr(compare, "_capacities", lambda *given: [])
    systems = {name: SystemOptions(experiment="demo/attention") for name in ("a", "b")}
    config = CompareConfig(name="c", baseline="a", systems=systems, match="tokens", budget=1.6e7)
    assert compare._gather(config, "", []).matched == "target tokens seen: 16,000,000 each"


def test_a_p_value_of_very_many_resamples_is_not_told_as_0(comparison):
    row = replace(comparison.rows[0], p_value=1 / 100_001)
    assert csv_text([row]).splitlines()[1].endswith(",1e-05")
    finding = replace(comparison.findings[0], p_value=1 / 100_001)
    [told] = words.findings(replace(comparison, findings=[finding]))
    assert "0.00001)" in told
