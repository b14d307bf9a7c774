"""The words of the built-in English-German grammar: how they inflect, and how often they come.

A few hundred entries in all, with the forms that cannot be derived. The nouns and verbs stand in files of their own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from nmt.corpus.builtin import nouns, verbs

NOMINATIVE = "n"
ACCUSATIVE = "a"
DATIVE = "d"
PLURAL = "p"  # stands where a gender stands: German plurals show none

# Endings by case, in the order masculine, feminine, neuter, plural.
STRONG = {"n": ("er", "e", "es", "e"), "a": ("en", "e", "es", "e"), "d": ("em", "er", "em", "en")}
DEFINITE = {"n": ("der", "die", "das", "die"), "a": ("den", "die", "das", "die"), "d": ("dem", "der", "dem", "den")}
INDEFINITE = {"n": ("", "e", "", "e"), "a": ("en", "e", "", "e"), "d": ("em", "er", "em", "en")}
WEAK = {"n": ("e", "e", "e", "en"), "a": ("en", "e", "e", "en"), "d": ("en", "en", "en", "en")}
MIXED = {"n": ("er", "e", "es", "en"), "a": ("en", "e", "es", "en"), "d": ("en", "en", "en", "en")}
COLUMN = {"m": 0, "f": 1, "n": 2, PLURAL: 3}

Endings = Mapping[str, tuple[str, ...]]  # by case, in the columns above


@dataclass(frozen=True)
class Determiner:
    """A determiner in both languages, and how German inflects it and the adjectives after it."""

    english: str
    stem: str
    endings: Endings
    adjective_endings: Endings

    def german(self, case: str, gender: str) -> str:
        return self.stem + self.endings[case][COLUMN[gender]]

    def german_adjective(self, stem: str, case: str, gender: str) -> str:
        return stem + self.adjective_endings[case][COLUMN[gender]]


def relative_pronoun(case: str, gender: str) -> str:
    return DEFINITE[case][COLUMN[gender]]


SINGULAR_DETERMINERS = (
    Determiner("the", "", DEFINITE, WEAK),
    Determiner("a", "ein", INDEFINITE, MIXED),
    Determiner("my", "mein", INDEFINITE, MIXED),
    Determiner("no", "kein", INDEFINITE, MIXED),
    Determiner("her", "ihr", INDEFINITE, MIXED),
    Determiner("this", "dies", STRONG, WEAK),
    Determiner("every", "jed", STRONG, WEAK),
)
INVARIANT = dict.fromkeys("nad", ("", "", "", ""))
PLURAL_DETERMINERS = (
    Determiner("the", "", DEFINITE, WEAK),
    Determiner("my", "mein", INDEFINITE, MIXED),
    Determiner("these", "dies", STRONG, WEAK),
    Determiner("two", "zwei", INVARIANT, STRONG),
    Determiner("three", "drei", INVARIANT, STRONG),
    Determiner("many", "viel", STRONG, STRONG),
    Determiner("some", "einig", STRONG, STRONG),
)


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    """Reads an English and a German word from each line."""
    pairs = []
    for line in text.strip().split("\n"):
        english, german = line.split()
        pairs.append((english, german))
    return tuple(pairs)


ADJECTIVES = _pairs(
    """
old alt
young jung
small klein
big groß
red rot
green grün
blue blau
white weiß
black schwarz
new neu
good gut
bad schlecht
beautiful schön
ugly hässlich
happy glücklich
sad traurig
hungry hungrig
quiet still
loud laut
rich reich
poor arm
strong stark
weak schwach
clever klug
stupid dumm
friendly freundlich
strange seltsam
famous berühmt
dangerous gefährlich
heavy schwer
light leicht
clean sauber
dirty schmutzig
warm warm
cold kalt
round rund
long lang
short kurz
fast schnell
slow langsam
yellow gelb
brave mutig
lazy faul
honest ehrlich
important wichtig
broken kaputt
"""
)

ADVERBS = _pairs(
    """
today heute
often oft
sometimes manchmal
always immer
now jetzt
then dann
here hier
there dort
finally endlich
perhaps vielleicht
secretly heimlich
slowly langsam
quickly schnell
gladly gern
rarely selten
together zusammen
again wieder
suddenly plötzlich
already schon
immediately sofort
"""
)

# English words, German word, case of what follows: d(ative) or a(ccusative).
PLACE_PREPOSITIONS = (
    ("in", "in", "d"),
    ("behind", "hinter", "d"),
    ("near", "bei", "d"),
    ("under", "unter", "d"),
    ("in front of", "vor", "d"),
    ("next to", "neben", "d"),
    ("through", "durch", "a"),
    ("around", "um", "a"),
)
PERSON_PREPOSITIONS = (("with", "mit", "d"), ("for", "für", "a"), ("without", "ohne", "a"), ("from", "von", "d"))

SUBORDINATORS = (
    ("because", "weil"),
    ("when", "wenn"),
    ("although", "obwohl"),
    ("while", "während"),
    ("before", "bevor"),
    ("after", "nachdem"),
    ("until", "bis"),
    ("as soon as", "sobald"),
)
COORDINATORS = (("and", "und"), ("but", "aber"), ("or", "oder"))

# English modal; German third person singular and plural.
MODALS = (
    ("can", "kann", "können"),
    ("must", "muss", "müssen"),
    ("should", "soll", "sollen"),
    ("may", "darf", "dürfen"),
    ("will", "wird", "werden"),
)


@dataclass(frozen=True)
class Words:
    """Entries of one kind, the first the most frequent: as in natural text, about in inverse proportion to the rank."""

    entries: tuple
    cumulative: tuple[float, ...]

    @classmethod
    def of(cls, entries: Iterable) -> Words:
        entries = tuple(entries)
        weights = (1 / (rank + 3) for rank in range(len(entries)))
        return cls(entries, tuple(itertools.accumulate(weights)))


@cache
def lexicon() -> dict[str, Words]:
    """Returns the entries of every kind."""
    people = nouns.read_nouns(nouns.PEOPLE, person=True)
    animals = nouns.read_nouns(nouns.ANIMALS, person=False)
    transitive = verbs.read_verbs(verbs.TRANSITIVE)
    kinds: dict[str, Iterable] = {
        "beings": people + animals,
        "people": people,
        "things": nouns.read_nouns(nouns.THINGS, person=False),
        "places": nouns.read_nouns(nouns.PLACES, person=False),
        "accusative": transitive,
        "transitive": transitive + verbs.read_verbs(verbs.DATIVE, DATIVE),
        "ditransitive": verbs.read_verbs(verbs.DITRANSITIVE),
        "intransitive": verbs.read_verbs(verbs.INTRANSITIVE),
        "reporting": verbs.read_verbs(verbs.REPORTING),
        "adjectives": ADJECTIVES,
        "adverbs": ADVERBS,
        "subordinators": SUBORDINATORS,
        "coordinators": COORDINATORS,
        "modals": MODALS,
        "place prepositions": PLACE_PREPOSITIONS,
        "person prepositions": PERSON_PREPOSITIONS,
        "singular determiners": SINGULAR_DETERMINERS,
        "plural determiners": PLURAL_DETERMINERS,
    }
    return {kind: Words.of(entries) for kind, entries in kinds.items()}
