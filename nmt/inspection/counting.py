"""One pass over the text of a split: everything that is counted of it, in memory that hardly grows with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from nmt.corpus.pair import Pair
from nmt.corpus.text.cleaning import REASONS, CleaningOptions, CleaningReport, clean
from nmt.corpus.text.lines import chunks
from nmt.corpus.text.tags import Reader, as_read
from nmt.corpus.text.writing import Proportions, Unit, script_of
from nmt.evaluation.buckets import label_of
from nmt.inspection.characters import Characters, LinesRead
from nmt.inspection.oddities import OddCounter
from nmt.inspection.remembered import FIRST, Remembered
from nmt.inspection.results import BOTH, Bucket, LeftOut, Lines, Ratio, Side, Split

TOGETHER = 2_000  # pairs that are counted at once: their characters fit a processor's cache
LONGEST = 10_000  # of the lengths that are told apart
STEPS = 1_000  # of a ratio's logarithm, each: a ratio is known within 0.1 %
MOST = 10_000  # times as long: ratios beyond count as this
SHOWN = 250  # lengths in a picture, at most
WHY = {
    "empty": "a side is empty",
    "too_long": "too long (cleaning.max_words, train_words)",
    "odd_ratio": "odd ratio of lengths (cleaning.max_ratio)",
    "other_script": "another script (cleaning.source_script, target_script)",
    "duplicate": "came before (cleaning.duplicates=drop)",
}

Hearer = Callable[[Sequence[Pair]], None]


def ignore(pairs: Sequence[Pair]) -> None:
    """Does nothing with pairs."""


class SideCounter:
    """Counts what is on one side of a split."""

    def __init__(self, side: str, language: str, unit: Unit):
        self.side = side
        self.language = language
        self.unit = unit
        self.total = 0
        self.longest = 0
        self.longest_line = 0
        self.lengths = np.zeros(LONGEST + 1, np.int64)  # lines by their length
        self.characters: Counter[int] = Counter()  # by their code
        self.families: Counter[str] = Counter()  # lines by the script that most of them is in
        self.first_in: dict[str, list[int]] = {}  # the first lines of each script

    def add(self, read: LinesRead, done: int) -> np.ndarray:
        """Counts lines, of which ``done`` came before, and returns their lengths. (lines,)"""
        lengths = read.words() if self.unit is Unit.WORDS else read.characters()
        self.total += int(lengths.sum())
        longest = int(lengths.argmax())
        if lengths[longest] > self.longest:
            self.longest = int(lengths[longest])
            self.longest_line = done + longest + 1
        self.lengths += np.bincount(np.minimum(lengths, LONGEST), minlength=LONGEST + 1)
        return lengths

    def look_at_scripts(self, read: LinesRead, done: int) -> None:
        """Counts in which script each line mostly is."""
        for family, numbers in read.families_of_lines().items():
            self.families[family] += len(numbers)
            first = self.first_in.setdefault(family, [])
            first.extend(done + number + 1 for number in numbers[: FIRST - len(first)].tolist())

    def in_other_scripts(self) -> Lines:
        """Returns the lines that are mostly in another script than most lines are."""
        if not self.families:
            return Lines()
        main = self.families.most_common(1)[0][0]
        first: list[int] = []
        for family, numbers in self.first_in.items():
            if family != main:
                first += numbers
        count = self.families.total() - self.families[main]
        return Lines(count, tuple(sorted(first)[:FIRST]))

    def result(self) -> Side:
        """Returns what was counted."""
        scripts: Counter[str] = Counter()
        for code, count in self.characters.items():
            script = script_of(chr(code))
            if script:
                scripts[script] += count
        letters = max(1, scripts.total())
        shares = {script: count / letters for script, count in scripts.most_common()}
        return Side(
            language=self.language,
            unit=self.unit.value,
            words=self.total,
            longest=self.longest,
            longest_line=self.longest_line,
            histogram=cut_off(self.lengths),
            scripts=shares,
        )


class RatioCounter:
    """Counts target lengths over source lengths, by their logarithms."""

    def __init__(self) -> None:
        self.half = int(np.log(MOST) * STEPS)
        self.counts = np.zeros(2 * self.half + 1, np.int64)

    def add(self, sources: np.ndarray, targets: np.ndarray) -> None:
        """Counts pairs by the lengths of both sides, which are above 0. (pairs,)"""
        steps = np.rint(np.log(targets / sources) * STEPS).astype(np.int64)
        steps = np.clip(steps, -self.half, self.half)
        self.counts += np.bincount(steps + self.half, minlength=len(self.counts))

    def result(self) -> Ratio | None:
        """Returns median and percentiles; None where nothing was counted."""
        if not self.counts.any():
            return None
        return Ratio(median=self._quantile(0.5), low=self._quantile(0.01), high=self._quantile(0.99))

    def _quantile(self, share: float) -> float:
        """Returns the smallest ratio that at least this share of the pairs does not exceed."""
        total = np.cumsum(self.counts)
        step = int(np.searchsorted(total, share * total[-1])) - self.half
        return float(np.exp(step / STEPS))


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
        self.cleaning = cleaning
        self.reader = reader
        self.proportions = proportions
        self.characters = characters
        self.source = SideCounter("source", languages[0], proportions.source)
        self.target = SideCounter("target", languages[1], proportions.target)
        self.ratio = RatioCounter()
        self.odd = OddCounter(reader.symbols)
        self.report = CleaningReport()
        self.remembered = Remembered()
        self.done = 0  # pairs of earlier blocks
        self.places: dict[int, int] = {}
        self._left_out: dict[str, list[int]] = {reason: [] for reason in REASONS}

    def count(
        self, pairs: Iterable[Pair], hear: Hearer = ignore, keep: Hearer = ignore, tell: Callable[[int], None] = bool
    ) -> None:
        """Counts all pairs.

        ``hear`` is given every block of pairs, ``keep`` those that cleaning keeps, and ``tell`` how many were read so
        far.
        """
        block: list[Pair] = []
        for pair in clean(self._counted(pairs, hear, tell), self.cleaning, self.report, self.proportions):
            block.append(pair)
            if len(block) == TOGETHER:
                keep(block)
                block = []
        keep(block)

    def _counted(self, pairs: Iterable[Pair], hear: Hearer, tell: Callable[[int], None]) -> Iterator[Pair]:
        """Yields the pairs as they are read for training, and notes which of them are not kept."""
        for raw in chunks(pairs, TOGETHER):
            block = list(as_read(raw, self.reader))
            self._look_at(raw, block)
            hear(block)
            for number, pair in enumerate(block, self.done + 1):
                kept = self.report.kept
                yield pair
                if self.report.kept == kept:
                    self._note_left_out(number)
            self.done += len(block)
            tell(self.done)

    def _note_left_out(self, number: int) -> None:
        for reason, numbers in self._left_out.items():
            if len(numbers) < FIRST and getattr(self.report, reason) > len(numbers):
                numbers.append(number)

    def _look_at(self, raw: Sequence[Pair], block: Sequence[Pair]) -> None:
        for number, pair in enumerate(raw, self.done + 1):
            self.places.setdefault(pair.place, number)
        lengths = []
        blanks = []
        for side in (self.source, self.target):
            lines = [getattr(pair, side.side) for pair in block]
            read = self.characters.read(lines, side.characters)
            blank = read.blank()
            lengths.append(side.add(read, self.done))
            blanks.append(blank)
            side.look_at_scripts(read, self.done)
            raw_lines = [getattr(pair, side.side) for pair in raw]
            if raw_lines != lines:
                read = self.characters.read(raw_lines, Counter())
            self.odd.look_at_side(side.side, read, blank, self.done)
        source_lengths, target_lengths = lengths
        is_blank = blanks[0] | blanks[1]
        has_both = ~is_blank & (source_lengths > 0) & (target_lengths > 0)
        self.odd.look_at_pairs(block, is_blank, self.done)
        self.ratio.add(source_lengths[has_both], target_lengths[has_both])
        self.remembered.add(block, is_blank)

    def result(self, name: str, bounds: Sequence[int], is_test: bool) -> Split:
        """Returns what was counted, with sentences by source length in buckets that end at ``bounds``."""
        for side in (self.source, self.target):
            self.odd.note("other_script", side.side, side.in_other_scripts())
        for reason in ("too_long", "odd_ratio"):
            self.odd.note(reason, BOTH, self._lines_left_out(reason))
        left_out = [LeftOut(reason, WHY[reason], self._lines_left_out(reason)) for reason in REASONS]
        places = self.places
        if len(places) < 2:
            places = {}
        kept: int | None = self.report.kept
        if is_test:
            kept = None
            left_out = []
        return Split(
            name=name,
            pairs=self.report.read,
            source=self.source.result(),
            target=self.target.result(),
            buckets=buckets_of(self.source.lengths, bounds),
            ratio=self.ratio.result(),
            duplicates=self.remembered.duplicates(),
            several_targets=self.remembered.several_targets(),
            odd=self.odd.all(),
            kept=kept,
            left_out=[reason for reason in left_out if reason.lines.count],
            places=places,
        )

    def _lines_left_out(self, reason: str) -> Lines:
        return Lines(getattr(self.report, reason), tuple(self._left_out[reason]))


def buckets_of(lengths: np.ndarray, bounds: Sequence[int]) -> list[Bucket]:
    """Returns sentences by length in the buckets of a report; length 0 counts to the first. (LONGEST + 1,)"""
    total = max(1, int(lengths.sum()))
    buckets = []
    low = 0
    for bound in bounds:
        count = int(lengths[low : bound + 1].sum())
        buckets.append(Bucket(label_of(max(low, 1), bound), count, count / total))
        low = bound + 1
    count = int(lengths[low:].sum())
    buckets.append(Bucket(label_of(low, None), count, count / total))
    return buckets


def cut_off(lengths: np.ndarray) -> list[int]:
    """Returns lines by length up to the longest, or the first lengths and all others as the last number."""
    if not lengths.any():
        return []
    longest = int(np.flatnonzero(lengths)[-1])
    if longest <= SHOWN:
        return lengths[: longest + 1].tolist()
    return [*lengths[:SHOWN].tolist(), int(lengths[SHOWN:].sum())]
