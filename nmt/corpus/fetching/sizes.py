"""Sizes of downloads: how they are written, and how large a file may be."""

from __future__ import annotations

UNITS = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))
MEGABYTE = 10**6


def in_bytes(count: int) -> str:
    """Writes a number of bytes as 350 MB, 2.0 MB, 12 kB or 512 bytes."""
    for unit, size in UNITS:
        if count >= size:
            value = count / size
            digits = 1 if value < 10 else 0
            return f"{value:.{digits}f} {unit}"
    return f"{count} bytes"


def most_of(stated: int) -> int:
    """Returns the bytes of which a download may be at most, where a recipe states so many: packers differ."""
    return 2 * stated + MEGABYTE
