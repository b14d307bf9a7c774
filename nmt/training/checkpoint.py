"""All that a resumed run needs, as one safetensors file: written aside, renamed, checked by a digest. No code in it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import re
import shutil
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from nmt.corpus.batcher import Position
from nmt.errors import UserError, nearest
from nmt.training.sharding import placed

log = logging.getLogger("nmt")

VERSION = 4
_FIRST_ATTENTION = re.compile(r"^(\w+)\.attention\.")
NAMED = ("best", "last", "average")
Tensors = dict[str, Tensor]


@dataclass
class Progress:
    """The counters of a run."""

    step: int = 0  # optimizer updates
    tokens: int = 0  # real target tokens seen
    seconds: float = 0.0  # spent in training, validation included
    position: Position = field(default_factory=Position)
    best_score: float | None = None  # of the selection metric
    best_step: int = 0
    stale: int = 0  # validations since the best
    reductions: int = 0  # of the learning rate on a plateau
    skipped: int = 0  # updates left out for a gradient that was not finite
    nonfinite: int = 0  # of them in a row, up to now
    rollbacks: int = 0  # times that the run went back to a checkpoint with half the learning rate
    judged: int = 0  # the last step that was validated
    largest_batch: int = 0  # cells that memory holds, once it was short
    finished: bool = False


@dataclass
class TrainState:
    """Progress, and every tensor by name: model., average., optimizer., scaler., random."""

    progress: Progress
    tensors: Tensors


def weights_of(model: nn.Module) -> Tensors:
    """Parameters and buffers by name, shared ones once."""
    return {name: parameter.detach() for name, parameter in [*model.named_parameters(), *model.named_buffers()]}


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> Tensors:
    return {
        f"{name}/{key}": value
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state[parameter].items()
    }


def load_optimizer(model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    for name, parameter in model.named_parameters():
        prefix = f"{name}/"
        optimizer.state[parameter] = {
            key.removeprefix(prefix): placed(value, parameter)  # fused: the step count lies on the device too
            for key, value in tensors.items()
            if key.startswith(prefix)
        }


def part(tensors: Tensors, prefix: str) -> Tensors:
    """The tensors under ``prefix.``, without it."""
    return {name[len(prefix) + 1 :]: tensor for name, tensor in tensors.items() if name.startswith(prefix + ".")}


def load_weights(model: nn.Module, weights: Tensors, place: Path) -> None:
    """Raises UserError when the weights are those of another model."""
    own = weights_of(model)
    if own.keys() != weights.keys() or any(own[name].shape != weights[name].shape for name in own):
        different = sorted(own.keys() ^ weights.keys()) or [n for n in own if own[n].shape != weights[n].shape]
        raise UserError(f"{place}: the weights are of another model ('{different[0]}' differs); check model options")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(placed(weights[name], tensor))


def _digest(tensors: Tensors, progress: str) -> str:
    digest = hashlib.blake2b(progress.encode(), digest_size=16)
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def save_state(state: TrainState, path: Path) -> None:
    """Atomic: after a crash ``path`` is whole or absent. Raises UserError on a full or read-only disk."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
    progress = json.dumps(asdict(state.progress))
    metadata = {"version": str(VERSION), "progress": progress, "digest": _digest(tensors, progress)}
    aside = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, aside, metadata)
        with open(aside, "rb") as file:
            os.fsync(file.fileno())
        os.replace(aside, path)
    except (OSError, safetensors.SafetensorError) as error:
        aside.unlink(missing_ok=True)
        raise UserError(
            f"{path}: cannot be written ({error}); earlier checkpoints are untouched, free space and go on"
        ) from None


def load_state(path: Path) -> TrainState:
    """Raises UserError for a file that is absent, cut short, altered, or of a newer version."""
    try:
        with safetensors.safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a dict
        version = int(metadata["version"])
        fields = json.loads(metadata["progress"])
    except FileNotFoundError:
        raise UserError(f"{path}: no such checkpoint") from None
    except (OSError, KeyError, ValueError, safetensors.SafetensorError) as error:
        raise UserError(f"{path}: damaged checkpoint ({error}); delete it to go on from the one before") from None
    if version > VERSION:
        raise UserError(f"{path}: written in format {version}, this nmt reads up to {VERSION}; update nmt")
    if _digest(tensors, metadata["progress"]) != metadata["digest"]:
        raise UserError(f"{path}: damaged checkpoint (its digest differs); delete it to go on from the one before")
    place = fields.pop("position")
    position = Position(**{**place, "read": tuple((passes, count) for passes, count in place.get("read", ()))})
    unknown = sorted(fields.keys() - {option.name for option in dataclasses.fields(Progress)})
    if unknown:
        raise UserError(f"{path}: written by another version of nmt, which counts '{unknown[0]}'; use that one")
    fields.setdefault("judged", fields["step"])  # before 4, a checkpoint came after its validation
    return TrainState(Progress(**fields, position=position), _upgraded(tensors, version))


def _upgraded(tensors: Tensors, version: int) -> Tensors:
    """What older formats named otherwise: before 2, attention had one head without a number; before 3, a recurrent
    decoder had one attention without a number; before 4, there was one process.
    """
    if version < 2:
        tensors = {name.replace("attention.score.", "attention.heads.0.score."): t for name, t in tensors.items()}
    if version < 3:
        tensors = {_FIRST_ATTENTION.sub(r"\1.attentions.0.", name): tensor for name, tensor in tensors.items()}
    if version < 4:
        places = {"random.cpu": "random.0.cpu", "random.cuda:0": "random.0.cuda"}
        tensors = {places.get(name, name): tensor for name, tensor in tensors.items()}
    return tensors


class Checkpoints:
    """The checkpoints of a run: ``step-*.safetensors`` of the last few validations, ``best.safetensors``, and one
    ``interim-*.safetensors`` where the run was ended since, or has gone on for long.
    """

    def __init__(self, folder: Path, keep: int = 3):
        self.folder, self.keep = folder, keep
        self._writer: threading.Thread | None = None
        self._failure: BaseException | None = None

    @property
    def best(self) -> Path:
        return self.folder / "best.safetensors"

    def steps(self) -> list[Path]:
        """Of validated steps, oldest first."""
        return sorted(self.folder.glob("step-*.safetensors"))

    def all(self) -> list[Path]:
        """To go on from, oldest first."""
        return sorted([*self.steps(), *self.folder.glob("interim-*.safetensors")], key=lambda path: path.stem[-8:])

    def at(self, step: int) -> TrainState:
        """Raises UserError where there is none of this step, or a damaged one."""
        return load_state(next(path for path in reversed(self.all()) if int(path.stem[-8:]) == step))

    def save(self, state: TrainState, is_best: bool) -> None:
        """Copies the state, and writes it while the run goes on. Raises UserError where the last was not written."""
        self.wait()
        tensors = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in state.tensors.items()}
        copy = TrainState(replace(state.progress), tensors)
        self._writer = threading.Thread(target=self._write, args=(copy, is_best))
        self._writer.start()

    def wait(self) -> None:
        """Until the last checkpoint is written. Raises UserError where it could not be."""
        if self._writer is None:
            return
        self._writer.join()
        self._writer = None
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _write(self, state: TrainState, is_best: bool) -> None:
        try:
            interim = list(self.folder.glob("interim-*.safetensors"))
            kind = "step" if state.progress.judged == state.progress.step else "interim"
            path = self.folder / f"{kind}-{state.progress.step:08d}.safetensors"
            save_state(state, path)
            if is_best:
                aside = self.best.with_suffix(".partial")
                aside.unlink(missing_ok=True)
                try:
                    os.link(path, aside)  # one copy on disk under two names
                except OSError:  # a file system without links
                    shutil.copyfile(path, aside)
                os.replace(aside, self.best)
            for old in [*self.steps()[: -self.keep], *interim]:
                if old != path:
                    old.unlink()
        except BaseException as error:  # told by wait()
            self._failure = error

    def latest(self) -> TrainState | None:
        """The newest that is whole; damaged ones are named and passed over. None where none was saved."""
        self.wait()
        for left in self.folder.glob("*.partial"):  # by a process that was killed
            left.unlink()
        for path in reversed(self.all()):
            try:
                return load_state(path)
            except UserError as error:
                log.warning("%s", error)
        if self.all():
            raise UserError(f"{self.folder}: every checkpoint is damaged; delete the folder to start again")
        return None

    def weights(self, which: str, option: str = "checkpoint") -> tuple[Tensors, Path]:
        """Model weights of ``best``, ``last``, ``average`` (mean of those kept), a step number or a file, as the user
        said by ``option``.
        """
        files = self.files(which, option)
        if which == "average":
            return average([_model_weights(load_state(path)) for path in files]), self.folder
        return _model_weights(load_state(files[0])), files[0]

    def files(self, which: str, option: str = "checkpoint") -> list[Path]:
        """Where these weights are. Raises UserError where there are none."""
        if which == "average":
            return self._any_steps()
        if which == "last":
            return self.all()[-1:] or self._any_steps()
        if which == "best":
            return [self.best] if self.best.exists() else self._any_steps()[-1:]
        if which.isdigit():
            return [self.folder / f"step-{int(which):08d}.safetensors"]
        if not Path(which).exists():
            raise UserError(f"{option}={which}: no such file; {nearest(which, NAMED)}, a step number or a file")
        return [Path(which)]

    def _any_steps(self) -> list[Path]:
        found = self.steps() or self.all()
        if not found:
            raise UserError(f"{self.folder}: no checkpoint; train the run first")
        return found


def _model_weights(state: TrainState) -> Tensors:
    """The running average where the run keeps one, else the weights."""
    return part(state.tensors, "average") or part(state.tensors, "model")


def average(weights: Iterable[Tensors]) -> Tensors:
    """The mean of each tensor over checkpoints."""
    rows = list(weights)
    return {name: torch.stack([row[name].double() for row in rows]).mean(0).to(rows[0][name].dtype) for name in rows[0]}
