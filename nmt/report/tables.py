"""Scores as CSV, JSON and Markdown, and the findings in words."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, fields

from nmt.evaluation.results import SIGNIFICANT, Comparison, Row, SentenceSet
from nmt.report.words import NAMES, findings, legend

DIAGNOSES = {
    "length_ratio": "{:.2f}",
    "brevity_penalty": "{:.2f}",
    "repetition": "{:.1f}",
    "recall": "{:.1f}",
    "search_error": "{:.1f}",
    "alignment_error": "{:.1f}",
    "attention_entropy": "{:.2f}",
    "gradient_near": "{:.1f}",
}
BESIDE = (
    "brevity_penalty",
    "search_error",
    "alignment_error",
    "attention_entropy",
    "gradient_near",
)  # too much for a console


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
    """report.json: all but the sentences; docs/report.md documents it."""
    return json.dumps(comparison.to_json(), indent=1, ensure_ascii=False)


def jsonl_text(sentences: SentenceSet) -> str:
    """sentences_<test set>.jsonl: a line a sentence, with every output and its scores."""
    lines = []
    for i, source in enumerate(sentences.sources):
        record = {
            "number": i + 1,
            "bucket": sentences.buckets[i],
            "source": source,
            "reference": sentences.references[i],
            "outputs": {system: texts[i] for system, texts in sentences.outputs.items()},
            "scores": {
                metric: {system: round(scores[i], 2) for system, scores in by_system.items()}
                for metric, by_system in sentences.scores.items()
            },
        }
        lines.append(json.dumps(record, ensure_ascii=False) + "\n")
    return "".join(lines)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns padded, so that it reads in a terminal too; the first to the left, numbers to the right."""
    widths = [max(len(str(cell)) for cell in column) for column in zip(header, *rows, strict=True)]
    lines = []
    for row in (header, *rows):
        cells = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        lines.append("| " + " | ".join(cells) + " |")
    rule = "|" + "|".join(":" + "-" * (w + 1) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def score_table(rows: Sequence[Row], first: str = "source words") -> str:
    """Of one evaluation: a line a bucket, whose column is headed ``first``."""
    metrics = list(dict.fromkeys(row.metric for row in rows if row.metric not in BESIDE))
    buckets = list(dict.fromkeys(row.bucket for row in rows))
    cells = {(row.bucket, row.metric): row for row in rows}
    header = [first, "sentences", *(NAMES[metric] for metric in metrics)]
    lines = [
        [bucket, f"{cells[bucket, metrics[0]].sentences:,}", *(with_band(cells[bucket, m]) for m in metrics)]
        for bucket in buckets
    ]
    return markdown_table(header, lines)


def with_band(row: Row | None) -> str:
    """34.1 [32.8, 35.5], or the bare score where there were too few sentences for a band."""
    if row is None:
        return "–"
    form = DIAGNOSES.get(row.metric, "{:.1f}")
    if row.low is None or row.high is None:
        return form.format(row.score) if row.metric in DIAGNOSES else f"({row.score:.1f})"
    return f"{form.format(row.score)} [{form.format(row.low)}, {form.format(row.high)}]"


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


def system_table(comparison: Comparison, test_set: str, metric: str) -> tuple[list[str], list[list[str]]]:
    """For many systems: systems down, buckets across, without bands, and what explains the scores of the whole set."""
    buckets = list(comparison.test_sets[test_set])
    beside = ["recall", "alignment_error", "repetition"]
    beside = [n for n in beside if any(comparison.find(s, test_set, "all", n) for s in comparison.systems)]
    rows = []
    for system in comparison.systems:
        found = [comparison.find(system, test_set, bucket, metric) for bucket in buckets]
        cells = ["–" if row is None else f"{row.score:.1f}{mark(row)}" for row in found]
        diagnoses = [comparison.find(system, test_set, "all", name) for name in beside]
        cells += ["–" if row is None else DIAGNOSES[row.metric].format(row.score) for row in diagnoses]
        rows.append([system, *cells])
    return ["system", *buckets, *(NAMES[name] for name in beside)], rows


def diagnoses_table(comparison: Comparison, test_set: str) -> tuple[list[str], list[list[str]]]:
    """What stands beside the scores of the whole test set: systems down."""
    names = [n for n in DIAGNOSES if any(comparison.find(s, test_set, "all", n) for s in comparison.systems)]
    rows = [[s, *(with_band(comparison.find(s, test_set, "all", n)) for n in names)] for s in comparison.systems]
    return ["system", *(NAMES[name] for name in names)], rows


def differing_options(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """What the systems were not given alike besides the model: a line an option."""
    names = dict.fromkeys(name for options in comparison.options.values() for name in options)
    rows = [
        [name, *(comparison.options[system].get(name, "") for system in comparison.systems)]
        for name in names
        if not name.startswith(("model.", "run.", "published."))
        and len({o.get(name) for o in comparison.options.values()}) > 1
    ]
    return ["option", *comparison.systems], rows


def published_table(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Scores of papers beside ours."""
    rows = [
        [
            found.system,
            found.source,
            f"{NAMES[found.metric]} {found.published:.2f} ± {found.tolerance:.1f}",
            "–" if found.score is None else f"{found.score:.2f}",
            found.verdict,
        ]
        for found in comparison.published
    ]
    return ["system", "published in", "published", "here", "verdict"], rows


def diagnosis_table(comparison: Comparison, test_set: str, name: str) -> tuple[list[str], list[list[str]]]:
    """One diagnosis: buckets down, systems across. No rows where no system has it."""
    found = {
        bucket: [comparison.find(system, test_set, bucket, name) for system in comparison.systems]
        for bucket in comparison.test_sets[test_set]
    }
    rows = [[bucket, *map(with_band, cells)] for bucket, cells in found.items() if any(cells)]
    return ["source words", *comparison.systems], rows


def capacity_table(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """How long a source each system holds, beside what it may hold it in."""
    rows = []
    for found in comparison.capacities:
        context = "grows with the source" if found.context is None else f"{found.context:,}"
        held = "none" if not found.words else f"{'at least ' if found.all_held else ''}{found.words}"
        rows.append([found.system, found.test_set, context, held])
    return ["system", "test set", "numbers in the context", "words held at 90 % accuracy"], rows


def length_cost_table(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Seconds of a training step and of search, and megabytes kept, by length: systems down."""
    lengths = sorted({row.length for row in comparison.costs})
    found = {(row.system, row.length): row for row in comparison.costs}
    header = ["system", *(f"{what}, {n}" for what in ("step s", "search s", "MB") for n in lengths)]
    rows = []
    for system in comparison.systems:
        own = [found[system, length] for length in lengths]
        cells = [f"{row.training_seconds:.3f}" for row in own] + [f"{row.search_seconds:.3f}" for row in own]
        rows.append([system, *cells, *(f"{row.memory_megabytes:.0f}" for row in own)])
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


def latex_table(comparison: Comparison, test_set: str, metric: str) -> str:
    """A table in the style of booktabs, ready for \\input; its caption says how to read it."""
    header, rows = comparison_table(comparison, test_set, metric)
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{table}",
        "  \\centering",
        f"  \\begin{{tabular}}{{lr{'r' * len(comparison.systems)}}}",
        "    \\toprule",
        f"    {' & '.join(map(latex, header))} \\\\",
        "    \\midrule",
    ]
    for row in rows:
        if row[0] == "all" and len(rows) > 1:
            lines.append("    \\midrule")
        lines.append(f"    {' & '.join(map(latex, row))} \\\\")
    caption = f"{NAMES[metric]} on {test_set} by source length. {legend(comparison)} {comparison.signatures[metric]}."
    lines += [
        "    \\bottomrule",
        "  \\end{tabular}",
        f"  \\caption{{{latex(caption)}}}",
        f"  \\label{{tab:{comparison.name}-{test_set}-{metric}}}",
        "\\end{table}",
    ]
    return "\n".join(lines) + "\n"


def latex(text: str) -> str:
    """Plain text, safe in LaTeX."""
    special = {
        "\\": r"\textbackslash{}",
        "±": r"$\pm$",
        "–": "--",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
    special |= {character: "\\" + character for character in "&%$#_{}"}
    special |= {"<": "$<$", ">": "$>$", "|": r"\textbar{}"}
    return "".join(special.get(character, character) for character in text)


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
    if comparison.published:
        lines += ["## Published scores", "", markdown_table(*published_table(comparison)), ""]
    if comparison.costs:
        lines += ["## What length costs", "", markdown_table(*length_cost_table(comparison)), ""]
    if comparison.capacities:
        lines += ["## How much fits", "", markdown_table(*capacity_table(comparison)), ""]
    for test_set in comparison.test_sets:
        for name in DIAGNOSES:
            table = diagnosis_table(comparison, test_set, name)
            if table[1]:
                lines += [f"## {NAMES[name]}, {test_set}", "", markdown_table(*table), ""]
    lines += [legend(comparison), "", "## Cost", "", f"Matched: {comparison.matched}.", ""]
    lines += [markdown_table(*cost_table(comparison)), ""]
    differing = differing_options(comparison)
    if differing[1]:
        lines += ["Training options that differ between systems:", "", markdown_table(*differing), ""]
    lines += ["## How it was made", ""]
    lines += [f"- {name}: `{value}`" for name, value in comparison.provenance.items()]
    lines += [f"- {NAMES[name]}: `{signature}`" for name, signature in comparison.signatures.items()]
    return "\n".join(lines) + "\n"
