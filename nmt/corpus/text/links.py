"""Word links: read from files, and carried from words to their pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from nmt.corpus.pair import Link, Pair
from nmt.corpus.text.lines import lines_of
from nmt.errors import UserError

WORD_START = "\u2581"  # how SentencePiece marks that a piece begins a word
END_PIECE = "</s>"
UNKNOWN_PIECE = "<unk>"  # a whole word where all pieces are words
NO_WORD = -1


class Links(NamedTuple):
    """The links of one sentence pair. ``possible`` holds the sure ones too."""

    sure: tuple[Link, ...]
    possible: tuple[Link, ...]


def read_links(path: Path) -> Iterator[Links]:
    """A line a sentence pair: ``i-j`` is a sure link, ``ipj`` or ``i?j`` a possible one, counted from 0.

    Raises UserError that names the line where something else stands.
    """
    for number, line in enumerate(lines_of(path), 1):
        sure: list[Link] = []
        possible: list[Link] = []
        for item in line.split():
            link, mark = _parsed(item, f"{path}, line {number}")
            possible.append(link)
            if mark == "-":
                sure.append(link)
        yield Links(tuple(sure), tuple(possible))


def _parsed(item: str, place: str) -> tuple[Link, str]:
    """Returns the link and its mark: ``-`` of a sure one, else ``p`` or ``?``."""
    for mark in "-p?":
        source, found, target = item.partition(mark)
        if found:
            if source.isdecimal() and target.isdecimal():
                return (int(source), int(target)), mark
            break
    raise UserError(f"{place}: '{item}' is no link; write i-j (sure) or ipj (possible), from 0")


def check_links(links: Sequence[Link], pair: Pair, place: str) -> None:
    """Raises UserError for a link to a word that is not there."""
    source_words = len(pair.source.split())
    target_words = len(pair.target.split())
    for s, t in links:
        if s >= source_words or t >= target_words:
            raise UserError(
                f"{place}: link {s}-{t}, but the pair has {source_words} and {target_words} words; count from 0"
            )


def words_of(pieces: Sequence[str]) -> list[int]:
    """Returns the word that each piece belongs to; -1 for the end of the sentence and for white space by itself."""
    whole = all(piece.startswith(WORD_START) or piece in (END_PIECE, UNKNOWN_PIECE) for piece in pieces)
    words: list[int] = []
    last_word = -1
    is_open = False  # whether a piece without a mark goes on with the last word
    for piece in pieces:
        if piece == END_PIECE or piece.strip(WORD_START) == "":
            words.append(NO_WORD)
            is_open = False  # what comes next begins a word, with or without a mark
            continue
        is_whole_word = whole and piece == UNKNOWN_PIECE
        if piece.startswith(WORD_START) or not is_open or is_whole_word:
            last_word += 1
        is_open = True
        words.append(last_word)
    return words


def piece_links(links: Sequence[Link], source_pieces: Sequence[str], target_pieces: Sequence[str]) -> list[Link]:
    """Links every piece of a source word with every piece of the target words that it is linked with."""
    source = _pieces_by_word(source_pieces)
    target = _pieces_by_word(target_pieces)
    between: list[Link] = []
    for source_word, target_word in links:
        for s in source.get(source_word, ()):
            between += [(s, t) for t in target.get(target_word, ())]
    return between


def _pieces_by_word(pieces: Sequence[str]) -> dict[int, list[int]]:
    """Returns the places of the pieces of each word."""
    places: dict[int, list[int]] = {}
    for place, word in enumerate(words_of(pieces)):
        places.setdefault(word, []).append(place)
    return places
