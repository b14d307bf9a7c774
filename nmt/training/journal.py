"""What happened in a run, told once and written in several places."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nmt.errors import UserError, nearest
from nmt.training.sinks.console import Console
from nmt.training.sinks.jsonl import JsonLines, read_journal
from nmt.training.sinks.sink import Event, Look, Sink
from nmt.training.sinks.tensorboard import TensorBoard
from nmt.training.sinks.wandb import WeightsAndBiases

__all__ = ["Journal", "JournalOptions", "Look", "in_words", "is_shown", "open_journal", "read_journal"]

SECOND = ("none", "wandb")
MODES = ("online", "offline")


@dataclass
class JournalOptions:
    """TensorBoard and journal.jsonl are always written; a second journal may be."""

    second: str = "none"  # none or wandb
    project: str = "nmt"
    mode: str = "online"  # online or offline

    def __post_init__(self) -> None:
        if self.second not in SECOND:
            raise UserError(f"journal.second={self.second}: {nearest(self.second, SECOND)}")
        if self.mode not in MODES:
            raise UserError(f"journal.mode={self.mode}: {nearest(self.mode, MODES)}")


class Journal:
    """Passes what happens in a run to its sinks. A process that is not the first has none, and writes nothing."""

    def __init__(self, sinks: Sequence[Sink] = ()):
        self.sinks = sinks

    def event(self, kind: str, step: int, **values: Any) -> None:
        """Writes numbers, texts and dictionaries of numbers: journal.jsonl keeps all, curves show the numbers."""
        event = Event(kind, step, _finite(values))
        for sink in self.sinks:
            sink.event(event)

    def look(self, look: Look, step: int) -> None:
        """Shows sample translations and heat maps of the same sentences, to be followed through training."""
        for sink in self.sinks:
            sink.look(look, step)

    def progress(self, share: float, title: str) -> None:
        """Shows the share of the budget spent (0 to 1), with the time left."""
        for sink in self.sinks:
            sink.progress(share, title)

    def say(self, message: str, *values: object) -> None:
        """Prints a line on the console."""
        for sink in self.sinks:
            sink.say(message, *values)

    def close(self) -> None:
        with ExitStack() as closing_all:  # also where one of them can't write what is left
            for sink in reversed(self.sinks):
                closing_all.callback(sink.close)


def open_journal(
    folder: Path,
    step: int = 0,
    options: JournalOptions | None = None,
    name: str = "",
    settings: Mapping[str, Any] | None = None,
) -> Journal:
    """The journal of the run in ``folder``, which goes on from ``step``: what a crash wrote after it is dropped.

    ``name`` and ``settings`` (the run's options) are for the record of a second journal. Raises UserError where that
    can not be opened.
    """
    options = options or JournalOptions()
    second: list[Sink] = []
    if options.second == "wandb":
        second.append(WeightsAndBiases(folder, step, name, options.project, options.mode, settings or {}))
    return Journal([JsonLines(folder, step), TensorBoard(folder, step), *second, Console()])


def is_shown(validation: int) -> bool:
    """Whether a validation has a look: the first twenty, then ten in each doubling, so that a long run's stay few."""
    return validation % (1 << max(0, (validation // 10).bit_length() - 1)) == 0


def in_words(scores: Mapping[str, float]) -> str:
    """Returns scores for the console: ``loss 2.345  bleu 20.1``."""
    words = []
    for name, value in scores.items():
        digits = 3 if name == "loss" else 1
        words.append(f"{name} {value:.{digits}f}")
    return "  ".join(words)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(number) for key, number in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
