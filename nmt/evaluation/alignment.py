"""Word links read off attention, joined from both directions, and their error rate."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from nmt.corpus.pair import Pair
from nmt.corpus.text.links import Link, words_of
from nmt.decoding.hypothesis import Translation
from nmt.decoding.translator import Translator
from nmt.errors import UserError, nearest

JOINS = ("grow-diag", "intersection", "union")
NEIGHBOURS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]


def merge(source_pieces: Sequence[str], target_pieces: Sequence[str], weights: np.ndarray) -> np.ndarray:
    """Weights between words (target, source): summed over a source word's pieces, averaged over a target word's."""
    into_source = _membership(words_of(source_pieces))  # (pieces, words)
    into_target = _membership(words_of(target_pieces))
    return (into_target.T @ weights @ into_source) / np.maximum(into_target.sum(axis=0), 1)[:, None]


def _membership(words: Sequence[int]) -> np.ndarray:
    member = np.zeros((len(words), max(words, default=-1) + 1))
    for piece, word in enumerate(words):
        if word >= 0:
            member[piece, word] = 1
    return member


def links(made: Translation) -> list[Link]:
    """Each target word with the source word that it looks at most; none for one that looks at no word."""
    if made.attention is None:
        return []
    weights = merge(made.source_pieces, made.target_pieces, made.attention)
    return [(int(row.argmax()), t) for t, row in enumerate(weights) if row.size and row.max() > 0]


def aligned(
    pairs: Sequence[Pair],
    forward: Translator,
    backward: Translator | None = None,
    how: str = "grow-diag",
    first_line: int = 1,
) -> list[list[Link]]:
    """The links of given translations, sorted; joined with those of a model of the opposite direction where there is
    one. Raises UserError for a model without attention.
    """
    sources, targets = [_spaced(pair.source) for pair in pairs], [_spaced(pair.target) for pair in pairs]
    found = _one_way(forward, sources, targets, first_line)
    if backward is not None:
        other = [[(s, t) for t, s in row] for row in _one_way(backward, targets, sources, first_line)]
        found = [join(one, two, how) for one, two in zip(found, other, strict=True)]
    return [sorted(row) for row in found]


def _spaced(text: str) -> str:
    """Whatever parts the words, a space: the pieces of other white space begin no word."""
    return " ".join(text.split())


def _one_way(
    translator: Translator, sources: Sequence[str], targets: Sequence[str], first_line: int
) -> list[list[Link]]:
    if not translator.model.attends:
        raise UserError("this run's model has no attention to read word links from")
    forced = translator.force(sources, targets, attention_for=range(len(sources)), first_line=first_line)
    return [links(made) for made in forced]


def check_join(how: str) -> None:
    if how not in JOINS:
        raise UserError(f"join={how}: {nearest(how, JOINS)}")


def join(forward: Collection[Link], backward: Collection[Link], how: str) -> list[Link]:
    """Links of both directions as one set. grow-diag (Koehn 2003, section 4): from those that both have, neighbours of
    what is taken are taken too if one direction has them and either word has no link yet.
    """
    both, either = set(forward) & set(backward), set(forward) | set(backward)
    if how != "grow-diag":
        return sorted(both if how == "intersection" else either)
    taken, grown = set(both), True
    while grown:
        grown = False
        for s, t in sorted(taken):
            for link in sorted((s + i, t + j) for i, j in NEIGHBOURS):
                free = link[0] not in {i for i, _ in taken} or link[1] not in {j for _, j in taken}
                if link in either and link not in taken and free:
                    taken.add(link)
                    grown = True
    return sorted(taken)


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
