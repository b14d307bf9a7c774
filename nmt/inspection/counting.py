"""One pass over the text of a split: everything that is counted of it, in memory that hardly grows with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nmt.corpus.pair import Pair
from nmt.corpus.text.cleaning import REASONS, CleaningOptions, CleaningReport, clean
from nmt.corpus.text.lines import chunks
from nmt.corpus.text.tags import Reader, as_read
from nmt.corpus.text.writing import Proportions
from nmt.inspection.characters import Characters
from nmt.inspection.lengths import RatioCounter
from nmt.inspection.oddities import OddCounter
from nmt.inspection.remembered import FIRST, Remembered
from nmt.inspection.results import BOTH, LeftOut, Lines, Split
from nmt.inspection.sides import SideCounter

TOGETHER = 2_000  # pairs that are counted at once: their characters fit a processor's cache
WHY = {
    "empty": "a side is empty",
    "too_long": "too long (cleaning.max_words, train_words)",
    "odd_ratio": "odd ratio of lengths (cleaning.max_ratio)",
    "other_script": "another script (cleaning.source_script, target_script)",
    "duplicate": "came before (cleaning.duplicates=drop)",
}
ODD_TO_CLEANING = ("too_long", "odd_ratio")  # reasons that are odd in a test set, too

Hearer = Callable[[Sequence[Pair]], None]


def ignore(pairs: Sequence[Pair]) -> None:
    """Does nothing with pairs."""


@dataclass(frozen=True)
class Hearers:
    """Who is told of pairs while they are counted."""

    tell: Callable[[int], object]  # how many were read so far
    read: Hearer = ignore  # every block of pairs
    kept: Hearer = ignore  # those that cleaning keeps


class SplitCounter:
    """Counts what is in one split, pair by pair, and remembers its pairs to compare them with other splits."""

    def __init__(
        self,
        languages: tuple[str, str],
        cleaning: CleaningOptions,
        reader: Reader,
        proportions: Proportions,
        characters: Characters,
    ):
        """``cleaning`` are the limits that the split is held to; a test set is held to them to see what is odd."""
        source_language, target_language = languages
        self.cleaning = cleaning
        self.reader = reader
        self.proportions = proportions
        self.characters = characters
        self.source = SideCounter(source_language, proportions.source)
        self.target = SideCounter(target_language, proportions.target)
        self.ratio = RatioCounter()
        self.odd = OddCounter(reader.symbols)
        self.report = CleaningReport()
        self.remembered = Remembered()
        self.done = 0  # pairs of earlier blocks
        self.places: dict[int, int] = {}  # first line of each
        self.first_left_out: dict[str, list[int]] = {reason: [] for reason in REASONS}

    def count(self, pairs: Iterable[Pair], hearers: Hearers) -> None:
        """Counts all pairs."""
        read = self._read(pairs, hearers)
        kept = clean(read, self.cleaning, self.report, self.proportions)
        for block in chunks(kept, TOGETHER):
            hearers.kept(block)

    def _read(self, pairs: Iterable[Pair], hearers: Hearers) -> Iterator[Pair]:
        """Yields the pairs as they are read for training, and notes which of them cleaning does not keep."""
        for raw in chunks(pairs, TOGETHER):
            block = list(as_read(raw, self.reader))
            self._look_at(raw, block)
            hearers.read(block)
            for number, pair in enumerate(block, self.done + 1):
                before = self.report.kept
                yield pair
                if self.report.kept == before:
                    self._note_left_out(number)
            self.done += len(block)
            hearers.tell(self.done)

    def _note_left_out(self, number: int) -> None:
        """Keeps the number of a pair for the reason whose count has risen, while it is one of the first."""
        for reason, numbers in self.first_left_out.items():
            count = getattr(self.report, reason)
            if len(numbers) < min(count, FIRST):
                numbers.append(number)

    def _look_at(self, raw: Sequence[Pair], block: Sequence[Pair]) -> None:
        """Counts a block of pairs: as they lie in the file, and as they are read."""
        for number, pair in enumerate(raw, self.done + 1):
            self.places.setdefault(pair.place, number)
        raw_sources, raw_targets, *_ = zip(*raw, strict=True)
        sources, targets, *_ = zip(*block, strict=True)
        source_lengths, source_blank = self._look_at_side("source", raw_sources, sources)
        target_lengths, target_blank = self._look_at_side("target", raw_targets, targets)
        self.ratio.add(source_lengths, target_lengths)
        blank = source_blank | target_blank
        self.odd.look_at_pairs(block, blank, self.done)
        self.remembered.add(block, blank)

    def _look_at_side(
        self,
        name: str,
        raw: Sequence[str],
        lines: Sequence[str],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Counts lines of one side. Returns their lengths, and which of them have nothing to see. (lines,) each"""
        side: SideCounter = getattr(self, name)
        read = self.characters.read(lines, side.characters)
        lengths = side.add(read, self.done)
        blank = read.blank()
        as_it_lies = read
        if raw != lines:
            as_it_lies = self.characters.read(raw, Counter())
        self.odd.look_at_side(name, as_it_lies, blank, self.done)
        return lengths, blank

    def result(self, name: str, bounds: Sequence[int], is_test: bool) -> Split:
        """Returns what was counted, with sentences by source length in buckets that end at ``bounds``."""
        self.odd.note("other_script", "source", self.source.in_other_scripts())
        self.odd.note("other_script", "target", self.target.in_other_scripts())
        for reason in ODD_TO_CLEANING:
            self.odd.note(reason, BOTH, self._lines_left_out(reason))
        kept: int | None = self.report.kept
        left_out = self._left_out()
        if is_test:
            kept = None
            left_out = []
        places = self.places
        if len(places) == 1:
            places = {}
        return Split(
            name=name,
            pairs=self.report.read,
            source=self.source.result(),
            target=self.target.result(),
            buckets=self.source.lengths.buckets(bounds),
            ratio=self.ratio.result(),
            duplicates=self.remembered.duplicates(),
            several_targets=self.remembered.several_targets(),
            odd=self.odd.all(),
            kept=kept,
            left_out=left_out,
            places=places,
        )

    def _left_out(self) -> list[LeftOut]:
        left_out = []
        for reason in REASONS:
            lines = self._lines_left_out(reason)
            if lines.count:
                left_out.append(LeftOut(reason, WHY[reason], lines))
        return left_out

    def _lines_left_out(self, reason: str) -> Lines:
        count = getattr(self.report, reason)
        first = self.first_left_out[reason]
        return Lines(count, tuple(first))
