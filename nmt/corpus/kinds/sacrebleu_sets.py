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

from nmt.errors import Absent, UserError, for_shell, nearest, not_written
from nmt.locks import one_at_a_time
from nmt.progress import phase

PREFIX = "sacrebleu:"
TIMEOUT = 30.0  # seconds in which a server must answer
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
        command = _command(place, source, target)
        raise Absent(f"{place}: not there; {command} fetches it")
    return files


def fetch_set(place: str, source: str, target: str) -> str:
    """Fetches a test set into sacreBLEU's folder, unless it is there, and returns a line that says where it is.

    Raises UserError where it can't be fetched or written.
    """
    pair = f"{source}-{target}"
    test_set = _set_named(place, pair)
    files = _texts(test_set, place, pair)
    folder = files[0].parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(folder, MEND):
            if not _are_here(files):
                with phase(f"fetching {place}"):
                    _download(test_set, place)
                _unpack(test_set, place)
                _write_texts(test_set, pair, folder, place)
    except OSError as error:
        raise not_written(error, error.filename or folder, MEND) from None
    return f"{folder}: {place}, {pair}, is here"


def _are_here(files: Sequence[Path]) -> bool:
    return all(file.is_file() for file in files)


def _command(place: str, source: str, target: str) -> str:
    """Returns the command that fetches a test set."""
    options = [f"corpus.source_language={source}", f"corpus.target_language={target}"]
    tests = for_shell(f"corpus.tests={{test: '{place}'}}")
    return " ".join(["python -m nmt.data corpus=files", *options, tests])


def _set_named(place: str, pair: str) -> Any:
    """Returns sacreBLEU's record of a test set, a copy whose files lie where SACREBLEU says now.

    Raises UserError for a name that it does not know, and for a pair of languages that the set does not have.
    """
    from sacrebleu.dataset import DATASETS

    name = place.removeprefix(PREFIX)
    if name not in DATASETS:
        of_pair = [known for known, test_set in DATASETS.items() if pair in test_set.langpairs]
        if not of_pair:
            raise UserError(f"{place}: no such test set, and sacreBLEU has none of {pair}")
        raise UserError(f"{place}: no such test set; of {pair}, {nearest(name, of_pair)}")
    if pair not in DATASETS[name].langpairs:
        pairs = ", ".join(sorted(DATASETS[name].langpairs))
        raise UserError(f"{place}: has no {pair}; it has {pairs}")
    folder = Path(os.environ.get("SACREBLEU") or Path.home() / ".sacrebleu") / name
    test_set: Any = copy.copy(DATASETS[name])
    test_set._outdir = str(folder)
    test_set._rawdir = str(folder / "raw")
    test_set.maybe_download = _nothing  # what makes the texts would open connections by itself
    return test_set


def _nothing() -> None:
    """Downloads nothing."""


def _texts(test_set: Any, place: str, pair: str) -> list[Path]:
    """Returns where source and reference lie, there or not. Raises UserError for a set with several references."""
    if hasattr(test_set, "_get_langpair_allowed_refs"):  # whose other fields stand in its downloaded file alone
        references = test_set._get_langpair_allowed_refs(pair)
    else:
        references = [field for field in test_set.fieldnames(pair) if field.startswith("ref")]
    if len(references) != 1:
        raise UserError(
            f"{place}: has {len(references)} references, and nmt scores against one; name a set with one, or give its "
            "files (source, references)"
        )
    return [Path(test_set._get_txt_file_path(pair, field)) for field in ("src", *references)]


def _download(test_set: Any, place: str) -> None:
    """Downloads the files of a set, each checked by the digest that sacreBLEU knows. Raises UserError."""
    import pooch
    from requests import RequestException

    pooch.get_logger().setLevel("WARNING")
    folder = Path(test_set._rawdir)
    digests = test_set.md5 or [None] * len(test_set.data)
    for address, digest in zip(test_set.data, digests, strict=True):
        file = folder / test_set._get_tarball_filename(address)
        known_hash = f"md5:{digest}" if digest else None
        downloader = pooch.HTTPDownloader(timeout=TIMEOUT)
        try:
            pooch.retrieve(address, known_hash, fname=file.name, path=folder, downloader=downloader)
        except RequestException as error:
            reason = type(error).__name__
            if error.response is not None:
                reason = f"status {error.response.status_code}"
            mend = f"try again, or put the file there by hand, as {file}"
            raise UserError(f"{place}: cannot be fetched from {address} ({reason}); {mend}") from None
        except ValueError:  # pooch says so of another digest, and keeps nothing
            raise UserError(
                f"{place}: {address} sends another file than sacreBLEU knows (its MD5 differs); nothing was kept"
            ) from None


def _unpack(test_set: Any, place: str) -> None:
    """Unpacks the archives of a set beside them. Raises UserError for one that can't be read."""
    folder = Path(test_set._rawdir)
    for address in test_set.data:
        archive = folder / test_set._get_tarball_filename(address)
        try:
            if archive.name.endswith((".tar.gz", ".tgz")):
                with tarfile.open(archive) as packed:
                    packed.extractall(folder, filter="data")  # which leads nowhere out of the folder
            elif archive.suffix == ".zip":
                with zipfile.ZipFile(archive) as zipped:
                    zipped.extractall(folder)
        except DAMAGE as error:
            raise UserError(f"{place}: {archive} is damaged ({error}); delete it and fetch again") from None


def _write_texts(test_set: Any, pair: str, folder: Path, place: str) -> None:
    """Makes the texts of a pair of languages, each whole or not at all. Raises UserError."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".begun-") as begun:
        test_set = copy.copy(test_set)
        test_set._outdir = begun
        try:
            test_set.process_to_text(pair)
        except FileNotFoundError as error:
            raise UserError(f"{place}: its archive holds no {error.filename}; delete {test_set._rawdir}") from None
        except OSError:
            raise
        except Exception as error:  # of a parser, or an assertion of sacreBLEU's
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise UserError(f"{place}: {test_set._rawdir} is not as sacreBLEU knows it ({reason}); delete it") from None
        for text in sorted(Path(begun).iterdir()):
            os.replace(text, folder / text.name)
