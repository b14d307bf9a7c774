"""Small repositories in memory, from which a recipe makes its splits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import nmt.corpus.recipes  # noqa: F401  registers all of them
from nmt.corpus.recipes.recipe import RECIPES, Need, Source, Split
from nmt.errors import Absent


class MemorySource(Source):
    """Files of a need, by their path after its prefix."""

    def __init__(self, need: Need, contents: Mapping[str, bytes]):
        self.need = need
        self.contents = contents

    def read(self, path: str) -> bytes:
        if path not in self.contents:
            raise Absent(f"{self.place(path)}: no such file")
        return self.contents[path]

    def files(self) -> Iterator[tuple[str, bytes]]:
        for path in sorted(self.contents, key=str.encode):
            yield path, self.contents[path]


def splits_of(folder: str, *repositories: Mapping[str, bytes]) -> dict[str, Split]:
    """Returns the splits that a recipe makes of small repositories, one for each of its needs, by name."""
    recipe = RECIPES[folder]
    sources = [MemorySource(need, contents) for need, contents in zip(recipe.needs, repositories, strict=True)]
    return {split.name: split for split in recipe.splits(sources)}


def texts_of(split: Split) -> dict[str, list[str]]:
    return {ending: list(lines) for ending, lines in split.texts.items()}


def pairs_of(split: Split) -> list[tuple[str, ...]]:
    return list(zip(*split.texts.values(), strict=True))


def text(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
