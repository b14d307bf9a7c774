"""Short pairs joined into longer ones: what a model can learn of length from short text (Varis and Bojar 2021)."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nmt.corpus.pair import Link, Pair
from nmt.corpus.text.cleaning import CleaningReport
from nmt.corpus.text.writing import ALIKE, Proportions, Unit
from nmt.errors import UserError

MOST = 10  # joined pairs for each pair


@dataclass
class ConcatenationOptions:
    """Joined pairs added to the training text. The tokenizer does not see them."""

    share: float = 0.0  # joined pairs for each pair, at most: one of a single sentence is none
    # On the source side, or characters there (as cleaning.max_words); each takes as many sentences as fit into a length
    # drawn up to it.
    max_words: int = 100

    def __post_init__(self) -> None:
        if not 0 <= self.share <= MOST:
            raise UserError(f"joining.share={self.share}: must be 0 to {MOST}")
        if self.share and self.max_words < 2:
            raise UserError(f"joining.max_words={self.max_words}: must be 2 or more")


def with_joined(
    pairs: Iterable[Pair],
    options: ConcatenationOptions,
    report: CleaningReport,
    proportions: Proportions = ALIKE,
) -> Iterator[Pair]:
    """Yields the pairs, and after them now and then their latest neighbours as one. Deterministic from the pairs."""
    rng = random.Random(1)
    recent: deque[Pair] = deque(maxlen=options.max_words)
    due = 0.0
    for pair in pairs:
        yield pair
        recent.append(pair)
        due += options.share
        while due >= 1:
            due -= 1
            parts = _latest(recent, rng.randint(2, options.max_words), proportions.source)
            if len(parts) > 1:
                report.joined += 1
                yield _joined(parts, proportions)


def _latest(recent: deque[Pair], length: int, unit: Unit) -> list[Pair]:
    """Returns as many of the latest pairs, in their order, as have sources of up to ``length`` together."""
    parts: list[Pair] = []
    for pair in reversed(recent):
        length -= unit.length(pair.source)
        if length < 0:
            break
        parts.append(pair)
    return parts[::-1]


def _joined(parts: list[Pair], proportions: Proportions) -> Pair:
    is_linked = any(part.links for part in parts)  # links count words, which white space parts in any script
    source = _in_one([part.source for part in parts], proportions.source, is_linked)
    target = _in_one([part.target for part in parts], proportions.target, is_linked)
    links: list[Link] = []
    source_words = 0
    target_words = 0
    for part in parts:
        links += [(s + source_words, t + target_words) for s, t in part.links]
        source_words += len(part.source.split())
        target_words += len(part.target.split())
    return Pair(source, target, tuple(links), joined=True)


def _in_one(texts: list[str], unit: Unit, is_linked: bool) -> str:
    joint = " " if is_linked else unit.joint
    return joint.join(texts)
