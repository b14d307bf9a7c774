"""Word links read off attention, and their error rate."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from nmt.corpus.links import Link, words_of
from nmt.evaluation.results import HeatMap


def merge(picture: HeatMap) -> np.ndarray:
    """Weights between words (target, source): summed over a source word's pieces, averaged over a target word's."""
    source, target = words_of(picture.source_pieces), words_of(picture.target_pieces)
    into_source = _membership(source)  # (pieces, words)
    into_target = _membership(target)
    weights = picture.weights.astype(np.float64) / 255
    return (into_target.T @ weights @ into_source) / np.maximum(into_target.sum(axis=0), 1)[:, None]


def _membership(words: Sequence[int]) -> np.ndarray:
    member = np.zeros((len(words), max(words, default=-1) + 1))
    for piece, word in enumerate(words):
        if word >= 0:
            member[piece, word] = 1
    return member


def links(picture: HeatMap) -> list[Link]:
    """Each target word with the source word that it looks at most."""
    weights = merge(picture)
    if not weights.size:
        return []
    return [(int(row.argmax()), t) for t, row in enumerate(weights)]


def error_counts(found: Collection[Link], sure: Collection[Link], possible: Collection[Link]) -> tuple[int, int]:
    """Hits and all, whose sums over sentences give the error rate: 1 - (|A and S| + |A and P|) / (|A| + |S|).

    Och and Ney 2003, section 4.1; ``possible`` holds the sure links too.
    """
    answer, certain, allowed = set(found), set(sure), set(possible) | set(sure)
    return len(answer & certain) + len(answer & allowed), len(answer) + len(certain)


def error_rate(counts: Sequence[tuple[int, int]]) -> float:
    """In percent, of the sums; 0 where there is nothing to link."""
    hits, total = (sum(column) for column in zip(*counts, strict=True)) if counts else (0, 0)
    return 100 * (1 - hits / total) if total else 0.0
