"""The file that translations are written to: plain text, or gzipped as its name says."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from nmt.errors import UserError

GZIP = ".gz"
OTHER_PACKERS = (".bz2", ".xz", ".lzma", ".zst", ".lz4", ".br", ".z", ".zip", ".7z", ".rar", ".tgz")


def check_output(name: str) -> None:
    """Raises UserError for a name that promises a packer which is not written; a later step would find plain text."""
    suffix = Path(name).suffix
    if suffix.lower() in OTHER_PACKERS or (suffix.lower() == GZIP and suffix != GZIP):
        raise UserError(
            f"output={name}: {suffix} is not written; name it {GZIP} for a gzipped file, or without {suffix}"
        )


@contextmanager
def opened(path: Path, name: str) -> Iterator[BinaryIO]:
    """Opens ``path`` for the bytes of a file that will be called ``name``; gzipped, equal texts give equal files."""
    with open(path, "wb") as file:
        if Path(name).suffix != GZIP:
            yield file
            return
        with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as packed:
            yield cast(BinaryIO, packed)
