"""Files of an archive, read as it streams by: nothing is unpacked to disk, and nothing in it is trusted.

Links, devices and paths that leave the archive's folder are refused, not followed. Sizes are bounded before anything is
read into memory, so a small archive that unpacks to a huge one ends early.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, Self

from nmt.corpus.fetching.sizes import in_bytes, most_of
from nmt.corpus.fetching.sources import checked, wanted_paths
from nmt.corpus.recipes.recipe import Archive, Files, Need, Source
from nmt.errors import Absent, Damaged, not_read
from nmt.progress import phase

# Text packs to a fifth, repetitive text to a thirtieth; what unpacks to more than a hundred times is made to do harm.
MOST_TIMES = 100
SPARE = 10_000_000  # bytes beside that, for small archives
MOST_HEADER = 1 << 20  # bytes of what tar says of one file, such as a long name: read into memory at once
HEADERS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
BLOCK = 1 << 20  # bytes that are unpacked at a time
GZIP = b"\x1f\x8b"  # with which a file begins
ZIP = b"PK\x03\x04"
DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError, zipfile.BadZipFile)
# Errors of Python's own, which tarfile and zipfile let out where a header says what none should say.
NONSENSE = (ValueError, RuntimeError, ArithmeticError, LookupError, TypeError, AttributeError, struct.error, LZMAError)


class ArchiveSource(Source):
    """Files in a .tar.gz, .tgz, .tar or .zip of a repository, with or without the top folder that GitHub adds."""

    def __init__(self, archive: Path, need: Need):
        """Reads the archive once, to its end. Raises Damaged for one that is cut, or holds what none should hold."""
        self.archive = archive
        self.need = need
        self.kept: dict[str, bytes] | None = None  # the files of a Files, once one is read
        with phase(f"looking through {archive.name}"), _damage_named(archive):
            self.reader = _reader_of(archive, need)
            names = list(self.reader.names())
        for name in names:
            _check_path(name, archive)
        self.top = _top_of(names, need)
        below = [name.removeprefix(self.top) for name in names]
        self.paths = wanted_paths(need, below)
        if len(set(self.paths)) < len(self.paths):
            raise Damaged(f"{archive}: holds a file twice; no host packs like that")

    def read(self, path: str) -> bytes:
        if isinstance(self.need, Files):
            if self.kept is None:
                self.kept = dict(self._members())
            content = self.kept.get(path)
        else:
            content = self._find(path)
        if content is None:
            need = self.need
            raise Absent(f"{self.archive}: no file {need.prefix}{path}; {need.repository} at {need.commit} is needed")
        return content

    def _find(self, path: str) -> bytes | None:
        for name, content in self._members():
            if name == path:
                return content
        return None

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yields each file when all before it have come: in an archive that git made, at once."""
        waiting = {}
        position = 0
        for path, content in self._members():
            waiting[path] = content
            while position < len(self.paths) and self.paths[position] in waiting:
                next_path = self.paths[position]
                yield next_path, waiting.pop(next_path)
                position += 1

    def _members(self) -> Iterator[tuple[str, bytes]]:
        """Yields path and content of the wanted files as they lie in the archive."""
        names = {}
        for path in self.paths:
            name = f"{self.top}{self.need.prefix}{path}"
            names[name] = path
        with _damage_named(self.archive):
            for name, content in self.reader.contents(names):
                path = names[name]
                yield path, checked(content, path, self.need, f"{self.archive}: {name}")


def _reader_of(archive: Path, need: Need) -> _Tar | _Zip:
    if _begins_with(archive, ZIP):
        return _Zip(archive, need)
    return _Tar(archive, need)


def _begins_with(place: Path, start: bytes) -> bool:
    with open(place, "rb") as file:
        return file.read(len(start)) == start


def is_archive(place: Path) -> bool:
    """Whether a file may be read as an archive: by its content, not its name."""
    with _damage_named(place):
        is_packed = _begins_with(place, GZIP) or _begins_with(place, ZIP)
        return is_packed or tarfile.is_tarfile(place)


@dataclass(frozen=True)
class _Tar:
    """A tar file, gzipped or not."""

    archive: Path
    need: Need

    def names(self) -> Iterator[str]:
        """Yields the names of all regular files. Raises Damaged for another one among those that are wanted."""
        for member, _ in self._read():
            if member.isdir():
                continue
            if not member.isreg():
                _check_path(member.name, self.archive)
                if _is_wanted(member.name, self.need):
                    raise _refused(self.archive, member.name)
                continue
            yield member.name

    def contents(self, wanted: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        names = set(wanted)
        left = _most_unpacked(self.need)
        for member, tar in self._read():
            if member.name not in names or not member.isreg():  # a folder may have the name of a file
                continue
            left -= member.size
            if left < 0:
                raise _too_large(self.archive, member.name, self.need)
            file = tar.extractfile(member)
            assert file is not None  # it is regular
            yield member.name, file.read()

    def _read(self) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
        """Yields every member, with the archive to read it from. Raises Damaged where it is cut."""
        with open(self.archive, "rb") as packed:
            size = os.path.getsize(self.archive)
            most = MOST_TIMES * size + SPARE
            unpacked: IO[bytes] | gzip.GzipFile = packed
            if _begins_with(self.archive, GZIP):
                unpacked = gzip.GzipFile(fileobj=packed)
            bounded = _Bounded(unpacked, most, self.archive)
            # tarfile itself passes over damage of gzip; and over a cut, unless a file's content is missing.
            with tarfile.open(fileobj=bounded, mode="r|", tarinfo=_Header) as tar:
                for member in tar:
                    self._check_commit(tar)
                    if tar.offset > most:  # where the next one begins: tarfile would seek it for years
                        raise _unpacks_to_too_much(self.archive)
                    yield member, tar
            while bounded.read(BLOCK):
                pass
            if not bounded.ends_in_zeros:
                raise EOFError("its end is missing")

    def _check_commit(self, tar: tarfile.TarFile) -> None:
        """Raises UserError where git wrote another commit into the archive."""
        comment = tar.pax_headers.get("comment", "")
        _check_commit(comment, self.archive, self.need)


@dataclass(frozen=True)
class _Zip:
    """A zip file, which may be read in any order."""

    archive: Path
    need: Need

    def names(self) -> Iterator[str]:
        with zipfile.ZipFile(self.archive) as zipped:
            comment = zipped.comment.decode("latin-1")
            _check_commit(comment, self.archive, self.need)
            for member in zipped.infolist():
                mode = member.external_attr >> 16  # as on Unix; 0 where it was packed elsewhere
                kind = stat.S_IFMT(mode)
                if member.is_dir():
                    continue
                if kind not in (0, stat.S_IFREG):
                    _check_path(member.filename, self.archive)
                    if _is_wanted(member.filename, self.need):
                        raise _refused(self.archive, member.filename)
                    continue
                yield member.filename

    def contents(self, wanted: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        left = _most_unpacked(self.need)
        with zipfile.ZipFile(self.archive) as zipped:
            for name in sorted(wanted, key=os.fsencode):
                member = zipped.getinfo(name)
                left -= member.file_size
                if left < 0:
                    raise _too_large(self.archive, name, self.need)
                try:
                    with zipped.open(member) as file:
                        content = file.read(member.file_size)
                except (RuntimeError, NotImplementedError) as error:  # a password; a method of packing
                    raise Damaged(f"{self.archive}: {name} can't be unpacked ({error})") from None
                yield name, content


class _Header(tarfile.TarInfo):
    """What tar says of a file; not of unlimited length."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.type in HEADERS and header.size > MOST_HEADER:
            raise tarfile.ReadError(f"a header of {in_bytes(header.size)}")
        return header


class _Bounded(io.RawIOBase):
    """Passes on what a stream gives. Raises Damaged once that is more than it can honestly be."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile, most: int, archive: Path):
        self.stream = stream
        self.left = most
        self.archive = archive
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        content = self.stream.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise _unpacks_to_too_much(self.archive)
        end = content[-tarfile.BLOCKSIZE :]
        self.last = (self.last + end)[-tarfile.BLOCKSIZE :]
        return content

    @property
    def ends_in_zeros(self) -> bool:
        """Whether what has passed ends as every tar file does."""
        return self.last == bytes(tarfile.BLOCKSIZE)


def _top_of(names: list[str], need: Need) -> str:
    """Returns the one top folder that GitHub adds, such as ``dataset-a3d2e0d/``; "" for an archive without it."""
    has_wanted = bool(wanted_paths(need, names))
    is_whole_tree = isinstance(need, Archive) and not need.prefix
    if has_wanted and not is_whole_tree:
        return ""
    tops = set()
    for name in names:
        top, slash, _ = name.partition("/")
        tops.add(f"{top}{slash}")
    if len(tops) > 1:
        return ""
    top = "".join(tops)
    return top if top.endswith("/") else ""


def _is_wanted(name: str, need: Need) -> bool:
    """Whether a member would be one of the files of a need, below a top folder or not."""
    _, _, below = name.partition("/")
    return bool(wanted_paths(need, [name, below]))


def _check_path(name: str, archive: Path) -> None:
    """Raises Damaged for a path that leaves the folder into which an archive would be unpacked."""
    path = PurePosixPath(name)
    leads_out = path.is_absolute() or ".." in path.parts
    is_of_windows = "\\" in name
    if leads_out or is_of_windows:
        raise Damaged(f"{archive}: {name!r} leads out of the archive; refused")


def _check_commit(comment: str, archive: Path, need: Need) -> None:
    is_commit = re.fullmatch("[0-9a-f]{40}", comment)
    if is_commit and comment != need.commit:
        raise Damaged(f"{archive}: is of commit {comment}, not {need.commit} of {need.repository}")


def _most_unpacked(need: Need) -> int:
    """Returns the bytes that all wanted files together may have."""
    if isinstance(need, Files):
        return most_of(need.size)
    return need.unpacked


def _unpacks_to_too_much(archive: Path) -> Damaged:
    return Damaged(f"{archive}: unpacks to more than {MOST_TIMES} times its size; not read on")


def _refused(archive: Path, name: str) -> Damaged:
    return Damaged(f"{archive}: {name!r} is a link or a device, which is not followed; files are needed")


def _too_large(archive: Path, name: str, need: Need) -> Damaged:
    most = in_bytes(_most_unpacked(need))
    return Damaged(f"{archive}: with {name!r} the files of {need.repository} are more than the {most} that are allowed")


@contextmanager
def _damage_named(archive: Path) -> Iterator[None]:
    """Turns what libraries raise for a damaged archive into Damaged, and errors of the disk into their lines."""
    try:
        yield
    except DAMAGE as error:
        reason, _, _ = str(error).partition("\n")
        if not reason:
            reason = type(error).__name__
        raise Damaged(f"{archive}: cut short or damaged ({reason})") from None
    except OSError as error:
        raise not_read(error, archive) from None
    except NONSENSE as error:
        reason, _, _ = str(error).partition("\n")
        raise Damaged(f"{archive}: damaged ({type(error).__name__}: {reason})") from None
