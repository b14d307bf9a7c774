"""Composes the options that live beside each part, registers them with Hydra, and refuses unknown keys."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from nmt.corpus.batches.batcher import BatchingOptions
from nmt.corpus.kinds.corpus import CORPUS_OPTIONS
from nmt.corpus.subwords.tokenizer import TokenizerOptions
from nmt.corpus.text.cleaning import CleaningOptions
from nmt.corpus.text.concatenation import ConcatenationOptions
from nmt.decoding.options import DecodingOptions
from nmt.errors import UserError, nearest
from nmt.evaluation.alignment import check_join
from nmt.evaluation.published import PublishedOptions
from nmt.evaluation.scores import EvaluationOptions
from nmt.evaluation.validation import ValidationOptions
from nmt.models.build import MODEL_OPTIONS
from nmt.training.finetuning import FinetuningOptions
from nmt.training.journal import JournalOptions
from nmt.training.optim import OptimizerOptions
from nmt.training.trainer_options import TrainerOptions

_PACKAGE = Path(__file__).parent
CONFIG_FOLDER = next(folder for folder in (_PACKAGE / "configs", _PACKAGE.parent / "configs") if folder.is_dir())


RESUME = ("auto", "never")


@dataclass
class RunOptions:
    """Where a run lies."""

    name: str = "unnamed"
    dir: str = "runs/${run.name}/seed-${seed}"


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
    device: str = "auto"  # auto, cpu, cuda or cuda:N
    resume: str = "auto"  # auto goes on from the last checkpoint; never refuses a folder that has one
    cache: str = "data/cache"  # tokenizers and encoded corpora

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
        if self.resume not in RESUME:
            raise UserError(f"resume={self.resume}: {' or '.join(RESUME)}")


@dataclass
class EvaluateConfig:
    """A run, its test sets, and how they are translated and scored."""

    run: str = MISSING
    test_sets: list[str] = field(default_factory=list)  # [] takes all of the run's corpus
    checkpoint: str = "best"  # best, last, average, a step number or a file
    decoding: DecodingOptions = field(default_factory=DecodingOptions)
    evaluation: EvaluationOptions = field(default_factory=EvaluationOptions)
    device: str = "auto"


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


@dataclass
class ExportConfig:
    """A run to write for another engine."""

    run: str = MISSING
    format: str = "ctranslate2"
    quantization: str = "float32"
    checkpoint: str = "best"
    output: str = ""  # a folder; "" is RUN/export/ctranslate2


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


DOORS: dict[str, type] = {
    "train": TrainConfig,
    "evaluate": EvaluateConfig,
    "translate": TranslateConfig,
    "export": ExportConfig,
    "align": AlignConfig,
    "score": ScoreConfig,
    "compare": CompareConfig,
}
# Where a field may hold one of several kinds of options, told apart by this key.
KINDS: dict[str, tuple[str, dict[str, type]]] = {"corpus": ("kind", CORPUS_OPTIONS), "model": ("name", MODEL_OPTIONS)}

T = TypeVar("T")


@cache
def register() -> None:
    """Tells Hydra of every options class: ``<door>_schema``, ``corpus/<kind>_schema``, ``model/<name>_schema``."""
    store = ConfigStore.instance()
    for door, schema in DOORS.items():
        store.store(name=f"{door}_schema", node=_with_open_dictionaries(schema))
    for group, (_, kinds) in KINDS.items():
        for name, options in kinds.items():
            store.store(group=group, name=f"{name}_schema", node=_with_open_dictionaries(options))


def _with_open_dictionaries(schema: type) -> DictConfig:
    """Where names are the user's own (test sets, systems), a new one needs no ``+``."""
    node = OmegaConf.structured(schema)
    for option in fields(schema):
        if OmegaConf.is_dict(node._get_node(option.name)) and not is_dataclass(OmegaConf.get_type(node, option.name)):
            OmegaConf.set_struct(node[option.name], False)
    return node


def typed(config: DictConfig, schema: type[T]) -> T:
    """The configuration as typed objects. Raises UserError for keys that no options class has, and missing values."""
    _refuse_unknown(config, "")
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise UserError(f"{missing[0]}: a value is needed; say {missing[0]}=...")
    try:
        made = OmegaConf.to_object(config)
    except OmegaConfBaseException as error:
        raise UserError(str(error).splitlines()[0]) from None
    assert isinstance(made, schema)
    _check_numbers("", OmegaConf.to_container(config, resolve=True))
    for group, (key, kinds) in KINDS.items():
        part = getattr(made, group, None)
        if part is not None and kinds.get(getattr(part, key)) is not type(part):
            raise UserError(
                f"{group}.{key}={getattr(part, key)}: not set by itself; say {group}=NAME, see configs/{group}/"
            )
    return made


LARGEST = 2**31 - 1  # of whole numbers: libraries take no larger ones


def _check_numbers(name: str, value: Any) -> None:
    """Raises UserError for a number that nothing can be done with."""
    if isinstance(value, dict):
        for key, part in value.items():
            _check_numbers(f"{name}.{key}" if name else str(key), part)
    elif isinstance(value, list | tuple):
        for part in value:
            _check_numbers(name, part)
    elif isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{name}={value}: must be a finite number")
    elif isinstance(value, int) and abs(value) > LARGEST:
        raise UserError(f"{name}={value}: must be at most {LARGEST}")


def _refuse_unknown(node: Any, path: str) -> None:
    """Keys that were added with ``+`` slip past Hydra's check of the schema."""
    if not isinstance(node, DictConfig):
        return
    kind = OmegaConf.get_type(node)
    if isinstance(kind, type) and is_dataclass(kind):
        known = [option.name for option in fields(kind)]
        for key in node:
            if key not in known:
                raise UserError(f"{path}{key!s}: no such option; {nearest(str(key), known)}")
    for key in node:
        if not OmegaConf.is_missing(node, key):
            _refuse_unknown(node[key], f"{path}{key!s}.")


def compose_train(overrides: list[str]) -> TrainConfig:
    """The training configuration that these overrides make, as the train door would."""
    register()
    if GlobalHydra.instance().is_initialized():
        return typed(compose("train", overrides), TrainConfig)
    with initialize_config_dir(str(CONFIG_FOLDER), version_base="1.3"):
        return typed(compose("train", overrides), TrainConfig)


def flat(options: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Options by their full names, as they are typed on the command line."""
    made: dict[str, str] = {}
    for name, value in options.items():
        made |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": str(value)}
    return made


def save(config: Any, path: Path) -> None:
    """As YAML, every interpolation resolved; whole, or as it was."""
    aside = path.with_suffix(".partial")
    try:
        aside.write_text(OmegaConf.to_yaml(OmegaConf.structured(config), resolve=True), encoding="utf-8")
        os.replace(aside, path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise


def load_train(path: Path) -> TrainConfig:
    """The configuration of a run. Only data is read: names choose among known options, none of them code.

    Raises UserError for a file that is absent, damaged, or has options that this version doesn't know.
    """
    try:
        loaded = DictConfig(OmegaConf.load(path))
        schema = OmegaConf.structured(TrainConfig)
        for group, (key, kinds) in KINDS.items():
            name = loaded[group][key]
            if name not in kinds:
                raise UserError(f"{path}: {group}.{key}={name}: {nearest(str(name), kinds)}")
            schema[group] = OmegaConf.structured(kinds[name])
        return typed(DictConfig(OmegaConf.merge(schema, loaded)), TrainConfig)
    except FileNotFoundError:
        raise UserError(
            f"{path.parent}: no run here (config.yaml is absent); name the folder of a trained run"
        ) from None
    except UserError:
        raise
    except Exception as error:  # YAML and OmegaConf raise many kinds
        raise UserError(f"{path}: not a configuration of this version ({str(error).splitlines()[0]})") from None
