"""What runs made of a test set: one run's translations, and those of all systems and seeds beside each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from nmt.corpus.text.links import Link
from nmt.corpus.text.writing import Unit, Writing
from nmt.errors import UserError
from nmt.evaluation.buckets import Bucket, make_buckets
from nmt.evaluation.results import ALL_SEEDS, HeatMap, Picture

KnownLinks = Sequence[Sequence[Link]]  # of every sentence, between the words of source and reference


class HasStatistics(Protocol):
    """A measure, as far as an evaluation must know it."""

    name: ClassVar[str]

    @property
    def signature(self) -> str:
        """How this very computation is named."""

    def statistics(self, evaluation: Evaluation) -> np.ndarray:
        """(N, K) float64: K numbers for each of the N sentences."""


@dataclass(frozen=True)
class Evaluation:
    """Translations of one test set by one run."""

    test_set: str
    sources: list[str]
    references: list[str]
    hypotheses: list[str]
    seconds: float  # spent in search
    shown: list[int]  # sentences spread evenly over lengths, which keep their heat maps
    heat_maps: dict[int, HeatMap]  # by sentence; empty where the model has no attention
    scores: list[float]  # of each output, by the model itself: log-probability under the length penalty
    reference_scores: list[float]  # of each reference, by the same measure
    pictures: dict[int, Picture]  # of a few short ones
    links: dict[int, list[Link]]  # between the words of source and reference, where the model looked; as heat_maps
    gradients: dict[int, list[list[float]]]  # of a few sentences: percent by tenth of target and source
    known_links: KnownLinks | None = None  # where the corpus knows them
    cut: list[int] | None = None  # sentences whose output the length limit ended; None where that was not kept
    identity: Mapping[str, Any] = field(default_factory=dict)  # what made the translations: weights, search and others
    folder: Path | None = None  # where they are kept
    precision: str = "fp32"  # the number format of search and scores
    tags: Sequence[str] = ()  # what the model read before each source; empty where it read none
    _statistics: dict[tuple[str, str], np.ndarray] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def cut_rows(self) -> frozenset[int]:
        """Sentences whose output the length limit ended; none where that was not kept."""
        return frozenset(self.cut or ())

    @cached_property
    def source_unit(self) -> Unit:
        """What the lengths of the sources are counted in, by their script."""
        return Writing.of(self.sources).unit

    @cached_property
    def writing(self) -> Writing:
        """How the references are written, and so the outputs."""
        return Writing.of(self.references)

    def statistics(self, measure: HasStatistics) -> np.ndarray:
        """Of each sentence (N, K); made once, for some measures are slow."""
        key = (measure.name, measure.signature)
        if key not in self._statistics:
            self._statistics[key] = measure.statistics(self)
        return self._statistics[key]

    def tag_of(self, row: int) -> str:
        """What the model read before a source; empty where it read no tag."""
        return self.tags[row] if self.tags else ""

    def links_known_of(self, row: int) -> Sequence[Link]:
        """The known links of one sentence; none where the corpus knows none."""
        if self.known_links is None:
            return ()
        return self.known_links[row]


BySystem = Mapping[str, Mapping[str, Evaluation]]  # and by seed


class Evaluations:
    """One test set, by system and seed. Raises UserError where not all are of the same sentences."""

    def __init__(self, by_system: BySystem):
        self.by_system = by_system
        for by_seed in by_system.values():
            for evaluation in by_seed.values():
                self._check_same_sentences(evaluation)

    @classmethod
    def by_test_set(cls, evaluated: Mapping[tuple[str, int], Sequence[Evaluation]]) -> list[Evaluations]:
        """Regroups what each system made under each seed of every test set, the test sets in the same order."""
        grouped: dict[str, dict[str, dict[str, Evaluation]]] = {}
        for (system, seed), evaluations in evaluated.items():
            for evaluation in evaluations:
                by_system = grouped.setdefault(evaluation.test_set, {})
                by_system.setdefault(system, {})[str(seed)] = evaluation
        return [cls(by_system) for by_system in grouped.values()]

    def _check_same_sentences(self, evaluation: Evaluation) -> None:
        first = self.any()
        same_sources = evaluation.sources == first.sources
        same_references = evaluation.references == first.references
        if not (same_sources and same_references):
            raise UserError(f"test set '{first.test_set}': the systems were not scored on the same sentences")

    def any(self) -> Evaluation:
        """Returns one of them: its sentences are everyone's."""
        first_system = next(iter(self.by_system))
        return self.first(first_system)

    def first(self, system: str) -> Evaluation:
        """Returns the evaluation of the system's first seed."""
        return next(iter(self.by_system[system].values()))

    @property
    def test_set(self) -> str:
        return self.any().test_set

    @property
    def source_unit(self) -> Unit:
        """What the lengths of its sources are counted in."""
        return self.any().source_unit

    @property
    def writing(self) -> Writing:
        """How its references are written."""
        return self.any().writing

    @property
    def systems(self) -> list[str]:
        return list(self.by_system)

    def of(self, system: str) -> list[Evaluation]:
        """Returns the system's evaluations, one for each seed."""
        return list(self.by_system[system].values())

    def seeds(self, system: str) -> list[str]:
        """Each seed of a system, then `ALL_SEEDS` where there are several."""
        return with_all_seeds(self.by_system[system])

    def statistics(self, measure: HasStatistics, system: str, seed: str = ALL_SEEDS) -> list[np.ndarray]:
        """Of one seed, or of each; none where the system has no such seed."""
        by_seed = self.by_system[system]
        if seed == ALL_SEEDS:
            return [evaluation.statistics(measure) for evaluation in by_seed.values()]
        if seed not in by_seed:
            return []
        return [by_seed[seed].statistics(measure)]

    def buckets(self, bounds: Sequence[int]) -> list[Bucket]:
        """By source words, or characters where the sources' script has no spaces; the whole as the last."""
        return make_buckets(self.source_unit.lengths(self.any().sources), bounds)


def with_all_seeds(seeds: Iterable[str]) -> list[str]:
    """The seeds, then `ALL_SEEDS` where there are several."""
    listed = list(seeds)
    if len(listed) > 1:
        listed.append(ALL_SEEDS)
    return listed
