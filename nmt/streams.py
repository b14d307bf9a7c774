"""Standard input and output, which a process may be started without, and which may be lost while it works."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, TextIO, cast

from nmt.errors import UserError


def fill_closed_files() -> None:
    """Opens the null device in the place of standard files that are closed, so that no other file gets their numbers.

    What a library writes to file 1 or 2 would otherwise go into a checkpoint.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            lowest = os.open(os.devnull, os.O_RDWR)  # of the numbers that are free: this one
            os.set_inheritable(lowest, True)


def or_nowhere(stream: TextIO | None) -> TextIO:
    """Returns a standard stream; the null device where the process was started without."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    return stream


def standard_input() -> BinaryIO:
    """Returns the bytes of standard input. Raises UserError where the process was started without."""
    if sys.stdin is None:
        raise UserError("standard input: closed; give text as in < FILE, or name a file with input=")
    return sys.stdin.buffer


def check_output() -> None:
    """Raises UserError where the process was started without standard output."""
    if getattr(sys.stdout, "name", "") == os.devnull:
        raise UserError("standard output: closed, and this command prints its results; say > FILE to keep them")


class StandardOutput:
    """Takes the place of ``sys.stdout`` or of its buffer: what can't be written is a mistake with a place.

    Raises UserError in the stead of OSError, and BrokenPipeError where nobody reads the output any more. What is left
    of it then goes nowhere: Python would try again at its end, and fail.
    """

    def __init__(self, stream: Any):
        self.stream = stream

    def write(self, text: Any) -> Any:
        with self._in_words():
            return self.stream.write(text)

    def flush(self) -> None:
        with self._in_words():
            self.stream.flush()

    @property
    def buffer(self) -> StandardOutput:
        return StandardOutput(self.stream.buffer)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self.stream.fileno())
                os.close(nowhere)
            if isinstance(error, BrokenPipeError):
                raise
            reason = error.strerror or error
            raise UserError(f"standard output: {reason}; what was printed is not all there") from None


@contextmanager
def standard_output_watched() -> Iterator[None]:
    """Has `StandardOutput` in the place of ``sys.stdout`` within the block, also where there was none."""
    before = sys.stdout
    sys.stdout = cast(TextIO, StandardOutput(or_nowhere(before)))
    try:
        yield
    finally:
        sys.stdout = before
