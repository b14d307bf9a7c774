"""Rows of a check of a GPU machine: what was tried, how it ended, and what it measured beside what was expected."""

from __future__ import annotations

import json
import math
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

STAGE_WIDTH = 10
WHAT_WIDTH = 58
STATUS_WIDTH = 8
FIGURE_WIDTH = 18


@dataclass(frozen=True)
class Row:
    """One thing that was tried."""

    stage: str
    what: str
    status: str  # ok, failed, skipped or timeout
    value: float | None = None
    unit: str = ""
    predicted: str = ""  # in words, as "55-65 ms"
    note: str = ""

    def line(self) -> str:
        """The row as a line of the table."""
        figure = ""
        if self.value is not None:
            figure = f"{in_digits(self.value)} {self.unit}"
        parts = [
            self.stage.ljust(STAGE_WIDTH),
            self.what.ljust(WHAT_WIDTH),
            self.status.ljust(STATUS_WIDTH),
            figure.rjust(FIGURE_WIDTH),
        ]
        if self.predicted:
            parts.append(f" predicted {self.predicted}")
        if self.note:
            parts.append(f" {self.note}")
        return " ".join(parts).rstrip()


def in_digits(value: float) -> str:
    """The number with three digits, or all of its whole digits."""
    if not math.isfinite(value) or abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


class Results:
    """``results.json`` and ``table.txt`` of a folder. Both are whole after every row, whoever is killed."""

    def __init__(self, folder: Path):
        self.json = folder / "results.json"
        self.table = folder / "table.txt"

    def clear(self) -> None:
        """Begins anew."""
        self._write([])

    def rows(self) -> list[Row]:
        """All rows so far."""
        if not self.json.is_file():
            return []
        content = json.loads(self.json.read_text(encoding="utf-8"))
        return [Row(**row) for row in content["rows"]]

    def add(self, row: Row) -> None:
        """Adds a row. Only one process may write at a time: stages run in turn."""
        self._write([*self.rows(), row])

    def _write(self, rows: list[Row]) -> None:
        content = {"rows": [asdict(row) for row in rows]}
        lines = [row.line() + "\n" for row in rows]
        replace(self.json, json.dumps(content, indent=1))
        replace(self.table, "".join(lines))


def replace(path: Path, text: str) -> None:
    """Writes the file whole, or leaves it as it was."""
    aside = path.with_suffix(".partial")
    aside.write_text(text, encoding="utf-8")
    os.replace(aside, path)


class Report:
    """Adds the rows of one stage. Predictions are of a GPU at full size: they are left out elsewhere."""

    def __init__(self, results: Results, stage: str, predicts: bool):
        self.results = results
        self.stage = stage
        self.predicts = predicts
        self.failures = 0

    def figure(self, what: str, value: float, unit: str, predicted: str = "", note: str = "") -> None:
        """Adds a measurement."""
        self.results.add(Row(self.stage, what, "ok", value, unit, self._told(predicted), note))

    def fact(self, what: str, note: str, predicted: str = "") -> None:
        """Adds what is no number."""
        self.results.add(Row(self.stage, what, "ok", predicted=self._told(predicted), note=note))

    def skip(self, what: str, why: str) -> None:
        """Adds what this machine has not; that is no failure."""
        self.results.add(Row(self.stage, what, "skipped", note=why))

    def fail(self, what: str, why: str) -> None:
        """Adds what went wrong; the stage goes on and ends with exit code 1."""
        self.failures += 1
        self.results.add(Row(self.stage, what, "failed", note=why))

    def _told(self, predicted: str) -> str:
        if self.predicts:
            return predicted
        return ""

    @contextmanager
    def trying(self, what: str) -> Iterator[None]:
        """Makes an error within a failed row. The traceback goes to the stage's log."""
        try:
            yield
        except Exception as error:
            traceback.print_exc()
            self.fail(what, one_line(error))


def one_line(error: Exception) -> str:
    """The kind of error and the first line of its message."""
    message = str(error).strip() or "no message"
    return f"{type(error).__name__}: {message.splitlines()[0][:200]}"
