"""Disks at fault: a write below a folder fails, or every one, or the process is killed there."""

from __future__ import annotations

import builtins
import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MOVING = ("replace", "rename", "link", "mkdir")
REMOVING = ("unlink", "rmdir", "remove")


class Killed(BaseException):
    """The process ends here: nothing that would tidy up runs after it."""


@contextmanager
def faulty(folder: Path, error: Callable[[], BaseException], at: int = 0) -> Iterator[list[str]]:
    """Within the block write number ``at`` below a folder raises ``error()``; where ``at`` is 0, every one does.

    Yields the writes as they are counted. A file that is opened to be written is empty when its write fails; after
    `Killed` nothing can be written or removed any more.
    """
    writes: list[str] = []
    raised: list[BaseException] = []

    def is_below(place: object) -> bool:
        if not isinstance(place, str | Path) or str(place).endswith(".holder"):  # which is only a help
            return False
        return Path(os.path.abspath(place)).is_relative_to(folder)

    def fails_now(what: str) -> bool:
        if raised and isinstance(raised[0], Killed):
            return True
        writes.append(what)
        return len(writes) == at or not at

    def fail() -> None:
        raised.append(error())
        raise raised[-1]

    def moving(call: Callable) -> Callable:
        def checked(*places, **options):
            is_write = any(map(is_below, places)) and not (call is mkdir and os.path.isdir(places[0]))
            if is_write and fails_now(f"{call.__name__} {places[0]}"):
                fail()
            return call(*places, **options)

        return checked

    def removing(call: Callable) -> Callable:
        def checked(*places, **options):
            is_over = bool(raised) and isinstance(raised[0], Killed)
            if any(map(is_below, places)) and (is_over or not at):
                fail()
            return call(*places, **options)

        return checked

    def opening(call: Callable) -> Callable:
        def checked(place, mode="r", *arguments, **options):
            is_write = set("wax+") & set(mode) and is_below(place)
            if is_write and fails_now(f"open {place}"):
                if at and not raised:
                    call(place, mode, *arguments, **options).close()
                fail()
            return call(place, mode, *arguments, **options)

        return checked

    mkdir = os.mkdir
    os_open = os.open
    access = os.access

    def opening_low(place, flags, *arguments, **options):
        if not at and is_below(place) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            fail()
        return os_open(place, flags, *arguments, **options)

    def accessing(place, mode, **options):
        if not at and is_below(place) and mode & os.W_OK:
            return False
        return access(place, mode, **options)

    with pytest.MonkeyPatch.context() as patch:
        for name in MOVING:
            patch.setattr(os, name, moving(getattr(os, name)))
        for name in REMOVING:
            patch.setattr(os, name, removing(getattr(os, name)))
        patch.setattr(shutil, "rmtree", removing(shutil.rmtree))
        patch.setattr(builtins, "open", opening(builtins.open))
        patch.setattr(io, "open", opening(io.open))
        patch.setattr(os, "open", opening_low)
        patch.setattr(os, "access", accessing)
        yield writes


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder that people see, by its path there."""
    contents = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(".") and "/." not in name:
            contents[name] = path.read_bytes()
    return contents
