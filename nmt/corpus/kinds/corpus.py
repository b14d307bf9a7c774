"""The contract of a kind of corpus. The registry: adding a kind is one class in one file.

The options of a kind are the corpus: an object that says which text is meant also reads it. A module named in
NMT_PLUGINS may hold another kind.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from nmt.corpus.pair import Pair
from nmt.corpus.subwords.tokenizer import Tokenizer
from nmt.errors import UserError

CORPUS_OPTIONS: dict[str, type[Corpus]] = {}  # by the name of the kind


@dataclass(frozen=True)
class Place:
    """Training text that a stream mixes with that of other places."""

    weight: float  # how much of it is read, beside the weights of the others
    read: Callable[[int], Iterator[Pair]]  # its pairs from a number on, counted from 0


@dataclass
class Corpus(ABC):
    """The options of one kind of corpus, valid once they are made, and the sentence pairs that they stand for.

    A subclass is a dataclass with a ``kind`` of its own, which is its name in configurations.
    """

    kind: str = ""
    source_language: str = "en"
    target_language: str = "de"

    # Options that are places, which may be relative.
    PATHS: ClassVar[frozenset[str]] = frozenset()
    # Options of the test sets alone, which a trained run may change.
    OF_TESTS: ClassVar[frozenset[str]] = frozenset()
    # Whether each source has one right target, so that a wrong word in an output is one that was not held in memory.
    measures_capacity: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        kind = cls.__dict__.get("kind")
        if kind:
            CORPUS_OPTIONS[kind] = cls

    @abstractmethod
    def test_names(self) -> list[str]:
        """Returns the names of the test sets, each fit to name a folder."""

    def splits(self) -> list[str]:
        """Returns the names of all splits that there are: ``train``, ``valid``, and the test sets."""
        return ["train", "valid", *self.test_names()]

    @abstractmethod
    def read(self, split: str, first: int = 0) -> Iterator[Pair]:
        """Yields the pairs of ``train``, ``valid`` or a named test set, in their order, from number ``first`` on.

        Raises UserError for a split that is not there, and for text that can't be read.
        """

    @abstractmethod
    def fingerprint(self, split: str) -> str:
        """Returns what stands for the content of a split: it changes whenever a pair does.

        Caches are named by it, and a run goes on only where it is what the run began with.
        """

    def look_into(self, split: str) -> None:
        """Reads the beginning of a split, in little time, whatever its size.

        Raises UserError for a split that is not there, and for a beginning that can't be read.
        """
        next(self.read(split), None)

    def knows_links(self, split: str) -> bool:
        """Whether the pairs of a split come with their word links."""
        return False

    @property
    def needs_stream(self) -> bool:
        """Whether the training text is mixed by weights, which only a stream does."""
        return False

    def mixture(self) -> list[Place]:
        """Returns the places of the training text that a stream mixes: all of it as one, unless a kind has weights."""
        return [Place(1.0, partial(self.read, "train"))]

    def words_kept_whole(self) -> list[str]:
        """Returns words of the text that a tokenizer must not split: tags that mean something by themselves."""
        return []

    @property
    def is_tagged(self) -> bool:
        """Whether all of the training text is given a tag, so that a source without one is strange to the model."""
        return False

    def check_symbols(self, symbols: Sequence[str]) -> None:
        """Raises UserError for a word to be kept whole that a tokenizer made with these symbols would split."""
        for word in self.words_kept_whole():
            if word not in symbols:
                raise UserError(
                    f"corpus.tags (valid_tag, test_tags): '{word}' would be split; say \"tokenizer.symbols=['{word}']\""
                )

    def check_tokenizer(self, tokenizer: Tokenizer) -> None:
        """Raises UserError for a word to be kept whole that this tokenizer splits."""
        for word in self.words_kept_whole():
            if not tokenizer.keeps_whole(word):
                raise UserError(
                    f"corpus.tags (valid_tag, test_tags): the tokenizer splits '{word}'; with finetuning.run, say "
                    f"finetuning.vocabulary=extend \"tokenizer.symbols=['{word}']\""
                )

    def counts_as(self, recorded: str, split: str) -> bool:
        """Whether a fingerprint that an older version of nmt recorded may be of this text.

        Whether the options were the same, the caller must know.
        """
        return False

    def was_recorded_as(self, recorded: str, split: str) -> bool:
        """Whether an older version of nmt would record this fingerprint of this very text."""
        return False

    def may_be_of_packed(self, recorded: str, split: str) -> bool:
        """Whether a fingerprint may be of files as they were packed when an older version of nmt recorded it.

        Which text they held, only the same packed files can show.
        """
        return False

    def files_of(self, split: str) -> list[Path]:
        """Returns the files of which the options make a split, there or not.

        Empty for a split without a place, and for a kind that makes its text or leaves files to a library.
        """
        return []

    def catalogue(self) -> list[str]:
        """Returns a line for each text that this kind finds by name in these languages; empty for a kind of no names.

        Raises UserError where the names can't be looked up.
        """
        return []

    def fetch(self) -> list[str]:
        """Fetches what no recipe makes; returns a line for each thing that is here now. Raises UserError."""
        return []
