"""What every recipe does to a text, so that all corpora are of one form."""

from __future__ import annotations

import gzip
import io
import re
import unicodedata
import zlib

from nmt.corpus.recipes.recipe import Source
from nmt.corpus.text.lines import lines_of_stream
from nmt.errors import Damaged

# Line and paragraph separators count as white space; zero-width and soft characters, and marks of direction, go.
WHITE_SPACE = re.compile(r"[\s\u00a0\u2028\u2029\u0085]+")
CONTROL = re.compile(r"[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u200b\u200e\u200f\ufeff\u00ad]")
# Bytes that a packed file of a recipe may hold: the largest, Tatoeba's, holds 12 MB.
MOST_UNPACKED = 64_000_000


def one_line(text: str) -> str:
    """Returns a text as one line: NFC, no control characters, every run of white space one space."""
    composed = unicodedata.normalize("NFC", text)
    spaced = WHITE_SPACE.sub(" ", composed)
    visible = CONTROL.sub("", spaced)
    return WHITE_SPACE.sub(" ", visible).strip()


def lines_of_text(content: bytes, place: str) -> list[str]:
    """Returns the lines of a UTF-8 file, each as `one_line` makes it.

    Raises UserError with ``place`` and the line for bytes that are not UTF-8.
    """
    lines = lines_of_stream(io.BytesIO(content), place)
    return [one_line(line) for line in lines]


def lines_of_file(source: Source, path: str) -> list[str]:
    """Returns the lines of a file of a source, as `lines_of_text` does."""
    return lines_of_text(source.read(path), source.place(path))


def gunzipped(packed: bytes, place: str) -> bytes:
    """Returns what a gzipped file holds.

    Raises Damaged for one that is cut short or damaged, and for one that holds more than MOST_UNPACKED bytes.
    """
    try:
        with gzip.open(io.BytesIO(packed)) as file:
            content = file.read(MOST_UNPACKED + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise Damaged(f"{place}: cannot be unpacked ({error})") from None
    check_unpacked(len(content), place)
    return content


def check_unpacked(size: int, place: str) -> None:
    """Raises Damaged for more bytes than any packed file of a recipe holds."""
    if size > MOST_UNPACKED:
        raise Damaged(f"{place}: holds more than {MOST_UNPACKED:,} bytes; it is not the file that was meant")
