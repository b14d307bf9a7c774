"""One corpus brought to its place, from wherever its sources are: whole, or everything stays as it was."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from nmt.corpus.fetching.download import Patience
from nmt.corpus.fetching.downloaded import DownloadedSources
from nmt.corpus.fetching.given import given_sources
from nmt.corpus.fetching.lengths import source_md
from nmt.corpus.fetching.place import MEND, faults, files_of, write_texts
from nmt.corpus.fetching.sizes import in_bytes
from nmt.corpus.recipes.recipe import Archive, Recipe, Source
from nmt.errors import Damaged, UserError, not_written
from nmt.locks import one_at_a_time
from nmt.progress import phase
from nmt.swap import name_of_damaged

log = logging.getLogger("nmt")

DOWNLOADS = ".downloads"
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
        return False
    with one_at_a_time(folder, MEND):
        wrong = faults(recipe, folder, files)
        if not wrong:
            return False
        downloads = folder.parent / DOWNLOADS / folder.name
        try:
            _make(recipe, folder, wrong, source, downloads, patience or Patience())
        except OSError as error:
            raise not_written(error, error.filename or folder, MEND) from None
    return True


def _make(
    recipe: Recipe, folder: Path, wrong: dict[str, str], source: str, downloads: Path, patience: Patience
) -> None:
    """Makes all texts aside, and then puts those that were missing or wrong into the folder. Raises OSError."""
    with _empty_folder(folder.with_name(f".{folder.name}.partial")) as work:
        if source:
            _write(recipe, given_sources(Path(source), recipe.needs), work)
        else:
            _download(recipe, work, downloads, patience)
        if os.path.lexists(folder):
            _mend(folder, work, wrong)
        else:
            os.replace(work, folder)
    shutil.rmtree(downloads, ignore_errors=True)
    with suppress(OSError):  # of other corpora there are some
        downloads.parent.rmdir()


@contextmanager
def _empty_folder(place: Path) -> Iterator[Path]:
    """Yields a folder that is removed afterwards, unless it was moved, as is what a killed process left there."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _download(recipe: Recipe, work: Path, downloads: Path, patience: Patience) -> None:
    """Makes the texts of what is downloaded. Where an archive is not what it should be, the next address is tried."""
    repositories = dict.fromkeys(need.repository for need in recipe.needs)
    log.info("%s: downloading %s of %s", recipe.folder, in_bytes(recipe.size), ", ".join(repositories))
    with DownloadedSources(recipe, downloads, patience) as downloaded:
        while True:
            try:
                sources = downloaded.open()
                _write(recipe, sources, work)
                return
            except Damaged as damage:
                downloaded.throw_away(damage)
                for path in work.iterdir():
                    path.unlink()


def _write(recipe: Recipe, sources: Sequence[Source], work: Path) -> None:
    """Writes the texts and SOURCE.md. Raises Damaged where an archive does not hold what the recipe reads."""
    with phase(f"preparing {recipe.title}"):
        try:
            lengths = write_texts(recipe, sources, work)
        except (UserError, OSError, MemoryError):
            raise
        except Exception as error:
            if not any(isinstance(need, Archive) for need in recipe.needs):
                raise  # every file was checked, so the recipe is wrong
            reason = str(error).partition("\n")[0]
            raise Damaged(
                f"{recipe.folder}: its source is not what the recipe reads ({type(error).__name__}: {reason})"
            ) from error
    (work / ORIGIN).write_text(source_md(recipe, lengths), encoding="utf-8")


def _mend(folder: Path, work: Path, wrong: dict[str, str]) -> None:
    """Moves texts into a folder, by name. One that has other bytes is kept under another name: it may be somebody's."""
    for name, reason in wrong.items():
        for new in files_of(work, name):
            place = folder / new.name
            kept = ""
            if os.path.lexists(place):
                aside = name_of_damaged(place)
                os.replace(place, aside)
                kept = f"; the one before is kept as {aside.name}"
            os.replace(new, place)
            log.warning("%s: was %s; made again%s", place, reason, kept)
    if not os.path.lexists(folder / ORIGIN):
        os.replace(work / ORIGIN, folder / ORIGIN)
