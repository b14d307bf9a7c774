"""journal.jsonl: one event a line, which comparisons and tests read."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nmt.errors import Absent, not_read
from nmt.swap import copy_whole, name_of_damaged, write_whole
from nmt.training.sinks.sink import Event, Sink

log = logging.getLogger("nmt")

NAME = "journal.jsonl"
WHOLE = "checkpoint"  # the event that follows the first checkpoint that is whole; for `tells_of_checkpoint` alone
TELLS = "tells_checkpoint"  # what a start says whose run has that event; an earlier version has none


class JsonLines(Sink):
    """Appends events to ``journal.jsonl`` after those of ``step``; later ones, which a crash left, are dropped."""

    def __init__(self, folder: Path, step: int = 0):
        """Raises Unreadable where there is a journal that can't be read."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / NAME
        _drop_after(path, step)
        # Without a buffer: each event is one write, beside which another thread may write one of its own.
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115, closed by close()

    def event(self, event: Event) -> None:
        values = event.values
        if event.kind == "start":
            values = {**values, TELLS: True}
        _append(self._file, _line(event.kind, event.step, values))

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True)
class Line:
    """One line of a journal."""

    number: int  # from 1
    content: bytes  # with its end
    event: dict[str, Any] | None  # None: the line is damaged

    @property
    def is_cut(self) -> bool:
        """Whether it was being written when its process was killed."""
        return not self.content.endswith(b"\n")


def tell_checkpoint(folder: Path, step: int) -> None:
    """Adds to the journal in a folder that the first checkpoint of its run is whole; any thread may call it."""
    with open(folder / NAME, "ab", buffering=0) as file:
        _append(file, _line(WHOLE, step, {}))


def tells_of_checkpoint(folder: Path) -> bool:
    """Whether the journal of a run tells that a checkpoint of it was whole, or may have told it in a damaged line.

    In a journal of an earlier version, the first validation stands for it. Raises Unreadable.
    """
    tells = False  # whether checkpoints are told by an event of their own
    for line in _lines(folder / NAME):
        if line.event is None:
            if line.is_cut:
                continue
            return True
        kind = line.event["event"]
        if kind == "start":
            tells = line.event.get(TELLS) is True
        has_gone_on = kind == "start" and line.event["step"] > 0
        if kind == WHOLE or has_gone_on or (kind == "valid" and not tells):
            return True
    return False


def read_journal(folder: Path) -> list[dict[str, Any]]:
    """Returns the events of a run's training; damaged lines are left out, as is one that a crash cut short.

    Without a journal the list is empty. Raises Unreadable.
    """
    events = [line.event for line in _lines(folder / NAME)]
    return [event for event in events if event is not None and event["event"] != WHOLE]


def _line(kind: str, step: int, values: dict[str, Any]) -> bytes:
    return json.dumps({"event": kind, "step": step, **values}).encode() + b"\n"


def _append(file: io.FileIO, line: bytes) -> None:
    """Writes a line at once, or in pieces up to where a disk is full. Raises OSError there."""
    while line:
        written = file.write(line)
        line = line[written:]


def _lines(path: Path) -> Iterator[Line]:
    """Yields the lines of a journal, damaged ones too; none where it is absent. Raises Unreadable."""
    try:
        content = path.read_bytes()
    except OSError as error:
        fault = not_read(error, path)
        if isinstance(fault, Absent):
            return
        raise fault from None
    for number, line in enumerate(io.BytesIO(content), 1):
        if line.strip():
            yield Line(number, line, _event_of(line))


def _event_of(line: bytes) -> dict[str, Any] | None:
    """Returns the event in a line; None where the line is damaged."""
    try:
        event = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):  # no UTF-8, no JSON, a number of thousands of digits
        return None
    if not isinstance(event, dict) or not isinstance(event.get("event"), str) or type(event.get("step")) is not int:
        return None
    return event


def _drop_after(path: Path, step: int) -> None:
    """Leaves out what a crash had written after the checkpoint that the run goes on from.

    Where other lines are damaged, they are left out, too, and the journal as it was is kept beside it.
    """
    lines = list(_lines(path))
    if not lines:
        return
    kept = []
    damaged = []
    for line in lines:
        if line.event is None:
            if not line.is_cut:
                damaged.append(str(line.number))
        elif step and line.event["step"] <= step:  # a run from the start keeps nothing
            kept.append(line.content.rstrip(b"\r\n") + b"\n")
    if damaged:
        _keep_as_it_was(path, damaged)
    write_whole(path, b"".join(kept))


def _keep_as_it_was(path: Path, damaged: list[str]) -> None:
    """Copies a journal to a free name, and says which lines are damaged."""
    place = name_of_damaged(path)
    copy_whole(path, place)
    log.warning(
        "%s: damaged in line %s, which is left out; the journal as it was is kept as %s",
        path,
        ", ".join(damaged),
        place.name,
    )
