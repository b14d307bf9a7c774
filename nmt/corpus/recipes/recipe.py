"""The contract of a recipe: where a named corpus comes from, and how its text is prepared. One file a recipe.

A recipe says what it needs of public repositories, each at a fixed commit, and makes splits of it. It never opens a
connection or writes a file: `nmt.corpus.fetching` does, for all of them alike. A module named in NMT_PLUGINS may hold
another recipe.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nmt.errors import Damaged, UserError

RECIPES: dict[str, Recipe] = {}  # by folder


@dataclass(frozen=True)
class Files:
    """Single files of a public repository at a fixed commit, fetched one by one."""

    repository: str  # owner/name on GitHub
    commit: str  # 40 hexadecimal digits
    prefix: str  # with which all their paths begin, such as "data/raw/"
    digests: Mapping[str, str]  # SHA-256 of each file as it lies in the repository, by its path after the prefix
    size: int  # bytes of all of them


@dataclass(frozen=True)
class Archive:
    """All files of a repository below a prefix, fetched as the one packed file that its host makes of the commit."""

    repository: str
    commit: str
    prefix: str  # of the paths that are wanted, such as "po/de/"
    size: int  # bytes of the packed file, about: packers differ
    unpacked: int  # bytes of the files that are wanted, at most


Need = Files | Archive


class Source(ABC):
    """The files of one need, wherever they lie: downloaded, in an archive, or in a clone."""

    need: Need

    @abstractmethod
    def read(self, path: str) -> bytes:
        """Returns the content of a file by its path after the prefix. Raises Absent where there is none."""

    @abstractmethod
    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yields the path after the prefix, and the content, of every file of the need, by the bytes of their paths."""

    def place(self, path: str) -> str:
        """Returns how a message names a file: by its repository and its whole path."""
        return f"{self.need.repository}: {self.need.prefix}{path}"


@dataclass(frozen=True)
class Split:
    """Texts whose lines belong together: line i of each is of one sentence pair."""

    name: str  # such as "train"
    texts: Mapping[str, Sequence[str]]  # lines, by what follows the name: "en", "fr", "en-fr.talp"

    def __post_init__(self) -> None:
        """Raises Damaged for texts of which one has more lines than another."""
        counts = {ending: len(lines) for ending, lines in self.texts.items()}
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"{self.name}.{ending} {count:,}" for ending, count in counts.items())
            raise Damaged(f"lines of {listed}: not equal in number, so line i of all is not one sentence pair")


@dataclass(frozen=True, eq=False)
class Recipe:
    """Where one corpus comes from, and how its splits are made."""

    folder: str  # below the folder of all corpora (NMT_DATA)
    title: str
    languages: tuple[str, ...]
    corpora: tuple[str, ...]  # configurations in configs/corpus/ that read it, the usual one first
    pairs: int  # of training text; 0 where there is none
    licence: str  # as its source states it
    citation: str
    treatment: str  # what is done to the text, in sentences
    needs: tuple[Need, ...]
    digests: Mapping[str, str]  # SHA-256 of every text that comes out, by the file's name without .gz
    # Yields the splits, made of one source for each of ``needs``, in their order.
    splits: Callable[[Sequence[Source]], Iterator[Split]]
    measured: str = "en"  # the text whose words SOURCE.md counts for its table of lengths

    @property
    def size(self) -> int:
        """Returns the bytes that are downloaded, about."""
        return sum(need.size for need in self.needs)


def register(recipe: Recipe) -> Recipe:
    """Makes a recipe known by its folder. Raises UserError for one whose fields can't be right."""
    _check(recipe)
    if recipe.folder in RECIPES:
        raise UserError(f"{recipe.folder}: there is a recipe for this folder; name another one")
    RECIPES[recipe.folder] = recipe
    return recipe


def _check(recipe: Recipe) -> None:
    """Raises UserError for a recipe that would write elsewhere than it should, or whose texts could not be checked."""
    place = f"recipe {recipe.folder}"
    for name in (recipe.folder, *recipe.digests):
        is_plain = re.fullmatch(r"\w[\w.+-]*", name)
        if not is_plain or name.endswith(".gz") or name == "SOURCE.md":
            raise UserError(f"{place}: {name!r} can't name its folder or a text; letters, digits and . + - _ can")
    if isinstance(recipe.corpora, str) or not recipe.corpora or not recipe.digests:
        raise UserError(f"{place}: corpora and digests must list a configuration and the texts that come out")
    counts = [recipe.pairs, *[need.size for need in recipe.needs]]
    if not all(isinstance(count, int) for count in counts):
        raise UserError(f"{place}: pairs and sizes must be whole numbers")
    _check_digests(recipe.digests, place)
    for need in recipe.needs:
        if not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", need.repository):
            raise UserError(f"{place}: {need.repository!r} is no repository; OWNER/NAME is needed")
        if not re.fullmatch("[0-9a-f]{40}", need.commit):
            raise UserError(f"{place}: {need.commit!r} is no commit; all 40 digits are needed, since branches move")
        paths = [need.prefix]
        if isinstance(need, Files):
            _check_digests(need.digests, place)
            paths = [f"{need.prefix}{path}" for path in need.digests]
        for path in paths:
            if path.startswith("/") or ".." in path.split("/"):
                raise UserError(f"{place}: {path!r} leads out of {need.repository}")


def _check_digests(digests: Mapping[str, str], place: str) -> None:
    for name, digest in digests.items():
        if not re.fullmatch("[0-9a-f]{64}", digest):
            raise UserError(f"{place}: {digest!r} is no SHA-256 of {name}; 64 digits of 0-9 and a-f are needed")
