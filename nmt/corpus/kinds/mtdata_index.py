"""The index of the library `mtdata`: which parallel corpora it knows of two languages, and where they come from."""

from __future__ import annotations

import bz2
import difflib
import gzip
import importlib
import logging
import lzma
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nmt.errors import UserError
from nmt.locks import one_at_a_time

log = logging.getLogger("nmt")

NEAR = 5  # ids that are named where one is unknown


@dataclass(frozen=True)
class KnownSet:
    """A parallel corpus of the index, which knows no sizes."""

    name: str  # its id, such as Statmt-europarl-10-fra-eng
    version: str
    address: str  # where it is downloaded from


@dataclass(frozen=True)
class Asked:
    """A set that a corpus names, and what is needed to say where that is wrong."""

    name: str  # its id
    option: str  # that names it, such as corpus.valid
    source_language: str
    target_language: str
    list_command: str  # which shows the ids of these languages


def file_names(source_language: str, target_language: str) -> list[str]:
    """Returns the names of the source and the target text of every set, without .gz."""
    return [f"text.{source_language}", f"text.{target_language}"]


def known_sets(source_language: str, target_language: str) -> list[KnownSet]:
    """Returns the sets of a pair of languages, in either direction, by id.

    Raises UserError where mtdata is not installed, and for a language that it does not know.
    """
    with opened_index() as index:
        known = []
        for entry in _entries_of(index, source_language, target_language):
            known.append(KnownSet(str(entry.did), entry.did.version, address_of(entry)))
    return known


def address_of(entry: Any) -> str:
    """Returns where a set of the index is downloaded from, perhaps in two files."""
    return entry.url if isinstance(entry.url, str) else " ".join(entry.url)


@contextmanager
def opened_index() -> Iterator[Any]:
    """Yields the index of mtdata, with all that the library shows of itself kept quiet within the block.

    It logs at the root of all loggers; nmt's own lines do not begin there, and are shown. Raises UserError where it is
    not installed, or has no place for its index.
    """
    root = logging.getLogger()
    handlers = list(root.handlers)
    level = root.level
    root.addFilter(_nothing)
    try:
        index = _index()
        yield index
    finally:
        root.removeFilter(_nothing)
        root.handlers[:] = handlers
        root.setLevel(level)


def entry_of(index: Any, asked: Asked) -> Any:
    """Returns the entry of an id. Raises UserError with the nearest ids where there is none."""
    from mtdata.entry import DatasetId

    try:
        return index[DatasetId.parse(asked.name)]
    except Exception:  # of several kinds, for what is no id
        entries = _entries_of(index, asked.source_language, asked.target_language)
    known = [str(entry.did) for entry in entries]
    near = difflib.get_close_matches(asked.name, known, n=NEAR, cutoff=0.5)
    message = f"{asked.option}: mtdata knows no '{asked.name}'"
    if near:
        message += f"; near it: {', '.join(near)}"
    pair = f"{asked.source_language}-{asked.target_language}"
    raise UserError(f"{message} ({asked.list_command} shows all {len(known)} of {pair})")


def is_turned(entry: Any, asked: Asked) -> bool:
    """Whether a set has the target language first. Raises UserError for one of other languages."""
    source = _tag_of(asked.source_language, "source_language")
    target = _tag_of(asked.target_language, "target_language")
    languages = entry.did.langs
    if _are(languages, source, target):
        return False
    if _are(languages, target, source):
        return True
    theirs = " and ".join(str(language) for language in languages)
    ours = f"{asked.source_language} and {asked.target_language}"
    raise UserError(f"{asked.option}: {asked.name} is of {theirs}, not of {ours}")


def reason_of(error: Exception) -> str:
    """Returns the kind of an error and the first line of what a library says of it."""
    kind = type(error).__name__
    first_line = str(error).strip().partition("\n")[0]
    return f"{kind}: {first_line}" if first_line else kind


def _nothing(record: logging.LogRecord) -> bool:
    return False


def _index() -> Any:
    try:
        import mtdata
        import mtdata.utils
    except ImportError:
        raise UserError("corpus=mtdata needs mtdata; pip install mtdata") from None
    mtdata.pbar_man.enabled = False
    # Where xz and bzip2 are installed it calls them, and takes what a damaged file begins with for all of it.
    mtdata.utils.COMPRESSORS.update({".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open})
    if "mtdata.index" not in sys.modules:
        _load_index(mtdata)
    return importlib.import_module("mtdata.index").INDEX


def _load_index(mtdata: Any) -> None:
    """Loads the index from its file, which is made first where there is none: whole or not at all.

    The file is Python's pickle, which may hold a program. So it lies where the library has it, and not beside corpora,
    which people share.
    """
    file = mtdata.cached_index_file
    try:
        with one_at_a_time(file, "set MTDATA to a folder that can"):
            if file.is_file():
                importlib.import_module("mtdata.index")
                return
            log.info("%s: making the index of mtdata, once (20 seconds, 1 GB of memory)", file)
            with tempfile.TemporaryDirectory(prefix=".part-", dir=file.parent) as folder:
                part = Path(folder) / file.name
                mtdata.cached_index_file = part
                importlib.import_module("mtdata.index")
                os.replace(part, file)
    except UserError:
        raise
    except Exception as error:  # whatever is in the file
        reason = reason_of(error)
        raise UserError(f"{file}: mtdata can't make or read its index ({reason}); delete the file") from None
    finally:
        mtdata.cached_index_file = file


def _entries_of(index: Any, source_language: str, target_language: str) -> list[Any]:
    """Returns what the index holds of a pair of languages, by id."""
    source = _tag_of(source_language, "source_language")
    target = _tag_of(target_language, "target_language")
    entries = {}
    for entry in index.get_entries():
        languages = entry.did.langs
        if _are(languages, source, target) or _are(languages, target, source):
            entries[str(entry.did)] = entry
    return [entries[name] for name in sorted(entries)]


def _tag_of(language: str, option: str) -> Any:
    """Returns a language as mtdata writes it, such as deu for de. Raises UserError for one that it does not know."""
    from mtdata.iso.bcp47 import bcp47

    try:
        return bcp47(language)
    except Exception:  # of several kinds
        mend = "give a code of ISO 639, such as en"
        raise UserError(f"corpus.{option}={language}: no language that mtdata knows; {mend}") from None


def _are(languages: Sequence[Any], first: Any, second: Any) -> bool:
    """Whether languages are these two, in this order. One without a region goes with any region of it."""
    if len(languages) != 2:
        return False
    return languages[0].is_compatible(first) and languages[1].is_compatible(second)
