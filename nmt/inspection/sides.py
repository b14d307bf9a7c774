"""What is on one side of a split: lengths, characters and scripts."""

from __future__ import annotations

from collections import Counter

import numpy as np

from nmt.corpus.text.writing import Unit, script_of
from nmt.inspection.characters import LinesRead
from nmt.inspection.lengths import LengthCounter
from nmt.inspection.remembered import FIRST
from nmt.inspection.results import Lines, Side


class SideCounter:
    """Counts what is on one side of a split."""

    def __init__(self, language: str, unit: Unit):
        self.language = language
        self.unit = unit
        self.lengths = LengthCounter()
        self.characters: Counter[int] = Counter()  # by their code
        self.families: Counter[str] = Counter()  # lines by the script that most of them is in
        self.first_in: dict[str, list[int]] = {}  # the first lines of each script

    def add(self, read: LinesRead, done: int) -> np.ndarray:
        """Counts lines, of which ``done`` came before, and returns their lengths. (lines,)"""
        lengths = read.lengths(self.unit)
        self.lengths.add(lengths, done)
        for family, numbers in read.families_of_lines().items():
            self.families[family] += len(numbers)
            first = self.first_in.setdefault(family, [])
            for number in numbers[: FIRST - len(first)].tolist():
                first.append(done + number + 1)
        return lengths

    def in_other_scripts(self) -> Lines:
        """Returns the lines that are mostly in another script than most lines are."""
        if not self.families:
            return Lines()
        [(main, of_main)] = self.families.most_common(1)
        first: list[int] = []
        for family, numbers in self.first_in.items():
            if family != main:
                first += numbers
        first.sort()
        count = self.families.total() - of_main
        return Lines(count, tuple(first[:FIRST]))

    def result(self) -> Side:
        """Returns what was counted."""
        return Side(
            language=self.language,
            unit=self.unit.value,
            words=self.lengths.total,
            longest=self.lengths.longest,
            longest_line=self.lengths.longest_line,
            histogram=self.lengths.histogram(),
            scripts=self._scripts(),
        )

    def _scripts(self) -> dict[str, float]:
        """Returns the share of each script among the letters, the most frequent one first."""
        letters: Counter[str] = Counter()
        for code, count in self.characters.items():
            script = script_of(chr(code))
            if script:
                letters[script] += count
        total = letters.total()
        return {script: count / total for script, count in letters.most_common()}
