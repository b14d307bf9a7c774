"""Scores as CSV, JSON and Markdown, and the findings in words."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, fields

from nmt.evaluation.results import Comparison, DifferenceRow, Row

NAMES = {"bleu": "BLEU", "chrf": "chrF", "ter": "TER", "length_ratio": "length ratio"}
SIGNIFICANT = 0.05


def csv_text(rows: Sequence[Row]) -> str:
    """scores.csv: a line a score, the columns named as the fields of Row."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = [field.name for field in fields(Row)]
    writer.writerow(names)
    for row in rows:
        values = asdict(row)
        writer.writerow(["" if values[n] is None else _number(values[n]) for n in names])
    return buffer.getvalue()


def _number(value: object) -> object:
    return f"{value:.4f}" if isinstance(value, float) else value


def json_text(comparison: Comparison) -> str:
    return json.dumps(comparison.to_json(), indent=1, ensure_ascii=False)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns padded, so that it reads in a terminal too; the first to the left, numbers to the right."""
    widths = [max(len(str(cell)) for cell in column) for column in zip(header, *rows, strict=True)]
    lines = []
    for row in (header, *rows):
        cells = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        lines.append("| " + " | ".join(cells) + " |")
    rule = "|" + "|".join(":" + "-" * (w + 1) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def score_table(rows: Sequence[Row]) -> str:
    """Of one evaluation: a line a bucket."""
    metrics = list(dict.fromkeys(row.metric for row in rows))
    buckets = list(dict.fromkeys(row.bucket for row in rows))
    cells = {(row.bucket, row.metric): row for row in rows}
    header = ["source words", "sentences", *(NAMES[metric] for metric in metrics)]
    lines = [
        [bucket, f"{cells[bucket, metrics[0]].sentences:,}", *(with_band(cells[bucket, m]) for m in metrics)]
        for bucket in buckets
    ]
    return markdown_table(header, lines)


def with_band(row: Row | None) -> str:
    """34.1 [32.8, 35.5], or the bare score where there were too few sentences for a band."""
    if row is None:
        return "–"
    if row.low is None or row.high is None:
        return f"({row.score:.1f})"
    return f"{row.score:.1f} [{row.low:.1f}, {row.high:.1f}]"


def mark(row: Row | None) -> str:
    """* where the difference to the baseline is significant."""
    return "*" if row is not None and row.p_value is not None and row.p_value < SIGNIFICANT else ""


def comparison_table(comparison: Comparison, test_set: str, metric: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows: buckets down, systems across."""
    header = ["source words", "sentences", *comparison.systems]
    rows = []
    for bucket, count in comparison.test_sets[test_set].items():
        found = [comparison.find(system, test_set, bucket, metric) for system in comparison.systems]
        spreads = [comparison.spread(system, test_set, bucket, metric) for system in comparison.systems]
        cells = [
            with_band(row) + mark(row) + ("" if spread is None else f" ±{spread:.1f}")
            for row, spread in zip(found, spreads, strict=True)
        ]
        rows.append([bucket, f"{count:,}", *cells])
    return header, rows


def differing_options(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """What the systems were not given alike besides the model: a line an option."""
    names = dict.fromkeys(name for options in comparison.options.values() for name in options)
    rows = [
        [name, *(comparison.options[system].get(name, "") for system in comparison.systems)]
        for name in names
        if not name.startswith(("model.", "run.")) and len({o.get(name) for o in comparison.options.values()}) > 1
    ]
    return ["option", *comparison.systems], rows


def length_ratio_table(comparison: Comparison, test_set: str) -> tuple[list[str], list[list[str]]]:
    """Output words over reference words: below 1, the system leaves things out."""
    header = ["source words", *comparison.systems]
    rows = []
    for bucket in comparison.test_sets[test_set]:
        found = [comparison.find(system, test_set, bucket, "length_ratio") for system in comparison.systems]
        rows.append([bucket, *("–" if row is None else f"{row.score:.2f}" for row in found)])
    return header, rows


def cost_table(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
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
    rows = [
        [
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
        for run in comparison.runs
    ]
    return header, rows


def findings(comparison: Comparison) -> list[str]:
    """One sentence for each system and test set, from the statistics alone: its difference to the baseline."""
    metric = comparison.metrics[0]
    told = []
    for test_set in comparison.test_sets:
        for system in comparison.systems:
            found = [
                difference
                for difference in comparison.differences
                if (difference.system, difference.test_set, difference.metric) == (system, test_set, metric)
            ]
            parts = [difference for difference in found if difference.bucket != "all"]
            if len(parts) >= 2:
                told.append(_told(comparison, system, test_set, parts[0], parts[-1]))
            elif found:
                told.append(f"On {test_set}, {system} {_against(comparison, found[-1])}.")
    return told


def _told(comparison: Comparison, system: str, test_set: str, short: DifferenceRow, long: DifferenceRow) -> str:
    return (
        f"On {test_set}, sources of {short.bucket} words: {system} {_against(comparison, short)}; "
        f"sources of {long.bucket} words: {system} {_against(comparison, long)}."
    )


def _against(comparison: Comparison, difference: DifferenceRow) -> str:
    name, value, chance = NAMES[difference.metric], difference.difference, f"p = {difference.p_value:.2g}"
    if difference.p_value >= SIGNIFICANT:
        return f"and {comparison.baseline} do not differ ({value:+.1f} {name}, {chance})"
    lead = "ahead of" if (value > 0) == (difference.metric != "ter") else "behind"
    half = (difference.high - difference.low) / 2
    return f"is {lead} {comparison.baseline} by {abs(value):.1f} ± {half:.1f} {name} ({chance})"


def legend(comparison: Comparison) -> str:
    share = round(100 * comparison.confidence)
    seeds = len({run.seed for run in comparison.runs})
    spread = f"±: standard deviation over {seeds} seeds. " if seeds > 1 else ""
    return (
        f"In brackets: {share} % bootstrap band. {spread}*: differs from {comparison.baseline} (p < {SIGNIFICANT}, "
        f"{comparison.provenance['significance']}). "
        f"In round brackets: fewer than {comparison.min_sentences} sentences, too few to say."
    )


def markdown_summary(comparison: Comparison) -> str:
    """What the console prints at the end of a comparison."""
    parts = []
    for test_set in comparison.test_sets:
        metric = comparison.metrics[0]
        parts.append(
            f"{NAMES[metric]} on {test_set}\n\n" + markdown_table(*comparison_table(comparison, test_set, metric))
        )
    return "\n\n".join([*parts, legend(comparison), *findings(comparison)]) + "\n"


def markdown_report(comparison: Comparison) -> str:
    """report.md: ready for a README."""
    lines = [f"# {comparison.name}: quality by source length", ""]
    lines += [f"- {finding}" for finding in findings(comparison)]
    lines += ["", f"![Quality by source length]({comparison.metrics[0]}_by_length.png)", ""]
    for test_set in comparison.test_sets:
        for metric in comparison.metrics:
            lines += [f"## {NAMES[metric]}, {test_set}", ""]
            lines += [markdown_table(*comparison_table(comparison, test_set, metric)), ""]
    lines += [legend(comparison), "", "## Cost", "", f"Matched: {comparison.matched}.", ""]
    lines += [markdown_table(*cost_table(comparison)), ""]
    differing = differing_options(comparison)
    if differing[1]:
        lines += ["Training options that differ between systems:", "", markdown_table(*differing), ""]
    lines += ["## How it was made", ""]
    lines += [f"- {name}: `{value}`" for name, value in comparison.provenance.items()]
    lines += [f"- {NAMES[name]}: `{signature}`" for name, signature in comparison.signatures.items()]
    return "\n".join(lines) + "\n"
