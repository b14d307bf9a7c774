"""Two processes and one folder: one waits, or is refused. A process that dies leaves nothing locked."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from nmt.errors import UserError, not_written

log = logging.getLogger("nmt")


@contextmanager
def one_at_a_time(path: Path, mend: str = "name a folder that can") -> Iterator[None]:
    """Waits until no other process makes what ``path`` will hold. The lock is beside it.

    Raises UserError with the ``mend`` where there can be none.
    """
    with _held(path.with_name(f".{path.name}.lock"), path, wait=True, mend=mend):
        yield


@contextmanager
def alone_in(folder: Path) -> Iterator[Callable[[], None]]:
    """Raises UserError while another process trains in this folder.

    One that this process can't write to, it can't train in either: what is known of its run may still be read.
    Yields a function that raises UserError where it is another folder now: it was deleted, and perhaps begun anew.
    """
    lock: AbstractContextManager[None] = _held(folder / ".lock", folder, wait=False)
    if folder.is_dir() and not os.access(folder, os.W_OK):
        lock = contextlib.nullcontext()
    with lock, _kept_open(folder) as number:

        def check() -> None:
            if not _is_same(folder, number):
                raise UserError(
                    f"{folder}: was deleted or moved while this process trained in it; nothing more is written there"
                )

        yield check


@contextmanager
def _kept_open(folder: Path) -> Iterator[int | None]:
    """Yields the number of an open folder, which stays what it is when its name is deleted or goes to another one."""
    try:
        number = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows, where a folder in use can't be deleted
        yield None
        return
    try:
        yield number
    finally:
        os.close(number)


def _is_same(folder: Path, number: int | None) -> bool:
    """Whether the folder of this name is the one that was opened as ``number``."""
    try:
        status = os.stat(folder)
    except FileNotFoundError:
        return False
    except OSError:  # not to be seen now: whoever writes there will tell
        return True
    return number is None or os.path.samestat(status, os.fstat(number))


@contextmanager
def if_free(path: Path) -> Iterator[bool]:
    """Yields whether no other process has ``path``; if so, this process holds it within the block."""
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    except NotImplementedError:  # a file system without locks
        yield True
        return
    try:
        yield True
    finally:
        lock.release()


@contextmanager
def _held(place: Path, what: Path, wait: bool, mend: str = "name a folder that can") -> Iterator[None]:
    """Holds the lock file at ``place`` for ``what``. Where another process holds it, waits or raises UserError."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if not wait:
                raise UserError(
                    f"{what}: in use by {_holder(place)}; wait for it, end it, or name another run.dir"
                ) from None
            log.info("%s: waiting for %s, which makes it", what, _holder(place))
            lock.acquire()
    except OSError as error:
        raise not_written(error, what, mend) from None
    except NotImplementedError:  # a file system without locks
        log.warning("%s: on a file system without locks; keep other processes away yourself", what)
        yield
        return
    try:
        with contextlib.suppress(OSError):  # a full disk: the name of the holder is only a help
            place.with_suffix(".holder").write_text(f"process {os.getpid()} on {platform.node()}")
        yield
    finally:
        with contextlib.suppress(OSError):
            place.with_suffix(".holder").unlink(missing_ok=True)
        lock.release()


def _holder(place: Path) -> str:
    try:
        return place.with_suffix(".holder").read_text()
    except OSError:
        return "another process"
