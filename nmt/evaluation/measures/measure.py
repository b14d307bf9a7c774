"""What a measure is, and the registry. It names no measure: a class with a name registers itself.

Statistics of each sentence come first, and scores from their sums (sacreBLEU's own design), so that buckets, bands and
tests are only additions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar, Self

import numpy as np

from nmt.corpus.text.writing import SPACED, Unit, Writing
from nmt.errors import UserError, check_name, nearest
from nmt.evaluation.results import MeasureInfo
from nmt.evaluation.translations import Evaluation

MEASURES: dict[str, type[Measure]] = {}


class Need(StrEnum):
    """What an evaluation may lack, and some measures can't do without."""

    KNOWN_LINKS = "known word links"
    LINKS = "word links read off attention"
    ATTENTION = "attention weights"
    GRADIENTS = "gradients"
    ENDS = "which outputs were cut at the length limit"


class Measure(ABC):
    """A number for any set of sentences, made from the sum of their statistics alone.

    A subclass with a ``name`` is registered under it. Chosen measures are those of ``evaluation.metrics``: the report
    gives each a curve, bands and tests against the baseline. One that ``explains`` is measured wherever what it needs
    is there, and stands beside them.
    """

    name: ClassVar[str]  # in options, files and columns
    label: ClassVar[str]  # for people
    unit: ClassVar[str] = ""
    digits: ClassVar[int] = 1  # behind the point
    higher_is_better: ClassVar[bool | None] = True  # None: neither is better
    needs: ClassVar[frozenset[Need]] = frozenset()
    explains: ClassVar[bool] = False
    by_default: ClassVar[bool] = False  # among evaluation.metrics where none are given
    rank: ClassVar[int] = 100  # where it stands among others, the lowest first
    group: ClassVar[str] = "Further measures"  # the heading over those that explain the same
    about: ClassVar[str] = ""  # how to read it, in a sentence
    in_console: ClassVar[bool] = False  # one that explains: also where little fits, in what nmt.evaluate prints
    in_summary: ClassVar[bool] = False  # and in the table of many systems
    only_above_zero: ClassVar[bool] = False  # one that explains: left out of a test set where it is 0 for all

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "name" in vars(cls):
            check_name(cls.name, f"measure {cls.__name__}")
            if not getattr(cls, "label", ""):
                raise UserError(f"measure {cls.__name__}: needs a label, the name that people read")
            MEASURES[cls.name] = cls

    @classmethod
    def for_texts(cls, writing: Writing) -> Self:
        """Makes the measure for references that are written so. One that counts words must count as they do."""
        return cls()

    @abstractmethod
    def statistics(self, evaluation: Evaluation) -> np.ndarray:
        """(N, K) float64: K numbers for each of the N sentences."""

    @abstractmethod
    def scores_of_sums(self, sums: np.ndarray) -> np.ndarray:
        """Sums of statistics (R, K) to scores (R,)."""

    def lacks(self, evaluation: Evaluation) -> list[Need]:
        """What it needs and the evaluation has not."""
        present = {
            Need.KNOWN_LINKS: evaluation.known_links is not None,
            Need.LINKS: bool(evaluation.links),
            Need.ATTENTION: bool(evaluation.heat_maps),
            Need.GRADIENTS: bool(evaluation.gradients),
            Need.ENDS: evaluation.cut is not None,
        }
        return sorted(need for need in self.needs if not present[need])

    def refusal(self, need: Need, who: str) -> UserError:
        """Returns the error for a chosen measure whose need is not met; ``who`` says where, and the mend."""
        return UserError(f"evaluation.metrics={self.name} needs {need}, which {who}")

    @property
    def signature(self) -> str:
        """How this very computation is named."""
        return self.label

    def score(self, total: np.ndarray) -> float:
        """The score of summed statistics (K,)."""
        return float(self.scores_of_sums(total[None])[0])

    def scores_of_sentences(self, statistics: np.ndarray) -> np.ndarray:
        """The score of each sentence by itself: (N, K) to (N,)."""
        return self.scores_of_sums(statistics)

    def says_something(self, statistics: np.ndarray) -> np.ndarray:
        """Which sentences count: (N, K) to (N,) bool. All, unless there may be nothing to see in one."""
        return np.ones(len(statistics), dtype=bool)

    def too_short(self, statistics: np.ndarray) -> bool:
        """Whether the references of a bucket of length hold too little for a score to say anything.

        ``statistics`` are those of its sentences (N, K). Its score is then kept, but neither shown nor judged.
        """
        return False

    @classmethod
    def info(cls) -> MeasureInfo:
        """What the report is told of it."""
        group = cls.group if cls.explains else ""
        return MeasureInfo(
            name=cls.name,
            label=cls.label,
            unit=cls.unit,
            digits=cls.digits,
            higher_is_better=cls.higher_is_better,
            explains=cls.explains,
            group=group,
            about=cls.about,
            in_console=cls.in_console,
            in_summary=cls.in_summary,
        )


class TextMeasure(Measure):
    """A measure that compares outputs with references and looks at nothing else."""

    def statistics(self, evaluation: Evaluation) -> np.ndarray:
        return self.statistics_of_texts(evaluation.hypotheses, evaluation.references)

    @abstractmethod
    def statistics_of_texts(self, hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
        """(N, K) float64."""


class Hits(TextMeasure):
    """Percent of what there was, for tasks with one right answer, where n-grams would forgive too much."""

    counted_in = Unit.WORDS

    @classmethod
    def for_texts(cls, writing: Writing) -> Self:
        hits = cls()
        hits.counted_in = writing.unit
        return hits

    def statistics_of_texts(self, hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
        rows = []
        for hypothesis, reference in zip(hypotheses, references, strict=True):
            rows.append(self.count(self.counted_in.of(hypothesis), self.counted_in.of(reference)))
        return np.asarray(rows, dtype=np.float64).reshape(-1, 2)

    @abstractmethod
    def count(self, hypothesis: list[str], reference: list[str]) -> tuple[float, float]:
        """What was hit, and what there was, in the words of one sentence, or its characters without spaces."""

    def too_short(self, statistics: np.ndarray) -> bool:
        return not statistics[:, 1].any()

    def scores_of_sums(self, sums: np.ndarray) -> np.ndarray:
        return percent(sums)


class Ratio(Measure):
    """A ratio of sums over sentences: a part of a whole."""

    explains = True

    def statistics(self, evaluation: Evaluation) -> np.ndarray:
        """Part and whole of every sentence (N, 2)."""
        rows = [self.part_and_whole(evaluation, row) for row in range(len(evaluation.sources))]
        return np.array(rows, dtype=np.float64)

    @abstractmethod
    def part_and_whole(self, evaluation: Evaluation, row: int) -> tuple[float, float]:
        """Of one sentence; (0, 0) where there is nothing to see."""

    def scores_of_sums(self, sums: np.ndarray) -> np.ndarray:
        ratios = sums[:, 0] / np.maximum(sums[:, 1], 1e-9)
        return self.scores_of_ratios(ratios)

    def scores_of_ratios(self, ratios: np.ndarray) -> np.ndarray:
        """Part over whole (R,) to scores (R,)."""
        return 100 * ratios if self.unit == "%" else ratios

    def says_something(self, statistics: np.ndarray) -> np.ndarray:
        return statistics[:, 1] > 0


class Share:
    """Percent of what was hit, of sums (R, 2) of hits and of all: for bands of counts that belong to no measure."""

    def scores_of_sums(self, sums: np.ndarray) -> np.ndarray:
        return percent(sums)

    def score(self, total: np.ndarray) -> float:
        return float(percent(total[None])[0])


def percent(sums: np.ndarray) -> np.ndarray:
    """Of sums (R, 2) of what was hit and what there was: (R,)."""
    return 100 * sums[:, 0] / np.maximum(sums[:, 1], 1)


def registered() -> list[type[Measure]]:
    """All measures, by rank."""
    return sorted(MEASURES.values(), key=lambda measure: (measure.rank, measure.name))


def choosable() -> list[str]:
    """The names that ``evaluation.metrics`` may hold."""
    return [measure.name for measure in registered() if not measure.explains]


def default_metrics() -> list[str]:
    """What is measured where ``evaluation.metrics`` is not given."""
    defaults = [measure.name for measure in registered() if measure.by_default]
    return defaults or choosable()[:1]


def chosen_measures(names: Sequence[str], writing: Writing = SPACED) -> list[Measure]:
    """Makes the measures of these names for references that are written so; by default in words.

    Raises UserError for a name that is not known.
    """
    known = choosable()
    for name in names:
        if name not in known:
            raise UserError(f"evaluation.metrics={name}: {nearest(name, known)}")
    return [MEASURES[name].for_texts(writing) for name in names]


def explaining_measures() -> list[Measure]:
    """Makes all measures that may explain a score."""
    return [measure() for measure in registered() if measure.explains]


def measure_infos() -> list[MeasureInfo]:
    """What the report is told of all measures."""
    return [measure.info() for measure in registered()]
