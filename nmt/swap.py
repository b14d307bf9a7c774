"""Files written aside, and then put in the place of those before: whole, or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nmt.errors import UserError
from nmt.locks import one_at_a_time


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes a file: under its name there is the old one or the new one, whole. Raises OSError, and leaves the old."""
    if isinstance(content, str):
        content = content.encode("utf-8")
    aside = path.with_suffix(".partial")
    try:
        aside.write_bytes(content)
        os.replace(aside, path)
    except OSError:
        with suppress(OSError):
            aside.unlink()
        raise


def copy_whole(source: Path, path: Path) -> None:
    """Copies a file, as `write_whole` writes one."""
    aside = path.with_suffix(".partial")
    try:
        shutil.copyfile(source, aside)
        os.replace(aside, path)
    except OSError:
        with suppress(OSError):
            aside.unlink()
        raise


def name_of_damaged(path: Path) -> Path:
    """Returns a free name beside what is damaged: ``name.damaged.ending``, then ``name.damaged-2.ending`` and so on."""
    place = path.with_name(f"{path.stem}.damaged{path.suffix}")
    number = 1
    while os.path.lexists(place):
        number += 1
        place = path.with_name(f"{path.stem}.damaged-{number}{path.suffix}")
    return place


def write_aside(
    folder: Path,
    write: Callable[[Path], object],
    outdated: Callable[[], Collection[str]] = tuple,
    keep: Callable[[], bool] = bool,
) -> Path | None:
    """Lets ``write`` fill an empty folder, and moves its files into ``folder``, which keeps all others.

    ``outdated`` names the files of before, relative to the folder: they give way too. Where ``keep`` says so, what
    gives way is moved into a new folder ``<folder>-N``, which is returned. Until everything is written nothing changes;
    raises OSError where something fails, and then the files of before are there as they were. What a killed process
    left is put right first. One process at a time.
    """
    swap = _Swap(folder)
    swap.aside.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(folder / "writing"):
        swap.put_right()
        swap.new.mkdir(parents=True)
        try:
            write(swap.new)
            return swap.do(outdated(), keep())
        finally:
            swap.tidy()


def put_right(folder: Path) -> None:
    """Ends or undoes the swap of files that a killed process left half done; nothing where a process is at it."""
    swap = _Swap(folder)
    if not swap.aside.is_dir():
        return
    with suppress(OSError, UserError), one_at_a_time(folder / "writing"):
        swap.put_right()
        swap.tidy()


@dataclass(frozen=True)
class _Swap:
    """The files of a folder, and beside them those that come and those that give way."""

    folder: Path

    @property
    def aside(self) -> Path:
        """A place on the disk of the folder."""
        return self.folder / ".writing"

    @property
    def new(self) -> Path:
        return self.aside / "new"

    @property
    def before(self) -> Path:
        return self.aside / "before"

    @property
    def plan(self) -> Path:
        """What is being moved, while it is."""
        return self.aside / "plan.json"

    def do(self, outdated: Collection[str], keep: bool) -> Path | None:
        """Puts the new files in the place of the old ones. Where one move fails, all are undone."""
        coming = _files(self.new)
        for name in coming:
            if (self.folder / name).is_dir():
                raise IsADirectoryError(errno.EISDIR, f"{name} is a folder")
        plan = {"coming": coming, "keep": keep}
        self.plan.write_text(json.dumps(plan), encoding="utf-8")
        try:
            for name in sorted({*coming, *outdated}):
                place = self.folder / name
                if os.path.lexists(place) and not place.is_dir():
                    _move(place, self.before / name)
            for name in coming:
                _move(self.new / name, self.folder / name)
            kept = self._end(keep)
        except OSError:
            self._undo(coming)
            raise
        for name in outdated:
            place = self.folder / name
            _remove_empty(place.parent, self.folder)
        return kept

    def put_right(self) -> None:
        """Ends the swap of a killed process where all its files have come, else undoes it, and empties the place."""
        plan = self._read_plan()
        if plan is None:  # nothing was moved, or by a version that made no plan
            _put_back(self.before, self.folder)
        elif any(os.path.lexists(self.new / name) for name in plan["coming"]):
            self._undo(plan["coming"])
        else:
            self._end(plan["keep"])
        shutil.rmtree(self.aside, ignore_errors=True)

    def _read_plan(self) -> dict[str, Any] | None:
        """Returns what was to be moved; None without a whole plan."""
        try:
            plan: dict[str, Any] = json.loads(self.plan.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return plan

    def tidy(self) -> None:
        """Removes the place aside, unless it holds what could not be put back: then the next start tries again."""
        if not _files(self.before):
            shutil.rmtree(self.aside, ignore_errors=True)

    def _end(self, keep: bool) -> Path | None:
        """Lets go of the files of before, in one move, after which nothing is put back; returns where they are kept."""
        if not self.before.is_dir():
            return None
        if keep:
            place = _first_free(self.folder)
            os.replace(self.before, place)
            return place
        with suppress(OSError):
            os.replace(self.before, self.aside / "gone")
        return None

    def _undo(self, coming: Collection[str]) -> None:
        """Moves back what has come and what has given way."""
        arrived = [name for name in coming if not os.path.lexists(self.new / name)]
        for name in arrived:
            with suppress(FileNotFoundError):
                _move(self.folder / name, self.new / name)
        _put_back(self.before, self.folder)


def _first_free(folder: Path) -> Path:
    """Returns the first ``<folder>-N`` that is not there, on the folder's own disk."""
    real = folder
    if folder.is_symlink():
        real = folder.resolve()
    number = 1
    while os.path.lexists(real.with_name(f"{real.name}-{number}")):
        number += 1
    return real.with_name(f"{real.name}-{number}")


def _put_back(before: Path, folder: Path) -> None:
    """Moves what gave way to where it was."""
    for name in _files(before):
        _move(before / name, folder / name)


def _files(folder: Path) -> list[str]:
    """Returns the paths of all files below a folder, relative to it."""
    names = []
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_dir():
            name = path.relative_to(folder)
            names.append(name.as_posix())
    return sorted(names)


def _move(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    os.replace(path, to)


def _remove_empty(place: Path, top: Path) -> None:
    """Removes a folder below ``top`` that has nothing left in it."""
    if place != top and place.is_dir() and not any(place.iterdir()):
        place.rmdir()
