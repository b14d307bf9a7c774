"""Where prepared corpora lie, and how a recipe's text is written there."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from nmt.corpus.recipes.recipe import RECIPES, Recipe, Source, Split
from nmt.errors import Damaged

MEGABYTE = 1_000_000  # bytes of a text, above which all texts of its split are gzipped


def corpora_folder() -> Path:
    """Returns the folder of all corpora: that of NMT_DATA, or data/corpora."""
    return Path(os.environ.get("NMT_DATA") or "data/corpora")


def file_of(folder: Path, name: str) -> Path | None:
    """Returns the file of a text, which may be gzipped; None where it is not there."""
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    return None


def is_here(recipe: Recipe, root: Path) -> bool:
    """Whether every text of a corpus lies where it is read."""
    folder = root / recipe.folder
    return all(file_of(folder, name) for name in recipe.digests)


def write_texts(recipe: Recipe, sources: Sequence[Source], folder: Path) -> None:
    """Writes every text of a recipe into a folder. Raises Damaged for one that is not what the recipe knows."""
    for split in recipe.splits(sources):
        write_split(split, folder, recipe)


def write_split(split: Split, folder: Path, recipe: Recipe) -> None:
    contents: dict[str, bytes] = {}
    for ending, lines in split.texts.items():
        text = "".join(f"{line}\n" for line in lines)
        contents[f"{split.name}.{ending}"] = text.encode("utf-8")
    is_large = any(len(content) > MEGABYTE for content in contents.values())
    for name, content in contents.items():
        digest = hashlib.sha256(content).hexdigest()
        if digest != recipe.digests[name]:
            raise Damaged(f"{name}: not the text of this corpus (SHA-256 {digest}, not {recipe.digests[name]})")
        if is_large:
            packed = gzip.compress(content, mtime=0)
            (folder / f"{name}.gz").write_bytes(packed)
        else:
            (folder / name).write_bytes(content)


def recipe_of(path: Path) -> Recipe | None:
    """Returns the recipe that makes a file; None where no recipe does."""
    recipe = RECIPES.get(path.parent.name)
    name = path.name.removesuffix(".gz")
    return recipe if recipe and name in recipe.digests else None
