"""Lines that are odd, by kind: what a person would want to see before training on them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Sequence

import numpy as np

from nmt.corpus.pair import Pair
from nmt.inspection.characters import LinesRead, Sort
from nmt.inspection.remembered import FIRST
from nmt.inspection.results import BOTH, Lines, OddLines

# What people read of each kind, in the order in which kinds are shown.
TITLES = {
    "empty": "empty",
    "nul": "NUL characters (is the file UTF-8?)",
    "control": "control characters",
    "replacement": "U+FFFD, where text was decoded wrongly",
    "byte_order_mark": "a byte order mark inside",
    "hidden": "invisible characters (U+200B, soft hyphens ...)",
    "not_nfc": "not in the form NFC (tokenizer.normalise=nfc mends it)",
    "markup": "mark-up, as <b>",
    "entity": "HTML entities, as &amp;",
    "address": "web addresses",
    "other_script": "mostly in another script",
    "equal": "source and target equal",
    "too_long": "very long",
    "odd_ratio": "one side much longer than the other",
}
MARKUP = re.compile(r"</?[A-Za-z!][^<>]*>")
ENTITY = re.compile(r"&(?:[A-Za-z]{2,8}|#\d{1,7}|#[xX][0-9A-Fa-f]{1,6});")
ADDRESS = re.compile(r"https?://|\bwww\.\w")
BY_CHARACTER = {
    "nul": (Sort.NUL,),
    "control": (Sort.CONTROL, Sort.SPACE_CONTROL),
    "replacement": (Sort.REPLACEMENT,),
    "byte_order_mark": (Sort.MARK,),
    "hidden": (Sort.HIDDEN,),
}


class OddCounter:
    """Counts odd lines of a split, and keeps the numbers of the first of each kind and side."""

    def __init__(self, symbols: Collection[str] = ()):
        """``symbols`` of the tokenizer, such as <num>, are no mark-up."""
        self.symbols = frozenset(symbols)
        self._counts: dict[tuple[str, str], int] = {}
        self._first: dict[tuple[str, str], list[int]] = {}

    def note(self, kind: str, side: str, lines: Lines) -> None:
        """Takes over lines that were counted elsewhere."""
        if lines.count:
            self._counts[kind, side] = lines.count
            self._first[kind, side] = list(lines.first)

    def look_at_side(self, side: str, read: LinesRead, blank: np.ndarray, done: int) -> None:
        """Counts what is odd of lines on one side; ``done`` lines came before."""
        self._add(done, "empty", side, np.flatnonzero(blank).tolist())
        sorts = np.bincount(read.sorts, minlength=Sort.LETTER)
        for kind, of_kind in BY_CHARACTER.items():
            if sorts[list(of_kind)].any():
                self._add(done, kind, side, read.with_sort(*of_kind))
        if sorts[Sort.ANGLE]:
            candidates = read.with_sort(Sort.ANGLE)
            self._add(done, "markup", side, _those(candidates, read.lines, self._has_markup))
        if sorts[Sort.AMPERSAND]:
            candidates = read.with_sort(Sort.AMPERSAND)
            self._add(done, "entity", side, _those(candidates, read.lines, ENTITY.search))
        if "://" in read.text or "www." in read.text:
            self._add(done, "address", side, _those(range(len(read.lines)), read.lines, ADDRESS.search))
        if not is_composed(read.text):
            self._add(done, "not_nfc", side, _those(range(len(read.lines)), read.lines, _is_not_composed))

    def look_at_pairs(self, pairs: Sequence[Pair], blank: np.ndarray, done: int) -> None:
        """Counts pairs whose two sides are the same text."""
        equal = [number for number, pair in enumerate(pairs) if pair.source == pair.target and not blank[number]]
        self._add(done, "equal", BOTH, equal)

    def _add(self, done: int, kind: str, side: str, numbers: Sequence[int]) -> None:
        """Counts lines by their numbers from 0, after those that are done."""
        if not numbers:
            return
        key = (kind, side)
        self._counts[key] = self._counts.get(key, 0) + len(numbers)
        first = self._first.setdefault(key, [])
        first += [done + number + 1 for number in numbers[: FIRST - len(first)]]

    def _has_markup(self, line: str) -> bool:
        return any(tag not in self.symbols for tag in MARKUP.findall(line))

    def of(self, kind: str, side: str) -> Lines:
        """Returns the lines of one kind on one side."""
        key = (kind, side)
        return Lines(self._counts.get(key, 0), tuple(self._first.get(key, ())))

    def all(self) -> list[OddLines]:
        """Returns what was odd, in the order of the kinds."""
        order = list(TITLES)
        keys = sorted(self._counts, key=lambda key: order.index(key[0]))
        return [OddLines(kind, TITLES[kind], side, self.of(kind, side)) for kind, side in keys]


def is_composed(text: str) -> bool:
    """Whether a text is in the Unicode form NFC."""
    return text.isascii() or unicodedata.is_normalized("NFC", text)


def _is_not_composed(text: str) -> bool:
    return not is_composed(text)


def _those(numbers: Sequence[int], lines: Sequence[str], fits: Callable[[str], object]) -> list[int]:
    """Returns those of the numbers whose line fits."""
    return [number for number in numbers if fits(lines[number])]
