"""What search finds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Hypothesis:
    """One candidate translation as ids."""

    tokens: tuple[int, ...]  # END included, unless the length limit cut it
    log_probability: float  # natural logarithm, summed over tokens
    score: float  # log_probability under the length penalty: what candidates are ranked by
    attention: np.ndarray | None = None  # (target tokens, source tokens), only if asked for
    heads: np.ndarray | None = None  # (layers, heads, target tokens, source tokens), only if asked for


@dataclass(frozen=True)
class Translation:
    """The text of a hypothesis and how it came about."""

    text: str
    score: float
    source_pieces: tuple[str, ...] = ()
    target_pieces: tuple[str, ...] = ()
    attention: np.ndarray | None = None
    heads: np.ndarray | None = None
    log_probability: float = 0.0  # natural logarithm, summed over tokens
