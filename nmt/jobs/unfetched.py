"""What is said of a corpus of which nothing can be fetched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nmt.corpus.fetching.place import corpora_folder
from nmt.corpus.kinds.corpus import Corpus
from nmt.corpus.kinds.files import FilesOptions
from nmt.corpus.kinds.sacrebleu_sets import is_set
from nmt.corpus.recipes.recipe import RECIPES
from nmt.errors import UserError

LIST = "python -m nmt.data do=list shows all"


def nothing_to_fetch(corpus: Corpus) -> UserError:
    """Returns what to raise for a corpus that neither a recipe nor its kind fetches: why, and what to type instead."""
    start = f"corpus: kind={corpus.kind} has no text to fetch"
    if not isinstance(corpus, FilesOptions):
        return UserError(f"{start}; name a corpus, such as corpus=multi30k_en_de ({LIST})")
    for place in _places_of_recipes(corpus):
        return UserError(f"{place}: {_why_no_text(place.parent.name)}")
    return UserError(
        f"{start}: it reads your own files, which do=inspect looks into and python -m nmt.train trains on; what can be "
        f"fetched has a name, such as corpus=multi30k_en_de ({LIST})"
    )


def _places_of_recipes(corpus: FilesOptions) -> Iterator[Path]:
    """Yields the places of a corpus that lie where recipes write, each in a folder of its own below NMT_DATA."""
    root = corpora_folder().resolve()
    for place in (*corpus.train, corpus.valid, *corpus.tests.values()):
        path = Path(place)
        if place and not is_set(place) and path.resolve().parent.parent == root:
            yield path


def _why_no_text(folder: str) -> str:
    """Returns why no recipe makes a text in a folder of corpora, and the mend."""
    recipe = RECIPES.get(folder)
    if recipe is None:
        known = ", ".join(sorted(RECIPES))
        return f"no recipe has folder={folder}; name the module of your own recipe in NMT_PLUGINS (known: {known})"
    if not recipe.digests:
        return f"the recipe {folder} has digests={{}}; docs/extending.md tells how to find them"
    known = ", ".join(sorted(recipe.digests))
    return f"the recipe {folder} makes no such text (known: {known})"
