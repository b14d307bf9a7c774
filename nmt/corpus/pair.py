"""A sentence pair, as every kind of corpus gives it."""

from __future__ import annotations

from typing import NamedTuple

Link = tuple[int, int]  # source word, target word, from 0


class Pair(NamedTuple):
    """A source sentence and its translation, as text."""

    source: str
    target: str
    links: tuple[Link, ...] = ()  # between their words, where they are known
    joined: bool = False  # made of several pairs
