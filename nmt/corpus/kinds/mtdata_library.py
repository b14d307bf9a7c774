"""The library `mtdata` behind two functions: what its index knows, and a set of it as two parallel texts.

Its index and its parsers serve as they are. Its downloads are replaced: they try again without checking certificates,
and leave a half file where they are cut. Archives are never unpacked whole, and no program unpacks for it, since it
does not hear when one fails.
"""

from __future__ import annotations

import bz2
import difflib
import gzip
import logging
import lzma
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from nmt.corpus.fetching.place import MEGABYTE, corpora_folder
from nmt.corpus.kinds.places import pair_of_texts
from nmt.corpus.pair import Pair
from nmt.errors import FULL, READ_ONLY, UserError, not_written
from nmt.locks import one_at_a_time

log = logging.getLogger("nmt")

NEAR = 5  # ids that are named where one is unknown
PATIENCE = 30  # seconds without an answer, after which a download ends


@dataclass(frozen=True)
class KnownSet:
    """A parallel corpus of the index. Its size is not known before it is fetched."""

    name: str  # its id, such as Statmt-europarl-10-fra-eng
    version: str
    address: str  # where it is downloaded from


@dataclass(frozen=True)
class Languages:
    """The two languages of a corpus, as its options name them."""

    source: str
    target: str

    def file_names(self) -> list[str]:
        """Returns the names of the source and the target text, without .gz."""
        return [f"text.{self.source}", f"text.{self.target}"]

    def tags(self) -> tuple[Any, Any]:
        """Returns both as mtdata writes them, such as eng and deu. Raises UserError for one that it does not know."""
        from mtdata.iso.bcp47 import bcp47

        tags = []
        for option, language in (("source_language", self.source), ("target_language", self.target)):
            try:
                tags.append(bcp47(language))
            except Exception:  # of several kinds
                raise UserError(
                    f"corpus.{option}={language}: no language that mtdata knows; give a code of ISO 639, such as en"
                ) from None
        source, target = tags
        return source, target


def known_sets(languages: Languages) -> list[KnownSet]:
    """Returns the sets of a pair of languages, in either direction, by id. Raises UserError without mtdata."""
    with _library() as index:
        entries = _entries_of(index, languages)
        return [KnownSet(str(entry.did), entry.did.version, _address(entry)) for entry in entries]


def write_set(name: str, option: str, languages: Languages, folder: Path, list_command: str) -> int:
    """Downloads a set and writes its two texts into a folder, whole or not at all; returns the number of pairs.

    Raises UserError where mtdata is not installed, for an id that it does not know or that is of other languages, and
    for a set that can't be downloaded, read or written.
    """
    part = folder.with_name(f".{folder.name}.part")  # of a fetch that was ended, too: nobody else is at work on it
    with _library() as index:
        entry = _entry_of(index, name, option, languages, list_command)
        swapped = _is_swapped(entry, name, option, languages)
        try:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            count = _write_texts(_pairs_of(entry, swapped, part), part, languages)
            if not count:
                raise UserError(f"{name}: holds no pair; nothing was written")
            _write_source(part, entry, index, languages, count)
            _put_in_place(part, folder, languages)
        except UserError:
            raise
        except Exception as error:  # the library raises whatever happens to it
            raise _not_fetched(name, error, folder) from None
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return count


@contextmanager
def _library() -> Iterator[Any]:
    """Yields the index of mtdata, with all that the library shows of itself kept quiet within the block.

    It logs at the root of all loggers; nmt's own lines do not begin there, and are shown. Raises UserError where it is
    not installed or has no place for its index.
    """
    root = logging.getLogger()
    handlers = list(root.handlers)
    level = root.level
    root.addFilter(_nothing)
    try:
        index = _opened_index()
        yield index
    finally:
        root.removeFilter(_nothing)
        root.handlers[:] = handlers
        root.setLevel(level)


def _nothing(record: logging.LogRecord) -> bool:
    return False


def _opened_index() -> Any:
    try:
        import mtdata
        import mtdata.utils
    except ImportError:
        raise UserError("corpus=mtdata needs mtdata; pip install 'nmt-compare[mtdata]'") from None
    mtdata.pbar_man.enabled = False
    # Where xz and bzip2 are installed it calls them, and takes what a damaged file begins with for all of it.
    mtdata.utils.COMPRESSORS.update({".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open})
    if "mtdata.index" not in sys.modules:
        _make_index(mtdata)
    from mtdata.index import INDEX

    return INDEX


def _make_index(mtdata: Any) -> None:
    """Imports the index, and makes its file where there is none: whole or not at all.

    The file is Python's pickle, which may hold a program: so it lies where the library has it, and not beside corpora,
    which people share.
    """
    final = mtdata.cached_index_file
    try:
        with one_at_a_time(final, "set MTDATA to a folder that can"):
            if final.is_file():
                import mtdata.index

                return
            log.info("%s: making the index of mtdata, once (20 seconds)", final)
            with tempfile.TemporaryDirectory(prefix=".part-", dir=final.parent) as aside:
                mtdata.cached_index_file = Path(aside) / final.name
                import mtdata.index

                os.replace(mtdata.cached_index_file, final)
    except UserError:
        raise
    except Exception as error:
        reason = _reason(error)
        raise UserError(f"{final}: mtdata can't make or read its index ({reason}); delete the file") from None
    finally:
        mtdata.cached_index_file = final


def _entries_of(index: Any, languages: Languages) -> list[Any]:
    """Returns what the index holds of a pair of languages, by id."""
    source, target = languages.tags()
    entries = []
    for entry in index.get_entries():
        pair = entry.did.langs
        if len(pair) == 2 and (_matches(pair, source, target) or _matches(pair, target, source)):
            entries.append(entry)
    return sorted(entries, key=lambda entry: str(entry.did))


def _matches(pair: Sequence[Any], first: Any, second: Any) -> bool:
    """Whether a pair is of these two languages, in this order. A language without a region goes with any region."""
    return pair[0].is_compatible(first) and pair[1].is_compatible(second)


def _entry_of(index: Any, name: str, option: str, languages: Languages, list_command: str) -> Any:
    """Returns the entry of an id. Raises UserError with the nearest ones where there is none."""
    from mtdata.entry import DatasetId

    try:
        return index[DatasetId.parse(name)]
    except Exception:  # of several kinds, for what is no id
        known = [str(entry.did) for entry in _entries_of(index, languages)]
    near = difflib.get_close_matches(name, known, n=NEAR, cutoff=0.5)
    pair = f"{languages.source}-{languages.target}"
    hint = f"; near it: {', '.join(near)}" if near else ""
    raise UserError(f"{option}: mtdata knows no '{name}'{hint} ({list_command} shows all {len(known)} of {pair})")


def _is_swapped(entry: Any, name: str, option: str, languages: Languages) -> bool:
    """Whether a set has the target language first. Raises UserError for one of other languages."""
    source, target = languages.tags()
    pair = entry.did.langs
    if len(pair) == 2 and _matches(pair, source, target):
        return False
    if len(pair) == 2 and _matches(pair, target, source):
        return True
    theirs = " and ".join(str(language) for language in pair)
    raise UserError(f"{option}: {name} is of {theirs}, not of {languages.source} and {languages.target}")


def _pairs_of(entry: Any, swapped: bool, part: Path) -> Iterator[Pair]:
    """Yields the pairs of a set in the direction of the corpus, downloaded first where they are not here."""
    from mtdata.parser import Parser

    paths = _downloads(part).get_entry(entry)
    parser = Parser(paths, ext=entry.in_ext or None, ent=entry)
    first, second = (1, 0) if swapped else (0, 1)
    for number, record in enumerate(parser.read_segs(show_pbar=False), 1):
        pair = [*record, None, None]  # nothing is an empty text
        texts = {"source": pair[first], "target": pair[second]}
        yield pair_of_texts(texts, "source", "target", f"{entry.did}, record {number}")


def _downloads(part: Path) -> Any:
    """Returns mtdata's folder of downloads, which keeps them; what is wanted of a .tar is unpacked into ``part``."""
    import mtdata.cache

    class Downloads(mtdata.cache.Cache):
        def download(self, url: str, save_at: Path, timeout: Any = None, entry: Any = None) -> Path:
            return _downloaded(url, save_at, mtdata.cache.headers)

        def get_local_in_paths(self, path: Path, entry: Any) -> list[Any]:
            if not tarfile.is_tarfile(path):
                return super().get_local_in_paths(path, entry)  # a .zip is read as it lies
            return _unpacked(path, entry.in_paths, part)

    if os.environ.get("MTDATA"):
        return Downloads(mtdata.cache_dir)
    return Downloads(corpora_folder() / ".downloads" / "mtdata")


def _downloaded(url: str, path: Path, headers: dict[str, str]) -> Path:
    """Returns the file at an address, downloaded to ``path`` where it is not there: whole or not at all."""
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    is_shown = bool(sys.stderr and sys.stderr.isatty())
    downloader = pooch.HTTPDownloader(progressbar=is_shown, timeout=PATIENCE, headers=headers)
    with one_at_a_time(path):
        if not path.is_file():
            pooch.retrieve(url, known_hash=None, fname=path.name, path=path.parent, downloader=downloader)
    return path


def _unpacked(archive: Path, patterns: Sequence[str], folder: Path) -> list[Path]:
    """Returns the one file that each pattern names in a .tar, unpacked under a name of our own.

    No name of the archive becomes a path, and nothing else is unpacked. Raises UserError for a pattern that names no
    file, or several.
    """
    files: dict[str, list[Path]] = {pattern: [] for pattern in patterns}
    with tarfile.open(archive) as tar:
        for member in tar:
            for number, pattern in enumerate(patterns):
                if not member.isfile() or not _is_path_of(member.name, pattern):
                    continue
                path = folder / f"{number}-{len(files[pattern])}-{PurePosixPath(member.name).name}"
                packed = tar.extractfile(member)
                assert packed
                with open(path, "wb") as file:
                    shutil.copyfileobj(packed, file)
                files[pattern].append(path)
    for pattern, paths in files.items():
        if len(paths) != 1:
            raise UserError(f"{archive}: {len(paths)} files {pattern} where one is expected")
    return [paths[0] for paths in files.values()]


def _is_path_of(name: str, pattern: str) -> bool:
    """Whether a pattern names a path: part by part, so that * stands for no slash."""
    parts = PurePosixPath(name).parts
    wanted = PurePosixPath(pattern).parts
    if len(parts) != len(wanted):
        return False
    return all(fnmatchcase(part, want) for part, want in zip(parts, wanted, strict=True))


def _write_texts(pairs: Iterator[Pair], part: Path, languages: Languages) -> int:
    """Writes two parallel texts, gzipped where one has more than a megabyte; returns the number of pairs."""
    paths = [part / f"{name}.gz" for name in languages.file_names()]
    count = 0
    size = 0  # bytes of the larger text
    with _gzipped(paths[0]) as source, _gzipped(paths[1]) as target:
        for pair in pairs:
            source.write(f"{pair.source}\n".encode())
            target.write(f"{pair.target}\n".encode())
            count += 1
        size = max(source.tell(), target.tell())
    if size <= MEGABYTE:
        for path in paths:
            path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
            path.unlink()
    return count


@contextmanager
def _gzipped(path: Path) -> Iterator[gzip.GzipFile]:
    """Yields a gzipped file to write to, which holds neither a name nor a time: equal text is equal bytes."""
    with open(path, "wb") as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
        yield packed


def _put_in_place(part: Path, folder: Path, languages: Languages) -> None:
    """Moves finished texts to where they are read. At no time do texts of two downloads lie there together."""
    folder.mkdir(exist_ok=True)
    for name in languages.file_names():
        (folder / name).unlink(missing_ok=True)
        (folder / f"{name}.gz").unlink(missing_ok=True)
    for path in sorted(part.glob("text.*")):
        os.replace(path, folder / path.name)
    os.replace(part / "SOURCE.md", folder / "SOURCE.md")


def _write_source(part: Path, entry: Any, index: Any, languages: Languages, count: int) -> None:
    """Writes where a set comes from, as the index has it."""
    import mtdata

    entries = [index.ref_db.get_bibtex(key).strip() for key in entry.cite or ()]
    citation = "\n\n".join(entries) or "The index names no paper."
    lines = [
        f"# {entry.did}",
        "",
        f"- From: {_address(entry)}",
        f"- Files in it: {', '.join(entry.in_paths or ['the file itself'])}",
        f"- By: the index of mtdata {mtdata.__version__}, its parsers",
        "- Licence: the index states none; ask where it comes from",
        f"- Pairs: {count:,} ({languages.source}-{languages.target}), one a line, empty ones included",
        "",
        "## To cite",
        "",
        "```bibtex",
        citation,
        "```",
    ]
    (part / "SOURCE.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _address(entry: Any) -> str:
    return entry.url if isinstance(entry.url, str) else " ".join(entry.url)


def _not_fetched(name: str, error: Exception, folder: Path) -> UserError:
    if isinstance(error, OSError) and error.errno in (*FULL, *READ_ONLY):
        return not_written(error, folder, "set NMT_DATA to a folder that can")
    return UserError(f"{name}: can't be fetched ({_reason(error)}); nothing of it counts as here")


def _reason(error: Exception) -> str:
    """Returns the first line of what a library says, or the kind of its error where it says nothing."""
    kind = type(error).__name__
    first = str(error).strip().partition("\n")[0]
    return f"{kind}: {first}" if first else kind
