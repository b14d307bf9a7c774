"""Where what happens in a run is written: the contract of one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Event:
    """Something that happened at a step. A number that is not finite is None: JSON has neither infinity nor NaN."""

    kind: str  # start, train or valid
    step: int
    values: dict[str, Any]  # numbers, texts, and dictionaries of numbers

    def scalars(self) -> dict[str, float]:
        """The numbers by name: ``kind/name``, and ``name/key`` for those of a dictionary."""
        scalars: dict[str, float] = {}
        for name, value in self.values.items():
            if isinstance(value, dict):
                numbers = {f"{name}/{key}": number for key, number in value.items()}
            else:
                numbers = {f"{self.kind}/{name}": value}
            for key, number in numbers.items():
                if isinstance(number, int | float) and not isinstance(number, bool):
                    scalars[key] = number
        return scalars


@dataclass(frozen=True)
class Look:
    """What a person looks at while a model trains."""

    texts: dict[str, str] = field(default_factory=dict)  # plain text by name, in lines
    pictures: dict[str, np.ndarray] = field(default_factory=dict)  # (height, width, 3) uint8 by name


class Sink:
    """One place that a journal writes to. A subclass overrides what it can show; the other methods do nothing."""

    def event(self, event: Event) -> None:
        """Writes what happened at a step."""

    def look(self, look: Look, step: int) -> None:
        """Shows sample translations and heat maps of the same sentences, to be followed through training."""

    def progress(self, share: float, title: str) -> None:
        """Shows the share of the budget spent (0 to 1)."""

    def say(self, message: str, *values: object) -> None:
        """Prints a line, formatted as a logger does."""

    def close(self) -> None:
        """Writes what is left. Nothing follows."""
