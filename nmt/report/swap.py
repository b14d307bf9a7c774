"""A report written aside, and then put in the place of the one before: whole, or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

ASIDE = ".writing"  # in the report's own folder, and so on its disk


def write_aside(folder: Path, write: Callable[[Path], None], outdated: Callable[[], Collection[str]]) -> None:
    """Lets ``write`` fill an empty folder, and moves its files into ``folder``, which keeps all others.

    ``outdated`` names the files of the report before, relative to the folder: they give way too. Until everything is
    written nothing changes; raises OSError where something fails, and then the report before is there as it was. What a
    killed process left is put right first.
    """
    aside = folder / ASIDE
    aside.mkdir(parents=True, exist_ok=True)
    new = aside / "new"
    before = aside / "before"
    _put_back(before, folder)
    shutil.rmtree(new, ignore_errors=True)
    try:
        write(new)
        _swap(new, before, folder, outdated())
        with suppress(OSError):
            os.replace(before, aside / "gone")  # from here on nothing is put back
    finally:
        if not _files(before):  # else something could not be put back: the next report tries again
            shutil.rmtree(aside, ignore_errors=True)


def _swap(new: Path, before: Path, folder: Path, outdated: Collection[str]) -> None:
    """Moves the files of ``new`` into ``folder``, and what gives way into ``before``; where one move fails, none is."""
    coming = _files(new)
    going = {*coming, *outdated}
    for name in coming:
        place = folder / name
        if place.is_dir():
            raise IsADirectoryError(errno.EISDIR, f"{name} is a folder")
    arrived: list[str] = []
    try:
        for name in sorted(going):
            place = folder / name
            if os.path.lexists(place) and not place.is_dir():
                _move(place, before / name)
        for name in coming:
            _move(new / name, folder / name)
            arrived.append(name)
    except OSError:
        for name in arrived:
            _move(folder / name, new / name)
        _put_back(before, folder)
        raise
    for name in outdated:
        place = folder / name
        _remove_empty(place.parent, folder)


def _put_back(before: Path, folder: Path) -> None:
    """Moves what gave way to where it was."""
    for name in _files(before):
        _move(before / name, folder / name)


def _files(folder: Path) -> list[str]:
    """Returns the paths of all files below a folder, relative to it."""
    names = []
    for path in folder.rglob("*"):
        if not path.is_dir():
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
