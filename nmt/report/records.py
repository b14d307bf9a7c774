"""Every score and sentence as CSV, JSON and JSON lines, for programs; docs/report.md documents them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, fields

from nmt.evaluation.results import Comparison, Row, SentenceSet


def csv_text(rows: Sequence[Row]) -> str:
    """scores.csv: a line a score, the columns named as the fields of Row."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = [field.name for field in fields(Row)]
    writer.writerow(names)
    for row in rows:
        values = asdict(row)
        cells = {name: _cell(value) for name, value in values.items()}
        cells["p_value"] = _p_value(row.p_value)
        writer.writerow([cells[name] for name in names])
    return buffer.getvalue()


def _cell(value: object) -> object:
    if value is None:
        return ""
    if not isinstance(value, float):
        return value
    return f"{value:.4f}"


def _p_value(value: float | None) -> object:
    """As other numbers; but one of 100,000 resamples is small, and not 0."""
    is_lost = value is not None and value < 0.00005
    return f"{value:.3g}" if is_lost else _cell(value)


def json_text(comparison: Comparison) -> str:
    """report.json: all but the sentences."""
    return json.dumps(comparison.to_json(), indent=1, ensure_ascii=False)


def jsonl_text(sentences: SentenceSet) -> str:
    """sentences_<test set>.jsonl: a line a sentence, with every output and its scores."""
    lines = []
    for row, source in enumerate(sentences.sources):
        record = {
            "number": row + 1,
            "bucket": sentences.buckets[row],
            "source": source,
            "reference": sentences.references[row],
            "outputs": {system: texts[row] for system, texts in sentences.outputs.items()},
            "scores": scores_of(sentences, row, digits=2),
        }
        lines.append(json.dumps(record, ensure_ascii=False) + "\n")
    return "".join(lines)


def scores_of(sentences: SentenceSet, row: int, digits: int) -> dict[str, dict[str, float]]:
    """One sentence's score by each measure and system."""
    scores: dict[str, dict[str, float]] = {}
    for measure, by_system in sentences.scores.items():
        scores[measure] = {system: round(of_system[row], digits) for system, of_system in by_system.items()}
    return scores
