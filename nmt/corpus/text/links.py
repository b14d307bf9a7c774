"""Word links: read from files, and carried from words to their pieces."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from nmt.corpus.pair import Link, Pair
from nmt.corpus.subwords.stand_ins import text_of
from nmt.corpus.text.lines import lines_of
from nmt.errors import UserError

log = logging.getLogger("nmt")

WORD_START = "\u2581"  # how SentencePiece marks that a piece begins a word
END_PIECE = "</s>"
UNKNOWN_PIECE = "<unk>"  # a whole word where all pieces are words
NO_WORD = -1
LONGEST_LINK = 30  # characters: no sentence has words for longer numbers
ENOUGH = 1000  # texts with other white space than spaces, by which it is told how links count words

Words = Sequence[tuple[int, ...]]  # of each piece, the words that it holds a part of


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


def read_gold(path: Path, pairs: Sequence[Pair]) -> list[Links]:
    """Returns the known links of all pairs, as those of words at any white space.

    Raises UserError where the file has not a line for each pair, and for a link to a word that is not there.
    """
    lines = list(read_links(path))
    if len(lines) != len(pairs):
        raise UserError(f"{path}: {len(lines):,} lines for {len(pairs):,} sentence pairs; one a pair is needed")
    possible = [line.possible for line in lines]
    tell_from_one(possible, f"gold={path}")
    spaces_alone = count_spaces_alone(zip(pairs, possible, strict=True))
    if spaces_alone:
        tell_spaces_alone(f"gold={path}")
    gold = []
    for number, (pair, line) in enumerate(zip(pairs, lines, strict=True), 1):
        check_links(line.possible, pair, f"{path}, line {number}", spaces_alone)
        if spaces_alone:
            line = Links(at_any_white_space(line.sure, pair), at_any_white_space(line.possible, pair))
        gold.append(line)
    return gold


def tell_from_one(linked: Iterable[Sequence[Link]], links: str) -> None:
    """Warns of links none of which is of a first word; ``links`` is the option with its value.

    The first words of sentences are linked now and then, so the file seems to count words from 1, and nothing fits.
    """
    are_some = False
    for of_pair in linked:
        if any(source == 0 or target == 0 for source, target in of_pair):
            return
        are_some = are_some or bool(of_pair)
    if are_some:
        log.warning("%s: no link is of a first word (word 0) on either side; does the file count from 1?", links)


def tell_spaces_alone(links: str) -> None:
    """Warns of links that count words otherwise than all else does; ``links`` is the option with its value."""
    log.warning(
        "%s: counts words as spaces alone part them; what holds another white space is linked as each of its words",
        links,
    )


def _parsed(item: str, place: str) -> tuple[Link, str]:
    """Returns the link and its mark: ``-`` of a sure one, else ``p`` or ``?``."""
    for mark in "-p?":
        source, found, target = item.partition(mark)
        if found:
            if source.isdecimal() and target.isdecimal() and len(item) < LONGEST_LINK:
                return (int(source), int(target)), mark
            break
    raise UserError(f"{place}: '{item[:LONGEST_LINK]}' is no link; write i-j (sure) or ipj (possible), from 0")


def count_spaces_alone(linked: Iterable[tuple[Pair, Sequence[Link]]]) -> bool:
    """Whether links count words as spaces alone part them, as some aligners do; ours count those at any white space.

    It can be told where other white space lies in the texts: then no link goes beyond the words between spaces.
    """
    texts = 0  # that speak for it
    for pair, links in linked:
        for text, side in ((pair.source, 0), (pair.target, 1)):
            words = len(text.split())
            spaced = len(_spaced_words(text))
            last = max((link[side] for link in links), default=-1)
            if words == spaced or last < 0:
                continue
            if spaced <= last < words:
                return False
            texts += 1
        if texts >= ENOUGH:
            break
    return texts > 0


def _spaced_words(text: str) -> list[str]:
    """Returns what lies between spaces and tabs."""
    return re.findall("[^ \t]+", text)


def at_any_white_space(links: Sequence[Link], pair: Pair) -> tuple[Link, ...]:
    """Turns links that count words as spaces alone part them into those of words at any white space: all the words that
    lie between two spaces have the links of the one.
    """
    sources = _words_between_spaces(pair.source)
    targets = _words_between_spaces(pair.target)
    turned: list[Link] = []
    for source, target in links:
        turned += itertools.product(sources[source], targets[target])
    return tuple(turned)


def _words_between_spaces(text: str) -> list[range]:
    """Returns for what lies between two spaces the numbers of its words."""
    numbers = []
    first = 0
    for spaced in _spaced_words(text):
        end = first + len(spaced.split())
        numbers.append(range(first, end))
        first = end
    return numbers


def check_links(links: Sequence[Link], pair: Pair, place: str, spaces_alone: bool = False) -> None:
    """Raises UserError for a link to a word that is not there; with ``spaces_alone``, as spaces alone part words."""
    words_in = _spaced_words if spaces_alone else str.split
    source_words = len(words_in(pair.source))
    target_words = len(words_in(pair.target))
    for s, t in links:
        if s >= source_words or t >= target_words:
            raise UserError(
                f"{place}: link {s}-{t}, but the pair has {source_words} and {target_words} words; count from 0"
            )


def words_of(pieces: Sequence[str], tag: str = "") -> Words:
    """Returns the words that each piece holds a part of: one, or several where white space that is no space lies within
    the piece; none for the end of the sentence and for white space by itself.

    White space of any kind parts words. A ``tag`` before the sentence is none of them.
    """
    spelt = [_spelt(piece, pieces) for piece in pieces]
    before = f" {tag}" if tag else ""
    numbers = iter(_word_of_each_byte(b"".join(spelt), len(before.encode())))
    words: list[tuple[int, ...]] = []
    for part in spelt:
        of_part = set(itertools.islice(numbers, len(part)))
        words.append(tuple(sorted(of_part - {NO_WORD})))
    return words


def _spelt(piece: str, pieces: Sequence[str]) -> bytes:
    """Returns the text that a piece stands for, as UTF-8: of a byte of a character, that byte."""
    if piece == END_PIECE:
        return b" "
    if piece == UNKNOWN_PIECE:
        return b" ?" if _all_are_words(pieces) else b"?"
    byte = re.fullmatch("<0x([0-9A-F]{2})>", piece)
    if byte:
        return bytes.fromhex(byte[1])
    return text_of(piece.replace(WORD_START, " ")).encode()


def _all_are_words(pieces: Sequence[str]) -> bool:
    """Whether each piece is a whole word, as far as can be told."""
    return all(piece.startswith(WORD_START) or piece in (END_PIECE, UNKNOWN_PIECE) for piece in pieces)


def _word_of_each_byte(text: bytes, first: int) -> list[int]:
    """Returns the number of the word that each byte belongs to, from byte ``first`` on; -1 for white space."""
    words: list[int] = [NO_WORD] * first
    word = -1
    is_open = False
    for character in text[first:].decode("utf-8", "surrogateescape"):
        if character.isspace():
            is_open = False
            words += [NO_WORD] * len(character.encode())
            continue
        if not is_open:
            word += 1
            is_open = True
        words += [word] * len(character.encode("utf-8", "surrogateescape"))
    return words


def links_between(links: Sequence[Link], source_words: Words, target_words: Words) -> list[Link]:
    """Links pieces by the words that they hold a part of."""
    source = _pieces_by_word(source_words)
    target = _pieces_by_word(target_words)
    between: list[Link] = []
    for source_word, target_word in links:
        for s in source.get(source_word, ()):
            between += [(s, t) for t in target.get(target_word, ())]
    return list(dict.fromkeys(between))  # a piece of several words may be linked more than once


def _pieces_by_word(words_of_pieces: Words) -> dict[int, list[int]]:
    """Returns the places of the pieces of each word."""
    places: dict[int, list[int]] = {}
    for place, words in enumerate(words_of_pieces):
        for word in words:
            places.setdefault(word, []).append(place)
    return places
