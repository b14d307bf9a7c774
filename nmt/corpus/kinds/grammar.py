"""Splits of the built-in corpus: training lengths as in natural text, test sets with equal counts in every bucket."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cache

from nmt.corpus.builtin.grammar import Grammar, Word
from nmt.corpus.kinds.generated import AlignedPair, versioned
from nmt.errors import UserError

MIN_WORDS = 3
VERSION = 1  # of the text: raised when the same options give other pairs (tests/corpus/test_generated.py says when)
# The options that this version began with: all that change the text.
KNOWN_TO_VERSION = (
    "seed",
    "train_pairs",
    "valid_pairs",
    "test_pairs_per_bucket",
    "test_bounds",
    "median_words",
    "sigma",
    "max_words",
)


@dataclass
class GrammarOptions:
    """The built-in English-German corpus."""

    kind: str = "grammar"
    source_language: str = "en"
    target_language: str = "de"
    seed: int = 1  # of the corpus, not of the run: every system sees the same text
    train_pairs: int = 50_000
    valid_pairs: int = 500
    test_pairs_per_bucket: int = 100
    test_bounds: list[int] = field(default_factory=lambda: [10, 20, 30, 40, 50, 60, 70, 80, 90])
    median_words: float = 9.0  # training and validation lengths are log-normal, cut at max_words
    sigma: float = 0.7  # of the logarithm of the length
    max_words: int = 100


def generate(options: GrammarOptions, split: str) -> list[AlignedPair]:
    """The pairs of ``train``, ``valid`` or ``test``; no source sentence is in two of them, or twice in one.

    Deterministic from ``options``. Raises UserError when the grammar has too few sentences of a length.
    """
    return list(_splits(json.dumps(asdict(options)), split))


def fingerprint(options: GrammarOptions) -> str:
    """Stands for all that the pairs depend on: the version of the grammar's text, and the options."""
    return versioned(options, VERSION, KNOWN_TO_VERSION)


@cache
def _splits(options_json: str, split: str) -> tuple[AlignedPair, ...]:
    """Test is made first, then validation, then training: each leaves out what came before it."""
    options = GrammarOptions(**json.loads(options_json))
    earlier = {"test": (), "valid": ("test",), "train": ("test", "valid")}[split]
    seen = {pair.source for name in earlier for pair in _splits(options_json, name)}
    rng = random.Random(f"{options.seed}/{split}")
    if split == "test":
        bounds = [MIN_WORDS - 1, *options.test_bounds]
        ranges = [(low + 1, high) for low, high in itertools.pairwise(bounds)]
        counts = [options.test_pairs_per_bucket] * len(ranges)
    else:
        ranges, counts = [(MIN_WORDS, options.max_words)], [getattr(options, f"{split}_pairs")]
    pairs: list[AlignedPair] = []
    for (low, high), count in zip(ranges, counts, strict=True):
        pairs += _draw(rng, options, low, high, count, seen, uniform=split == "test")
    return tuple(pairs)


def _draw(
    rng: random.Random, options: GrammarOptions, low: int, high: int, count: int, seen: set[str], uniform: bool
) -> Iterator[AlignedPair]:
    found = attempts = 0
    while found < count:
        attempts += 1
        if attempts > 200 * count + 10_000:
            raise UserError(
                f"corpus: the built-in grammar has only {found} distinct sentences of {low} to {high} words "
                f"for the {count} asked for; ask for fewer pairs"
            )
        wanted = (
            rng.randint(low, high)
            if uniform
            else round(rng.lognormvariate(math.log(options.median_words), options.sigma))
        )
        if not low <= wanted <= high:
            continue
        pair = _pair(*Grammar(rng).sentence(wanted))
        if low <= len(pair.source.split()) <= high and pair.source not in seen:
            seen.add(pair.source)
            found += 1
            yield pair


def _pair(english: list[Word], german: list[Word]) -> AlignedPair:
    source, source_concepts = _finish(english)
    target, target_concepts = _finish(german)
    positions: dict[int, list[int]] = {}
    for j, concept in enumerate(target_concepts):
        positions.setdefault(concept, []).append(j)
    links = [(i, j) for i, concept in enumerate(source_concepts) for j in positions.get(concept, ())]
    return AlignedPair(source, target, tuple(links))


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
