"""What every recipe does to a line, so that all corpora are of one form."""

from __future__ import annotations

import re
import unicodedata

# Line and paragraph separators count as white space; zero-width and soft characters, and marks of direction, go.
WHITE_SPACE = re.compile(r"[\s\u00a0\u2028\u2029\u0085]+")
CONTROL = re.compile(r"[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u200b\u200e\u200f\ufeff\u00ad]")


def one_line(text: str) -> str:
    """Returns a text as one line: NFC, no control characters, every run of white space one space."""
    composed = unicodedata.normalize("NFC", text)
    spaced = WHITE_SPACE.sub(" ", composed)
    visible = CONTROL.sub("", spaced)
    return WHITE_SPACE.sub(" ", visible).strip()


def lines_of_text(content: bytes) -> list[str]:
    """Returns the lines of a UTF-8 file, each as `one_line` makes it."""
    text = content.decode("utf-8").rstrip("\n")
    return [one_line(line) for line in text.split("\n")]
