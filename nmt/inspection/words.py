"""Words of test sets that the training text does not have."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterable

from nmt.corpus.text.writing import Unit
from nmt.inspection.results import Unseen

EXAMINED = 100_000  # sentences of a test set, the first, whose words are counted: what is kept of them stays small
FREQUENT = 10  # words that are named
# What stands at the ends of words and is no part of them.
PUNCTUATION = string.punctuation + "«»‹›„“”‚‘’…–—―¡¿·•。、，．！？；：（）「」『』《》〈〉【】・～،؛؟۔।॥"


def stripped(words: Iterable[str]) -> list[str]:
    """Returns words without the punctuation around them; what is nothing else is left out."""
    bare = [word.strip(PUNCTUATION) for word in words]
    return [word for word in bare if word]


class TestWords:
    """The words of one side of a test set, by how often they come."""

    __test__ = False  # no test of pytest's

    def __init__(self, side: str, unit: Unit):
        self.side = side
        self.unit = unit
        self.counts: Counter[str] = Counter()
        self.sentences = 0

    def add(self, lines: Iterable[str]) -> None:
        """Counts the words of more sentences, until enough were examined."""
        for line in lines:
            if self.sentences >= EXAMINED:
                return
            self.sentences += 1
            self.counts.update(stripped(self.unit.of(line)))

    def unseen(self, missing: set[str]) -> Unseen:
        """Returns how many of the words are among those that the training text misses."""
        never = Counter({word: count for word, count in self.counts.items() if word in missing})
        in_order = sorted(never.items(), key=lambda item: (-item[1], item[0]))
        return Unseen(
            side=self.side,
            unit=self.unit.value,
            running=self.counts.total(),
            running_unseen=never.total(),
            distinct=len(self.counts),
            distinct_unseen=len(never),
            frequent=in_order[:FREQUENT],
            sentences=self.sentences,
        )


class MissingWords:
    """Words of all test sets that the training text has not had so far. Never more than the test sets have."""

    def __init__(self, unit: Unit, tests: Iterable[TestWords]):
        self.unit = unit
        self.words: set[str] = set()
        for test in tests:
            self.words.update(test.counts)

    def look_for(self, lines: Iterable[str]) -> None:
        """Takes out the words that training lines have."""
        if not self.words:
            return
        distinct = set("\n".join(lines).split())
        bare = stripped(distinct)
        if self.unit is Unit.CHARACTERS:
            bare = list("".join(bare))
        self.words.difference_update(bare)
