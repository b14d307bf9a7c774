"""What search finds, and what finds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nmt.decoding.options import DecodingOptions, penalty
from nmt.tokens import END


@dataclass(frozen=True)
class Hypothesis:
    """One candidate translation as ids."""

    tokens: tuple[int, ...]  # END included, unless the length limit cut it
    log_probability: float  # natural logarithm, summed over tokens
    score: float  # log_probability under the length penalty: what candidates are ranked by
    attention: np.ndarray | None = None  # (target tokens, source tokens), only if asked for
    heads: np.ndarray | None = None  # (layers, heads, target tokens, source tokens), only if asked for

    @property
    def is_cut(self) -> bool:
        """Whether the length limit ended it, not the model."""
        return self.tokens[-1] != END

    @classmethod
    def ranked(cls, tokens: tuple[int, ...], log_probability: float, options: DecodingOptions) -> Hypothesis:
        """A hypothesis with its score under the length penalty of ``options``."""
        return cls(tokens, log_probability, log_probability / penalty(len(tokens), options))


@dataclass(frozen=True)
class Translation:
    """The text of a hypothesis and how it came about."""

    text: str
    score: float
    source_pieces: tuple[str, ...] = ()
    target_pieces: tuple[str, ...] = ()
    attention: np.ndarray | None = None
    heads: np.ndarray | None = None
    log_probability: float | None = None  # natural logarithm, summed over tokens; None from CTranslate2
    is_cut: bool = False  # the length limit ended it, not the model


class Translates(Protocol):
    """An engine: our own search, or that of a library."""

    def translate(self, lines: Sequence[str], *, first_line: int = 1) -> list[Translation]:
        """One Translation per line, in their order; ``first_line`` is the number of the first, in messages."""
