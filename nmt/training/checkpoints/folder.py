"""The checkpoints of a run: which are kept, which to go on from, whose weights to use."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from nmt.errors import Absent, Damaged, Newer, Unreadable, UserError, nearest, not_read
from nmt.training.checkpoints.aside import keep_aside, remove
from nmt.training.checkpoints.file import save_state
from nmt.training.checkpoints.names import BEST, is_checkpoint, is_left, is_step, names_in, step_of, was_cut
from nmt.training.checkpoints.origin import Origin
from nmt.training.checkpoints.parts import load_counters, load_origin, load_state, part_path
from nmt.training.checkpoints.state import Counters, Tensors, TrainState, copied, evaluated_weights, mean
from nmt.training.ranks import Ranks

log = logging.getLogger("nmt")

NAMED = ("best", "last", "average")
SECONDS = 600.0  # that the first process waits for the parts of the others
NOT_PASSED_OVER: dict[str, type[UserError]] = {"Absent": Absent, "Unreadable": Unreadable, "Newer": Newer}
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
        self.on_first: Callable[[int], None] | None = None  # called with the step of the run's first, once it is whole
        self._told = False  # that there are checkpoints which keep no origin
        self._writer: threading.Thread | None = None
        self._given_up = threading.Event()
        self._failure: BaseException | None = None

    @property
    def best(self) -> Path:
        return self.folder / BEST

    def steps(self) -> list[Path]:
        """Checkpoints of validated steps, oldest first."""
        return self._of_kind("step")

    def all(self) -> list[Path]:
        """Checkpoints that a run can go on from, oldest first. Raises Unreadable where their folder can't be listed."""
        return sorted([*self.steps(), *self._of_kind("interim")], key=step_of)

    def _of_kind(self, kind: str) -> list[Path]:
        paths = [self.folder / name for name in names_in(self.folder) if is_checkpoint(name, kind)]
        return sorted(paths, key=step_of)

    def save(self, state: TrainState, is_best: bool, best: TrainState | None = None) -> None:
        """Copies the state, and writes it while the run goes on. Raises UserError where the last was not written.

        ``best``: whole weights, where ``state`` is one part of several.
        """
        self.wait()
        self.check_place()
        state = replace(copied(state), origin=self.origin)
        if best:
            best = replace(copied(best), origin=self.origin)
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
            self.check_place()  # that the whole folder is gone says more than which file in it is
            raise failure

    def give_up(self) -> None:
        """Stops waiting for the parts of other processes, one of which has ended."""
        self._given_up.set()

    def _write(self, state: TrainState, is_best: bool, best: TrainState | None) -> None:
        """Writes a checkpoint, then removes what gives way to it. The thread of the writer runs it."""
        try:
            interim = self._of_kind("interim")
            is_first = not interim and not self.steps()
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
            if is_first and self.on_first:
                self.on_first(state.progress.step)
            # The same step in the other form (file or folder) was damaged, or it would not have been made again.
            for old in [*self.steps()[: -self.keep], *interim, file, folder]:
                if old != place:
                    remove(old)
        except BaseException as error:  # wait() raises it
            self._failure = error

    # The best comes before the checkpoint that knows of it: were this cut in between, it would only be made again.
    # Until that checkpoint is there, what lies aside for it shows that the best alone is not all that the user kept.

    def _write_file(self, state: TrainState, is_best: bool, place: Path) -> None:
        if is_best:
            aside = place.with_suffix(".partial")
            self._touch(aside)
            try:
                save_state(state, self.best)
            except UserError:
                aside.unlink()
                raise
            _link(self.best, place)
            aside.unlink()
        else:
            save_state(state, place)

    def _touch(self, aside: Path) -> None:
        """Makes an empty file. Raises UserError on a full or read-only disk."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            aside.touch()
        except OSError as error:
            raise UserError(
                f"{aside}: cannot be written ({error.strerror}); earlier checkpoints are untouched, free space"
            ) from None

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
        """The newest checkpoint that every process finds whole; damaged ones are named, passed over and kept aside.

        ``sharded``: each process gets its own rows alone, where there are parts. None where no checkpoint was saved.
        Raises UserError where all are damaged, or one is of another tokenizer or model; what can't be read now, or is
        of a newer version, is not passed over.
        """
        ranks = ranks or Ranks()
        share = (ranks.number, ranks.count) if sharded else (0, 1)
        names = ranks.first_tells(self._newest_first, "the checkpoints")
        damaged: list[Path] = []
        for name in names:
            path = self.folder / name
            state, damage = self._loaded(path, share, ranks)
            if state and not damage:
                self._check(state, path)
                if ranks.first:
                    keep_aside(damaged)
                return state
            log.warning("%s", damage)
            damaged.append(path)
        if names:
            raise Damaged(
                f"{self.folder}: every checkpoint is damaged; put back a copy of one, or name another run.dir"
            )
        return None

    def _loaded(self, path: Path, share: tuple[int, int], ranks: Ranks) -> tuple[TrainState | None, str]:
        """Returns the state of a checkpoint, and how it is damaged where any process finds it so. Collective.

        Raises UserError in every process where one can't read it for another reason.
        """
        state = None
        fault = {"kind": "", "message": ""}
        try:
            state = load_state(path, *share)
        except UserError as error:
            fault = {"kind": type(error).__name__, "message": str(error)}
        faults = ranks.all_tell(fault, f"checkpoint {path.name}")
        damage = ""
        for other in faults:
            if other["kind"] in NOT_PASSED_OVER:
                raise NOT_PASSED_OVER[other["kind"]](other["message"])
            damage = damage or other["message"]
        return state, damage

    def _newest_first(self) -> list[str]:
        """Names of all checkpoints. Clears away what a killed process left.

        Raises Unreadable or Newer for a best checkpoint that a better one may not replace.
        """
        self.wait()
        self.check_best()
        left = [self.folder / name for name in names_in(self.folder) if is_left(name)]
        for path in left:
            place = path.with_suffix("")
            old = _old(place)
            if path != old and path.is_dir() and old.exists() and not place.exists():  # killed between two renames
                path.rename(place)
        for path in left:
            remove(path)
        return [path.name for path in reversed(self.all())]

    def check_best(self) -> None:
        """Raises Unreadable or Newer for a best checkpoint that a better one may not replace."""
        if os.path.lexists(self.best):
            with contextlib.suppress(Damaged):
                load_counters(self.best)

    def clear_cut_start(self) -> None:
        """Deletes a best checkpoint whose writer was killed before the first checkpoint of the run was whole."""
        if not self.all() and was_cut(names_in(self.folder)):
            self.best.unlink(missing_ok=True)

    def progress(self) -> Counters | None:
        """How far the newest checkpoint that is whole has come, by its head alone; None where there is none.

        Raises UserError for one that can't be read now, or is of a newer version.
        """
        for path in reversed(self.all()):
            with contextlib.suppress(Damaged):
                return load_counters(path)
        return None

    def weights(self, which: str, option: str = "checkpoint") -> tuple[Tensors, Path]:
        """Model weights of ``best``, ``last``, ``average`` (mean of those kept), a step number or a file, as the user
        said by ``option``. Raises UserError where there are none, or damaged ones, or those of another tokenizer or
        model.
        """
        files = self.files(which, option)
        if which == "average":
            steps = ", ".join(str(step_of(path)) for path in files)
            log.info("%s=average: the mean of %d checkpoints (steps %s)", option, len(files), steps)
        weights = []
        for path in files:
            state = load_state(path)
            self._check(state, path)
            weights.append(evaluated_weights(state))
        if which == "average":
            return mean(weights), self.folder
        return weights[0], files[0]

    def newest_origin(self) -> Origin | None:
        """The origin that the newest checkpoint that is whole keeps; None where it keeps none.

        Raises UserError where that is not the origin of this run, can't be read now, or is of a newer version.
        """
        for path in reversed(self.all()):
            try:
                recorded = load_origin(path)
            except Damaged:  # `latest` tells of it
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
            has_best = BEST in names_in(self.folder)
            return [self.best] if has_best else self._any_steps()[-1:]
        if is_step(which):
            return [self._of_step(which, option)]
        path = Path(which)
        try:
            path.stat()
        except OSError as error:
            fault = not_read(error, path)
            if isinstance(fault, Absent):
                fault = Absent(f"{option}={which}: no such file; {nearest(which, NAMED)}, a step number or a file")
            raise fault from None
        return [path]

    def _of_step(self, which: str, option: str) -> Path:
        """Returns the checkpoint of a step. Raises Absent, which names those that are kept."""
        kept = self.all()
        for path in kept:
            if str(step_of(path)) == which.lstrip("0"):
                return path
        names = [str(step_of(path)) for path in kept]
        if BEST in names_in(self.folder):
            names.append("best")
        kept_names = ", ".join(names) or "none"
        raise Absent(f"{option}={which}: no such checkpoint in {self.folder}; kept: {kept_names}")

    def _any_steps(self) -> list[Path]:
        checkpoints = self.steps() or self.all()
        if checkpoints:
            return checkpoints
        if BEST in names_in(self.folder):
            raise Absent(f"{self.folder}: {BEST} is kept alone; say checkpoint=best")
        raise Absent(f"{self.folder}: no checkpoint; train the run first, or put its checkpoints back")


def _trusted() -> None:
    """Checks nothing: for checkpoints that are only read, and in notebooks."""


def _link(path: Path, place: Path) -> None:
    """Gives a file a second name: one copy on disk."""
    aside = place.with_suffix(".new.partial")
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
