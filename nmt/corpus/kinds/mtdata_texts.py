"""A corpus of `mtdata` as two parallel texts: downloaded, read by the library's parsers, and written.

The library's own downloads are replaced: they try again without checking certificates, and leave half a file where they
are cut. Of a .tar only what is wanted is unpacked, under names of our own; the library unpacks all of it.
"""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from nmt.corpus.fetching.download import NotThere, Wanted, download
from nmt.corpus.fetching.place import MEND, corpora_folder
from nmt.corpus.fetching.sizes import MEGABYTE
from nmt.corpus.kinds.mtdata_index import (
    Asked,
    address_of,
    entry_of,
    file_names,
    is_turned,
    opened_index,
    reason_of,
)
from nmt.corpus.kinds.places import pair_of_texts
from nmt.corpus.pair import Pair
from nmt.errors import FULL, READ_ONLY, UserError, not_written
from nmt.locks import one_at_a_time


def write_set(asked: Asked, folder: Path) -> int:
    """Downloads a set and writes its two texts into a folder, whole or not at all; returns the number of pairs.

    Raises UserError where mtdata is not installed, for an id that it does not know or that is of other languages, and
    for a set that can't be downloaded, read or written. The caller holds the folder's lock.
    """
    part = folder.with_name(f".{folder.name}.part")
    with opened_index() as index:
        entry = entry_of(index, asked)
        turned = is_turned(entry, asked)
        downloads = _downloads(part, asked.name)
        try:
            shutil.rmtree(part, ignore_errors=True)  # of a fetch that was ended
            part.mkdir(parents=True)
            count = _write_texts(_pairs_of(entry, turned, downloads), part, asked)
            _write_source(part, entry, index, asked, count)
            _put_in_place(part, folder, asked)
        except UserError:
            raise
        except Exception as error:  # the library raises whatever happens to it
            raise _not_fetched(asked.name, error, folder, downloads.kept) from None
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return count


def _pairs_of(entry: Any, turned: bool, downloads: Any) -> Iterator[Pair]:
    """Yields the pairs of a set in the direction of the corpus; it is downloaded first, unless it is here."""
    from mtdata.parser import Parser

    paths = downloads.get_entry(entry)
    if entry.is_archive and isinstance(paths, Path):
        raise ValueError("no whole archive")  # which the library would read as text
    parser = Parser(paths, ext=entry.in_ext or None, ent=entry)
    names = ("target", "source") if turned else ("source", "target")
    for number, record in enumerate(parser.read_segs(show_pbar=False), 1):
        where = f"{entry.did}, record {number}"
        if isinstance(record, str):
            raise UserError(f"{where}: one text where two are expected")
        texts = {"source": None, "target": None}  # nothing is an empty text
        texts.update(zip(names, record, strict=False))
        yield pair_of_texts(texts, "source", "target", where)


def _downloads(part: Path, name: str) -> Any:
    """Returns mtdata's folder of downloads, which keeps them; what is wanted of a .tar is unpacked into ``part``.

    Its list ``kept`` grows by each file that is there. Raises UserError, with the ``name`` of the set, for a file that
    no server gives.
    """
    import mtdata.cache

    class Downloads(mtdata.cache.Cache):
        def __post_init__(self) -> None:
            super().__post_init__()
            self.kept: list[Path] = []

        def download(self, url: str, save_at: Path, timeout: Any = None, entry: Any = None) -> Path:
            try:
                _download(url, save_at, mtdata.cache.headers)
            except NotThere as error:
                raise UserError(f"{name}: can't be fetched ({error}); try again later") from None
            self.kept.append(save_at)
            return save_at

        def get_local_in_paths(self, path: Path, entry: Any) -> list[Any]:
            if tarfile.is_tarfile(path):
                return _unpacked(path, entry.in_paths, part)
            return super().get_local_in_paths(path, entry)  # a .zip is read as it lies

    folder = corpora_folder() / ".downloads" / "mtdata"
    if os.environ.get("MTDATA"):
        folder = mtdata.cache_dir
    return Downloads(folder)


def _download(url: str, path: Path, headers: dict[str, str]) -> None:
    """Brings a file to its place, unless it is there: sets share archives."""
    with one_at_a_time(path, MEND):
        download(Wanted(path, [url], digest=None), headers)


def _unpacked(archive: Path, patterns: Sequence[str], folder: Path) -> list[Path]:
    """Returns the one file that each pattern names in a .tar, unpacked under a name of our own.

    No path of the archive becomes one here, and nothing else is unpacked. Raises UserError for a pattern that names no
    file, or several.
    """
    unpacked = []
    with tarfile.open(archive) as tar:
        members = [member for member in tar if member.isfile()]
        for number, pattern in enumerate(patterns):
            wanted = [member for member in members if _is_path_of(member.name, pattern)]
            if len(wanted) != 1:
                raise UserError(f"{archive}: {len(wanted)} files {pattern} where one is expected")
            [member] = wanted
            ending = PurePosixPath(member.name).name  # which says how it is packed and read
            path = folder / f"{number}-{ending}"
            packed = tar.extractfile(member)
            assert packed
            with open(path, "wb") as file:
                shutil.copyfileobj(packed, file)
            unpacked.append(path)
    return unpacked


def _is_path_of(name: str, pattern: str) -> bool:
    """Whether a pattern names a path: part by part, so that * stands for no slash."""
    parts = PurePosixPath(name).parts
    wanted = PurePosixPath(pattern).parts
    if len(parts) != len(wanted):
        return False
    matches = map(fnmatchcase, parts, wanted)
    return all(matches)


def _write_texts(pairs: Iterator[Pair], part: Path, asked: Asked) -> int:
    """Writes two parallel texts, gzipped where one is large; returns the number of pairs.

    Raises UserError where there is none.
    """
    source_name, target_name = file_names(asked.source_language, asked.target_language)
    source_path = part / f"{source_name}.gz"
    target_path = part / f"{target_name}.gz"
    count = 0
    with _gzipped(source_path) as source, _gzipped(target_path) as target:
        for pair in pairs:
            source_line = f"{pair.source}\n"
            target_line = f"{pair.target}\n"
            source.write(source_line.encode())
            target.write(target_line.encode())
            count += 1
        size = max(source.tell(), target.tell())
    if not count:
        raise UserError(f"{asked.name}: holds no pair; nothing was written")
    if size <= MEGABYTE:  # as the texts of recipes: plain where both are small
        for path in (source_path, target_path):
            text = gzip.decompress(path.read_bytes())
            path.with_suffix("").write_bytes(text)
            path.unlink()
    return count


@contextmanager
def _gzipped(path: Path) -> Iterator[gzip.GzipFile]:
    """Yields a gzipped file to write to, which holds neither a name nor a time: equal text is equal bytes."""
    with open(path, "wb") as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
        yield packed


def _write_source(part: Path, entry: Any, index: Any, asked: Asked, count: int) -> None:
    """Writes where a set comes from, as the index has it."""
    import mtdata

    citation = "% the index names no paper"
    if entry.cite:
        citation = "\n".join(map(index.ref_db.get_bibtex, entry.cite)).strip()
    files = "the file itself"
    if entry.in_paths:
        files = ", ".join(entry.in_paths)
    pair = f"{asked.source_language}-{asked.target_language}"
    lines = [
        f"# {entry.did}",
        "",
        f"- From: {address_of(entry)}",
        f"- Files in it: {files}",
        f"- By: the index and the parsers of mtdata {mtdata.__version__}",
        "- Licence: the index states none; its source does",
        f"- Pairs: {count:,} ({pair}), one a line, those with an empty side included",
        "",
        "## To cite",
        "",
        "```bibtex",
        citation,
        "```",
        "",
    ]
    text = "\n".join(lines)
    (part / "SOURCE.md").write_text(text, encoding="utf-8")


def _put_in_place(part: Path, folder: Path, asked: Asked) -> None:
    """Moves finished texts to where they are read. At no time do texts of two downloads lie there together."""
    folder.mkdir(exist_ok=True)
    for name in file_names(asked.source_language, asked.target_language):
        plain = folder / name
        packed = folder / f"{name}.gz"
        plain.unlink(missing_ok=True)
        packed.unlink(missing_ok=True)
    for path in sorted(part.glob("text.*")):
        os.replace(path, folder / path.name)
    os.replace(part / "SOURCE.md", folder / "SOURCE.md")


def _not_fetched(name: str, error: Exception, folder: Path, downloads: Sequence[Path]) -> UserError:
    """Returns what to raise for an error of the library, of the network or of the disk."""
    if isinstance(error, OSError) and error.errno in (*FULL, *READ_ONLY):
        return not_written(error, folder, MEND)
    reason = reason_of(error)
    if downloads:
        files = " and ".join(str(path) for path in downloads)
        return UserError(f"{name}: can't be read ({reason}); delete {files} to download it again")
    return UserError(f"{name}: can't be fetched ({reason}); nothing of it counts as here")
