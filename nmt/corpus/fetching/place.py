"""Where prepared corpora lie, what is there, and how a recipe's texts are written."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Collection, Sequence
from pathlib import Path

from nmt.corpus.fetching.lengths import Lengths, lengths_of
from nmt.corpus.fetching.sizes import MEGABYTE
from nmt.corpus.recipes.recipe import RECIPES, Recipe, Source, Split
from nmt.errors import Damaged, not_read

BLOCK = 1 << 20  # bytes that are hashed at a time


def corpora_folder() -> Path:
    """Returns the folder of all corpora: that of NMT_DATA, or data/corpora."""
    return Path(os.environ.get("NMT_DATA") or "data/corpora")


def real(folder: Path) -> Path:
    """Returns where a folder lies, whatever links lead to it; of links that lead in a circle, one of them."""
    return Path(os.path.realpath(folder))


def recipe_of(path: Path) -> Recipe | None:
    """Returns the recipe that makes a file; None where no recipe does."""
    recipe = RECIPES.get(path.parent.name)
    if recipe is None:
        return None
    name = path.name.removesuffix(".gz")
    if name not in recipe.digests:
        return None
    return recipe


def file_of(folder: Path, name: str) -> Path | None:
    """Returns the file of a text, which may be gzipped; None where it is not there."""
    for path in files_of(folder, name):
        return path
    return None


def files_of(folder: Path, name: str) -> list[Path]:
    """Returns the files of a text that are there: plain, gzipped, or both."""
    files = []
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            files.append(path)
    return files


def is_here(recipe: Recipe, root: Path) -> bool:
    """Whether every text of a corpus lies where it is read."""
    folder = root / recipe.folder
    return all(file_of(folder, name) for name in recipe.digests)


def faults(recipe: Recipe, folder: Path, files: Collection[str] = ()) -> dict[str, str]:
    """Returns what is wrong with each text of a corpus that is not as its recipe makes it; empty where all are whole.

    ``files`` are names that must be there as they stand, with or without .gz.
    """
    wrong = {}
    for name, digest in recipe.digests.items():
        fault = _fault(folder, name, digest)
        for needed in (name, f"{name}.gz"):
            is_there = (folder / needed).is_file()
            if needed in files and not is_there:
                fault = fault or f"not there as {needed}"
        if fault:
            wrong[name] = fault
    return wrong


def _fault(folder: Path, name: str, known: str) -> str:
    """Returns what is wrong with a text, whichever way it is packed; "" where it has the digest that is known."""
    fault = "not there"
    for path in files_of(folder, name):
        digest = digest_of_text(path)
        if digest == known:
            return ""
        fault = f"not the text of this corpus (SHA-256 {digest}, not {known})"
    return fault


def digest_of_text(path: Path) -> str:
    """Returns the SHA-256 of a text, unpacked; or that it can't be unpacked. Raises Unreadable."""
    digest = hashlib.sha256()
    open_packed = gzip.open if path.suffix == ".gz" else open
    try:
        with open_packed(path, "rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return "none: can't be unpacked"
    except OSError as error:
        raise not_read(error, path) from None
    return digest.hexdigest()


def write_texts(recipe: Recipe, sources: Sequence[Source], folder: Path) -> list[Lengths]:
    """Writes every text of a recipe into a folder; returns how long the lines of each split are.

    Raises Damaged for a text that is not what the recipe knows, or is missing, and OSError.
    """
    lengths = []
    for split in recipe.splits(sources):
        write_split(split, folder, recipe)
        lengths.append(lengths_of(split, recipe.measured))
    for name in recipe.digests:
        if not file_of(folder, name):
            raise Damaged(f"{recipe.folder}: the recipe knows {name}, which did not come out of its source")
    return lengths


def write_split(split: Split, folder: Path, recipe: Recipe) -> None:
    """Writes the texts of a split, all of them gzipped where one is large. Raises Damaged for another text."""
    _check_counts(split, recipe)
    contents = {}
    for ending, lines in split.texts.items():
        name = f"{split.name}.{ending}"
        text = "".join(f"{line}\n" for line in lines)
        contents[name] = text.encode("utf-8")
        if text.count("\n") > len(lines):
            raise Damaged(f"{recipe.folder}/{name}: the recipe makes a line with a line end in it")
        _check_digest(name, contents[name], recipe)
    largest = max(len(content) for content in contents.values())
    for name, content in contents.items():
        place = folder / name
        if largest > MEGABYTE:
            place = folder / f"{name}.gz"
            content = gzip.compress(content, mtime=0)
        place.write_bytes(content)


def _check_counts(split: Split, recipe: Recipe) -> None:
    """Raises Damaged where the texts of a split have unequal numbers of lines."""
    counts = {ending: len(lines) for ending, lines in split.texts.items()}
    is_parallel = len(set(counts.values())) == 1
    if not is_parallel:
        place = f"{recipe.folder}/{split.name}"
        raise Damaged(f"{place}: has texts of {counts} lines, where line i of each is one pair")


def _check_digest(name: str, content: bytes, recipe: Recipe) -> None:
    """Raises Damaged for a text that is not what the recipe knows."""
    digest = hashlib.sha256(content).hexdigest()
    place = f"{recipe.folder}/{name}"
    if name not in recipe.digests:
        raise Damaged(f"{place}: the recipe makes this text and does not name it in its digests (SHA-256 {digest})")
    known = recipe.digests[name]
    if digest != known:
        raise Damaged(
            f"{place}: not the text of this corpus (SHA-256 {digest}, not {known}), so nothing made "
            "with it could be compared; its source was another one, or is damaged"
        )
