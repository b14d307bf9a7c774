"""One corpus brought to its place, from wherever its sources are: whole, or everything stays as it was."""

from __future__ import annotations

import logging
import os
import shutil
import traceback
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from nmt.corpus.fetching.download import Patience
from nmt.corpus.fetching.downloaded import DownloadedSources
from nmt.corpus.fetching.given import given_sources
from nmt.corpus.fetching.lengths import source_md
from nmt.corpus.fetching.place import digest_of_text, faults, files_of, write_texts
from nmt.corpus.fetching.sizes import in_bytes
from nmt.corpus.recipes.recipe import Archive, Recipe, Source
from nmt.errors import Damaged, NotKept, Unreadable, UserError, not_written
from nmt.locks import if_free, one_at_a_time
from nmt.progress import phase
from nmt.swap import name_of_damaged

log = logging.getLogger("nmt")

MEND = "set NMT_DATA to a folder that can be written"
DOWNLOADS = ".downloads"
PARTIAL = ".partial"
ORIGIN = "SOURCE.md"


def fetch(
    recipe: Recipe,
    folder: Path,
    source: str = "",
    files: Collection[str] = (),
    patience: Patience | None = None,
) -> bool:
    """Makes a corpus whole in a folder; returns False where it was, so that nothing was to be done.

    ``source`` is a clone, a folder or an archive to make it from, "" downloads. ``files`` are names that must be there
    as they stand, with or without .gz. Texts that are missing or wrong are made again, and all else in the folder
    stays. Of several processes one works, and the others find it done. Raises UserError.
    """
    if not faults(recipe, folder, files):
        _tidy_if_free(folder)
        return False
    if folder.is_symlink() and not folder.exists():
        raise UserError(f"{folder}: leads to {os.readlink(folder)}, which is not there; make that, or remove the link")
    with one_at_a_time(folder, MEND):
        wrong = faults(recipe, folder, files)
        if not wrong:
            return False
        try:
            _make(recipe, folder, wrong, source, patience or Patience())
        except OSError as error:
            raise not_written(error, error.filename or folder, MEND) from None
    return True


def _make(recipe: Recipe, folder: Path, wrong: dict[str, str], source: str, patience: Patience) -> None:
    """Makes all texts aside, and then puts those that were missing or wrong into the folder. Raises OSError."""
    with _empty_folder(_aside(folder)) as work:
        if source:
            _write(recipe, given_sources(Path(source), recipe.needs), work)
        else:
            _download(recipe, work, _downloads(folder), patience)
        if os.path.lexists(folder):
            _mend(recipe, folder, work, wrong)
        else:
            os.replace(work, folder)
    _tidy(folder)


def _aside(folder: Path) -> Path:
    """Returns where texts are made: on the disk of the folder, which may be a link to another one."""
    if os.path.lexists(folder):
        return folder / PARTIAL
    return folder.with_name(f".{folder.name}{PARTIAL}")


def _downloads(folder: Path) -> Path:
    return folder.parent / DOWNLOADS / folder.name


def _left_over(folder: Path) -> list[Path]:
    """Returns what is beside or in the folder of a whole corpus since a process was killed."""
    places = (folder / PARTIAL, folder.with_name(f".{folder.name}{PARTIAL}"), _downloads(folder))
    return [place for place in places if os.path.lexists(place)]


def _tidy_if_free(folder: Path) -> None:
    """Removes what a killed process left of a corpus that is whole, unless another process is at it."""
    if not _left_over(folder):
        return
    with suppress(OSError), if_free(folder) as is_free:  # a folder that can't be written is as good
        if is_free:
            _tidy(folder)


def _tidy(folder: Path) -> None:
    for place in _left_over(folder):
        _remove(place)
    with suppress(OSError):  # of other corpora there are some
        _downloads(folder).parent.rmdir()


def _remove(place: Path) -> None:
    """Removes a folder with all that is in it, or a file or link of this name, as far as that can be."""
    shutil.rmtree(place, ignore_errors=True)
    with suppress(OSError):
        place.unlink()


@contextmanager
def _empty_folder(place: Path) -> Iterator[Path]:
    """Yields a folder that is removed afterwards, unless it was moved, as is what a killed process left there."""
    _remove(place)
    place.mkdir(parents=True)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _download(recipe: Recipe, work: Path, downloads: Path, patience: Patience) -> None:
    """Makes the texts of what is downloaded. Where an archive is not what it should be, the next address is tried."""
    repositories = dict.fromkeys(need.repository for need in recipe.needs)
    log.info("%s: downloading %s of %s", recipe.folder, in_bytes(recipe.size), ", ".join(repositories))
    if not downloads.is_dir():
        _remove(downloads)
    with DownloadedSources(recipe, downloads, patience) as downloaded:
        while True:
            try:
                sources = downloaded.open()
                _write_downloaded(recipe, sources, work)
                return
            except Damaged as damage:
                downloaded.throw_away(damage)
                for path in work.iterdir():
                    path.unlink()


def _write_downloaded(recipe: Recipe, sources: Sequence[Source], work: Path) -> None:
    """Writes the texts. Raises Damaged whatever is wrong with what was downloaded, so that an archive is not kept."""
    try:
        _write(recipe, sources, work)
    except (Unreadable, NotKept):  # a fault of the disk
        raise
    except UserError as error:
        raise Damaged(str(error)) from error


def _write(recipe: Recipe, sources: Sequence[Source], work: Path) -> None:
    """Writes the texts and SOURCE.md. Raises Damaged where an archive does not hold what the recipe reads, and
    UserError for a recipe that fails.
    """
    with phase(f"preparing {recipe.title}"):
        try:
            lengths = write_texts(recipe, sources, work)
        except (UserError, OSError, MemoryError):
            raise
        except Exception as error:
            words, _, _ = str(error).partition("\n")
            reason = f"{type(error).__name__}: {words}"
            if any(isinstance(need, Archive) for need in recipe.needs):
                raise Damaged(f"{recipe.folder}: its source is not what the recipe reads ({reason})") from error
            place = _place_in(recipe, error)  # every file was checked, so the recipe is wrong
            raise UserError(f"{place}: the recipe of {recipe.folder} fails ({reason})") from error
    (work / ORIGIN).write_text(source_md(recipe, lengths), encoding="utf-8")


def _place_in(recipe: Recipe, error: Exception) -> str:
    """Returns the file of a recipe, and the line in it from which an error came, if it came from there."""
    code = getattr(recipe.splits, "__code__", None)
    if code is None:
        return recipe.folder
    place: str = code.co_filename
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == place]
    if not lines:
        return place
    return f"{place}, line {lines[-1]}"


def _mend(recipe: Recipe, folder: Path, work: Path, wrong: dict[str, str]) -> None:
    """Moves texts into a folder, by name. One that has other bytes is kept under another name: it may be somebody's."""
    for name, reason in wrong.items():
        for new in files_of(work, name):
            place = folder / new.name
            kept = ""
            if place.is_file() and digest_of_text(place) == recipe.digests[name]:
                continue  # it is only its other packing that was missing
            if os.path.lexists(place):
                aside = name_of_damaged(place)
                os.replace(place, aside)
                kept = f"; the one before is kept as {aside.name}"
            os.replace(new, place)
            log.warning("%s: was %s; made again%s", place, reason, kept)
    if not os.path.lexists(folder / ORIGIN):
        os.replace(work / ORIGIN, folder / ORIGIN)
