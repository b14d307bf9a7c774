"""What a user has already: ``source=`` names a clone, a folder or an archive, or a folder that holds several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from nmt.corpus.fetching.addresses import page_of
from nmt.corpus.fetching.archives import ArchiveSource, is_archive
from nmt.corpus.fetching.sources import CloneSource, FolderSource, git_folder
from nmt.corpus.recipes.recipe import Need, Source
from nmt.errors import Absent, UserError

ENDINGS = (".tar.gz", ".tgz", ".tar", ".zip")


def given_sources(place: Path, needs: Sequence[Need]) -> list[Source]:
    """Returns the source of each need.

    ``place`` is the one repository that all of them need, or a folder that holds each as OWNER+NAME, OWNER/NAME or
    NAME. Raises Absent where one is missing, and UserError for what is no clone, folder or archive.
    """
    if not place.exists():
        raise Absent(f"source={place}: no such file or folder")
    repositories = {need.repository for need in needs}
    sources = []
    for need in needs:
        inner = next(_places_in(place, need), None)
        if inner is None and len(repositories) > 1:
            raise _missing(place, need)
        source = open_source(inner or place, need)
        sources.append(source)
    return sources


def open_source(place: Path, need: Need) -> Source:
    """Opens a clone, a folder or an archive. Raises UserError for another file."""
    for folder in (place, place / "repo"):
        if git_folder(folder):
            return CloneSource(folder, need)
    if place.is_dir():
        return FolderSource(place, need)
    if not place.is_file() or not is_archive(place):
        raise UserError(
            f"source={place}: no archive; a .tar.gz, .tar or .zip of {need.repository}, a folder or a clone is needed"
        )
    return ArchiveSource(place, need)


def _missing(folder: Path, need: Need) -> Absent:
    owner, _, name = need.repository.partition("/")
    return Absent(
        f"source={folder}: no {owner}+{name}, {owner}/{name} or {name} in it; clone {page_of(need.repository)} there "
        f"(commit {need.commit}), for this corpus is made of several repositories"
    )


def _places_in(folder: Path, need: Need) -> Iterator[Path]:
    """Yields where in a folder of several repositories that of a need lies."""
    if not folder.is_dir() or git_folder(folder):
        return
    owner, _, name = need.repository.partition("/")
    commit = f"{name}-{need.commit}"  # as GitHub calls what it packs
    for inner in (f"{owner}+{name}", f"{owner}/{name}", name, commit):
        for ending in ("", *ENDINGS):
            place = folder / f"{inner}{ending}"
            if place.exists():
                yield place
