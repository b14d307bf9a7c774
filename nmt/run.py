"""A run is a folder: configuration, tokenizer, checkpoints, journal, evaluations. This opens one for every door."""

from __future__ import annotations

import json
import logging
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Set
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from nmt import config as configuration
from nmt.config import TrainConfig
from nmt.corpus.subwords.tokenizer import Tokenizer
from nmt.errors import UserError
from nmt.models.build import build_model
from nmt.models.interface import Model, Vocabulary
from nmt.plugins import plugin_hashes
from nmt.training.checkpoints.folder import Checkpoints
from nmt.training.checkpoints.state import load_weights
from nmt.training.precision import choose_precision

log = logging.getLogger("nmt")

# What a run may go on with although it changed: budgets, what is watched and kept, where it runs and its text lies.
FREE = {"corpus", "run", "device", "resume", "cache", "validation", "journal", "published"} | {
    f"trainer.{name}"
    for name in (
        *("max_steps", "max_epochs", "max_tokens", "max_minutes", "patience", "validate_every", "accumulate"),
        *("keep_checkpoints", "checkpoint_minutes", "log_every", "threads", "compile", "timeout_minutes", "sharding"),
    )
}
# What an experiment may be run with and still be the one that a paper describes.
SAME_EXPERIMENT = {"run", "seed", "device", "resume", "cache", "validation", "journal"} | {
    f"trainer.{name}"
    for name in (
        *(
            "validate_every",
            "checkpoint_minutes",
            "log_every",
            "threads",
            "compile",
            "timeout_minutes",
            "sharding",
            "precision",
        ),
    )
}
LIBRARIES = ("torch", "sentencepiece", "sacrebleu", "hydra-core", "safetensors", "numpy")


@dataclass(frozen=True)
class Run:
    """An open run."""

    folder: Path
    config: TrainConfig
    tokenizer: Tokenizer

    @property
    def checkpoints(self) -> Checkpoints:
        return Checkpoints(self.folder / "checkpoints", self.config.trainer.keep_checkpoints)

    def vocabulary(self) -> Vocabulary:
        return Vocabulary(self.tokenizer.source_size, self.tokenizer.target_size, self.tokenizer.joint)

    def model(self, checkpoint: str, device: torch.device) -> tuple[Model, str]:
        """The model with the weights of a checkpoint, ready to translate, and the checkpoint's file name."""
        weights, path = self.checkpoints.weights(checkpoint)
        model = build_model(self.config.model, self.vocabulary())
        load_weights(model, weights, path)
        choose_precision(device, "fp32")
        return model.to(device).eval(), path.name


def open_run(folder: str | Path) -> Run:
    """Raises UserError when the folder is no run."""
    path = Path(folder)
    loaded = configuration.load_train(path / "config.yaml")
    return Run(path, loaded, Tokenizer.load(path / "tokenizer"))


def start_run(config: TrainConfig, make_tokenizer: Callable[[], Tokenizer]) -> Run:
    """The folder of this configuration, made or gone on with; a trained run keeps its own tokenizer.

    Raises UserError when the folder holds a run of another configuration, or one at all with ``resume=never``.
    """
    folder = Path(config.run.dir)
    path = folder / "config.yaml"
    trained = bool(Checkpoints(folder / "checkpoints").all())
    if trained:
        if config.resume == "never":
            raise UserError(f"{folder}: holds a trained run, and resume=never; name another run.dir or delete it")
        changed = difference(asdict(configuration.load_train(path)), asdict(config)) or _other_text(folder, config)
        if changed:
            key, old, new = changed
            raise UserError(
                f"{folder}: its run has {key}={old}, not {new}; name another run.dir, or delete it to start again"
            )
    tokenizer = Tokenizer.load(folder / "tokenizer") if trained else make_tokenizer()
    if not trained:  # what a start left that never came to a checkpoint
        shutil.rmtree(folder / "tokenizer", ignore_errors=True)
        (folder / "provenance.json").unlink(missing_ok=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        configuration.save(config, path)
        if not trained:
            tokenizer.save(folder / "tokenizer")
        if not (folder / "provenance.json").exists():  # of the first start; later ones are in the journal
            (folder / "provenance.json").write_text(json.dumps(provenance(config), indent=1), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); name another run.dir") from None
    return Run(folder, config, tokenizer)


def _other_text(folder: Path, config: TrainConfig) -> tuple[str, Any, Any] | None:
    """Where the text was may have changed, the text itself not: held by the hashes of its content."""
    try:
        known = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))["data"]
    except (OSError, ValueError, KeyError):
        return None
    before = configuration.load_train(folder / "config.yaml").corpus
    unchecked = False
    for split in ("train", "valid"):
        found = config.corpus.fingerprint(split)
        if known[split] == found:
            continue
        same_options = type(before) is type(config.corpus) and before.fingerprint(split) == found
        if not (same_options and config.corpus.counts_as(known[split], split)):
            return f"corpus.{split} (hash of the text)", known[split], found
        unchecked = True
    if unchecked:
        log.info(
            "%s: its record is older than the versions of generated text: the text itself can't be checked", folder
        )
    return None


def difference(old: Any, new: Any, free: Set[str] = FREE, path: str = "") -> tuple[str, Any, Any] | None:
    """The first option in which two configurations differ, but for those that are ``free`` to change."""
    if path in free:
        return None
    if isinstance(old, dict) and isinstance(new, dict):
        for key in new:
            found = difference(old.get(key), new[key], free, f"{path}.{key}" if path else key)
            if found:
                return found
        return None
    return None if old == new else (path, old, new)


def provenance(config: TrainConfig) -> dict[str, Any]:
    """What else is needed to make the run again: versions, commit, hashes of the data."""
    splits = ["train", "valid", *config.corpus.test_names()]
    return {
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in LIBRARIES}},
        "commit": git_commit(),
        "data": {split: config.corpus.fingerprint(split) for split in splits},
        "machine": machine(),
        "plugins": plugin_hashes(),
    }


def commit_of(run: Run) -> str:
    """The commit that a run was first started at."""
    try:
        return json.loads((run.folder / "provenance.json").read_text(encoding="utf-8"))["commit"] or "not recorded"
    except (OSError, ValueError, KeyError):
        return "not recorded"


def git_commit() -> str:
    """The commit of the code in use, marked where the tree has changes.

    Outside a checkout it is what NMT_COMMIT says, for a copy that knows where it came from; else empty.
    """
    here = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", "-C", str(here), "describe", "--always", "--dirty", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return os.environ.get("NMT_COMMIT", "")
    return found.stdout.strip()


def machine() -> str:
    """Processor and GPU, in words."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    name = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        found = [
            line.partition(":")[2].strip() for line in information.read_text().splitlines() if "model name" in line
        ]
        name = found[0] if found else name
    return f"{name}, {torch.get_num_threads()} threads"
