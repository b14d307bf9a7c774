"""Lines that are odd, by kind: what a person would want to see before training on them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence

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
    "hidden": "invisible characters, as U+200B",
    "not_nfc": "not in NFC (tokenizer.normalise=nfc)",
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
    "nul": [Sort.NUL],
    "control": [Sort.CONTROL, Sort.SPACE_CONTROL],
    "replacement": [Sort.REPLACEMENT],
    "byte_order_mark": [Sort.MARK],
    "hidden": [Sort.HIDDEN],
}

Kind = tuple[str, str]  # and the side


class OddCounter:
    """Counts odd lines of a split, and keeps the numbers of the first of each kind and side."""

    def __init__(self, symbols: Collection[str] = ()):
        """``symbols`` of the tokenizer, such as <num>, are no mark-up."""
        self.symbols = frozenset(symbols)
        self.counts: dict[Kind, int] = {}
        self.first: dict[Kind, list[int]] = {}

    def note(self, kind: str, side: str, lines: Lines) -> None:
        """Takes over lines that were counted elsewhere."""
        if lines.count:
            self.counts[kind, side] = lines.count
            self.first[kind, side] = list(lines.first)

    def look_at_side(self, side: str, read: LinesRead, blank: np.ndarray, done: int) -> None:
        """Counts what is odd of lines on one side; ``done`` lines came before."""
        every_line = range(len(read.lines))

        def add(kind: str, numbers: Sequence[int]) -> None:
            self._add((kind, side), numbers, done)

        def add_those(kind: str, candidates: Iterable[int], is_odd: Callable[[str], object]) -> None:
            numbers = [number for number in candidates if is_odd(read.lines[number])]
            add(kind, numbers)

        empty = np.flatnonzero(blank)
        add("empty", empty.tolist())
        for kind, of_kind in BY_CHARACTER.items():
            if read.by_sort[of_kind].any():
                add(kind, read.with_sort(*of_kind))
        if read.by_sort[Sort.ANGLE]:
            add_those("markup", read.with_sort(Sort.ANGLE), self._has_markup)
        if read.by_sort[Sort.AMPERSAND]:
            add_those("entity", read.with_sort(Sort.AMPERSAND), ENTITY.search)
        if "://" in read.text or "www." in read.text:
            add_those("address", every_line, ADDRESS.search)
        if is_decomposed(read.text):
            add_those("not_nfc", every_line, is_decomposed)

    def look_at_pairs(self, pairs: Sequence[Pair], blank: np.ndarray, done: int) -> None:
        """Counts pairs whose two sides are the same text, but for those that are ``blank`` on one. (pairs,)"""
        equal = []
        for number, pair in enumerate(pairs):
            if pair.source == pair.target and not blank[number]:
                equal.append(number)
        self._add(("equal", BOTH), equal, done)

    def _add(self, kind: Kind, numbers: Sequence[int], done: int) -> None:
        """Counts lines by their numbers from 0, after those that are done."""
        if not numbers:
            return
        before = self.counts.get(kind, 0)
        self.counts[kind] = before + len(numbers)
        first = self.first.setdefault(kind, [])
        for number in numbers[: FIRST - len(first)]:
            first.append(done + number + 1)

    def _has_markup(self, line: str) -> bool:
        tags = MARKUP.findall(line)
        return any(tag not in self.symbols for tag in tags)

    def all(self) -> list[OddLines]:
        """Returns what was odd, in the order of the kinds, source before target."""
        odd = []
        for name, title in TITLES.items():
            for side in ("source", "target", BOTH):
                kind = (name, side)
                if kind not in self.counts:
                    continue
                first = tuple(self.first[kind])
                lines = Lines(self.counts[kind], first)
                odd.append(OddLines(name, title, side, lines))
        return odd


def is_decomposed(text: str) -> bool:
    """Whether a text is in another Unicode form than NFC."""
    return not text.isascii() and not unicodedata.is_normalized("NFC", text)
