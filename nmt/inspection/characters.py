"""What the characters of many lines are, all lines at once: letters of which script, white space, or odd ones."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from nmt.corpus.text.lines import INVISIBLE, MARK
from nmt.corpus.text.writing import KANA, Unit, script_of


class Sort(IntEnum):
    """Sorts of characters. White space comes first, then what else nobody sees; letters of scripts begin at 32."""

    SPACE = 0
    SPACE_CONTROL = 1  # parts words, and belongs into no line, as U+2028
    NUL = 2
    CONTROL = 3
    MARK = 4  # the byte order mark
    HIDDEN = 5  # of no width, and hardly ever meant: U+200B, soft hyphens, marks of direction
    FORMAT = 6  # of no width, and needed to write some languages: U+200C and U+200D
    REPLACEMENT = 7  # U+FFFD, where something could not be decoded
    ANGLE = 8
    AMPERSAND = 9
    OTHER = 10
    LETTER = 32  # and above, one number for each script


UNKNOWN = 255
LAST_SPACE = Sort.SPACE_CONTROL
LAST_UNSEEN = Sort.FORMAT
ALONE = {
    "\t": Sort.SPACE,
    "\n": Sort.SPACE,
    "\0": Sort.NUL,
    MARK: Sort.MARK,
    "\u200c": Sort.FORMAT,
    "\u200d": Sort.FORMAT,
    "\ufffd": Sort.REPLACEMENT,
    "<": Sort.ANGLE,
    "&": Sort.AMPERSAND,
}
CODES = 0x110000  # of Unicode
# Scripts that one sentence mixes count as one where it is asked which script most of a line is in.
OF_HAN = {*KANA, "BOPOMOFO", "HAN"}


class Characters:
    """Knows the sort of every character that came so far."""

    def __init__(self) -> None:
        self.families: list[str] = []  # of scripts, in the order of their sorts
        self._sorts = np.full(CODES, UNKNOWN, np.uint8)

    def read(self, lines: Sequence[str], counts: Counter[int]) -> LinesRead:
        """Returns the lines with the sort of each character, and adds their characters to ``counts`` by code."""
        text = "\n".join([*lines, ""])
        content = text.encode("utf-32-le", "surrogatepass")
        codes = np.frombuffer(content, np.uint32)
        times = np.bincount(codes)
        present = np.flatnonzero(times)
        is_new = self._sorts[present] == UNKNOWN
        for code in present[is_new].tolist():
            self._sorts[code] = self._sort_of(chr(code))
        for code in present.tolist():
            counts[code] += int(times[code])
        lengths = np.fromiter(map(len, lines), np.int64, len(lines))
        lengths += 1  # the line's end
        starts = np.cumsum(lengths) - lengths
        by_sort = np.bincount(self._sorts[present], weights=times[present], minlength=UNKNOWN)
        return LinesRead(lines, text, self._sorts[codes], by_sort, starts, self.families)

    def _sort_of(self, character: str) -> int:
        if character in ALONE:
            return ALONE[character]
        category = unicodedata.category(character)
        if category == "Zs":
            return Sort.SPACE
        if character.isspace():
            return Sort.SPACE_CONTROL
        if category == "Cc":
            return Sort.CONTROL
        if category in INVISIBLE:
            return Sort.HIDDEN
        family = family_of(character)
        if not family:
            return Sort.OTHER
        if family not in self.families:
            self.families.append(family)
        number = Sort.LETTER + self.families.index(family)
        return min(number, UNKNOWN - 1)


def family_of(character: str) -> str:
    """Returns the script of a letter, with Kana as Han; empty for what is no letter."""
    script = script_of(character)
    if script in OF_HAN:
        return "HAN"
    return script


def main_family(line: str) -> str:
    """Returns the script that most letters of a line are of; empty for a line without letters."""
    families: Counter[str] = Counter()
    for character in line:
        families[family_of(character)] += 1
    families.pop("", None)
    if not families:
        return ""
    [(family, _)] = families.most_common(1)
    return family


@dataclass(frozen=True, eq=False)
class LinesRead:
    """Lines of one side, with the sort of every character of them in a row, each line ended by white space."""

    lines: Sequence[str]
    text: str  # all of them
    sorts: np.ndarray  # (characters,) uint8
    by_sort: np.ndarray  # (255,) characters of each sort
    starts: np.ndarray  # (lines,) of each line among the characters
    families: Sequence[str]

    def lengths(self, unit: Unit) -> np.ndarray:
        """Returns the length of each line in a unit. (lines,)"""
        if unit is Unit.WORDS:
            return self.words()
        return self.characters()

    def words(self) -> np.ndarray:
        """Counts the words of each line, as str.split() parts them. (lines,)"""
        is_space = self.sorts <= LAST_SPACE
        begins = ~is_space
        begins[1:] &= is_space[:-1]
        return self._by_line(begins)

    def characters(self) -> np.ndarray:
        """Counts the characters of each line that are no white space. (lines,)"""
        return self._by_line(self.sorts > LAST_SPACE)

    def blank(self) -> np.ndarray:
        """Whether a line has nothing that can be seen. (lines,)"""
        seen = self._by_line(self.sorts > LAST_UNSEEN)
        return seen == 0

    def with_sort(self, *sorts: Sort) -> list[int]:
        """Returns the numbers, from 0, of the lines that hold a character of one of these sorts."""
        is_wanted = np.isin(self.sorts, sorts)
        places = np.flatnonzero(is_wanted)
        numbers = np.searchsorted(self.starts, places, side="right") - 1
        return np.unique(numbers).tolist()

    def families_of_lines(self) -> dict[str, np.ndarray]:
        """Returns the numbers, from 0, of the lines that are mostly in each family of scripts.

        Lines without a letter are in none.
        """
        letters = self.by_sort[Sort.LETTER :]
        if not letters.any():
            return {}
        first = int(letters.argmax())
        first_family = self.families[first]
        of_first = self._by_line(self.sorts == Sort.LETTER + first)
        of_any = of_first
        if np.count_nonzero(letters) > 1:
            of_any = self._by_line(self.sorts >= Sort.LETTER)
        is_first = of_any > 0
        others: dict[str, list[int]] = {}
        for number in np.flatnonzero(2 * of_first < of_any).tolist():
            family = main_family(self.lines[number])
            if family != first_family:
                is_first[number] = False
                others.setdefault(family, []).append(number)
        numbers = {family: np.array(of_family) for family, of_family in others.items()}
        numbers[first_family] = np.flatnonzero(is_first)
        return numbers

    def _by_line(self, mask: np.ndarray) -> np.ndarray:
        """Counts where a mask is true within each line. (lines,)"""
        if not len(self.starts):
            return np.zeros(0, np.int64)
        return np.add.reduceat(mask, self.starts, dtype=np.int64)
