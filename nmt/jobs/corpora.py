"""Fetching the corpora that have a recipe."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from nmt.corpus.fetching.fetch import fetch
from nmt.corpus.fetching.place import corpora_folder, digest_of_text, files_of, real, recipe_of
from nmt.corpus.kinds.corpus import Corpus
from nmt.corpus.recipes.recipe import Recipe
from nmt.errors import UserError
from nmt.jobs.unfetched import nothing_to_fetch
from nmt.schemas import DataConfig

log = logging.getLogger("nmt")


def fetch_corpora(config: DataConfig) -> None:
    """Fetches every corpus with a recipe that a configuration reads, and what its kind fetches itself.

    Raises UserError where there is nothing to fetch.
    """
    corpus = config.corpus
    texts = list(texts_of(corpus))
    lines = corpus.fetch()  # first: a misspelt name is told before hundreds of megabytes are downloaded
    for line in lines:
        log.info("%s", line)
    if not texts and not lines:
        raise nothing_to_fetch(corpus)
    for recipe, folder in folders_of(texts):
        files = [path.name for text, path in texts if text is recipe and path.parent == folder]
        state = "is here already"
        if fetch(recipe, folder, config.source, files):
            state = "is here now"
        log.info("%s: %s %s%s", folder, recipe.title, state, _pairs(recipe))
        for name in files:
            _check_name_of(folder / name, recipe)


def folders_of(texts: Sequence[tuple[Recipe, Path]]) -> list[tuple[Recipe, Path]]:
    """Returns each recipe whose texts are read, once, with the folder in which they are.

    Raises UserError where that is not below the folder of all corpora and has not the text either: what lies elsewhere
    is the user's own. A link among the folders of all corpora may lead to another disk.
    """
    root = real(corpora_folder())
    folders = []
    elsewhere: dict[Path, None] = {}  # in order, each once
    for recipe, path in texts:
        if real(path.parent).is_relative_to(root):
            folders.append((recipe, path.parent))
        elif path.is_file():
            elsewhere[path.parent] = None
        elif real(path.parent.parent).is_relative_to(root):
            folders.append((recipe, path.parent))
        else:
            raise UserError(
                f"{path}: not there, and corpora are fetched to {corpora_folder()}; set NMT_DATA={path.parent.parent}, "
                "or name the file there"
            )
    fetched = [folder for _, folder in folders]
    for folder in elsewhere:
        if folder in fetched:
            continue
        log.info("%s: not below %s, so it is taken as it is", folder, corpora_folder())
    return list(dict.fromkeys(folders))


def texts_of(corpus: Corpus) -> Iterator[tuple[Recipe, Path]]:
    """Yields every text that a corpus reads and a recipe makes, with its file."""
    for split in corpus.splits():
        for path in corpus.files_of(split):
            recipe = recipe_of(path)
            if recipe:
                yield recipe, path


def _check_name_of(path: Path, recipe: Recipe) -> None:
    """Raises UserError where a text is here under another name alone, with or without .gz, or is right only there."""
    name = path.name.removesuffix(".gz")
    there = files_of(path.parent, name)
    others = [other for other in there if other != path]
    if not others:
        return
    [other] = others
    if path not in there:
        raise UserError(f"{path}: the corpus has this text as {other.name}; name that in the configuration")
    if digest_of_text(path) != recipe.digests[name]:
        raise UserError(f"{path}: not the text of this corpus, which lies beside it as {other.name}; move it away")


def _pairs(recipe: Recipe) -> str:
    return f", {recipe.pairs:,} training pairs" if recipe.pairs else ""
