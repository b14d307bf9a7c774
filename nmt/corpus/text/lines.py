"""Text as lines, from files, plain or gzipped, and from a stream."""

from __future__ import annotations

import gzip
import itertools
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from nmt.errors import UserError

T = TypeVar("T")


def lines_of(path: Path) -> Iterator[str]:
    """Yields lines split at newline only (not at U+2028 and the like), without their end.

    Raises UserError that names the line where the bytes are not UTF-8, or the gzip file is damaged.
    """
    opener: Any = gzip.open if path.suffix == ".gz" else open
    done = 0
    try:
        with opener(path, "rb") as file:
            for line in lines_of_stream(file, str(path), mend="; convert the file to UTF-8"):
                yield line
                done += 1
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise UserError(f"{path}: a folder, where a file is needed") from None
    except (EOFError, OSError, zlib.error) as error:
        raise UserError(
            f"{path}, after line {done}: cannot be read ({error}); the file is damaged or cut short"
        ) from None


def lines_of_stream(stream: Iterable[bytes], place: str, mend: str = "") -> Iterator[str]:
    """Yields the lines of a binary stream as text, without their end.

    Raises UserError that names ``place``, the line and the ``mend`` where the bytes are not UTF-8.
    """
    for number, line in enumerate(stream, 1):
        try:
            text = line.rstrip(b"\r\n").decode("utf-8")
        except UnicodeDecodeError as error:
            raise UserError(f"{place}, line {number}: not valid UTF-8 ({error.reason}){mend}") from None
        yield text


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yields the items in lists of ``size``, the last one perhaps shorter."""
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk
