"""Text as lines, from files, plain or gzipped, and from a stream."""

from __future__ import annotations

import gzip
import itertools
import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from nmt.errors import UserError, not_read

T = TypeVar("T")

MARK = "\ufeff"  # the byte order mark, which begins a file and is no text of it
# Categories of characters that nobody sees: spaces, controls, and formats such as U+200B and U+FEFF.
INVISIBLE = ("Zs", "Zl", "Zp", "Cc", "Cf")
# What a text of two or four bytes a character begins with.
WIDE_MARKS = {"UTF-32": (b"\xff\xfe\0\0", b"\0\0\xfe\xff"), "UTF-16": (b"\xff\xfe", b"\xfe\xff")}
SAMPLE = 4096  # bytes of a line, by which it is told how its characters are written

# What compressed files and archives begin with. None of it begins a text, even where it is valid UTF-8.
PACKERS = {
    "gzip": rb"\x1f\x8b",
    "bzip2": rb"BZh[1-9](1AY&SY|\x17rE8P\x90)",
    "xz": rb"\xfd7zXZ\x00",
    "zstd": rb"\x28\xb5\x2f\xfd",
    "lz4": rb"\x04\x22\x4d\x18",
    "lzip": rb"LZIP\x01",
    "compress": rb"\x1f\x9d",
    "zip": rb"PK\x03\x04",
    "7-Zip": rb"7z\xbc\xaf\x27\x1c",
    "rar": rb"Rar!\x1a\x07",
    "tar": rb"[^\n]{257}ustar",
}


def lines_of(path: Path, ours: bool = False) -> Iterator[str]:
    """Yields lines split at newline only (not at U+2028 and the like), without their end.

    A byte order mark at the beginning is dropped; of a file that nmt itself wrote (``ours``) all is text. Raises
    UserError that names the line where the bytes are not UTF-8, or says what is wrong with a compressed file.
    """
    opener: Any = gzip.open if path.suffix.lower() == ".gz" else open
    done = 0
    try:
        with opener(path, "rb") as file:
            for line in lines_of_stream(file, str(path), "; convert the file to UTF-8", ours):
                yield line
                done += 1
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise UserError(f"{path}: a folder, where a file is needed") from None
    except (EOFError, OSError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise not_read(error, path) from None
        if isinstance(error, gzip.BadGzipFile) and not done:
            _check_is_gzipped(path)
        raise UserError(
            f"{path}, after line {done}: cannot be read ({error}); the file is damaged or cut short"
        ) from None


def lines_of_stream(stream: Iterable[bytes], place: str, mend: str = "", ours: bool = False) -> Iterator[str]:
    """Yields the lines of a binary stream as text, without their end.

    A byte order mark at the beginning is dropped; in what nmt itself wrote (``ours``) it is text. Raises UserError with
    ``place``, the line and the ``mend`` where the bytes are not UTF-8, with the packer where they are packed, and where
    the lines end with carriage returns alone.
    """
    lines = iter(stream)
    first = next(lines, b"")
    ends = b"\n" if ours else b"\r\n"
    if not ours:
        packer = _packer_of(first)
        if packer:
            raise UserError(f"{place}: compressed by {packer}; unpack it (a gzipped file may be named .gz instead)")
        first = first.removeprefix(MARK.encode())
        _check_line_ends(first, place)
    if first:
        lines = itertools.chain([first], lines)
    for number, line in enumerate(lines, 1):
        if number == 1 or b"\0" in line:
            _check_encoding(line, f"{place}, line {number}", ours)
        try:
            text = line.rstrip(ends).decode("utf-8")
        except UnicodeDecodeError as error:
            raise UserError(f"{place}, line {number}: not valid UTF-8 ({error.reason}){mend}") from None
        yield text


def _check_line_ends(first: bytes, place: str) -> None:
    """Raises UserError for a first line that is all of its file and holds line ends of another kind."""
    returns = first.rstrip(b"\r").count(b"\r")
    if returns and not first.endswith(b"\n"):
        count = first.count(b"\r")
        raise UserError(
            f"{place}: one line, {count:,} carriage returns; lines must end with a newline: convert the file, as by "
            "tr '\\r' '\\n'"
        )


def _check_encoding(line: bytes, place: str, ours: bool) -> None:
    """Raises UserError for text of two or four bytes a character, which may be valid UTF-8 with a NUL in each."""
    if ours:
        return
    for encoding, marks in WIDE_MARKS.items():
        if line.startswith(marks):
            raise UserError(f"{place}: not valid UTF-8 but {encoding}; convert the file to UTF-8")
    sample = line.rstrip(b"\r\n\0")[:SAMPLE]
    even = sample[::2].count(0)
    odd = sample[1::2].count(0)
    fewer, more = sorted((even, odd))
    if more < 3 or 4 * more < len(sample):  # a stray one, which cleaning counts
        return
    encoding = "UTF-16" if 8 * fewer < more else "UTF-32"
    raise UserError(
        f"{place}: not UTF-8 but, by its NUL bytes, {encoding} without a byte order mark; convert the file to UTF-8"
    )


def is_blank(text: str) -> bool:
    """Whether a text has nothing that can be seen."""
    return all(unicodedata.category(character) in INVISIBLE for character in text)


def _check_is_gzipped(path: Path) -> None:
    """Raises UserError for a file named .gz that holds something else."""
    with open(path, "rb") as file:
        first = file.read(512)
    packer = _packer_of(first)
    if packer == "gzip":
        return
    if packer:
        raise UserError(f"{path}: named .gz, but compressed by {packer}; unpack it")
    raise UserError(f"{path}: named .gz, but not compressed; rename it without .gz")


def _packer_of(beginning: bytes) -> str:
    """Returns what made a file that begins with these bytes; empty for text."""
    for packer, pattern in PACKERS.items():
        if re.match(pattern, beginning, re.DOTALL):
            return packer
    return ""


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yields the items in lists of ``size``, the last one perhaps shorter."""
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk
