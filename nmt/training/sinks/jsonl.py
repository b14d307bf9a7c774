"""journal.jsonl: one event a line, which comparisons and tests read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from nmt.training.sinks.sink import Event, Sink


class JsonLines(Sink):
    """Appends events to ``journal.jsonl`` after those of ``step``; later ones, which a crash left, are dropped."""

    def __init__(self, folder: Path, step: int = 0):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "journal.jsonl"
        _drop_after(path, step)
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115, closed by close()

    def event(self, event: Event) -> None:
        line = json.dumps({"event": event.kind, "step": event.step, **event.values})
        self._file.write(line + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def read_journal(folder: Path) -> list[dict[str, Any]]:
    """The events of a run; a last line that was cut short by a crash is left out."""
    path = folder / "journal.jsonl"
    events: list[dict[str, Any]] = []
    if not path.exists():
        return events
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            events.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return events


def _drop_after(path: Path, step: int) -> None:
    """Leaves out what a crash had written after the checkpoint that the run goes on from."""
    if not path.exists():
        return
    lines = []
    if step:  # a run from the start keeps nothing
        lines = [json.dumps(event) + "\n" for event in read_journal(path.parent) if event["step"] <= step]
    aside = path.with_suffix(".partial")
    aside.write_text("".join(lines), encoding="utf-8")
    os.replace(aside, path)
