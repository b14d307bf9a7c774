"""Where translations are written to: a file, plain or gzipped as its name says, or a pipe or device."""

from __future__ import annotations

import gzip
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from nmt.errors import UserError, not_written

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
    with open(path, "wb") as file, _packed(file, name) as packed:
        yield packed


@contextmanager
def _packed(file: BinaryIO, name: str) -> Iterator[BinaryIO]:
    if Path(name).suffix != GZIP:
        yield file
        return
    with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as packed:
        yield cast(BinaryIO, packed)


def is_stream(path: Path) -> bool:
    """Whether what is written to ``path`` passes on, to a terminal, a pipe or a device, instead of into a new file.

    Raises UserError for what nothing can be written to.
    """
    if _descriptor(path) is not None:
        return True
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise UserError(f"{path}: a link that leads nowhere; name another output") from None
        return False
    except OSError as error:
        raise not_written(error, path, "name another output") from None
    if stat.S_ISDIR(mode):
        raise UserError(f"{path}: a folder, where a file is needed; name another output")
    if stat.S_ISREG(mode):
        return False
    if stat.S_ISCHR(mode) or stat.S_ISFIFO(mode):
        return True
    raise UserError(f"{path}: a disk or a socket, where a file is needed; name another output")


@contextmanager
def opened_stream(path: Path) -> Iterator[BinaryIO]:
    """Opens a pipe or device, or what this process has open under a name such as /dev/stdout, from where it stands."""
    descriptor = _descriptor(path)
    place = path if descriptor is None else os.dup(descriptor)
    with open(place, "wb") as file, _packed(file, path.name) as packed:
        yield packed


def _descriptor(path: Path) -> int | None:
    """Returns the number of the open file that a name such as /dev/stdout or /dev/fd/3 stands for; None for others."""
    place = Path(path)
    for _ in range(40):  # links, as many as Linux follows
        folder = os.path.realpath(place.parent)
        is_number = place.name.isascii() and place.name.isdecimal()
        if is_number and re.fullmatch(rf"/dev/fd|/proc/{os.getpid()}(/task/\d+)?/fd", folder):
            return int(place.name)
        if not place.is_symlink():
            return None
        place = Path(folder) / os.readlink(place)
    return None
