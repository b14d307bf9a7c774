"""What a user can mend: one line that says what is wrong, where, and what to do. The doors exit with code 2."""

from __future__ import annotations

import difflib
import errno
import os
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
MOST_MEANT = 3  # names that a hint gives


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


class NotKept(UserError):
    """Something could not be saved, since its disk is read-only or rights are missing: what is known can be shown."""


def not_read(error: OSError, place: Path | str) -> UserError:
    """Returns what to raise where a file or folder could not be opened or read: Absent or Unreadable.

    A link to what is not there, such as a disk that is not mounted, is there itself.
    """
    if isinstance(error, FileNotFoundError) and not os.path.islink(place):
        return Absent(f"{place}: no such file or folder")
    reason = error.strerror or str(error).partition("\n")[0]
    return Unreadable(f"{place}: cannot be read ({reason}); what is there is kept as it is")


def not_written(error: OSError, place: Path | str, mend: str = "") -> UserError:
    """Returns what to raise where a file or folder could not be written: NotKept, or another UserError."""
    reason = error.strerror or str(error).partition("\n")[0]
    end = mend or "what was there is as it was"
    if mend and error.errno in FULL:
        end = f"free space, or {mend}"
    message = f"{place}: cannot be written ({reason}); {end}"
    if error.errno in READ_ONLY:
        return NotKept(message)
    return UserError(message)


def is_memory(error: BaseException) -> bool:
    """Whether memory was short. PyTorch has an exception of its own for GPUs only, so its words are searched."""
    if isinstance(error, MemoryError):
        return True
    message = str(error)
    return any(sign in message for sign in _MEMORY_SIGNS)


_MEMORY_SIGNS = ("out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")


def in_words(error: BaseException) -> str:
    """Returns what a person is told of an error that a user can mend, in one line; empty where it is another."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, MemoryError | RuntimeError) and is_memory(error):
        return "out of memory; lower batching.tokens or decoding.batch_size, or make the model smaller"
    if isinstance(error, OSError) and not (error.filename is None and error.errno is None):
        place = os.fsdecode(error.filename or "disk")  # TensorBoard names files in bytes
        reason = error.strerror or error
        return f"{place}: {reason}; what was saved is kept"
    return ""


def typed_as(option: str, text: str) -> str:
    """Returns what to type on a command line for an option of text, in quotes for Hydra and the shell where needed."""
    if re.fullmatch(r"[\w./+:@%-]+", text, re.ASCII):
        return f"{option}={text}"
    from hydra.core.override_parser.types import Quote, QuotedString  # late: it costs every start

    quote = Quote.double if "'" in text and '"' not in text else Quote.single
    escaped = re.sub(r"(\\*)\$\{", lambda match: 2 * match[1] + "\\${", text)  # as it stands, and no reference
    quoted = QuotedString(escaped, quote).with_quotes()
    return for_shell(f"{option}={quoted}")


def for_shell(argument: str) -> str:
    """Quotes an argument for a shell: in double quotes where it holds single ones, as lists of overrides do."""
    import shlex  # late: it costs every start

    is_plain = not set(argument) & set('"$`\\!')
    if "'" in argument and is_plain:
        return f'"{argument}"'
    return shlex.quote(argument)


# What some system refuses in the name of a file is not in it, nor a space or a full stop where it would be lost.
_TITLE = r"(?! )[\w.,+=()\[\]{}' -]*[\w+=()\[\]{}'-]"


def check_name(name: str, place: str) -> None:
    """Raises UserError for a name that can't name a file; ``place`` says whose name it is."""
    if not re.fullmatch(r"[\w.+-]*[\w+-]", name):
        raise UserError(f"{place}: '{name}' names files; letters, digits and . + - _ are needed")


def check_title(name: str, place: str) -> None:
    """Raises UserError for the name of a system or a comparison, which people read, that can't name a folder."""
    if not re.fullmatch(_TITLE, name):
        raise UserError(f"{place}: '{name}' names files; letters, digits, spaces and . , + - _ = ( ) [ ] {{ }} ' can")


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns a hint for a misspelt name: ``did you mean 'x'? (known: ...)``.

    Several names are hinted at where what was typed is the beginning of each, as multi30k of multi30k_en_de.
    """
    names = sorted(known)
    listed = ", ".join(names)
    meant = _meant(name, names)
    if meant:
        hint = " or ".join(f"'{close}'" for close in meant)
        return f"did you mean {hint}? (known: {listed})"
    return f"known: {listed}"


def _meant(name: str, names: Sequence[str]) -> list[str]:
    """Returns the names that a misspelt one may stand for."""
    parts = sorted(name.lower().split("_"))
    of_same_parts = [known for known in names if sorted(known.lower().split("_")) == parts]  # as multi30k_de_en
    if of_same_parts:
        return of_same_parts
    begun = [known for known in names if known.lower().startswith(f"{name.lower()}_")]
    if begun and len(begun) <= MOST_MEANT:
        return begun
    return difflib.get_close_matches(name, names, n=1, cutoff=0.6)


def leave_disk_errors_to_caller() -> None:
    """Keeps the threads that write for TensorBoard from printing a traceback where the disk is full.

    Such a thread keeps its error, and TensorBoard raises it in the thread that writes or closes next.
    """
    if not isinstance(threading.excepthook, _WithoutDiskErrors):
        threading.excepthook = _WithoutDiskErrors(threading.excepthook)


class _WithoutDiskErrors:
    """Passes on what a thread died of, but for errors of a disk that its library raises elsewhere."""

    def __init__(self, otherwise: Callable[[threading.ExceptHookArgs], object]):
        self.otherwise = otherwise

    def __call__(self, died: threading.ExceptHookArgs) -> None:
        is_told = isinstance(died.exc_value, OSError) and type(died.thread).__module__.startswith("tensorboard.")
        if not is_told:
            self.otherwise(died)
