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
from nmt.corpus.text.writing import MEASURED, Proportions
from nmt.errors import UserError
from nmt.inspection.characters import Characters
from nmt.inspection.counting import Hearer, Hearers, SplitCounter, ignore
from nmt.inspection.remembered import Remembered
from nmt.inspection.results import Shared, Split
from nmt.inspection.words import EXAMINED, MissingWords, TestWords
from nmt.progress import Progress

TRAIN = "train"
VALID = "valid"
LINES_NOTE = "Line numbers count through all files of a split, from 1."
SHARED_NOTE = (
    "Whether text is in several splits, or came before, is told by 64 bits for each sentence: that two different "
    "sentences count as one happens about once in 37 million corpora of a million pairs. Tags before a sentence do "
    "not count."
)
WORDS_NOTE = (
    "Words are what white space parts, without punctuation around them; the training text is taken as cleaning "
    "leaves it."
)
EXAMINED_NOTE = f"Of a test set, the words of the first {EXAMINED:,} sentences are looked for."
TOKENS_NOTE = "cleaning.max_tokens holds once text is encoded, and is not counted here."


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
    seconds: float

    def notes(self) -> list[str]:
        """Says how it was counted, as far as numbers alone do not tell."""
        notes = [LINES_NOTE, SHARED_NOTE]
        unseen = [words for split in self.splits for words in split.unseen]
        if unseen:
            notes.append(WORDS_NOTE)
        if any(words.sentences == EXAMINED for words in unseen):
            notes.append(EXAMINED_NOTE)
        if any(split.kept is not None for split in self.splits):
            notes.append(TOKENS_NOTE)
        return notes


def splits_of(corpus: Corpus) -> list[str]:
    """Returns the splits that a corpus has: training and validation where they have a place, and all test sets."""
    names = []
    for split in (TRAIN, VALID):
        place = getattr(corpus, split, None)
        if place is None or place:  # kinds without such an option make the text themselves
            names.append(split)
    return [*names, *_tests_of(corpus)]


def _tests_of(corpus: Corpus) -> list[str]:
    """Returns the test sets of a corpus, but for one that is another split under its name."""
    return [name for name in corpus.test_names() if name not in (TRAIN, VALID)]


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
    first = itertools.islice(corpus.read(names[0]), MEASURED)
    proportions = Proportions.of(normalised_pairs(first, limits.reader.normalise))
    look = _Look(corpus, limits, proportions)
    for name in _tests_of(corpus):
        look.at_test(name)
    if VALID in names:
        look.at_valid()
    if TRAIN in names:
        look.at_train()
    splits = [look.result(name) for name in names]
    shared = look.shared(names)
    seconds = time.monotonic() - begin
    return Looked(splits, shared, seconds)


class _Look:
    """Counts the splits of one corpus."""

    def __init__(self, corpus: Corpus, limits: Limits, proportions: Proportions):
        self.corpus = corpus
        self.limits = limits
        self.proportions = proportions
        self.characters = Characters()
        self.counters: dict[str, SplitCounter] = {}
        self.test_sources: dict[str, TestWords] = {}
        self.test_targets: dict[str, TestWords] = {}
        self.missing: tuple[MissingWords, MissingWords] | None = None  # of the sources, of the targets

    def at_test(self, name: str) -> None:
        """Counts a test set, and its words."""
        sources = TestWords("source", self.proportions.source)
        targets = TestWords("target", self.proportions.target)
        self.test_sources[name] = sources
        self.test_targets[name] = targets

        def read(pairs: Sequence[Pair]) -> None:
            sources.add(pair.source for pair in pairs)
            targets.add(pair.target for pair in pairs)

        as_valid = replace(self.limits.cleaning, train_words=0, duplicates="keep")
        self._count(name, as_valid, read=read)

    def at_valid(self) -> None:
        """Counts the validation set."""
        cleaning = replace(self.limits.cleaning, train_words=0)
        self._count(VALID, cleaning)

    def at_train(self) -> None:
        """Counts the training text, and looks there for the words of the test sets, which were counted before."""
        sources = MissingWords(self.proportions.source, self.test_sources.values())
        targets = MissingWords(self.proportions.target, self.test_targets.values())
        self.missing = (sources, targets)

        def kept(pairs: Sequence[Pair]) -> None:
            sources.look_for(pair.source for pair in pairs)
            targets.look_for(pair.target for pair in pairs)

        cleaning = self.limits.cleaning.for_training()
        self._count(TRAIN, cleaning, kept=kept)

    def _count(
        self,
        name: str,
        cleaning: CleaningOptions,
        read: Hearer = ignore,
        kept: Hearer = ignore,
    ) -> None:
        languages = (self.corpus.source_language, self.corpus.target_language)
        reader = self.limits.reader
        counter = SplitCounter(languages, cleaning, reader, self.proportions, self.characters)
        with Progress(f"looking at {name}", "pairs") as progress:
            hearers = Hearers(progress.update, read, kept)
            counter.count(self.corpus.read(name), hearers)
        self.counters[name] = counter

    def result(self, name: str) -> Split:
        """Returns what was counted of a split."""
        is_test = name in self.test_sources
        split = self.counters[name].result(name, self.limits.bounds, is_test)
        if not is_test or self.missing is None:
            return split
        sources, targets = self.missing
        of_sources = self.test_sources[name].unseen(sources.words)
        of_targets = self.test_targets[name].unseen(targets.words)
        return replace(split, unseen=[of_sources, of_targets])

    def shared(self, names: Sequence[str]) -> list[Shared]:
        """Returns what every split has in common with each one before it, where that is anything."""
        shared = []
        for other, name in itertools.combinations(names, 2):
            both = self._remembered(name).shared_with(self._remembered(other), name, other)
            if both.sources.count:
                shared.append(both)
        return shared

    def _remembered(self, name: str) -> Remembered:
        return self.counters[name].remembered
