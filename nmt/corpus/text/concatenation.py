"""Short pairs joined into longer ones: what a model can learn of length from short text (Varis and Bojar 2021)."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nmt.corpus.kinds.corpus import Pair
from nmt.corpus.text.cleaning import CleaningReport
from nmt.errors import UserError

MOST = 10  # joined pairs for each pair


@dataclass
class JoiningOptions:
    """Joined pairs added to the training text. The tokenizer does not see them."""

    share: float = 0.0  # joined pairs for each pair, at most: one of a single sentence is none
    max_words: int = 100  # on the source side; each takes as many sentences as fit into a length drawn up to it


def join(pairs: Iterable[Pair], options: JoiningOptions, report: CleaningReport) -> Iterator[Pair]:
    """The pairs, and after them now and then their latest neighbours as one. Deterministic from the pairs.

    Raises UserError for options without meaning.
    """
    if not 0 <= options.share <= MOST:
        raise UserError(f"joining.share={options.share}: must be 0 to {MOST}")
    if options.max_words < 2:
        raise UserError(f"joining.max_words={options.max_words}: must be 2 or more")
    rng = random.Random(1)
    recent: deque[Pair] = deque(maxlen=options.max_words)
    due = 0.0
    for pair in pairs:
        yield pair
        recent.append(pair)
        due += options.share
        while due >= 1:
            due -= 1
            parts = _latest(recent, rng.randint(2, options.max_words))
            if len(parts) > 1:
                report.joined += 1
                yield _joined(parts)


def _latest(recent: deque[Pair], words: int) -> list[Pair]:
    """As many of the latest pairs, in their order, as have up to so many source words together."""
    parts: list[Pair] = []
    for pair in reversed(recent):
        words -= len(pair.source.split())
        if words < 0:
            break
        parts.append(pair)
    return parts[::-1]


def _joined(parts: list[Pair]) -> Pair:
    links, source_words, target_words = [], 0, 0
    for part in parts:
        links += [(s + source_words, t + target_words) for s, t in part.links]
        source_words, target_words = source_words + len(part.source.split()), target_words + len(part.target.split())
    return Pair(
        " ".join(part.source for part in parts), " ".join(part.target for part in parts), tuple(links), joined=True
    )
