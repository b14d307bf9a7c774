"""Word links read off attention, joined from both directions, and their error rate."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from nmt.corpus.pair import Pair, texts_to_encode
from nmt.corpus.subwords.tokenizer import Tokenizer
from nmt.corpus.text.links import END_PIECE, Link, Words, words_of
from nmt.decoding.hypothesis import Translation
from nmt.decoding.translator import Translator
from nmt.errors import UserError, nearest

JOINS = ("grow-diag", "intersection", "union")


def merge(source_pieces: Sequence[str], target_pieces: Sequence[str], weights: np.ndarray, tag: str = "") -> np.ndarray:
    """Weights between words (target, source): summed over a source word's pieces, averaged over a target word's.

    A piece of several source words shares its weight among them. The ``tag`` before the source is none of them.
    """
    into_source = _membership(words_of(source_pieces, tag))  # (pieces, words)
    into_source /= np.maximum(into_source.sum(axis=1, keepdims=True), 1)
    into_target = _membership(words_of(target_pieces))
    summed = into_target.T @ weights @ into_source  # (target words, source words)
    pieces_of_target = np.maximum(into_target.sum(axis=0), 1)
    return summed / pieces_of_target[:, None]


def _membership(words: Words) -> np.ndarray:
    """1 where a piece holds a part of a word: (pieces, words)."""
    count = max(itertools.chain.from_iterable(words), default=-1) + 1
    member = np.zeros((len(words), count))
    for piece, of_piece in enumerate(words):
        member[piece, list(of_piece)] = 1
    return member


def links_of_pair(forced: Translation, pair: Pair, tokenizer: Tokenizer) -> list[Link]:
    """The `links` of a pair whose target was forced, between the words of its text: also where an unknown piece stands
    for several, or for the white space between them.
    """
    words_end = len(forced.source_pieces) - 1  # before its END, also where it was cut
    source_pieces = [*tokenizer.spelt_source(pair.encoder_input)[:words_end], END_PIECE]
    target_pieces = [*tokenizer.spelt_target(pair.target), END_PIECE]
    spelt = replace(forced, source_pieces=tuple(source_pieces), target_pieces=tuple(target_pieces))
    return links(spelt, pair.tag)


def links(translation: Translation, tag: str = "") -> list[Link]:
    """Each target word with the source word that it looks at most; none for one that looks at no word.

    The ``tag`` before the source is no word.
    """
    if translation.attention is None:
        return []
    weights = merge(translation.source_pieces, translation.target_pieces, translation.attention, tag)
    word_links = []
    for target, row in enumerate(weights):
        if row.size and row.max() > 0:
            source = int(row.argmax())
            word_links.append((source, target))
    return word_links


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
    spaced = [Pair(_spaced(pair.source), _spaced(pair.target)) for pair in pairs]
    links_of_pairs = _one_way(forward, spaced, first_line)
    if backward is not None:
        turned_round = [Pair(pair.target, pair.source) for pair in spaced]
        opposite = _one_way(backward, turned_round, first_line)
        for row, turned in enumerate(opposite):
            same_way = [(source, target) for target, source in turned]
            of_pair = links_of_pairs[row]
            links_of_pairs[row] = join(of_pair, same_way, how)
    return [sorted(of_pair) for of_pair in links_of_pairs]


def _spaced(text: str) -> str:
    """Whatever parts the words, a space: so that no piece holds parts of two words."""
    return " ".join(text.split())


def _one_way(translator: Translator, pairs: Sequence[Pair], first_line: int) -> list[list[Link]]:
    if not translator.model.attends:
        raise UserError("this run's model has no attention to read word links from")
    sources, targets = texts_to_encode(pairs)
    forced = translator.force(sources, targets, attention_for=range(len(pairs)), first_line=first_line)
    tokenizer = translator.tokenizer
    return [links_of_pair(translation, pair, tokenizer) for translation, pair in zip(forced, pairs, strict=True)]


def check_join(how: str) -> None:
    """Raises UserError for a way of joining that is not known."""
    if how not in JOINS:
        raise UserError(f"join={how}: {nearest(how, JOINS)}")


def join(forward: Collection[Link], backward: Collection[Link], how: str) -> list[Link]:
    """Links of both directions as one set. grow-diag (Koehn 2003, section 4): from those that both have, neighbours of
    what is taken are taken too if one direction has them and either word has no link yet.
    """
    both = set(forward) & set(backward)
    either = set(forward) | set(backward)
    if how == "intersection":
        return sorted(both)
    if how == "union":
        return sorted(either)
    taken = set(both)
    before = -1
    while len(taken) > before:  # until a round takes none
        before = len(taken)
        for source, target in sorted(taken):
            _take_neighbours(taken, either, source, target)
    return sorted(taken)


def _take_neighbours(taken: set[Link], either: set[Link], source: int, target: int) -> None:
    """Adds what grow-diag takes around one link."""
    for near_source in (source - 1, source, source + 1):
        for near_target in (target - 1, target, target + 1):
            link = (near_source, near_target)
            if link not in either or link in taken:
                continue
            linked_sources = {linked for linked, _ in taken}
            linked_targets = {linked for _, linked in taken}
            if near_source not in linked_sources or near_target not in linked_targets:
                taken.add(link)


def error_counts(answer: Collection[Link], sure: Collection[Link], possible: Collection[Link]) -> tuple[int, int]:
    """Hits and all, whose sums over sentences give the error rate: 1 - (|A and S| + |A and P|) / (|A| + |S|).

    Och and Ney 2003, section 4.1; ``possible`` holds the sure links too.
    """
    answered = set(answer)
    certain = set(sure)
    allowed = certain | set(possible)
    hits = len(answered & certain) + len(answered & allowed)
    total = len(answered) + len(certain)
    return hits, total


def error_rate(counts: Sequence[tuple[int, int]]) -> float:
    """In percent, of the sums; 0 where there is nothing to link."""
    hits = 0
    total = 0
    for hits_of_one, total_of_one in counts:
        hits += hits_of_one
        total += total_of_one
    return 100 * (1 - hits / total) if total else 0.0
