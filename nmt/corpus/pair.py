"""A sentence pair, as every kind of corpus gives it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

Link = tuple[int, int]  # source word, target word, from 0


class Pair(NamedTuple):
    """A source sentence and its translation, as text."""

    source: str
    target: str
    links: tuple[Link, ...] = ()  # between their words, where they are known; white space of any kind parts words
    joined: bool = False  # made of several pairs
    tag: str = ""  # before the source, with the space that parts them, as "<2de> "; no word of the sentence
    place: int = 0  # which of the places of the training text it is from

    @property
    def encoder_input(self) -> str:
        """The source as a model reads it: the tag, where there is one, and the sentence."""
        return self.tag + self.source


def texts_to_encode(pairs: Sequence[Pair]) -> tuple[list[str], list[str]]:
    """Returns what a model reads of pairs: each source after its tag, and each target."""
    sources = [pair.encoder_input for pair in pairs]
    targets = [pair.target for pair in pairs]
    return sources, targets
