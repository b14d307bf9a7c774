"""The checkpoints of a run: which are kept, which to go on from, whose weights to use."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import torch

from nmt.errors import UserError, nearest
from nmt.training.checkpoints.file import read_counters, save_state
from nmt.training.checkpoints.origin import Origin
from nmt.training.checkpoints.parts import load_origin, load_state, part_path, part_paths
from nmt.training.checkpoints.state import Counters, Tensors, TrainState, tensors_under
from nmt.training.ranks import Ranks

log = logging.getLogger("nmt")

NAMED = ("best", "last", "average")
SECONDS = 600.0  # that the first process waits for the parts of the others
FAILED = ".failed"  # what a process leaves that could not write its part


class Checkpoints:
    """The checkpoint folder of a run: ``step-N`` of the last ``keep`` validations, ``best.safetensors``, and at most
    one ``interim-N``, written where a run stops or `checkpoint_minutes` pass between validations.

    Each but the best is a file, or a folder with one part a rank. ``origin`` is what the run is: all that is written
    here keeps it, and nothing is read that was trained as something else.
    """

    def __init__(self, folder: Path, keep: int = 3, origin: Origin | None = None):
        self.folder = folder
        self.keep = keep
        self.origin = origin
        self.check_place: Callable[[], None] = _trusted  # raises UserError where the run's folder is another one now
        self._told = False  # that there are checkpoints which keep no origin
        self._writer: threading.Thread | None = None
        self._given_up = threading.Event()
        self._failure: BaseException | None = None

    @property
    def best(self) -> Path:
        return self.folder / "best.safetensors"

    def steps(self) -> list[Path]:
        """Checkpoints of validated steps, oldest first."""
        return self._of_kind("step")

    def all(self) -> list[Path]:
        """Checkpoints that a run can go on from, oldest first."""
        return sorted([*self.steps(), *self._of_kind("interim")], key=_step_of)

    def _of_kind(self, kind: str) -> list[Path]:
        return sorted(path for path in self.folder.glob(f"{kind}-*") if path.suffix != ".partial")

    def save(self, state: TrainState, is_best: bool, best: TrainState | None = None) -> None:
        """Copies the state, and writes it while the run goes on. Raises UserError where the last was not written.

        ``best``: whole weights, where ``state`` is one part of several.
        """
        self.wait()
        self.check_place()
        state = replace(_copy(state), origin=self.origin)
        if best:
            best = replace(_copy(best), origin=self.origin)
        copies = (state, is_best, best)
        self._writer = threading.Thread(target=self._write, args=copies)
        self._writer.start()

    def wait(self) -> None:
        """Waits until the last checkpoint is written. Raises UserError where it could not be."""
        if self._writer is None:
            return
        self._writer.join()
        self._writer = None
        failure = self._failure
        self._failure = None
        if failure is not None:
            raise failure

    def give_up(self) -> None:
        """Stops waiting for the parts of other processes, one of which has ended."""
        self._given_up.set()

    def _write(self, state: TrainState, is_best: bool, best: TrainState | None) -> None:
        """Writes a checkpoint, then removes what gives way to it. The thread of the writer runs it."""
        try:
            interim = self._of_kind("interim")
            kind = "step" if state.progress.judged == state.progress.step else "interim"
            folder = self.folder / f"{kind}-{state.progress.step:08d}"
            file = folder.with_suffix(".safetensors")
            if state.count > 1:
                place = folder
                is_whole = self._write_part(state, best, folder)
            else:
                place = file
                is_whole = True
                self._write_file(state, is_best, file)
            if not is_whole:
                return
            # The same step in the other form (file or folder) was damaged, or it would not have been made again.
            for old in [*self.steps()[: -self.keep], *interim, file, folder]:
                if old != place:
                    _remove(old)
        except BaseException as error:  # wait() raises it
            self._failure = error

    # The best comes before the checkpoint that knows of it: were this cut in between, it would only be made again.

    def _write_file(self, state: TrainState, is_best: bool, place: Path) -> None:
        if is_best:
            save_state(state, self.best)
            _link(self.best, place)
        else:
            save_state(state, place)

    def _write_part(self, state: TrainState, best: TrainState | None, place: Path) -> bool:
        """Writes the part of one process. The first process waits for all parts and puts the folder in its place.

        Returns whether it did.
        """
        aside = place.with_suffix(".partial")
        path = part_path(aside, state.number, state.count)
        try:
            save_state(state, path)
        except UserError as error:
            with contextlib.suppress(OSError):  # the first process shall not wait for it
                path.with_suffix(FAILED).write_text(str(error), encoding="utf-8")
            raise
        if state.number or not self._all_parts(aside, state.count):
            return False
        if best:
            save_state(best, self.best)
        _swap(aside, place)
        return True

    def _all_parts(self, aside: Path, count: int) -> bool:
        """Waits for all parts; returns False when told to give up. Raises UserError where one does not come."""
        paths = [part_path(aside, number, count) for number in range(count)]
        deadline = time.monotonic() + SECONDS
        while missing := [path for path in paths if not path.exists()]:
            if self._given_up.wait(0.02):
                return False
            for failed in aside.glob(f"*{FAILED}"):
                raise UserError(f"{failed.with_suffix('.safetensors')}: its process could not write it")
            if time.monotonic() > deadline:
                raise UserError(
                    f"{missing[0]}: its process has not written it in {SECONDS:.0f} seconds; all processes must see "
                    "the run's folder; the same command goes on from the checkpoint before"
                )
        return True

    def latest(self, ranks: Ranks | None = None, sharded: bool = False) -> TrainState | None:
        """The newest checkpoint that every process finds whole; damaged ones are named and passed over.

        ``sharded``: each process gets its own rows alone, where there are parts. None where no checkpoint was saved.
        Raises UserError where all are damaged, or one is of another tokenizer or model.
        """
        ranks = ranks or Ranks()
        share = (ranks.number, ranks.count) if sharded else (0, 1)
        names = ranks.first_tells(self._newest_first, "the checkpoints")
        for name in names:
            state = None
            fault = ""
            try:
                state = load_state(self.folder / name, *share)
            except UserError as error:
                fault = str(error)
            faults = list(filter(None, ranks.all_tell(fault, f"checkpoint {name}")))
            if state and not faults:
                self._check(state, self.folder / name)
                return state
            log.warning("%s", faults[0])
        if names:
            raise UserError(f"{self.folder}: every checkpoint is damaged; delete the folder to start again")
        return None

    def _newest_first(self) -> list[str]:
        """Names of all checkpoints. Clears away what a killed process left."""
        self.wait()
        for left in self.folder.glob("*.partial"):
            place = left.with_suffix("")
            old = _old(place)
            if left != old and old.exists() and not place.exists():  # killed between two renames
                left.rename(place)
        for left in self.folder.glob("*.partial"):
            _remove(left)
        return [path.name for path in reversed(self.all())]

    def progress(self) -> Counters | None:
        """How far the newest checkpoint that can be read has come, by its head alone; None where there is none."""
        for path in reversed(self.all()):
            with contextlib.suppress(UserError):
                file = part_paths(path)[0] if path.is_dir() else path
                return read_counters(file)
        return None

    def weights(self, which: str, option: str = "checkpoint") -> tuple[Tensors, Path]:
        """Model weights of ``best``, ``last``, ``average`` (mean of those kept), a step number or a file, as the user
        said by ``option``. Raises UserError where there are none, or damaged ones, or those of another tokenizer or
        model.
        """
        files = self.files(which, option)
        weights = []
        for path in files:
            state = load_state(path)
            self._check(state, path)
            weights.append(_model_weights(state))
        if which == "average":
            return average(weights), self.folder
        return weights[0], files[0]

    def newest_origin(self) -> Origin | None:
        """The origin that the newest readable checkpoint keeps; None where it keeps none.

        Raises UserError where that is not the origin of this run.
        """
        for path in reversed(self.all()):
            try:
                recorded = load_origin(path)
            except UserError:  # `latest` tells of the damage
                continue
            if recorded and self.origin:
                self.origin.check(recorded, path, self.folder.parent)
            return recorded
        return None

    def _check(self, state: TrainState, path: Path) -> None:
        """Raises UserError for a checkpoint of another origin; says once that one of an earlier version keeps none."""
        if self.origin is None:
            return
        if state.origin:
            self.origin.check(state.origin, path, self.folder.parent)
        elif not self._told:
            self._told = True
            log.info(
                "%s: of an earlier version; whether tokenizer and options are those that it was trained with "
                "can't be checked",
                path,
            )

    def files(self, which: str, option: str = "checkpoint") -> list[Path]:
        """The checkpoints that `weights` reads. Raises UserError where there are none."""
        if which == "average":
            return self._any_steps()
        if which == "last":
            return self.all()[-1:] or self._any_steps()
        if which == "best":
            return [self.best] if self.best.exists() else self._any_steps()[-1:]
        if which.isdigit():
            place = self.folder / f"step-{int(which):08d}"
            return [place if place.is_dir() else place.with_suffix(".safetensors")]
        if not Path(which).exists():
            raise UserError(f"{option}={which}: no such file; {nearest(which, NAMED)}, a step number or a file")
        return [Path(which)]

    def _any_steps(self) -> list[Path]:
        checkpoints = self.steps() or self.all()
        if not checkpoints:
            raise UserError(f"{self.folder}: no checkpoint; train the run first")
        return checkpoints


def _trusted() -> None:
    """Checks nothing: for checkpoints that are only read, and in notebooks."""


def _step_of(path: Path) -> str:
    return path.stem[-8:]


def _copy(state: TrainState) -> TrainState:
    """A copy in the processor's memory, which training does not touch."""
    tensors = {}
    for name, tensor in state.tensors.items():
        tensors[name] = tensor.detach().to("cpu", copy=True).contiguous()
    return replace(state, progress=replace(state.progress), tensors=tensors)


def _link(path: Path, place: Path) -> None:
    """Gives a file a second name: one copy on disk."""
    aside = place.with_suffix(".partial")
    aside.unlink(missing_ok=True)
    try:
        os.link(path, aside)
    except (OSError, AttributeError):  # a file system, or a system, without links
        shutil.copyfile(path, aside)
    os.replace(aside, place)


def _old(place: Path) -> Path:
    return place.with_suffix(".old.partial")


def _swap(new: Path, place: Path) -> None:
    """Moves the folder ``new`` to its place, where an old one may be. `_newest_first` ends what was cut in between."""
    old = _old(place)
    if place.exists():
        shutil.rmtree(old, ignore_errors=True)
        place.rename(old)
    new.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def _remove(path: Path) -> None:
    """Deletes a file or a folder. A folder is renamed first: were this cut, its rest would pass for a checkpoint."""
    if not path.is_dir():
        path.unlink(missing_ok=True)
        return
    aside = path
    if path.suffix != ".partial":
        aside = path.with_suffix(".gone.partial")
        shutil.rmtree(aside, ignore_errors=True)
        path.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def _model_weights(state: TrainState) -> Tensors:
    """The running average where the run keeps one, else the weights."""
    return tensors_under("average", state.tensors) or tensors_under("model", state.tensors)


def average(checkpoints: Iterable[Tensors]) -> Tensors:
    """The mean of each tensor over checkpoints, summed in double precision."""
    checkpoints = list(checkpoints)
    means = {}
    for name, tensor in checkpoints[0].items():
        stacked = torch.stack([weights[name].double() for weights in checkpoints])
        means[name] = stacked.mean(0).to(tensor.dtype)
    return means
