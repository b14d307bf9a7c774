"""A run is a folder: configuration, tokenizer, checkpoints, journal, evaluations. This makes and opens one."""

from __future__ import annotations

import json
import logging
import os
import platform
import subprocess
from collections.abc import Callable, Iterator, Set
from contextlib import suppress
from dataclasses import MISSING, asdict, dataclass, field, fields
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, get_type_hints

import torch

from nmt.config import flat, load_train, save
from nmt.corpus.subwords.tokenizer import Tokenizer
from nmt.corpus.text.writing import ALIKE, Proportions
from nmt.errors import Absent, Unreadable, UserError, not_written
from nmt.kernels.process import prepare
from nmt.models.build import build_model
from nmt.models.interface import Model, Vocabulary
from nmt.plugins import plugin_hashes
from nmt.record import RECORD, other_text, record_of, recorded_proportions
from nmt.schemas import TrainConfig
from nmt.swap import write_whole
from nmt.training.checkpoints.folder import Checkpoints
from nmt.training.checkpoints.names import BEST, is_left, names_in, was_cut
from nmt.training.checkpoints.origin import Origin
from nmt.training.checkpoints.state import load_weights
from nmt.training.sinks.jsonl import read_journal, tells_of_checkpoint

log = logging.getLogger("nmt")


def option_names(collection: str) -> frozenset[str]:
    """Returns the full names of the options in a ClassVar of `TrainConfig` and of the options classes in it."""
    names = set(getattr(TrainConfig, collection, ()))
    classes = get_type_hints(TrainConfig)
    for part in fields(TrainConfig):
        for name in getattr(classes[part.name], collection, ()):
            names.add(f"{part.name}.{name}")
    return frozenset(names)


# What may change when a run goes on, and what may change where an experiment still is the one that a paper describes.
MAY_CHANGE = option_names("MAY_CHANGE")
NOT_THE_EXPERIMENT = option_names("NOT_THE_EXPERIMENT")
# Of what may change: what leaves the weights as they are, and what changes their last bits alone.
WATCHES = option_names("WATCHES")
CHANGES_BITS = option_names("CHANGES_BITS")
BASE = "finetuning.run"
# What a run writes: in a folder without any of these names, one may begin.
WRITTEN = ("config.yaml", "tokenizer", "checkpoints", "journal.jsonl", RECORD, "evaluations", "export")
LIBRARIES = ("torch", "sentencepiece", "sacrebleu", "hydra-core", "safetensors", "numpy")


@dataclass(frozen=True)
class Run:
    """An open run: its folder, and what was read from it."""

    folder: Path
    config: TrainConfig
    tokenizer: Tokenizer
    proportions: Proportions = ALIKE  # of the training text: how it was cleaned
    text: dict[str, str] = field(default_factory=dict)  # fingerprints of what it is trained on; {}: it is only used

    @cached_property
    def checkpoints(self) -> Checkpoints:
        return Checkpoints(self.folder / "checkpoints", self.config.trainer.keep_checkpoints, self._origin())

    def _origin(self) -> Origin:
        """Returns what checkpoints of this run depend on, as it lies here."""
        options = _lasting(asdict(self.config))
        for name in ("source_language", "target_language"):
            options[f"corpus.{name}"] = getattr(self.config.corpus, name)
        defaults = {"model": asdict(type(self.config.model)()), "seed": TrainConfig.seed}
        for part in fields(TrainConfig):
            if part.default_factory is not MISSING:
                defaults[part.name] = asdict(part.default_factory())
        return Origin(self.tokenizer.digests, options, self.text, _lasting(defaults))

    def vocabulary(self) -> Vocabulary:
        return Vocabulary(self.tokenizer.source_size, self.tokenizer.target_size, self.tokenizer.joint)

    def model(self, checkpoint: str, device: torch.device) -> tuple[Model, str]:
        """Returns the model with the weights of a checkpoint, ready to translate, and the checkpoint's file name.

        Prepares the process for fp32 on this device (a side effect, see `nmt.kernels.process`).
        """
        weights, path = self.checkpoints.weights(checkpoint)
        model = build_model(self.config.model, self.vocabulary())
        load_weights(model, weights, path)
        prepare(device, "fp32")
        return model.to(device).eval(), path.name


def _lasting(options: dict[str, Any]) -> dict[str, str]:
    """Returns the options of a configuration that can't change while it trains, by full name."""
    lasting = {}
    for name, value in flat(options).items():
        part, _, _ = name.partition(".")
        may_change = part in MAY_CHANGE or name in MAY_CHANGE
        if not may_change and name != BASE:  # which may have moved since
            lasting[name] = value
    return lasting


def open_run(folder: str | Path) -> Run:
    """Opens the run in a folder. Raises UserError when the folder is no run."""
    path = Path(folder)
    config = load_train(path / "config.yaml")
    tokenizer = Tokenizer.load(path / "tokenizer")
    proportions = ALIKE
    with suppress(Unreadable):  # a run that is only used needs no record of its text
        proportions = recorded_proportions(path) or ALIKE
    return Run(path, config, tokenizer, proportions)


def start_run(
    config: TrainConfig,
    make_tokenizer: Callable[[], Tokenizer],
    measure: Callable[[], Proportions] = Proportions,
) -> Run:
    """Makes the folder of this configuration, or goes on with it; a trained run keeps its own tokenizer, and what
    ``measure`` said of the training text when it began.

    It also keeps its own ``config.yaml``, until it is trained under this one (`record_config`).
    Raises UserError for a folder in which it may neither begin nor go on: see `has_begun`.
    """
    folder = Path(config.run.dir)
    is_begun = has_begun(config)
    text = {split: config.corpus.fingerprint(split) for split in ("train", "valid")}
    if is_begun:
        tokenizer = Tokenizer.load(folder / "tokenizer")
        _check_same_text(folder, config, tokenizer, text)
        proportions = _begun_with(folder, measure)
    else:
        tokenizer = make_tokenizer()
        proportions = measure()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not is_begun:
            Checkpoints(folder / "checkpoints").clear_cut_start()
            save(config, folder / "config.yaml", Path.cwd())
            tokenizer.save(folder / "tokenizer")
        record = folder / RECORD
        if not is_begun or not os.path.lexists(record):  # of the first start; later ones are in the journal
            content = provenance(config, text) | {"proportions": asdict(proportions)}
            write_whole(record, json.dumps(content, indent=1))
    except OSError as error:
        raise not_written(error, folder, "name another run.dir") from None
    return Run(folder, config, tokenizer, proportions, text)


def has_begun(config: TrainConfig) -> bool:
    """Whether the folder of this configuration holds a run of it to go on with; where not, one may begin there.

    It reads alone. A run begins in a folder without any name that a run writes, and where a start of this very
    configuration never came to a checkpoint. Raises UserError for every other folder: it is somebody's, or holds a run
    of another configuration, or one at all with ``resume=never``; and where that can't be seen.
    """
    folder = Path(config.run.dir)
    present = [name for name in WRITTEN if name in names_in(folder)]
    if not present:
        return False
    if "config.yaml" not in present:
        raise UserError(f"{folder}: holds {present[0]} and no config.yaml: no run began it; name another run.dir")
    checkpoints = Checkpoints(folder / "checkpoints")
    is_trained = bool(checkpoints.all())
    if is_trained and config.resume == "never":
        raise UserError(f"{folder}: holds a trained run, and resume=never; name another run.dir or move it away")
    if is_trained:  # what can't be read, or is of a newer version, is said before anything else
        checkpoints.progress()
        checkpoints.check_best()
        read_journal(folder)
        record_of(folder)
    _check_same_options(folder, config, is_trained)
    if not is_trained:
        _check_nothing_kept(folder)
    return is_trained


def _check_same_options(folder: Path, config: TrainConfig, is_trained: bool) -> None:
    """Raises UserError where ``config.yaml`` differs in more than what may change when a run goes on."""
    try:
        before = load_train(folder / "config.yaml")
    except (Absent, Unreadable):
        raise
    except UserError as error:
        raise UserError(f"{error}; put it back, or name another run.dir") from None
    may_differ = MAY_CHANGE
    if is_trained:
        may_differ = MAY_CHANGE | {BASE}  # a run that has begun does not need its base, wherever that is now
    change = difference(asdict(before), asdict(config), may_differ)
    if change:
        key, old, new = change
        raise _another_run(folder, key, old, new)


def _another_run(folder: Path, key: str, old: Any, new: Any) -> UserError:
    return UserError(f"{folder}: its run has {key}={old}, not {new}; name another run.dir, or move this one away")


def _check_nothing_kept(folder: Path) -> None:
    """Raises UserError where a run without a checkpoint to go on from had one, or keeps anything in its place."""
    place = folder / "checkpoints"
    names = names_in(place)
    if not was_cut(names):
        kept = next(name for name in sorted(names, reverse=True) if not is_left(name))
        mend = "put its checkpoints back, or name another run.dir"
        if BEST in names:
            kept = BEST
            mend += f" and begin with these weights (finetuning.run={folder})"
        raise UserError(f"{place}: holds {kept} and no checkpoint to go on from; {mend}")
    if tells_of_checkpoint(folder):
        raise UserError(
            f"{place}: holds no checkpoint, and {folder / 'journal.jsonl'} tells that there was one; put its "
            "checkpoints back (is their disk mounted?), or name another run.dir"
        )
    names_in(folder / "tokenizer")  # a link to what is not there, or no folder: nothing is written over it


def _begun_with(folder: Path, measure: Callable[[], Proportions]) -> Proportions:
    """Returns the proportions of text that a trained run goes on with: its own, also where today's would differ."""
    recorded = recorded_proportions(folder)
    if recorded is None:
        log.info("%s: damaged or absent; how its text was measured is taken from the text of today", folder / RECORD)
        return measure()
    if recorded == ALIKE and measure().for_key():
        log.info("%s: was begun when cleaning counted words in every script, and goes on with those pairs", folder)
    return recorded


def record_config(run: Run, paths_from: Path | None) -> None:
    """Writes the configuration that a run goes on under, and the folder from where its relative paths lead.

    Raises UserError where that can't be written.
    """
    try:
        save(run.config, run.folder / "config.yaml", paths_from)
    except OSError as error:
        raise not_written(error, run.folder) from None


def _check_same_text(folder: Path, config: TrainConfig, tokenizer: Tokenizer, text: dict[str, str]) -> None:
    """Raises UserError where the run in ``folder`` was not trained on this text, or is not what it was trained as."""
    before = load_train(folder / "config.yaml")
    origin = Run(folder, before, tokenizer).checkpoints.newest_origin()
    trained_on = origin.text if origin else {}
    change = other_text(folder, before.corpus, config.corpus, text, trained_on)
    if change:
        key = f"corpus.{change.split} (hash of the text)"
        raise UserError(f"{_another_run(folder, key, change.recorded, change.current)}{change.advice}")


def difference(old: Any, new: Any, may_differ: Set[str] = MAY_CHANGE, path: str = "") -> tuple[str, Any, Any] | None:
    """Returns the first option in which two configurations differ, with both values, but for those that may differ."""
    return next(differences(old, new, may_differ, path), None)


def differences(
    old: Any, new: Any, may_differ: Set[str] = frozenset(), path: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Yields every option in which two configurations differ, with both values, but for those that may differ."""
    if path in may_differ:
        return
    if not (isinstance(old, dict) and isinstance(new, dict)):
        if old != new:
            yield path, old, new
        return
    for key in new:
        key_path = f"{path}.{key}" if path else key
        yield from differences(old.get(key), new[key], may_differ, key_path)


def provenance(config: TrainConfig, text: dict[str, str]) -> dict[str, Any]:
    """Returns what else is needed to make the run again: versions, commit, hashes of the data.

    ``text`` has those of what it is trained on.
    """
    of_tests = {name: config.corpus.fingerprint(name) for name in config.corpus.test_names()}
    versions = {name: metadata.version(name) for name in LIBRARIES}
    return {
        "versions": {"python": platform.python_version(), **versions},
        "commit": git_commit(),
        "data": text | of_tests,
        "machine": machine(),
        "plugins": plugin_hashes(),
    }


def commit_of(run: Run) -> str:
    """Returns the commit that a run was first started at."""
    record: dict[str, Any] = {}
    with suppress(Unreadable):  # nothing but a line of the report depends on it
        record = record_of(run.folder) or {}
    return str(record.get("commit") or "not recorded")


def git_commit() -> str:
    """Returns the commit of the code in use, marked where the tree has changes.

    Outside a checkout it is what NMT_COMMIT says, for a copy that knows where it came from; else empty.
    """
    here = str(Path(__file__).parent)
    command = ["git", "-C", here, "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return os.environ.get("NMT_COMMIT", "")
    return done.stdout.strip()


def machine() -> str:
    """Returns the GPU, or the processor and the threads in use, in words."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    name = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if "model name" in line:
                name = line.partition(":")[2].strip()
                break
    return f"{name}, {torch.get_num_threads()} threads"
