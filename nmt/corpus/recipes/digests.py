"""The digests of what a recipe makes: what a new recipe must state, and what a test compares."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from nmt.corpus.recipes.recipe import Recipe, Source


def digests_of_texts(recipe: Recipe, sources: Sequence[Source]) -> dict[str, str]:
    """Returns the SHA-256 of every text that a recipe makes of these sources, by the name of its file without .gz."""
    digests = {}
    for split in recipe.splits(sources):
        for name, content in split.contents().items():
            digest = hashlib.sha256(content)
            digests[name] = digest.hexdigest()
    return digests
