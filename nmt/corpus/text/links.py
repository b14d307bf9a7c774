"""Word links: read from files, and carried from words to their pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from nmt.corpus.text.lines import lines_of
from nmt.errors import UserError

Link = tuple[int, int]  # source word, target word, from 0
WORD_START = "\u2581"  # how SentencePiece marks that a piece begins a word
END_PIECE = "</s>"
UNKNOWN_PIECE = "<unk>"  # a whole word where all pieces are words


class Links(NamedTuple):
    """Of one sentence pair. ``possible`` holds the sure ones too."""

    sure: tuple[Link, ...]
    possible: tuple[Link, ...]


def read_links(path: Path) -> Iterator[Links]:
    """A line a sentence pair: ``i-j`` is a sure link, ``ipj`` or ``i?j`` a possible one, counted from 0.

    Raises UserError that names the line where something else stands.
    """
    for number, line in enumerate(lines_of(path), 1):
        sure, possible = [], []
        for item in line.split():
            mark = next((mark for mark in "-p?" if mark in item), "")
            source, _, target = item.partition(mark) if mark else ("", "", "")
            if not (source.isdecimal() and target.isdecimal()):
                raise UserError(
                    f"{path}, line {number}: '{item}' is no link; write i-j (sure) or ipj (possible), from 0"
                )
            link = int(source), int(target)
            possible.append(link)
            if mark == "-":
                sure.append(link)
        yield Links(tuple(sure), tuple(possible))


def words_of(pieces: Sequence[str]) -> list[int]:
    """The word that each piece belongs to; -1 for the end of the sentence and for white space by itself."""
    whole = all(piece.startswith(WORD_START) or piece in (END_PIECE, UNKNOWN_PIECE) for piece in pieces)
    found, word, open_word = [], -1, False
    for piece in pieces:
        if piece == END_PIECE or piece.strip(WORD_START) == "":
            found.append(-1)
            open_word = False  # what comes next begins a word, with or without a mark
            continue
        if piece.startswith(WORD_START) or not open_word or (whole and piece == UNKNOWN_PIECE):
            word += 1
        open_word = True
        found.append(word)
    return found


def piece_links(links: Sequence[Link], source_pieces: Sequence[str], target_pieces: Sequence[str]) -> list[Link]:
    """Every piece of a source word with every piece of the target words that it is linked with."""
    source, target = _members(source_pieces), _members(target_pieces)
    return [(s, t) for i, j in links for s in source.get(i, ()) for t in target.get(j, ())]


def _members(pieces: Sequence[str]) -> dict[int, list[int]]:
    members: dict[int, list[int]] = {}
    for place, word in enumerate(words_of(pieces)):
        members.setdefault(word, []).append(place)
    return members
