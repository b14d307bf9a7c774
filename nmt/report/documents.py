"""The report in Markdown: report.md, and what the console prints."""

from __future__ import annotations

from nmt.evaluation.results import Comparison
from nmt.report.tables import (
    Table,
    as_markdown,
    capacity_table,
    comparison_table,
    cost_table,
    differing_options,
    length_cost_table,
    measure_table,
    published_table,
)
from nmt.report.words import findings, legend


def markdown_summary(comparison: Comparison) -> str:
    """What the console prints at the end of a comparison."""
    first = comparison.chosen()[0]
    parts = []
    for test_set in comparison.test_sets:
        table = comparison_table(comparison, test_set, first.name)
        parts.append(f"{first.title} on {test_set}\n\n{table.markdown()}")
    return "\n\n".join([*parts, legend(comparison), *findings(comparison)]) + "\n"


def markdown_report(comparison: Comparison) -> str:
    """report.md: ready for a README."""
    chosen = comparison.chosen()
    lines = [f"# {comparison.name}: quality by source length", ""]
    lines += [f"- {as_markdown(finding)}" for finding in findings(comparison)]
    lines += ["", f"![Quality by source length]({chosen[0].name}_by_length.png)", ""]
    for test_set in comparison.test_sets:
        for measure in chosen:
            table = comparison_table(comparison, test_set, measure.name)
            lines += _section(f"{measure.title}, {test_set}", table)
    if comparison.published:
        lines += _section("Published scores", published_table(comparison))
    if comparison.costs:
        lines += _section("What length costs", length_cost_table(comparison))
    if comparison.capacities:
        lines += _section("How much fits", capacity_table(comparison))
    for test_set in comparison.test_sets:
        for measure in comparison.explaining(test_set):
            lines += _section(f"{measure.title}, {test_set}", measure_table(comparison, test_set, measure))
    lines += [as_markdown(legend(comparison)), "", "## Cost", "", f"Matched: {as_markdown(comparison.matched)}.", ""]
    lines += [cost_table(comparison).markdown(), ""]
    lines += [f"- {as_markdown(remark)}" for remark in comparison.remarks]
    lines += [""] * bool(comparison.remarks)
    differing = differing_options(comparison)
    if differing.rows:
        lines += ["Training options that differ between systems:", "", differing.markdown(), ""]
    lines += ["## How it was made", ""]
    lines += [f"- {name}: `{value}`" for name, value in comparison.provenance.items()]
    for name, signature in comparison.signatures.items():
        label = comparison.measure(name).label
        if signature != label:
            lines.append(f"- {label}: `{signature}`")
    return "\n".join(lines) + "\n"


def _section(title: str, table: Table) -> list[str]:
    return [f"## {title}", "", table.markdown(), ""]
