"""The tables of a report, as rows of text: of scores, of what explains them, and of what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nmt.evaluation.results import ALL, SIGNIFICANT, Comparison, MeasureInfo, Row

NOTHING = "–"  # in the place of a score that is not there


@dataclass(frozen=True)
class Table:
    """A header and rows as long as it."""

    header: list[str]
    rows: list[list[str]]

    def markdown(self) -> str:
        return markdown_table(self.header, self.rows)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns padded, so that it reads in a terminal too; the first to the left, numbers to the right."""
    columns = zip(header, *rows, strict=True)
    widths = [max(map(len, column)) for column in columns]
    lines = [_markdown_line(row, widths) for row in (header, *rows)]
    first, *others = widths
    rules = [":" + "-" * (first + 1), *("-" * (width + 1) + ":" for width in others)]
    lines.insert(1, "|" + "|".join(rules) + "|")
    return "\n".join(lines)


def _markdown_line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
    cells[0] = row[0].ljust(widths[0])
    return "| " + " | ".join(cells) + " |"


def score_table(rows: Sequence[Row], measures: Sequence[MeasureInfo], first: str = "source words") -> str:
    """Of one evaluation, in Markdown: a line a bucket, the column headed ``first``, labels from ``measures``."""
    known = {measure.name: measure for measure in measures}
    names = dict.fromkeys(row.metric for row in rows)
    shown = [known[name] for name in names if not known[name].explains or known[name].in_console]
    by_place = {(row.bucket, row.metric): row for row in rows}
    lines = []
    for bucket in dict.fromkeys(row.bucket for row in rows):
        cells = [with_band(by_place.get((bucket, measure.name)), measure) for measure in shown]
        count = by_place[bucket, shown[0].name].sentences
        lines.append([bucket, f"{count:,}", *cells])
    header = [first, "sentences", *(measure.title for measure in shown)]
    return markdown_table(header, lines)


def with_band(row: Row | None, measure: MeasureInfo) -> str:
    """34.1 [32.8, 35.5]; in round brackets what was chosen and has too few sentences for a band."""
    if row is None:
        return NOTHING
    score = measure.text(row.score)
    if row.low is None or row.high is None:
        return score if measure.explains else f"({score})"
    return f"{score} [{measure.text(row.low)}, {measure.text(row.high)}]"


def mark(row: Row | None) -> str:
    """* where the difference to the baseline is significant."""
    sure = row is not None and row.p_value is not None and row.p_value < SIGNIFICANT
    return "*" if sure else ""


def comparison_table(comparison: Comparison, test_set: str, metric: str) -> Table:
    """Buckets down, systems across."""
    measure = comparison.measure(metric)
    rows = []
    for bucket, count in comparison.test_sets[test_set].items():
        cells = [bucket, f"{count:,}"]
        for system in comparison.systems:
            row = comparison.find(system, test_set, bucket, metric)
            deviation = comparison.spread(system, test_set, bucket, metric)
            spread = "" if deviation is None else f" ±{measure.text(deviation)}"
            cells.append(with_band(row, measure) + mark(row) + spread)
        rows.append(cells)
    return Table(["source words", "sentences", *comparison.systems], rows)


def system_table(comparison: Comparison, test_set: str, metric: str) -> Table:
    """For many systems: systems down, buckets across, without bands, and what explains the scores of the whole set."""
    chosen = comparison.measure(metric)
    beside = [measure for measure in comparison.explaining(test_set) if measure.in_summary]
    buckets = list(comparison.test_sets[test_set])
    rows = []
    for system in comparison.systems:
        cells = [system]
        for bucket in buckets:
            row = comparison.find(system, test_set, bucket, metric)
            cells.append(_bare(row, chosen) + mark(row))
        for measure in beside:
            row = comparison.find(system, test_set, ALL, measure.name)
            cells.append(_bare(row, measure))
        rows.append(cells)
    return Table(["system", *buckets, *(measure.title for measure in beside)], rows)


def _bare(row: Row | None, measure: MeasureInfo) -> str:
    return NOTHING if row is None else measure.text(row.score)


def explaining_table(comparison: Comparison, test_set: str) -> Table:
    """What stands beside the scores of the whole test set: systems down."""
    measures = comparison.explaining(test_set)
    rows = []
    for system in comparison.systems:
        of_system = [comparison.find(system, test_set, ALL, measure.name) for measure in measures]
        cells = [with_band(row, measure) for row, measure in zip(of_system, measures, strict=True)]
        rows.append([system, *cells])
    return Table(["system", *(measure.title for measure in measures)], rows)


def measure_table(comparison: Comparison, test_set: str, measure: MeasureInfo) -> Table:
    """One measure: buckets down, systems across. No rows where no system has it."""
    rows = []
    for bucket in comparison.test_sets[test_set]:
        of_bucket = [comparison.find(system, test_set, bucket, measure.name) for system in comparison.systems]
        if any(of_bucket):
            rows.append([bucket, *(with_band(row, measure) for row in of_bucket)])
    return Table(["source words", *comparison.systems], rows)


def differing_options(comparison: Comparison) -> Table:
    """What the systems were not given alike besides the model: a line an option."""
    by_system = [comparison.options[system] for system in comparison.systems]
    names = dict.fromkeys(name for options in by_system for name in options)
    rows = []
    for name in names:
        values = [options.get(name, "") for options in by_system]
        there = {name in options for options in by_system}
        alike = len(set(values)) == 1 and len(there) == 1
        if not alike and not name.startswith(("model.", "run.", "published.")):
            rows.append([name, *values])
    return Table(["option", *comparison.systems], rows)


def published_table(comparison: Comparison) -> Table:
    """Scores of papers beside ours."""
    rows = []
    for published in comparison.published:
        label = comparison.measure(published.metric).label
        ours = NOTHING if published.score is None else f"{published.score:.2f}"
        theirs = f"{label} {published.published:.2f} ± {published.tolerance:.1f}"
        rows.append([published.system, published.source, theirs, ours, published.verdict])
    return Table(["system", "published in", "published", "here", "verdict"], rows)


def capacity_table(comparison: Comparison) -> Table:
    """How long a source each system holds, beside what it may hold it in."""
    rows = []
    for capacity in comparison.capacities:
        context = "grows with the source" if capacity.context is None else f"{capacity.context:,}"
        held = str(capacity.words) if capacity.words else "none"
        if capacity.words and capacity.all_held:
            held = f"at least {held}"
        rows.append([capacity.system, capacity.test_set, context, held])
    return Table(["system", "test set", "numbers in the context", "words held, 90 % of them right"], rows)


def length_cost_table(comparison: Comparison) -> Table:
    """Seconds of a training step and of search, and megabytes kept, by length: systems down."""
    lengths = sorted({row.length for row in comparison.costs})
    by_place = {(row.system, row.length): row for row in comparison.costs}
    rows = []
    for system in comparison.systems:
        of_system = [by_place[system, length] for length in lengths]
        cells = [f"{row.training_seconds:.3f}" for row in of_system]
        cells += [f"{row.search_seconds:.3f}" for row in of_system]
        cells += [f"{row.memory_megabytes:.0f}" for row in of_system]
        rows.append([system, *cells])
    columns = [f"{what}, {length}" for what in ("step s", "search s", "MB") for length in lengths]
    return Table(["system", *columns], rows)


def cost_table(comparison: Comparison) -> Table:
    """What every run was given and took."""
    header = [
        "system",
        "seed",
        "parameters",
        "updates",
        "target tokens",
        "minutes",
        "tokens/s",
        "best at",
        "precision",
        "decoding, s",
    ]
    rows = []
    for run in comparison.runs:
        cells = [
            run.system,
            run.seed,
            f"{run.parameters:,}",
            f"{run.steps:,}",
            f"{run.tokens:,}",
            f"{run.seconds / 60:.1f}",
            f"{run.tokens_per_second:,.0f}",
            f"{run.best_step:,}",
            run.precision,
            f"{run.decoding_seconds:.0f}",
        ]
        rows.append(cells)
    return Table(header, rows)
