"""What generated corpora share: pairs that come with their word links, and a version that stands for their text."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, Field, fields
from typing import Any, ClassVar

from nmt.corpus.kinds.corpus import Corpus
from nmt.corpus.pair import Pair
from nmt.errors import UserError

SPLITS = ("train", "valid", "test")
FIRST_VERSION = 1
BARE_HASH = "[0-9a-f]{16}"  # what was recorded before generated text had a version


class GeneratedCorpus(Corpus):
    """Text that follows from its options alone, and whose word links are known."""

    # Raised when the same options give other pairs; tests/corpus/test_generated.py holds their hash and says when.
    version: ClassVar[int]
    # The options that the version began with: all that change the text.
    known_to_version: ClassVar[tuple[str, ...]]

    @abstractmethod
    def generate(self, split: str) -> Iterable[Pair]:
        """Makes the pairs of ``train``, ``valid`` or ``test``, the same for the same options.

        Raises UserError where there are too few of them.
        """

    def test_names(self) -> list[str]:
        return ["test"]

    def read(self, split: str, first: int = 0) -> Iterator[Pair]:
        if split not in SPLITS:
            raise UserError(f"corpus: no test set '{split}'; a generated corpus has only 'test'")
        yield from itertools.islice(self.generate(split), first, None)

    def look_into(self, split: str) -> None:
        """Makes the pairs of a split that is small; the training text is made where training begins."""
        if split != "train":
            super().look_into(split)

    def knows_links(self, split: str) -> bool:
        return True

    def fingerprint(self, split: str) -> str:
        """Returns kind, version, a hash of the options that the text depends on, and the split.

        An option that came after its version counts only where it is not at its default, so that a new option does not
        change the fingerprint of a corpus that does not use it.
        """
        content = {}
        for option in fields(self):
            value = getattr(self, option.name)
            if option.name in self.known_to_version or value != _default(option):
                content[option.name] = value
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
        return f"{self.kind}-{self.version}-{digest}-{split}"

    def counts_as(self, recorded: str, split: str) -> bool:
        """A record without a version, a bare hash of code and options, counts as one of the first version."""
        return self.version == FIRST_VERSION and re.fullmatch(BARE_HASH, str(recorded)) is not None


def _default(option: Field) -> Any:
    if option.default_factory is MISSING:
        return option.default
    return option.default_factory()
