"""The look into a corpus: test sets first, so that their words can be looked for in the training text as it passes."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nmt.corpus.kinds.corpus import Corpus
from nmt.corpus.pair import Pair
from nmt.corpus.text.cleaning import CleaningOptions
from nmt.corpus.text.normalising import normalised_pairs
from nmt.corpus.text.tags import Reader
from nmt.corpus.text.writing import ALIKE, MEASURED, Proportions
from nmt.errors import UserError
from nmt.inspection.characters import Characters
from nmt.inspection.counting import Hearer, SplitCounter, ignore
from nmt.inspection.remembered import BYTES, Remembered, shared
from nmt.inspection.results import Shared, Split
from nmt.inspection.words import EXAMINED, MissingWords, TestWords
from nmt.progress import Progress

TRAIN = "train"
VALID = "valid"


@dataclass(frozen=True)
class Limits:
    """How a run would read the corpus, and in which buckets a report counts its sentences."""

    cleaning: CleaningOptions
    reader: Reader
    bounds: Sequence[int]


@dataclass(frozen=True)
class Looked:
    """What was found in the splits of a corpus, training first."""

    splits: list[Split]
    shared: list[Shared]
    proportions: Proportions
    seconds: float

    def notes(self) -> list[str]:
        """Says how it was counted, as far as numbers alone do not tell."""
        notes = [
            "Line numbers count through all files of a split, from 1.",
            f"Whether text is in several splits, or came before, is told by {8 * BYTES} bits for each sentence: that two "
            "different sentences count as one happens about once in 37 million corpora of a million pairs. Tags before "
            "a sentence do not count.",
        ]
        if any(split.unseen for split in self.splits):
            notes.append(
                "Words are what white space parts, without punctuation around them; the training text is taken as "
                "cleaning leaves it."
            )
        if any(unseen.sentences == EXAMINED for split in self.splits for unseen in split.unseen):
            notes.append(f"Of a test set, the words of the first {EXAMINED:,} sentences are looked for.")
        if any(split.kept is not None for split in self.splits):
            notes.append("cleaning.max_tokens holds once text is encoded, and is not counted here.")
        return notes


def splits_of(corpus: Corpus) -> list[str]:
    """Returns the splits that a corpus has: training and validation where they have a place, and all test sets."""
    names = []
    for split in (TRAIN, VALID):
        place = getattr(corpus, split, None)
        if place is None or place:  # kinds without such an option make the text themselves
            names.append(split)
    return [*names, *corpus.test_names()]


def look_into(corpus: Corpus, limits: Limits) -> Looked:
    """Reads every split of a corpus once, and the beginning of the first one twice.

    Raises UserError for a corpus without any text, and for text that can't be read.
    """
    names = splits_of(corpus)
    if not names:
        raise UserError(
            "corpus: no text is named; say corpus.train=PLACE, corpus.valid=PLACE or corpus.tests={NAME: PLACE}"
        )
    begin = time.monotonic()
    for name in names:
        corpus.look_into(name)
    proportions = _proportions(corpus, names[0], limits.reader.normalise)
    look = _Look(corpus, limits, proportions)
    tests = [name for name in names if name not in (TRAIN, VALID)]
    for name in tests:
        look.at_test(name)
    if VALID in names:
        look.at_valid()
    if TRAIN in names:
        look.at_train()
    splits = [look.result(name) for name in names]
    return Looked(splits, look.shared(names), proportions, time.monotonic() - begin)


def _proportions(corpus: Corpus, split: str, form: str) -> Proportions:
    """Returns what the first pairs of a split tell of how its sides are written."""
    first = itertools.islice(corpus.read(split), MEASURED)
    return Proportions.of(normalised_pairs(first, form))


class _Look:
    """Counts the splits of one corpus."""

    def __init__(self, corpus: Corpus, limits: Limits, proportions: Proportions):
        self.corpus = corpus
        self.limits = limits
        self.proportions = proportions
        self.characters = Characters()
        self.counters: dict[str, SplitCounter] = {}
        self.test_words: dict[str, tuple[TestWords, TestWords]] = {}
        self.missing: tuple[MissingWords, MissingWords] | None = None  # of the sources, of the targets

    def at_test(self, name: str) -> None:
        """Counts a test set, and its words."""
        sources = TestWords("source", self.proportions.source)
        targets = TestWords("target", self.proportions.target)
        self.test_words[name] = (sources, targets)

        def hear(pairs: Sequence[Pair]) -> None:
            sources.add(pair.source for pair in pairs)
            targets.add(pair.target for pair in pairs)

        as_valid = replace(self.limits.cleaning, train_words=0, duplicates="keep")
        self._count(name, as_valid, hear=hear)

    def at_valid(self) -> None:
        """Counts the validation set."""
        self._count(VALID, replace(self.limits.cleaning, train_words=0))

    def at_train(self) -> None:
        """Counts the training text, and looks there for the words of the test sets, which were counted before."""
        sources = MissingWords(self.proportions.source, (words[0] for words in self.test_words.values()))
        targets = MissingWords(self.proportions.target, (words[1] for words in self.test_words.values()))
        self.missing = (sources, targets)

        def keep(pairs: Sequence[Pair]) -> None:
            sources.look_for(pair.source for pair in pairs)
            targets.look_for(pair.target for pair in pairs)

        self._count(TRAIN, self.limits.cleaning.for_training(), keep=keep)

    def _count(self, name: str, cleaning: CleaningOptions, hear: Hearer = ignore, keep: Hearer = ignore) -> None:
        languages = (self.corpus.source_language, self.corpus.target_language)
        counter = SplitCounter(languages, cleaning, self.limits.reader, self.proportions, self.characters)
        with Progress(f"looking at {name}", "pairs") as progress:
            counter.count(self.corpus.read(name), hear, keep, progress.update)
        self.counters[name] = counter

    def result(self, name: str) -> Split:
        """Returns what was counted of a split."""
        split = self.counters[name].result(name, self.limits.bounds, name in self.test_words)
        if name not in self.test_words or self.missing is None:
            return split
        both = zip(self.test_words[name], self.missing, strict=True)
        return replace(split, unseen=[words.unseen(missing.words) for words, missing in both])

    def shared(self, names: Sequence[str]) -> list[Shared]:
        """Returns what every split has in common with each one before it, where that is anything."""
        both = []
        for other, name in itertools.combinations(names, 2):
            in_both = shared(name, self._remembered(name), other, self._remembered(other))
            if in_both.sources.count:
                both.append(in_both)
        return both

    def _remembered(self, name: str) -> Remembered:
        return self.counters[name].remembered
