"""What a look into a corpus has found: the numbers that text, page and JSON show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

BOTH = "pair"  # the side of what concerns source and target together


@dataclass(frozen=True)
class Lines:
    """How many lines something is true of, and which come first."""

    count: int = 0
    first: tuple[int, ...] = ()  # numbers from 1, through all files of a split

    def __str__(self) -> str:
        """Returns the numbers as people read them: ``lines 3, 17, ...``; empty where there is none."""
        if not self.first:
            return ""
        noun = "line" if self.count == 1 else "lines"
        return f"{noun} {self.numbers}"

    @property
    def numbers(self) -> str:
        """The numbers without the word: ``3, 17, ...``."""
        more = ", ..." if self.count > len(self.first) else ""
        listed = ", ".join(f"{number:,}" for number in self.first)
        return f"{listed}{more}"


@dataclass(frozen=True)
class OddLines:
    """Lines that are odd in one way."""

    kind: str  # its name in inspection.json
    title: str
    side: str  # source, target, or pair
    lines: Lines


@dataclass(frozen=True)
class Side:
    """One side of a split."""

    language: str
    unit: str  # what length is counted in: words, or characters where the script has no spaces
    words: int  # or characters
    longest: int
    longest_line: int
    histogram: list[int]  # lines by length from 0 on; the last number is of all that are as long or longer
    scripts: dict[str, float]  # share of the letters, the most frequent script first


@dataclass(frozen=True)
class Bucket:
    """Sentences by source length."""

    label: str  # such as 11-20
    sentences: int
    share: float


@dataclass(frozen=True)
class Ratio:
    """Target length over source length, of the pairs that have both."""

    median: float
    low: float  # 1st percentile
    high: float  # 99th


@dataclass(frozen=True)
class LeftOut:
    """Pairs that cleaning leaves out for one reason."""

    reason: str
    title: str
    lines: Lines


@dataclass(frozen=True)
class Unseen:
    """Words of a test set that the training text, as it is after cleaning, has nowhere."""

    side: str
    unit: str
    running: int
    running_unseen: int
    distinct: int
    distinct_unseen: int
    frequent: list[tuple[str, int]]  # the most frequent of those never seen
    sentences: int  # that were looked at, the first of the test set

    @property
    def share(self) -> float:
        """Share of the running words."""
        return self.running_unseen / max(1, self.running)

    @property
    def distinct_share(self) -> float:
        return self.distinct_unseen / max(1, self.distinct)


@dataclass(frozen=True)
class Split:
    """What is in training, validation or a test set."""

    name: str  # train, valid, or that of a test set
    pairs: int
    source: Side
    target: Side
    buckets: list[Bucket]
    ratio: Ratio | None  # None without a pair that has both sides
    duplicates: Lines  # pairs that came before
    several_targets: int  # sources that come with different targets
    odd: list[OddLines]
    kept: int | None  # pairs that cleaning keeps; None of a test set, which is never cleaned
    left_out: list[LeftOut]
    places: dict[int, int] = field(default_factory=dict)  # first line of each place, where it is of several
    unseen: list[Unseen] = field(default_factory=list)

    @property
    def is_test(self) -> bool:
        return self.kept is None


@dataclass(frozen=True)
class Shared:
    """What one split has in common with an earlier one."""

    split: str
    other: str
    of: int  # pairs of ``split``
    pairs: Lines
    sources: Lines

    @property
    def is_same_text(self) -> bool:
        """Whether every pair of the split is in the other."""
        return self.of > 0 and self.pairs.count == self.of


@dataclass(frozen=True)
class Advice:
    """Something to choose before training, and how to type it."""

    title: str
    text: str
    option: str = ""


@dataclass(frozen=True)
class Inspection:
    """All that was found in a corpus."""

    name: str
    source_language: str
    target_language: str
    splits: list[Split]
    shared: list[Shared]
    warnings: list[str]
    advice: list[Advice]
    notes: list[str]  # how it was counted
    epoch: dict[str, Any] | None = None  # what was measured of an epoch
    seconds: float = 0.0  # that the look took

    def split(self, name: str) -> Split | None:
        """Returns the split of this name; None where the corpus has none."""
        for split in self.splits:
            if split.name == name:
                return split
        return None
