"""Sizes of downloads: how they are written, and how large a file may be."""

from __future__ import annotations

KILOBYTE = 1_000
MEGABYTE = 1_000_000
GIGABYTE = 1_000_000_000
UNITS = {"GB": GIGABYTE, "MB": MEGABYTE, "kB": KILOBYTE}  # largest first


def in_bytes(count: int) -> str:
    """Writes a number of bytes as 350 MB, 2.0 MB, 12 kB or 512 bytes."""
    for unit, size in UNITS.items():
        value = count / size
        if value >= 10:
            return f"{value:.0f} {unit}"
        if value >= 1:
            return f"{value:.1f} {unit}"
    return f"{count} bytes"


def most_of(stated: int) -> int:
    """Returns the bytes of which a download may be at most, where a recipe states so many: packers differ."""
    return 2 * stated + MEGABYTE
