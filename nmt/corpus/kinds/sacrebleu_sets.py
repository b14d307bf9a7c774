"""Test sets by the names that sacreBLEU gives them, in the folder where sacreBLEU itself keeps them.

A place of text such as ``sacrebleu:wmt14`` stands for source and reference of that set in the direction of the corpus.
Reading never opens a connection; `fetch_set` does. Post 2018, "A Call for Clarity in Reporting BLEU Scores".
"""

from __future__ import annotations

import copy
import gzip
import os
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nmt.corpus.fetching.download import NotThere, Wanted, download
from nmt.errors import Absent, UserError, for_shell, nearest, not_written
from nmt.locks import one_at_a_time

PREFIX = "sacrebleu:"
DAMAGE = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError)  # what archives raise
MEND = "name another folder in the environment variable SACREBLEU"


def is_set(place: str) -> bool:
    """Whether a place of text is a test set by sacreBLEU's name."""
    return place.startswith(PREFIX)


def files_of_set(place: str, source: str, target: str) -> list[Path]:
    """Returns the files of source and reference, translated from language ``source`` into ``target``.

    Raises Absent, with the command that fetches them, where they are not there, and UserError for a set that sacreBLEU
    does not have in this direction, or has with several references.
    """
    pair = f"{source}-{target}"
    files = _texts(_set_named(place, pair), place, pair)
    if not _are_here(files):
        tests = for_shell(f"corpus.tests={{test: '{place}'}}")
        raise Absent(
            f"{place}: not there; python -m nmt.data corpus=files corpus.source_language={source} "
            f"corpus.target_language={target} {tests} fetches it"
        )
    return files


def fetch_set(place: str, source: str, target: str) -> str:
    """Fetches a test set into sacreBLEU's folder, unless it is there, and returns a line that says where it is.

    Raises UserError where it can't be fetched or written.
    """
    pair = f"{source}-{target}"
    test_set = _set_named(place, pair)
    files = _texts(test_set, place, pair)
    folder = Path(test_set._outdir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(folder, MEND):
            if not _are_here(files):
                _download(test_set, place)
                _unpack(test_set, place)
                _write_texts(test_set, place, pair)
    except OSError as error:
        raise not_written(error, error.filename or folder, MEND) from None
    return f"{folder}: {place}, {pair}, is here"


def _are_here(files: Sequence[Path]) -> bool:
    return all(file.is_file() for file in files)


def _set_named(place: str, pair: str) -> Any:
    """Returns sacreBLEU's record of a test set, a copy whose files lie where SACREBLEU says now.

    Raises UserError for a name that it does not know, and for a pair of languages that the set does not have.
    """
    from sacrebleu.dataset import DATASETS

    name = place.removeprefix(PREFIX)
    known = DATASETS.get(name)
    if known is None:
        names = [other for other, test_set in DATASETS.items() if pair in test_set.langpairs]
        if not names:
            raise UserError(f"{place}: no such test set, and sacreBLEU has none of {pair}")
        raise UserError(f"{place}: no such test set; of {pair}, {nearest(name, names)}")
    if pair not in known.langpairs:
        pairs = ", ".join(sorted(known.langpairs))
        raise UserError(f"{place}: has no {pair}; it has {pairs}")
    test_set: Any = copy.copy(known)
    test_set._outdir = os.path.join(_folder_of_sets(), name)
    test_set._rawdir = os.path.join(test_set._outdir, "raw")
    test_set.maybe_download = _nothing  # what makes the texts would open connections by itself
    return test_set


def _folder_of_sets() -> str:
    """Returns the folder in which sacreBLEU keeps its test sets."""
    named = os.environ.get("SACREBLEU")
    if named:
        return named
    return os.path.expanduser("~/.sacrebleu")


def _nothing() -> None:
    """Downloads nothing."""


def _texts(test_set: Any, place: str, pair: str) -> list[Path]:
    """Returns where source and reference lie, there or not. Raises UserError for a set with several references."""
    if hasattr(test_set, "_get_langpair_allowed_refs"):  # whose other fields stand in its downloaded file alone
        references = test_set._get_langpair_allowed_refs(pair)
    else:
        names = test_set.fieldnames(pair)
        references = [name for name in names if name.startswith("ref")]
    if len(references) != 1:
        raise UserError(
            f"{place}: has {len(references)} references, and nmt scores against one; name a set with one, or give its "
            "files (source, references)"
        )
    source = test_set._get_txt_file_path(pair, "src")
    reference = test_set._get_txt_file_path(pair, references[0])
    return [Path(source), Path(reference)]


def _download(test_set: Any, place: str) -> None:
    """Downloads the files of a set that are not there with the MD5 that sacreBLEU knows. Raises UserError."""
    for address, digest in zip(test_set.data, test_set.md5, strict=True):
        file = _downloaded(test_set, address)
        try:
            download(Wanted(file, [address], digest=f"md5:{digest}"))
        except NotThere as error:
            mend = f"try again, or put the file there by hand, as {file}"
            raise UserError(f"{place}: cannot be fetched ({error}); {mend}") from None


def _downloaded(test_set: Any, address: str) -> Path:
    """Returns where the file of an address lies once it is downloaded."""
    return Path(test_set._rawdir, test_set._get_tarball_filename(address))


def _unpack(test_set: Any, place: str) -> None:
    """Unpacks the archives of a set beside them. Raises UserError for one that can't be read."""
    for address in test_set.data:
        archive = _downloaded(test_set, address)
        try:
            if archive.name.endswith((".tar.gz", ".tgz")):
                with tarfile.open(archive) as packed:
                    packed.extractall(archive.parent, filter="data")  # which leads nowhere out of the folder
            elif archive.suffix == ".zip":
                with zipfile.ZipFile(archive) as zipped:
                    zipped.extractall(archive.parent)
        except DAMAGE as error:
            reason = str(error).partition("\n")[0].rstrip(":")
            raise UserError(f"{place}: {archive} is damaged ({reason}); delete it and fetch again") from None


def _write_texts(test_set: Any, place: str, pair: str) -> None:
    """Makes the texts of a pair of languages, each whole or not at all. Raises UserError."""
    folder = test_set._outdir
    with tempfile.TemporaryDirectory(dir=folder, prefix=".begun-") as begun:
        maker = copy.copy(test_set)
        maker._outdir = begun
        try:
            maker.process_to_text(pair)
        except FileNotFoundError as error:
            raise UserError(f"{place}: its archive holds no {error.filename}; delete {maker._rawdir}") from None
        except OSError:
            raise
        except Exception as error:  # of a parser, or an assertion of sacreBLEU's
            reason = str(error).partition("\n")[0]
            kind = type(error).__name__
            raise UserError(
                f"{place}: {maker._rawdir} is not as sacreBLEU knows it ({kind}: {reason}); delete it, and fetch again"
            ) from None
        for name in sorted(os.listdir(begun)):  # the source comes last
            os.replace(os.path.join(begun, name), os.path.join(folder, name))
