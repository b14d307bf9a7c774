"""What a user can mend: one line that says what is wrong, where, and what to do. The doors exit with code 2."""

from __future__ import annotations

import difflib
import os
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


class UserError(Exception):
    """A mistake in input or configuration; its message is one line that names the place and the mend."""


class Absent(UserError):
    """Something that should be read is not there."""


class Unreadable(UserError):
    """Something is there and can't be read now, for want of rights, or by a fault of its disk. It may well be whole."""


class Damaged(UserError):
    """What was read is not what was written: it is cut short, or its digest is another."""


class Newer(UserError):
    """What was read is whole, and only a later version of nmt knows its format."""


def not_read(error: OSError, place: Path | str) -> UserError:
    """Returns what to raise where a file or folder could not be opened or read: Absent or Unreadable.

    A link to what is not there, such as a disk that is not mounted, is there itself.
    """
    if isinstance(error, FileNotFoundError) and not os.path.islink(place):
        return Absent(f"{place}: no such file or folder")
    reason = error.strerror or str(error).partition("\n")[0]
    return Unreadable(f"{place}: cannot be read ({reason}); what is there is kept as it is")


def is_memory(error: BaseException) -> bool:
    """Whether memory was short. PyTorch has an exception of its own for GPUs only, so its words are searched."""
    if isinstance(error, MemoryError):
        return True
    message = str(error)
    return any(sign in message for sign in _MEMORY_SIGNS)


_MEMORY_SIGNS = ("out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")


def check_name(name: str, place: str) -> None:
    """Raises UserError for a name that can't name a file; ``place`` says whose name it is."""
    if not re.fullmatch(r"[\w.+-]*[\w+-]", name):
        raise UserError(f"{place}: '{name}' names files; letters, digits and . + - _ are needed")


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns a hint for a misspelt name: ``did you mean 'x'? (known: ...)``."""
    names = sorted(known)
    listed = ", ".join(names)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'? (known: {listed})"
    return f"known: {listed}"


def leave_disk_errors_to_caller() -> None:
    """Keeps the threads that write for TensorBoard from printing a traceback where the disk is full.

    Such a thread keeps its error, and TensorBoard raises it in the thread that writes or closes next.
    """
    if not isinstance(threading.excepthook, _WithoutDiskErrors):
        threading.excepthook = _WithoutDiskErrors(threading.excepthook)


@dataclass(frozen=True)
class _WithoutDiskErrors:
    """Passes on what a thread died of, but for errors of a disk that its library raises elsewhere."""

    otherwise: Callable[[threading.ExceptHookArgs], object]

    def __call__(self, died: threading.ExceptHookArgs) -> None:
        is_told = isinstance(died.exc_value, OSError) and type(died.thread).__module__.startswith("tensorboard.")
        if not is_told:
            self.otherwise(died)
