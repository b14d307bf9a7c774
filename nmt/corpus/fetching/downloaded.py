"""The needs of a recipe, downloaded: each file or archive from the first address that has it."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from types import TracebackType

from nmt.corpus.fetching.addresses import addresses_of_archive, addresses_of_file, page_of
from nmt.corpus.fetching.archives import ArchiveSource
from nmt.corpus.fetching.download import Downloads, NotThere, Patience, Wanted
from nmt.corpus.fetching.sizes import MEGABYTE, in_bytes, most_of
from nmt.corpus.fetching.sources import FolderSource
from nmt.corpus.recipes.recipe import Archive, Need, Recipe, Source
from nmt.errors import Damaged, UserError
from nmt.progress import Progress

log = logging.getLogger("nmt")

SHAPE = "{desc}: {percentage:3.0f}%|{bar}| {n:.1f} of {total:.1f} MB, {remaining} left"


class DownloadedSources:
    """Downloads what a recipe needs into a folder, where it stays until the corpus is whole."""

    def __init__(self, recipe: Recipe, folder: Path, patience: Patience):
        self.recipe = recipe
        self.folder = folder
        self.meter = _Meter(recipe, folder)
        self.downloads = Downloads(patience, self.meter.show)
        # Where each archive may come from yet, where it came from, and what was wrong with those before.
        self.left = {need: addresses_of_archive(need) for need in recipe.needs if isinstance(need, Archive)}
        self.origins: dict[Archive, str] = {}
        self.reasons: list[str] = []

    def __enter__(self) -> DownloadedSources:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.downloads.close()

    def open(self) -> list[Source]:
        """Downloads what is not there yet; returns a source for each need.

        Raises NotThere, Damaged for an archive that is cut short or not to be trusted, and OSError.
        """
        with self.meter.begin():
            for need in self.recipe.needs:
                self._fetch(need)
        sources: list[Source] = []
        for need in self.recipe.needs:
            place = self._place_of(need)
            if isinstance(need, Archive):
                sources.append(ArchiveSource(place, need))
            else:
                sources.append(FolderSource(place, need))
        return sources

    def throw_away(self, damage: Damaged) -> None:
        """Removes the archives, which are not what they should be. Raises UserError where each address was tried."""
        if not self.left:
            raise damage
        self.reasons.append(str(damage))
        for need, addresses in self.left.items():
            self._place_of(need).unlink(missing_ok=True)
            origin = self.origins.get(need)
            if origin:  # else of an earlier try
                tried = addresses.index(origin) + 1
                self.left[need] = addresses[tried:]
            if not self.left[need]:
                raise self._not_there(need)
        log.warning("%s; thrown away, and downloaded from the next address", damage)

    def _fetch(self, need: Need) -> None:
        place = self._place_of(need)
        most = most_of(need.size)
        if isinstance(need, Archive):
            archive = Wanted(place, self.left[need], digest=None, most=most)
            self._fetch_one(need, archive)
            return
        for path, digest in need.digests.items():
            file = Wanted(
                place=place / f"{need.prefix}{path}",
                addresses=addresses_of_file(need, path),
                digest=f"sha256:{digest}",
                most=most,
            )
            self._fetch_one(need, file)

    def _fetch_one(self, need: Need, wanted: Wanted) -> None:
        wanted.place.parent.mkdir(parents=True, exist_ok=True)
        try:
            origin = self.downloads.fetch(wanted)
        except NotThere as error:
            self.reasons.append(str(error))
            raise self._not_there(need) from None
        if isinstance(need, Archive):
            self.origins[need] = origin
        self.meter.next_file()

    def _place_of(self, need: Need) -> Path:
        name = need.repository.replace("/", "+")
        if isinstance(need, Archive):
            return self.folder / f"{name}.tar.gz"
        return self.folder / name

    def _not_there(self, need: Need) -> UserError:
        """Returns what to raise where a need is to be had nowhere: the reasons, and the mend."""
        reasons = "; ".join(self.reasons)
        return UserError(
            f"{self.recipe.folder}: not to be had: {reasons}; if you have {page_of(need.repository)} at {need.commit} "
            "as a clone or an archive, say source=FOLDER"
        )


class _Meter:
    """Shows how much of everything has come."""

    def __init__(self, recipe: Recipe, folder: Path):
        self.recipe = recipe
        self.folder = folder
        self.before = 0  # bytes of the files before this one
        self.current = 0  # bytes of this one
        self.progress: Progress | None = None

    def begin(self) -> Progress:
        """Starts to show, from what is there already."""
        self.before = 0
        self.current = 0
        title = f"downloading {in_bytes(self.recipe.size)}"
        total = self.recipe.size / MEGABYTE
        first = min(_bytes_below(self.folder) / MEGABYTE, total)
        self.progress = Progress(title, "MB", total, first=first, shape=SHAPE)
        return self.progress

    def show(self, count: int) -> None:
        self.current = count
        if self.progress is not None:
            self.progress.update((self.before + count) / MEGABYTE)

    def next_file(self) -> None:
        self.before += self.current
        self.current = 0


def _bytes_below(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            total += os.path.getsize(path)
    return total
