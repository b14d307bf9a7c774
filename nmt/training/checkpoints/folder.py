"""The checkpoints of a run: which are kept, which to go on from, whose weights to use."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch

from nmt.errors import UserError, nearest
from nmt.training.checkpoints.file import Tensors, TrainState, load_state, part, part_path, save_state
from nmt.training.ranks import Ranks

log = logging.getLogger("nmt")

NAMED = ("best", "last", "average")
SECONDS = 600.0  # that the first process waits for the parts of the others
FAILED = ".failed"  # what a process leaves that could not write its part


class Checkpoints:
    """``step-*`` of the last few validations, ``best.safetensors``, and one ``interim-*`` where the run was ended
    since, or has gone on for long. Each is a file, or a folder with a part of every process; ``best`` is always a file.
    """

    def __init__(self, folder: Path, keep: int = 3):
        self.folder, self.keep = folder, keep
        self._writer: threading.Thread | None = None
        self._given_up = threading.Event()
        self._failure: BaseException | None = None

    @property
    def best(self) -> Path:
        return self.folder / "best.safetensors"

    def steps(self) -> list[Path]:
        """Of validated steps, oldest first."""
        return self._found("step")

    def all(self) -> list[Path]:
        """To go on from, oldest first."""
        return sorted([*self.steps(), *self._found("interim")], key=_step_of)

    def _found(self, kind: str) -> list[Path]:
        return sorted(path for path in self.folder.glob(f"{kind}-*") if path.suffix != ".partial")

    def save(self, state: TrainState, is_best: bool, best: TrainState | None = None) -> None:
        """Copies the state, and writes it while the run goes on. Raises UserError where the last was not written.

        ``best``: whole weights, where ``state`` is one part of several.
        """
        self.wait()
        self._writer = threading.Thread(target=self._write, args=(_copy(state), is_best, best and _copy(best)))
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

    def give_up(self) -> None:
        """Does not wait for parts of other processes any more: one of them has ended."""
        self._given_up.set()

    def _write(self, state: TrainState, is_best: bool, best: TrainState | None) -> None:
        try:
            interim = self._found("interim")
            kind = "step" if state.progress.judged == state.progress.step else "interim"
            place = self.folder / f"{kind}-{state.progress.step:08d}"
            if state.count > 1:
                twin = place.with_suffix(".safetensors")  # of one process, and damaged, as this step was made again
                if not self._write_part(state, best, place):
                    return
            else:
                place, twin = place.with_suffix(".safetensors"), place
                self._write_file(state, is_best, place)
            for old in [*self.steps()[: -self.keep], *interim, twin]:
                if old != place:
                    _remove(old)
        except BaseException as error:  # told by wait()
            self._failure = error

    # The best comes before the checkpoint that knows of it: were this cut in between, it would only be made again.

    def _write_file(self, state: TrainState, is_best: bool, place: Path) -> None:
        if is_best:
            save_state(state, self.best)
            _link(self.best, place)
        else:
            save_state(state, place)

    def _write_part(self, state: TrainState, best: TrainState | None, place: Path) -> bool:
        """Whether the checkpoint is whole, as the first process sees to; the others have done what is theirs."""
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
        """Waits for them; False where it was given up. Raises UserError where one does not come."""
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

    def latest(self, ranks: Ranks | None = None, spread: bool = False) -> TrainState | None:
        """The newest that is whole, for all processes the same; damaged ones are named and passed over.

        ``spread``: each process gets its rows alone, where there are parts. None where no checkpoint was saved. Raises
        UserError where all are damaged.
        """
        ranks = ranks or Ranks()
        names = ranks.first_tells(self._newest_first, "the checkpoints")
        for name in names:
            state, fault = None, ""
            try:
                state = load_state(self.folder / name, *((ranks.number, ranks.count) if spread else (0, 1)))
            except UserError as error:
                fault = str(error)
            faults = [told for told in ranks.all_tell(fault, f"checkpoint {name}") if told]
            if not faults:
                return state
            log.warning("%s", faults[0])
        if names:
            raise UserError(f"{self.folder}: every checkpoint is damaged; delete the folder to start again")
        return None

    def _newest_first(self) -> list[str]:
        """Clears away what a process left that was killed, too."""
        self.wait()
        for left in self.folder.glob("*.partial"):
            place = left.with_suffix("")
            if left != _old(place) and _old(place).exists() and not place.exists():  # killed between two renames
                left.rename(place)
        for left in self.folder.glob("*.partial"):
            _remove(left)
        return [path.name for path in reversed(self.all())]

    def weights(self, which: str, option: str = "checkpoint") -> tuple[Tensors, Path]:
        """Model weights of ``best``, ``last``, ``average`` (mean of those kept), a step number or a file, as the user
        said by ``option``. Raises UserError where there are none, or damaged ones.
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
            place = self.folder / f"step-{int(which):08d}"
            return [place if place.is_dir() else place.with_suffix(".safetensors")]
        if not Path(which).exists():
            raise UserError(f"{option}={which}: no such file; {nearest(which, NAMED)}, a step number or a file")
        return [Path(which)]

    def _any_steps(self) -> list[Path]:
        found = self.steps() or self.all()
        if not found:
            raise UserError(f"{self.folder}: no checkpoint; train the run first")
        return found


def _step_of(path: Path) -> str:
    return path.stem[-8:]


def _copy(state: TrainState) -> TrainState:
    tensors = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in state.tensors.items()}
    return replace(state, progress=replace(state.progress), tensors=tensors)


def _link(path: Path, place: Path) -> None:
    """One copy on disk under two names."""
    aside = place.with_suffix(".partial")
    aside.unlink(missing_ok=True)
    try:
        os.link(path, aside)
    except OSError:  # a file system without links
        shutil.copyfile(path, aside)
    os.replace(aside, place)


def _old(place: Path) -> Path:
    return place.with_suffix(".old.partial")


def _swap(made: Path, place: Path) -> None:
    """The folder ``made`` to its place, where there may be an old one. `_newest_first` ends what was cut in between."""
    if place.exists():
        shutil.rmtree(_old(place), ignore_errors=True)
        place.rename(_old(place))
    made.rename(place)
    shutil.rmtree(_old(place), ignore_errors=True)


def _remove(path: Path) -> None:
    """A folder is renamed first: were this cut, what is left of it would be taken for a checkpoint."""
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
    return part(state.tensors, "average") or part(state.tensors, "model")


def average(weights: Iterable[Tensors]) -> Tensors:
    """The mean of each tensor over checkpoints."""
    rows = list(weights)
    return {name: torch.stack([row[name].double() for row in rows]).mean(0).to(rows[0][name].dtype) for name in rows[0]}
