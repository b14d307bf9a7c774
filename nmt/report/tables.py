"""The tables of a report, as rows of text: of scores, of what explains them, and of what they cost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nmt.evaluation.results import ALL, SIGNIFICANT, BucketInfo, Comparison, MeasureInfo, Row

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
    header = [as_markdown(cell) for cell in header]
    rows = [list(map(as_markdown, row)) for row in rows]
    widths = []
    for column in zip(header, *rows, strict=True):
        widths.append(max(map(len, column)))
    rules = ["-" * width + "-:" for width in widths]
    rules[0] = ":-" + "-" * widths[0]
    rule = "|".join(rules)
    lines = [_markdown_line(header, widths), f"|{rule}|"]
    for row in rows:
        lines.append(_markdown_line(row, widths))
    return "\n".join(lines)


def as_markdown(text: str) -> str:
    """Returns a text such that Markdown shows it as it is: __proto__ is not set in bold, and | ends no cell."""
    text = text.replace("<", "&lt;")
    return re.sub(r"[|`]|\b_+|_+\b", _escaped, text)


def _escaped(marks: re.Match[str]) -> str:
    return "".join(f"\\{mark}" for mark in marks[0])


def _markdown_line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
    cells[0] = row[0].ljust(widths[0])
    return "| " + " | ".join(cells) + " |"


def score_table(
    rows: Sequence[Row],
    measures: Sequence[MeasureInfo],
    first: str = "source words",
    buckets: Sequence[BucketInfo] = (),
) -> str:
    """Of one evaluation, in Markdown: a line a bucket, the column headed ``first``, labels from ``measures``.

    ``buckets`` say for which measures they are too short.
    """
    too_short = {info.label: info.too_short for info in buckets}
    known = {measure.name: measure for measure in measures}
    shown: dict[str, MeasureInfo] = {}
    by_bucket: dict[str, dict[str, Row]] = {}
    for row in rows:
        measure = known[row.metric]
        if measure.in_console or not measure.explains:
            shown[row.metric] = measure
        by_bucket.setdefault(row.bucket, {})[row.metric] = row
    lines = []
    for bucket, of_bucket in by_bucket.items():
        [count] = {row.sentences for row in of_bucket.values()}
        line = [bucket, f"{count:,}"]
        for name, measure in shown.items():
            cell = with_band(of_bucket.get(name), measure)
            if name in too_short.get(bucket, []):
                cell = too_short_text(measure)
            line.append(cell)
        lines.append(line)
    titles = [measure.title for measure in shown.values()]
    return markdown_table([first, "sentences", *titles], lines)


def too_short_text(measure: MeasureInfo) -> str:
    """Stands in the place of a score that would say nothing."""
    return f"too short for {measure.label}"


def with_band(row: Row | None, measure: MeasureInfo) -> str:
    """34.1 [32.8, 35.5]; in round brackets what was chosen and has too few sentences for a band."""
    if row is None:
        return NOTHING
    score = measure.text(row.score)
    if row.low is None or row.high is None:
        return score if measure.explains else f"({score})"
    low = measure.text(row.low)
    high = measure.text(row.high)
    return f"{score} [{low}, {high}]"


def mark(row: Row | None) -> str:
    """* where the difference to the baseline is significant."""
    if row is None or row.p_value is None:
        return ""
    return "*" if row.p_value < SIGNIFICANT else ""


def comparison_table(comparison: Comparison, test_set: str, metric: str) -> Table:
    """Buckets down, systems across."""
    measure = comparison.measure(metric)
    rows = []
    for bucket, count in comparison.test_sets[test_set].items():
        cells = [bucket, f"{count:,}"]
        for system in comparison.systems:
            if comparison.too_short(test_set, bucket, metric):
                cells.append(too_short_text(measure))
                continue
            row = comparison.find(system, test_set, bucket, metric)
            deviation = comparison.seed_deviation(system, test_set, bucket, metric)
            cell = with_band(row, measure) + mark(row)
            if deviation is not None:
                cell += f" ±{measure.text(deviation)}"
            cells.append(cell)
        rows.append(cells)
    header = [
        f"source {comparison.unit(test_set)}",
        "sentences",
        *comparison.systems,
    ]
    return Table(header, rows)


def system_table(comparison: Comparison, test_set: str, metric: str) -> Table:
    """For many systems: systems down, buckets across, without bands, and what explains the scores of the whole set."""
    chosen = comparison.measure(metric)
    beside = [measure for measure in comparison.explaining(test_set) if measure.in_summary]
    buckets = list(comparison.test_sets[test_set])
    rows = []
    for system in comparison.systems:
        cells = [system]
        for bucket in buckets:
            if comparison.too_short(test_set, bucket, metric):
                cells.append(too_short_text(chosen))
                continue
            row = comparison.find(system, test_set, bucket, metric)
            cells.append(_bare(row, chosen) + mark(row))
        for measure in beside:
            row = comparison.find(system, test_set, ALL, measure.name)
            cells.append(_bare(row, measure))
        rows.append(cells)
    titles = [measure.title for measure in beside]
    return Table(["system", *buckets, *titles], rows)


def _bare(row: Row | None, measure: MeasureInfo) -> str:
    return NOTHING if row is None else measure.text(row.score)


def explaining_table(comparison: Comparison, test_set: str) -> Table:
    """What stands beside the scores of the whole test set: systems down."""
    measures = comparison.explaining(test_set)
    rows = []
    for system in comparison.systems:
        cells = [system]
        for measure in measures:
            row = comparison.find(system, test_set, ALL, measure.name)
            cells.append(with_band(row, measure))
        rows.append(cells)
    titles = [measure.title for measure in measures]
    return Table(["system", *titles], rows)


def measure_table(comparison: Comparison, test_set: str, measure: MeasureInfo) -> Table:
    """One measure: buckets down, systems across. No rows where no system has it."""
    rows = []
    for bucket in comparison.test_sets[test_set]:
        cells = [bucket]
        for system in comparison.systems:
            row = comparison.find(system, test_set, bucket, measure.name)
            cells.append(with_band(row, measure))
        if set(cells[1:]) != {NOTHING}:
            rows.append(cells)
    header = [
        f"source {comparison.unit(test_set)}",
        *comparison.systems,
    ]
    return Table(header, rows)


def differing_options(comparison: Comparison) -> Table:
    """Returns the training options, besides the model's, that differ between systems: one row an option."""
    by_system = [comparison.options[system] for system in comparison.systems]
    names: dict[str, None] = {}  # in their order, each once
    for options in by_system:
        names |= dict.fromkeys(options)
    rows = []
    for name in names:
        if name.startswith(("model.", "run.", "published.")):
            continue
        values = [options.get(name) for options in by_system]
        if len(set(values)) > 1:
            cells = [value or "" for value in values]
            rows.append([name, *cells])
    return Table(["option", *comparison.systems], rows)


def published_table(comparison: Comparison) -> Table:
    """Scores of papers beside ours."""
    rows = []
    for published in comparison.published:
        label = comparison.measure(published.metric).label
        ours = NOTHING if published.score is None else f"{published.score:.2f}"
        cells = [
            published.system,
            published.source,
            f"{label} {published.published:.2f} ± {published.tolerance:.1f}",
            ours,
            published.verdict,
        ]
        rows.append(cells)
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
    rows = []
    for system in comparison.systems:
        of_system = [row for row in comparison.costs if row.system == system]
        of_system.sort(key=lambda row: row.length)
        cells = [system]
        cells += [f"{row.training_seconds:.3f}" for row in of_system]
        cells += [f"{row.search_seconds:.3f}" for row in of_system]
        cells += [f"{row.memory_megabytes:.0f}" for row in of_system]
        rows.append(cells)
    header = ["system"]
    for column in ("step s", "search s", "MB"):
        header += [f"{column}, {length}" for length in lengths]
    return Table(header, rows)


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
        "threads",
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
            run.threads or NOTHING,
            f"{run.decoding_seconds:.0f}",
        ]
        rows.append(cells)
    return Table(header, rows)
