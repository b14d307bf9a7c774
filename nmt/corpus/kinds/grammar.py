"""The built-in corpus: training lengths as in natural text, test sets with equal counts in every bucket."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import ClassVar

from nmt.corpus.builtin.clauses import Both, Word
from nmt.corpus.builtin.grammar import Grammar
from nmt.corpus.kinds.generated import GeneratedCorpus
from nmt.corpus.pair import Link, Pair
from nmt.errors import UserError

MIN_WORDS = 3
MOST_SIGMA = 10  # of lengths: with more, hardly any sentence is between one word and a million


@dataclass
class GrammarOptions(GeneratedCorpus):
    """The built-in English-German corpus."""

    kind: str = "grammar"
    seed: int = 1  # of the corpus, not of the run: every system sees the same text
    train_pairs: int = 50_000
    valid_pairs: int = 500
    test_pairs_per_bucket: int = 100
    test_bounds: list[int] = field(default_factory=lambda: [10, 20, 30, 40, 50, 60, 70, 80, 90])
    median_words: float = 9.0  # training and validation lengths are log-normal, cut at max_words
    sigma: float = 0.7  # of the logarithm of the length
    max_words: int = 100

    COUNTS: ClassVar[frozenset[str]] = frozenset({"train_pairs", "valid_pairs", "test_pairs_per_bucket"})
    version: ClassVar[int] = 1
    known_to_version: ClassVar[tuple[str, ...]] = (
        "seed",
        "train_pairs",
        "valid_pairs",
        "test_pairs_per_bucket",
        "test_bounds",
        "median_words",
        "sigma",
        "max_words",
    )

    def __post_init__(self) -> None:
        for name in sorted(self.COUNTS):
            if getattr(self, name) < 1:
                raise UserError(f"corpus.{name}={getattr(self, name)}: must be 1 or more")
        if self.max_words < MIN_WORDS:
            raise UserError(f"corpus.max_words={self.max_words}: must be {MIN_WORDS} or more")
        bounds = list(self.test_bounds)
        if any(high <= low for low, high in itertools.pairwise([MIN_WORDS - 1, *bounds])):
            raise UserError(
                f"corpus.test_bounds={bounds}: numbers from {MIN_WORDS} on, each larger than the one before"
            )
        if self.median_words <= 0:
            raise UserError(f"corpus.median_words={self.median_words}: must be above 0")
        if not 0 <= self.sigma <= MOST_SIGMA:
            raise UserError(f"corpus.sigma={self.sigma:g}: must be 0 to {MOST_SIGMA}; natural text has about 0.7")

    def generate(self, split: str) -> tuple[Pair, ...]:
        """No source sentence is in two splits, or twice in one.

        Raises UserError when the grammar has too few sentences of a length.
        """
        return _generated(json.dumps(asdict(self)), split)


@dataclass(frozen=True)
class _Lengths:
    """How many sentences are drawn, and how long they may be in source words."""

    low: int
    high: int
    count: int
    uniform: bool  # else log-normal


@cache
def _generated(options_json: str, split: str) -> tuple[Pair, ...]:
    """Test is made first, then validation, then training: each leaves out what came before it."""
    options = GrammarOptions(**json.loads(options_json))
    earlier = {"test": (), "valid": ("test",), "train": ("test", "valid")}[split]
    seen: set[str] = set()
    for name in earlier:
        seen.update(pair.source for pair in _generated(options_json, name))
    rng = random.Random(f"{options.seed}/{split}")
    pairs: list[Pair] = []
    for lengths in _lengths(options, split):
        pairs += _drawn(rng, options, lengths, seen)
    return tuple(pairs)


def _lengths(options: GrammarOptions, split: str) -> list[_Lengths]:
    if split == "train":
        return [_Lengths(MIN_WORDS, options.max_words, options.train_pairs, uniform=False)]
    if split == "valid":
        return [_Lengths(MIN_WORDS, options.max_words, options.valid_pairs, uniform=False)]
    bounds = [MIN_WORDS - 1, *options.test_bounds]
    count = options.test_pairs_per_bucket
    return [_Lengths(low + 1, high, count, uniform=True) for low, high in itertools.pairwise(bounds)]


def _drawn(rng: random.Random, options: GrammarOptions, lengths: _Lengths, seen: set[str]) -> Iterator[Pair]:
    """Yields as many new sentences as asked for, and adds them to ``seen``."""
    low = lengths.low
    high = lengths.high
    done = 0
    attempts = 0
    while done < lengths.count:
        attempts += 1
        if attempts > 200 * lengths.count + 10_000:
            raise UserError(
                f"corpus: the built-in grammar has only {done} distinct sentences of {low} to {high} words "
                f"for the {lengths.count} asked for; ask for fewer pairs"
            )
        wanted = rng.randint(low, high) if lengths.uniform else _drawn_length(rng, options)
        if not low <= wanted <= high:
            continue
        pair = _pair(Grammar(rng).sentence(wanted))
        if low <= len(pair.source.split()) <= high and pair.source not in seen:
            seen.add(pair.source)
            done += 1
            yield pair


def _drawn_length(rng: random.Random, options: GrammarOptions) -> int:
    """Returns a log-normal length in words; 0, which no sentence has, for one beyond all numbers."""
    try:
        return round(rng.lognormvariate(math.log(options.median_words), options.sigma))
    except OverflowError:
        return 0


def _pair(sentence: Both) -> Pair:
    """Links the words that express the same concept."""
    source, source_concepts = _finish(sentence.english)
    target, target_concepts = _finish(sentence.german)
    positions: dict[int, list[int]] = {}
    for j, concept in enumerate(target_concepts):
        positions.setdefault(concept, []).append(j)
    links: list[Link] = []
    for i, concept in enumerate(source_concepts):
        links += [(i, j) for j in positions.get(concept, ())]
    return Pair(source, target, tuple(links))


def _finish(words: list[Word]) -> tuple[str, list[int]]:
    """Joins words into a sentence: commas attached, first letter raised, full stop; and each word's concept."""
    forms: list[str] = []
    concepts: list[int] = []
    for form, concept in words:
        if concept >= 0:
            forms.append(form)
            concepts.append(concept)
        elif not forms[-1].endswith(","):
            forms[-1] += ","
    text = " ".join(forms).rstrip(",") + "."
    return text[0].upper() + text[1:], concepts
