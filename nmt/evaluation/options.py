"""What is measured of translations, and how surely."""

from __future__ import annotations

from dataclasses import dataclass, field

from nmt.errors import UserError
from nmt.evaluation.buckets import check_bounds
from nmt.evaluation.measures.measure import choosable, chosen_measures, default_metrics

LEAST = {"resamples": 1, "min_sentences": 1, "shown_sentences": 0, "seed": 0}


@dataclass
class EvaluationOptions:
    """What is measured of translations, and how surely."""

    # bleu, chrf, ter (takes minutes on long sentences); for tasks with one right answer: accuracy, exact
    metrics: list[str] = field(default_factory=default_metrics)
    bucket_bounds: list[int] = field(default_factory=lambda: [10, 20, 30, 40, 50, 60, 70, 80])  # last word of each
    resamples: int = 1000  # of the bootstrap, and of the randomisation test
    confidence: float = 0.95
    min_sentences: int = 20  # a bucket with fewer gets no band and no test
    seed: int = 12345  # of resampling
    cost_lengths: list[int] = field(default_factory=list)  # time is measured at these, such as [8,32,128,512]
    shown_sentences: int = 1000  # of each test set, spread evenly over lengths: they keep their attention weights

    def __post_init__(self) -> None:
        if not chosen_measures(self.metrics):
            raise UserError(f"evaluation.metrics: at least one of {', '.join(choosable())} is needed")
        if len(set(self.metrics)) != len(self.metrics):
            raise UserError(f"evaluation.metrics={list(self.metrics)}: each once")
        check_bounds(self.bucket_bounds)
        if any(length < 1 for length in self.cost_lengths):
            raise UserError(f"evaluation.cost_lengths={list(self.cost_lengths)}: each must be 1 or more")
        if not 0 < self.confidence < 1:
            raise UserError(f"evaluation.confidence={self.confidence}: must be above 0 and below 1")
        for name, least in LEAST.items():
            value = getattr(self, name)
            if value < least:
                raise UserError(f"evaluation.{name}={value}: must be {least} or more")
