"""The options of every door, put together from those that stand beside each part. What exists is valid.

An options class may name those of its options in which ~ is the home folder (PATHS), and numbers that are counted to
and reach no library (COUNTS), which have no bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from omegaconf import MISSING

from nmt.corpus.batches.batcher import BatchingOptions
from nmt.corpus.subwords.tokenizer import TokenizerOptions
from nmt.corpus.text.cleaning import CleaningOptions
from nmt.corpus.text.concatenation import ConcatenationOptions
from nmt.decoding.options import DecodingOptions
from nmt.decoding.output import check_output
from nmt.errors import UserError, check_name, check_title, nearest
from nmt.evaluation.alignment import check_join
from nmt.evaluation.options import EvaluationOptions
from nmt.evaluation.published import PublishedOptions
from nmt.evaluation.validation import ValidationOptions
from nmt.training.checkpoints.folder import NAMED
from nmt.training.checkpoints.names import is_step
from nmt.training.finetuning import FinetuningOptions
from nmt.training.journal import JournalOptions
from nmt.training.optim import OptimizerOptions
from nmt.training.trainer_options import TrainerOptions

RESUME = ("auto", "never")
ENGINES = ("pytorch", "ctranslate2")
FORMATS = ("ctranslate2",)
DEEDS = ("fetch", "list", "inspect")
# What all systems of a comparison may get the same amount of, and how the report words it.
MATCHED = {
    "minutes": "wall-clock minutes of training",
    "tokens": "target tokens seen",
    "steps": "updates",
    "epochs": "passes over the training text",
    "none": "nothing but corpus, tokenizer and selection rule: each system has its own budget",
}
COUNTED = ("tokens", "steps")  # of these, in whole numbers
LARGEST_BUDGET = 2**63 - 1  # that a counter holds


@dataclass
class RunOptions:
    """Where a run lies."""

    name: str = "unnamed"
    dir: str = "runs/${run.name}/seed-${seed}"

    PATHS: ClassVar[frozenset[str]] = frozenset({"dir"})


@dataclass
class TrainConfig:
    """All of a training run."""

    corpus: Any = MISSING
    model: Any = MISSING
    cleaning: CleaningOptions = field(default_factory=CleaningOptions)
    joining: ConcatenationOptions = field(default_factory=ConcatenationOptions)
    tokenizer: TokenizerOptions = field(default_factory=TokenizerOptions)
    batching: BatchingOptions = field(default_factory=BatchingOptions)
    trainer: TrainerOptions = field(default_factory=TrainerOptions)
    optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)
    validation: ValidationOptions = field(default_factory=ValidationOptions)
    finetuning: FinetuningOptions = field(default_factory=FinetuningOptions)
    published: PublishedOptions = field(default_factory=PublishedOptions)
    journal: JournalOptions = field(default_factory=JournalOptions)
    run: RunOptions = field(default_factory=RunOptions)
    seed: int = 1
    device: str = "auto"  # auto, cpu, cuda, cuda:N, or mps (untried)
    resume: str = "auto"  # auto goes on from the last checkpoint; never refuses a folder that has one
    cache: str = "data/cache"  # tokenizers and encoded corpora

    PATHS: ClassVar[frozenset[str]] = frozenset({"cache"})
    # What may change when a run goes on: what is watched, where it runs, where its text lies (the text may not).
    MAY_CHANGE: ClassVar[frozenset[str]] = frozenset(
        {"corpus", "run", "device", "resume", "cache", "validation", "journal", "published"}
    )
    # Of these, what leaves the weights as they are. All else is a term: a checkpoint keeps it with its updates.
    WATCHES: ClassVar[frozenset[str]] = frozenset(
        {"corpus", "run", "device", "resume", "cache", "journal", "published"}
    )
    # What an experiment may be run with and still be the one that a paper describes.
    NOT_THE_EXPERIMENT: ClassVar[frozenset[str]] = frozenset(
        {"run", "seed", "device", "resume", "cache", "validation", "journal"}
    )

    def __post_init__(self) -> None:
        """Raises UserError for options that are right by themselves and wrong together."""
        trainer = self.trainer
        if trainer.guided_alignment > 0 and not self.corpus.knows_links("train"):
            raise UserError(
                "trainer.guided_alignment needs word links of the training pairs: corpus=files has corpus.links="
            )
        if trainer.select_by == "bleu" and self.validation.bleu_sentences == 0:
            raise UserError("trainer.select_by=bleu needs validation.bleu_sentences above 0")
        base = self.finetuning.run
        if base and Path(base).resolve() == Path(self.run.dir).resolve():
            raise UserError(f"finetuning.run={base}: is run.dir itself; name another run.dir")
        if not base:
            self.corpus.check_symbols(self.tokenizer.symbols)
        if self.seed < 0:
            raise UserError(f"seed={self.seed}: must not be negative")
        if self.resume not in RESUME:
            raise UserError(f"resume={self.resume}: {' or '.join(RESUME)}")


@dataclass
class DataConfig(TrainConfig):
    """A corpus to fetch or to look into, and how it would be trained on."""

    do: str = "fetch"  # or list, inspect
    source: str = ""  # a clone or an archive of the corpus's repository; "" fetches from its public place
    output: str = ""  # folder of the page that do=inspect writes; "" is data/inspect/NAME

    PATHS: ClassVar[frozenset[str]] = TrainConfig.PATHS | {"source", "output"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.do not in DEEDS:
            raise UserError(f"do={self.do}: {nearest(self.do, DEEDS)}")
        if self.source and self.do != "fetch":
            raise UserError(f"source={self.source}: is what do=fetch reads; leave it out with do={self.do}")
        if self.output and self.do != "inspect":
            raise UserError(f"output={self.output}: is where do=inspect writes; leave it out with do={self.do}")


@dataclass
class EvaluateConfig:
    """A run, its test sets, and how they are translated and scored."""

    run: str = MISSING
    test_sets: list[str] = field(default_factory=list)  # [] takes all of the run's corpus
    source: str = ""  # a file: a test set that is not of the corpus
    references: list[str] = field(default_factory=list)  # its translations by people, a file; one path is a list of one
    name: str = ""  # under which its translations are kept; "" takes the name of the source file
    checkpoint: str = "best"  # best, last, average, a step number or a file
    decoding: DecodingOptions = field(default_factory=DecodingOptions)
    evaluation: EvaluationOptions = field(default_factory=EvaluationOptions)
    device: str = "auto"

    PATHS: ClassVar[frozenset[str]] = frozenset({"run", "source", "references", "checkpoint"})

    def __post_init__(self) -> None:
        """Raises UserError for half of a test set that is given as files, or for more than one."""
        references = list(self.references)
        if not self.source and not references:
            if self.name:
                raise UserError(f"name={self.name}: names a test set that source= and references= give; give these")
            return
        if not self.source:
            raise UserError(f"references={references}: of which source? give source=FILE, too")
        if not references or not all(references):
            raise UserError(f"source={self.source}: has no translations to score by; give references=[FILE], too")
        if len(references) > 1:
            raise UserError(f"references={references}: one can be scored by for now; give one of them")
        if self.test_sets:
            raise UserError(f"test_sets={list(self.test_sets)}: not with source= and references=; evaluate these apart")
        if self.name:
            check_name(self.name, "name")


@dataclass
class TranslateConfig:
    """A run to translate standard input with."""

    run: str = MISSING
    checkpoint: str = "best"
    decoding: DecodingOptions = field(default_factory=DecodingOptions)
    engine: str = "pytorch"  # or ctranslate2, after python -m nmt.export
    compute_type: str = "default"  # ctranslate2 only: default is as exported; float32, int8, ...
    input: str = ""  # a file, translated into ``output`` by shards; "" is standard input
    output: str = ""
    shard_lines: int = 100_000  # what is lost at most, and what a process takes at a time
    device: str = "auto"

    PATHS: ClassVar[frozenset[str]] = frozenset({"run", "checkpoint", "input", "output"})
    COUNTS: ClassVar[frozenset[str]] = frozenset({"shard_lines"})

    def __post_init__(self) -> None:
        if bool(self.input) != bool(self.output):
            raise UserError("input and output: give both, or neither for standard input and output")
        check_output(self.output)
        if self.shard_lines < 1:
            raise UserError(f"shard_lines={self.shard_lines}: must be 1 or more")
        if self.engine not in ENGINES:
            raise UserError(f"engine={self.engine}: {nearest(self.engine, ENGINES)}")
        if self.engine == "pytorch" and self.compute_type != "default":
            raise UserError(f"compute_type={self.compute_type} is for engine=ctranslate2")


@dataclass
class ExportConfig:
    """A run to write for another engine."""

    run: str = MISSING
    format: str = "ctranslate2"
    quantization: str = "float32"
    checkpoint: str = "best"
    output: str = ""  # a folder; "" is RUN/export/ctranslate2

    PATHS: ClassVar[frozenset[str]] = frozenset({"run", "checkpoint", "output"})

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise UserError(f"format={self.format}: {nearest(self.format, FORMATS)}")


@dataclass
class AlignConfig:
    """A run, sentence pairs, and what their word links are joined and compared with."""

    run: str = MISSING
    source: str = MISSING  # a file
    target: str = MISSING
    gold: str = ""  # a file of known links
    reverse: str = ""  # a run of the opposite direction
    join: str = "grow-diag"
    checkpoint: str = "best"
    device: str = "auto"

    PATHS: ClassVar[frozenset[str]] = frozenset({"run", "source", "target", "gold", "reverse", "checkpoint"})

    def __post_init__(self) -> None:
        check_join(self.join)


@dataclass
class ScoreConfig:
    """A run and translations to score."""

    run: str = MISSING
    source: str = MISSING  # a file
    target: str = MISSING
    wrong: str = ""  # a file of targets with a mistake each
    checkpoint: str = "best"
    decoding: DecodingOptions = field(default_factory=lambda: DecodingOptions(length_penalty="none"))
    evaluation: EvaluationOptions = field(default_factory=EvaluationOptions)
    device: str = "auto"

    PATHS: ClassVar[frozenset[str]] = frozenset({"run", "source", "target", "wrong", "checkpoint"})


@dataclass
class SystemOptions:
    """One system of a comparison: an experiment and what differs from it."""

    experiment: str = MISSING
    overrides: list[str] = field(default_factory=list)


@dataclass
class CompareConfig:
    """Which experiments, seeds and test sets stand side by side, and what is matched between them."""

    name: str = MISSING
    baseline: str = MISSING  # a system
    systems: dict[str, SystemOptions] = field(default_factory=dict)
    seeds: list[int] = field(default_factory=lambda: [1])
    test_sets: list[str] = field(default_factory=list)  # [] takes all of the corpus
    match: str = "none"  # what every system gets as much of: minutes, tokens, steps, epochs; none leaves it to each
    budget: float = 0.0  # how much of it
    overrides: list[str] = field(default_factory=list)  # of every system
    checkpoint: str = "best"
    decoding: DecodingOptions = field(default_factory=DecodingOptions)
    evaluation: EvaluationOptions = field(default_factory=EvaluationOptions)
    device: str = "auto"
    runs: str = "runs"  # the comparison lies in <runs>/<name>

    PATHS: ClassVar[frozenset[str]] = frozenset({"runs"})

    def __post_init__(self) -> None:
        """Raises UserError for what can't be compared, whatever the systems are."""
        for system in self.systems:
            check_title(system, "systems")
        check_title(self.name, "name")
        if self.baseline not in self.systems:
            raise UserError(f"baseline={self.baseline}: no such system; {nearest(self.baseline, self.systems)}")
        if self.match not in MATCHED:
            raise UserError(f"match={self.match}: {nearest(self.match, MATCHED)}")
        if self.match != "none" and self.budget <= 0:
            raise UserError(f"budget={self.budget}: how many {self.match} does each system get?")
        if self.match in COUNTED and self.budget % 1 != 0:  # of infinity and NaN, too
            raise UserError(f"budget={self.budget}: match={self.match} needs a whole number")
        if self.match in COUNTED and self.budget > LARGEST_BUDGET:
            raise UserError(f"budget={self.budget}: must be at most {LARGEST_BUDGET}")
        if not self.seeds:
            raise UserError("seeds=[]: one or more are needed")
        if min(self.seeds) < 0:
            raise UserError(f"seeds={list(self.seeds)}: none may be negative")
        _check_each_once("seeds", self.seeds)
        _check_each_once("test_sets", self.test_sets)
        if self.checkpoint not in NAMED and not is_step(self.checkpoint):
            raise UserError(f"checkpoint={self.checkpoint}: {nearest(self.checkpoint, NAMED)}, or a step number")


def _check_each_once(option: str, values: Sequence[object]) -> None:
    if len(set(values)) != len(values):
        raise UserError(f"{option}={values}: each once")
