"""Files of an archive, read as it streams by: nothing is unpacked to disk, and nothing in it is trusted.

Links, devices and paths that leave the archive's folder are refused, not followed. Sizes are bounded before anything is
read into memory, so a small archive that unpacks to a huge one ends early.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Self

from nmt.corpus.fetching.sizes import in_bytes, most_of
from nmt.corpus.fetching.sources import checked, wanted_paths
from nmt.corpus.recipes.recipe import Files, Need, Source
from nmt.errors import Absent, Damaged, not_read

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
COMMIT_DIGITS = 40
GZIP = b"\x1f\x8b"  # with which a file begins
ZIP = b"PK\x03\x04"
DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError, zipfile.BadZipFile)


class ArchiveSource(Source):
    """Files in a .tar.gz, .tgz, .tar or .zip of a repository, with or without the top folder that GitHub adds."""

    def __init__(self, archive: Path, need: Need):
        """Reads the archive once, to its end. Raises Damaged for one that is cut, or holds what none should hold."""
        self.archive = archive
        self.need = need
        self.kept: dict[str, bytes] | None = None  # the files of a Files, once one is read
        with _damage_named(archive):
            self.reader = _reader_of(archive, need)
            names = list(self.reader.names())
        for name in names:
            _check_path(name, archive)
        self.top = _top_of(names, need)
        below = [name.removeprefix(self.top) for name in names if name.startswith(self.top)]
        self.paths = wanted_paths(need, below)
        if len(set(self.paths)) < len(self.paths):
            raise Damaged(f"{archive}: holds a file twice; no host packs like that")

    def read(self, path: str) -> bytes:
        if isinstance(self.need, Files):
            if self.kept is None:
                self.kept = dict(self._members())
            content = self.kept.get(path)
        else:
            content = next((content for name, content in self._members() if name == path), None)
        if content is None:
            raise Absent(
                f"{self.archive}: no file {self.need.prefix}{path}; {self.need.repository} at {self.need.commit} is "
                "needed"
            )
        return content

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
        names = {f"{self.top}{self.need.prefix}{path}": path for path in self.paths}
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
        return _begins_with(place, GZIP) or _begins_with(place, ZIP) or tarfile.is_tarfile(place)


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
            if member.name not in names:
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
            most = MOST_TIMES * os.fstat(packed.fileno()).st_size + SPARE
            unpacked: IO[bytes] | gzip.GzipFile = packed
            if _begins_with(self.archive, GZIP):
                unpacked = gzip.GzipFile(fileobj=packed)
            bounded = _Bounded(unpacked, most, self.archive)
            # tarfile itself passes over damage of gzip; and over a cut, unless a file's content is missing.
            with tarfile.open(fileobj=bounded, mode="r|", bufsize=BLOCK, tarinfo=_Header) as tar:
                for member in tar:
                    self._check_commit(tar)
                    yield member, tar
            while bounded.read(BLOCK):
                pass
            if not bounded.ends_in_zeros:
                raise EOFError("its end is missing")

    def _check_commit(self, tar: tarfile.TarFile) -> None:
        """Raises UserError where git wrote another commit into the archive."""
        _check_commit(tar.pax_headers.get("comment", ""), self.archive, self.need)


@dataclass(frozen=True)
class _Zip:
    """A zip file, which may be read in any order."""

    archive: Path
    need: Need

    def names(self) -> Iterator[str]:
        with zipfile.ZipFile(self.archive) as zipped:
            _check_commit(zipped.comment.decode("latin-1"), self.archive, self.need)
            for member in zipped.infolist():
                kind = stat.S_IFMT(member.external_attr >> 16)
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
        content = self.stream.read(min(size, BLOCK))
        self.left -= len(content)
        if self.left < 0:
            raise Damaged(f"{self.archive}: unpacks to more than {MOST_TIMES} times its size; not read on")
        self.last = (self.last + content[-tarfile.BLOCKSIZE :])[-tarfile.BLOCKSIZE :]
        return content

    @property
    def ends_in_zeros(self) -> bool:
        """Whether what has passed ends as every tar file does."""
        return self.last == bytes(tarfile.BLOCKSIZE)


def _top_of(names: list[str], need: Need) -> str:
    """Returns the one top folder that GitHub adds, such as ``dataset-a3d2e0d/``; "" for an archive without it."""
    tops = {name.partition("/")[0] for name in names if "/" in name}
    has_one_top = len(tops) == 1 and all("/" in name for name in names)
    if not has_one_top or (need.prefix and any(name.startswith(need.prefix) for name in names)):
        return ""
    if isinstance(need, Files) and any(name.removeprefix(need.prefix) in need.digests for name in names):
        return ""
    [top] = tops
    return f"{top}/"


def _is_wanted(name: str, need: Need) -> bool:
    """Whether a member would be one of the files of a need, below a top folder or not."""
    _, _, below = name.partition("/")
    return bool(wanted_paths(need, [name, below]))


def _check_path(name: str, archive: Path) -> None:
    """Raises Damaged for a path that leaves the folder into which an archive would be unpacked."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise Damaged(f"{archive}: {name!r} leads out of the archive; refused")


def _check_commit(comment: str, archive: Path, need: Need) -> None:
    is_commit = len(comment) == COMMIT_DIGITS and not set(comment) - set("0123456789abcdef")
    if is_commit and comment != need.commit:
        raise Damaged(f"{archive}: is of commit {comment}, not {need.commit} of {need.repository}")


def _most_unpacked(need: Need) -> int:
    """Returns the bytes that all wanted files together may have."""
    return most_of(need.size) if isinstance(need, Files) else need.unpacked


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
        reason = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
        raise Damaged(f"{archive}: cut short or damaged ({reason})") from None
    except OSError as error:
        raise not_read(error, archive) from None
