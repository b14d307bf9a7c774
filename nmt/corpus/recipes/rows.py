"""Texts whose lines belong together, as rows: sentence pairs mostly, and what several recipes do to them."""

from __future__ import annotations

from collections.abc import Sequence

from nmt.corpus.recipes.recipe import Source, Split
from nmt.corpus.recipes.text import lines_of_file
from nmt.errors import Damaged

Row = tuple[str, ...]  # line i of every text
SentencePair = tuple[str, str]
Text = Sequence[str]  # lines


def rows_of_files(source: Source, paths: Sequence[str]) -> list[Row]:
    """Returns line i of every file as row i, without the rows of which any line is empty.

    Raises Damaged for files of unequal length.
    """
    texts = []
    places = []
    for path in paths:
        text = lines_of_file(source, path)
        texts.append(text)
        place = source.place(path)
        places.append(place)
    check_parallel(texts, places)
    rows = zip(*texts, strict=True)
    return [row for row in rows if all(row)]


def check_parallel(texts: Sequence[Text], places: Sequence[str]) -> None:
    """Raises Damaged with the places of texts of which one has more lines than another."""
    first_place = places[0]
    expected = len(texts[0])
    for text, place in zip(texts, places, strict=True):
        lines = len(text)
        if lines != expected:
            raise Damaged(
                f"{first_place} has {expected:,} lines and {place} {lines:,}; line i of both must belong together"
            )


def split_of_rows(name: str, endings: Sequence[str], rows: Sequence[Row]) -> Split:
    """Returns a split of one text for each ending, such as "en", from rows in the same order."""
    texts = {}
    for column, ending in enumerate(endings):
        lines = [row[column] for row in rows]
        texts[ending] = lines
    return Split(name, texts)


def apart_from(pairs: Sequence[SentencePair], held_out: Sequence[SentencePair]) -> list[SentencePair]:
    """Returns the pairs that share no sentence with those held out, in either language and whatever its case."""
    held_sources = set()
    held_targets = set()
    for source, target in held_out:
        held_sources.add(source.lower())
        held_targets.add(target.lower())
    kept = []
    for pair in pairs:
        source, target = pair
        if source.lower() in held_sources:
            continue
        if target.lower() in held_targets:
            continue
        kept.append(pair)
    return kept
