"""What is measured of translations, and how surely."""

from __future__ import annotations

from dataclasses import dataclass, field

from nmt.corpus.text.writing import AUTO, Writing
from nmt.errors import UserError
from nmt.evaluation.buckets import check_bounds
from nmt.evaluation.measures.measure import Measure, choosable, chosen_measures, default_metrics
from nmt.evaluation.measures.tokenizers import check_name_of_tokenizer

LEAST = {"resamples": 1, "min_sentences": 1, "shown_sentences": 0, "seed": 0}


@dataclass
class EvaluationOptions:
    """What is measured of translations, and how surely."""

    # bleu, chrf, ter (takes minutes on long sentences); for tasks with one right answer: accuracy, exact
    metrics: list[str] = field(default_factory=default_metrics)
    # Of BLEU: auto (by the script of each test set's references), or one of sacreBLEU's: 13a, zh, char, ja-mecab ...
    tokenize: str = AUTO
    # The last length of each, in source words; in characters where the sources' script has no spaces.
    bucket_bounds: list[int] = field(default_factory=lambda: [10, 20, 30, 40, 50, 60, 70, 80])
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
        check_name_of_tokenizer(self.tokenize, "evaluation.tokenize")
        check_bounds(self.bucket_bounds)
        if any(length < 1 for length in self.cost_lengths):
            raise UserError(f"evaluation.cost_lengths={list(self.cost_lengths)}: each must be 1 or more")
        if not 0 < self.confidence < 1:
            raise UserError(f"evaluation.confidence={self.confidence}: must be above 0 and below 1")
        for name, least in LEAST.items():
            value = getattr(self, name)
            if value < least:
                raise UserError(f"evaluation.{name}={value}: must be {least} or more")

    def measures(self, writing: Writing) -> list[Measure]:
        """Makes the chosen measures for references that are written so, with the tokenizer asked for."""
        return chosen_measures(self.metrics, writing.tokenized_by(self.tokenize))

    def signatures(self, writing: Writing) -> dict[str, str]:
        """Names the computation of each chosen measure for references that are written so."""
        return {measure.name: measure.signature for measure in self.measures(writing)}
