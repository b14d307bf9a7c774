"""What an evaluation and a comparison hold. The report sees nothing else."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from nmt.corpus.subwords.stand_ins import readable
from nmt.corpus.text.writing import Unit, isolated
from nmt.decoding.hypothesis import Translation

ALL = "all"  # the bucket of all sentences
EVERY = "every"  # the range of a finding that holds in each bucket by itself
SIGNIFICANT = 0.05  # a difference with a smaller p-value is told as one
ALL_SEEDS = "mean"  # the seed of a row over several seeds
NAME = re.compile(r"[\w.+-]*[\w+-]")  # of a system or a test set


def evenly_over_lengths(lengths: Sequence[int], count: int) -> list[int]:
    """``count`` positions evenly spread over the ranks of length, in their order; all where there are fewer."""
    order = np.argsort(lengths, kind="stable")
    ranks = np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)
    return sorted(order[ranks].tolist())


def length_in(unit: str, source: str) -> int:
    """Counts the words of a source, or its characters, where those are its unit."""
    return Unit(unit).length(source)


def names_isolated(sentence: str) -> str:
    """Returns an English sentence in which names from right to left leave the order of the other words alone."""
    return NAME.sub(lambda name: isolated(name[0]), sentence)


def is_smallest(p_value: float, tests: int, resamples: int) -> bool:
    """Whether no smaller p-value could have come of so many resamples, after Holm's correction over so many tests.

    Without a hit among R resamples p is 1 / (R + 1), however sure the difference is: a bound and no measurement. Holm's
    correction multiplies the smallest by the number of tests, and raises all that it would leave below.
    """
    smallest = tests / (resamples + 1)
    return p_value <= smallest * (1 + 1e-9)


@dataclass(frozen=True)
class MeasureInfo:
    """What a report is told of a measure. It knows no measure by name."""

    name: str  # as in the rows
    label: str  # for people
    unit: str = ""
    digits: int = 1  # behind the point
    higher_is_better: bool | None = True  # None: neither is better
    explains: bool = False  # stands beside the scores that were chosen
    group: str = ""  # of those that explain the same: their heading
    about: str = ""  # how to read it
    in_console: bool = False  # one that explains: also where little fits
    in_summary: bool = False  # and in the table of many systems

    @property
    def title(self) -> str:
        """The label with the unit, as over a column; with the direction of a chosen one that is not as expected."""
        title = f"{self.label}, {self.unit}" if self.unit else self.label
        if self.higher_is_better is False and not self.explains:
            title += " (lower is better)"
        return title

    def text(self, value: float) -> str:
        """A value with as many digits as make sense."""
        return f"{value:.{self.digits}f}"


@dataclass(frozen=True)
class BucketInfo:
    """A bucket of one test set: ``low`` to ``high`` in its unit (`Comparison.unit`), or from 0 on the whole."""

    label: str
    low: int
    high: int | None  # None: no upper end
    sentences: int
    end: int  # the last length, or the first where there is no last
    place: int = 0  # on an axis of lengths: the last, or the median of its sentences where there is no last
    too_short: list[str] = field(default_factory=list)  # measures to which its references say too little


@dataclass(frozen=True)
class Row:
    """One score. Its names are the columns of scores.csv."""

    system: str
    seed: str
    test_set: str
    bucket: str
    sentences: int
    metric: str
    score: float
    low: float | None = None  # band of the score; None where there are too few sentences
    high: float | None = None
    baseline: str = ""
    p_value: float | None = None  # of the difference to the baseline; corrected over buckets


@dataclass(frozen=True)
class DifferenceRow:
    """A system against another in one bucket, over all seeds."""

    system: str
    against: str
    test_set: str
    bucket: str
    sentences: int
    metric: str
    difference: float
    low: float
    high: float
    p_value: float  # corrected over buckets


@dataclass(frozen=True)
class PlaceRow:
    """The share of source words that were translated, by where they stood, over all seeds."""

    system: str
    test_set: str
    bucket: str
    place: int  # tenth of the sentence, from 1
    words: int
    score: float  # percent
    low: float
    high: float


@dataclass(frozen=True)
class GradientMap:
    """How far output words reach back: the percent that each tenth of the source has in their gradient."""

    system: str
    test_set: str
    bucket: str
    probes: int  # sentences
    shares: list[list[float]]  # by tenth of the target and of the source; each row sums to 100


@dataclass(frozen=True)
class CostRow:
    """What a source of so many tokens costs, with a target as long, four sentences at a time."""

    system: str
    length: int
    training_seconds: float  # of one step, without the optimizer
    search_seconds: float  # greedy, to the full length
    memory_megabytes: float  # of what the step keeps for its backward pass


@dataclass(frozen=True)
class CapacityRow:
    """How long a source may be before fewer than 90 % of the words come out right."""

    system: str
    test_set: str
    context: int | None  # numbers that the decoder sees of any source; None: more with every word
    words: int  # the end of the last bucket that is held, in the test set's unit; 0: not even the first
    all_held: bool  # every length that was tested


@dataclass(frozen=True)
class Finding:
    """What is sure about two systems, over neighbouring buckets taken together."""

    test_set: str
    metric: str
    system: str
    against: str
    range: str  # source words, such as 41+ or 1-20; all together; or every bucket by itself
    differ: bool  # surely; false does not say that they are the same
    difference: float
    half_width: float  # of the band of the difference
    p_value: float
    low: int = 0  # source words: the least, 0 where it is of all together
    high: int | None = None  # the most; None: no upper end
    p_is_bound: bool = False  # the smallest that the resamples can give; the true one may be smaller
    least: float | None = None  # where several buckets are told together: the smallest difference of one of them
    least_at: str = ""  # and the label of that bucket
    most: float | None = None  # the largest
    most_at: str = ""


@dataclass(frozen=True)
class Published:
    """The score of a paper, ours, and what that says."""

    system: str
    source: str
    test_set: str
    metric: str
    published: float
    tolerance: float
    score: float | None
    verdict: str


@dataclass(frozen=True)
class RunInfo:
    """What one system under one seed cost, and what it is."""

    system: str
    seed: str
    parameters: int
    steps: int
    tokens: int
    seconds: float
    tokens_per_second: float
    best_step: int
    precision: str
    decoding_seconds: float
    folder: str
    context: int | None = None  # numbers that the decoder sees of any source; None: more with every word
    curve: list[dict[str, float]] = field(default_factory=list)  # validation: step, seconds, tokens, loss, scores
    threads: str = ""  # in use while it was trained; several where it was resumed with others
    kernels: str = ""  # the processor's instructions, or the GPU


@dataclass(frozen=True)
class HeatMap:
    """Attention weights of one translation, target by source pieces, in steps of 1/255."""

    source_pieces: list[str]
    target_pieces: list[str]
    weights: np.ndarray  # (target, source) uint8

    def readable(self) -> tuple[list[str], list[str]]:
        """Returns source and target pieces as people read them."""
        return [readable(piece) for piece in self.source_pieces], [readable(piece) for piece in self.target_pieces]

    @classmethod
    def of(cls, translation: Translation) -> HeatMap:
        """Of a translation whose attention was asked for."""
        assert translation.attention is not None
        weights = np.rint(255 * translation.attention).astype(np.uint8)
        return cls(list(translation.source_pieces), list(translation.target_pieces), weights)


@dataclass(frozen=True)
class Picture:
    """Attention of every layer and head over the reference of one sentence, in steps of 1/255."""

    source_pieces: list[str]
    target_pieces: list[str]
    heads: np.ndarray  # (layers, heads, target, source) uint8

    def readable(self) -> tuple[list[str], list[str]]:
        """Returns source and target pieces as people read them."""
        return [readable(piece) for piece in self.source_pieces], [readable(piece) for piece in self.target_pieces]

    @classmethod
    def of(cls, translation: Translation) -> Picture:
        """Of a given translation whose heads were asked for."""
        assert translation.heads is not None
        heads = np.rint(255 * translation.heads).astype(np.uint8)
        return cls(list(translation.source_pieces), list(translation.target_pieces), heads)


@dataclass(frozen=True)
class SentenceSet:
    """A test set and what every system's first seed made of it."""

    test_set: str
    buckets: list[str]  # of each sentence
    sources: list[str]
    references: list[str]
    outputs: dict[str, list[str]]  # by system
    scores: dict[str, dict[str, list[float]]]  # by metric and system, of each sentence
    shown: list[int]  # sentences spread evenly over lengths
    heat_maps: dict[str, dict[int, HeatMap]]  # by system and sentence
    pictures: dict[str, dict[int, Picture]]  # of a few short sentences, by system and sentence
    gold: dict[int, list[tuple[int, int]]]  # the known word links of those


@dataclass(frozen=True)
class Comparison:
    """All that a report says."""

    name: str
    baseline: str
    systems: list[str]
    matched: str
    metrics: list[str]
    signatures: dict[str, str]  # of each metric; of several test sets' where their scripts make them differ
    confidence: float
    min_sentences: int
    test_sets: dict[str, dict[str, int]]  # bucket to sentences, in order
    rows: list[Row]
    differences: list[DifferenceRow]
    runs: list[RunInfo]
    findings: list[Finding]
    published: list[Published]
    places: list[PlaceRow]  # where word links are known
    gradients: list[GradientMap]
    costs: list[CostRow]  # where evaluation.cost_lengths asks for them
    capacities: list[CapacityRow]  # where a task has one right answer
    provenance: dict[str, str]
    options: dict[str, dict[str, str]]  # of each system: every option of its training by its full name
    sentences: list[SentenceSet] = field(default_factory=list)  # one a test set
    measures: list[MeasureInfo] = field(default_factory=list)  # all that rows, findings and curves may name
    buckets: dict[str, list[BucketInfo]] = field(default_factory=dict)  # of each test set, in order
    unmatched: dict[str, str] = field(default_factory=dict)  # systems that had less than what is matched, and why
    remarks: list[str] = field(default_factory=list)  # on threads, precision and kernels that differ
    units: dict[str, str] = field(default_factory=dict)  # what each test set's sources are counted in, if not words
    resamples: int = 0  # of each test; 0: not known, in a report of before

    def to_json(self) -> dict[str, Any]:
        """All but the sentences, which lie in files of their own."""
        return asdict(replace(self, sentences=[]))

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Comparison:
        """The comparison that `to_json` was made of, without its sentences; what it did not yet have is empty."""
        parts: dict[str, Any] = {}
        for name, kind in KINDS.items():
            parts[name] = [kind(**item) for item in content.get(name, [])]
        parts["buckets"] = {}
        for test_set, items in content.get("buckets", {}).items():
            parts["buckets"][test_set] = [BucketInfo(**item) for item in items]
        return cls(**{**content, **parts})

    def unit(self, test_set: str) -> str:
        """Returns what the length of a test set's sources is counted in: words, or characters."""
        return self.units.get(test_set, "words")

    def too_short(self, test_set: str, bucket: str, metric: str) -> bool:
        """Whether the references of a bucket of length hold too little for a measure to say anything."""
        for info in self.buckets.get(test_set, []):
            if info.label == bucket:
                return metric in info.too_short
        return False

    def measure(self, name: str) -> MeasureInfo:
        """Returns the measure of this name, or one labelled with the name where the comparison lists none."""
        for measure in self.measures:
            if measure.name == name:
                return measure
        return MeasureInfo(name, name)

    def chosen(self) -> list[MeasureInfo]:
        """The measures that the comparison was asked for."""
        return [self.measure(name) for name in self.metrics]

    def explaining(self, test_set: str) -> list[MeasureInfo]:
        """The measures that stand beside them and have a value for the whole test set in some system."""
        names = {row.metric for row in self.rows if (row.test_set, row.bucket) == (test_set, ALL)}
        return [measure for measure in self.measures if measure.explains and measure.name in names]

    def find(self, system: str, test_set: str, bucket: str, metric: str) -> Row | None:
        """The row over all seeds, or of the only one."""
        rows = self._rows(system, test_set, bucket, metric)
        for row in rows:
            if row.seed == ALL_SEEDS:
                return row
        return rows[0] if rows else None

    def seed_deviation(self, system: str, test_set: str, bucket: str, metric: str) -> float | None:
        """The standard deviation of the score over seeds; None where there is only one."""
        rows = self._rows(system, test_set, bucket, metric)
        scores = [row.score for row in rows if row.seed != ALL_SEEDS]
        return statistics.stdev(scores) if len(scores) > 1 else None

    def _rows(self, system: str, test_set: str, bucket: str, metric: str) -> list[Row]:
        """Every seed's, and the one over all seeds where there are several."""
        wanted = (system, test_set, bucket, metric)
        return [row for row in self.rows if (row.system, row.test_set, row.bucket, row.metric) == wanted]


# The lists of a comparison, and what they hold.
KINDS: dict[str, type] = {
    "rows": Row,
    "differences": DifferenceRow,
    "runs": RunInfo,
    "findings": Finding,
    "published": Published,
    "places": PlaceRow,
    "gradients": GradientMap,
    "costs": CostRow,
    "capacities": CapacityRow,
    "measures": MeasureInfo,
}
