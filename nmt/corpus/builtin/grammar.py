"""The built-in English-German corpus: a generator with what makes translation hard, and the alignment known.

Verb-second main clauses, verb-final subordinate ones, separable verbs, verbs split by auxiliaries and modals, gender,
number and case agreement, relative clauses that agree with a far noun, coordination, clause complements. A sentence
is grown to a length in words; each word carries the concept that it expresses, and two words are aligned when they
express the same concept.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from nmt.corpus.builtin import lexicon as lx
from nmt.corpus.builtin.lexicon import Noun, Verb

Word = tuple[str, int]  # its form, and the concept that it expresses
COMMA: Word = (",", -1)

NOMINATIVE, ACCUSATIVE, DATIVE = "n", "a", "d"
PLURAL = "p"  # stands where a gender stands: German plurals show none

# Endings by case, in the order masculine, feminine, neuter, plural.
STRONG = {"n": ("er", "e", "es", "e"), "a": ("en", "e", "es", "e"), "d": ("em", "er", "em", "en")}
DEFINITE = {"n": ("der", "die", "das", "die"), "a": ("den", "die", "das", "die"), "d": ("dem", "der", "dem", "den")}
INDEFINITE = {"n": ("", "e", "", "e"), "a": ("en", "e", "", "e"), "d": ("em", "er", "em", "en")}
WEAK = {"n": ("e", "e", "e", "en"), "a": ("en", "e", "e", "en"), "d": ("en", "en", "en", "en")}
MIXED = {"n": ("er", "e", "es", "en"), "a": ("en", "e", "es", "en"), "d": ("en", "en", "en", "en")}
COLUMN = {"m": 0, "f": 1, "n": 2, PLURAL: 3}

# English; German stem; how the German one inflects; the adjective's endings after it.
SINGULAR_DETERMINERS = (
    ("the", "", DEFINITE, WEAK),
    ("a", "ein", INDEFINITE, MIXED),
    ("my", "mein", INDEFINITE, MIXED),
    ("no", "kein", INDEFINITE, MIXED),
    ("her", "ihr", INDEFINITE, MIXED),
    ("this", "dies", STRONG, WEAK),
    ("every", "jed", STRONG, WEAK),
)
INVARIANT = dict.fromkeys("nad", ("", "", "", ""))
PLURAL_DETERMINERS = (
    ("the", "", DEFINITE, WEAK),
    ("my", "mein", INDEFINITE, MIXED),
    ("these", "dies", STRONG, WEAK),
    ("two", "zwei", INVARIANT, STRONG),
    ("three", "drei", INVARIANT, STRONG),
    ("many", "viel", STRONG, STRONG),
    ("some", "einig", STRONG, STRONG),
)


@dataclass(frozen=True)
class Words:
    """Entries of one kind, the first the most frequent: as in natural text, about in inverse proportion to the rank."""

    entries: tuple
    cumulative: tuple[float, ...]

    @classmethod
    def of(cls, entries: Iterable) -> Words:
        entries = tuple(entries)
        return cls(entries, tuple(itertools.accumulate(1 / (rank + 3) for rank in range(len(entries)))))


@cache
def _lexicon() -> dict[str, Words]:
    people = lx.read_nouns(lx.PEOPLE, person=True)
    animals = lx.read_nouns(lx.ANIMALS, person=False)
    transitive = lx.read_verbs(lx.TRANSITIVE)
    kinds: dict[str, Iterable] = {
        "beings": people + animals,
        "people": people,
        "things": lx.read_nouns(lx.THINGS, person=False),
        "places": lx.read_nouns(lx.PLACES, person=False),
        "accusative": transitive,
        "transitive": transitive + lx.read_verbs(lx.DATIVE, DATIVE),
        "ditransitive": lx.read_verbs(lx.DITRANSITIVE),
        "intransitive": lx.read_verbs(lx.INTRANSITIVE),
        "reporting": lx.read_verbs(lx.REPORTING),
        "adjectives": lx.ADJECTIVES.items(),
        "adverbs": lx.ADVERBS.items(),
        "subordinators": lx.SUBORDINATORS,
        "coordinators": lx.COORDINATORS,
        "modals": lx.MODALS,
        "place prepositions": lx.PLACE_PREPOSITIONS,
        "person prepositions": lx.PERSON_PREPOSITIONS,
        "singular determiners": SINGULAR_DETERMINERS,
        "plural determiners": PLURAL_DETERMINERS,
    }
    return {kind: Words.of(entries) for kind, entries in kinds.items()}


@dataclass(frozen=True)
class Phrase:
    """A noun phrase in both languages, with what must agree with it."""

    english: list[Word]
    german: list[Word]
    gender: str  # m, f, n, or PLURAL
    person: bool

    @property
    def plural(self) -> bool:
        return self.gender == PLURAL


@dataclass(frozen=True)
class Clause:
    """A clause in English word order, and its German parts, from which every German order is made."""

    subject_english: list[Word]
    predicate_english: list[Word]  # verb group, objects and adverbials
    front_english: list[Word]  # an adverbial that a main clause starts with
    subject: list[Word]
    finite: list[Word]
    finite_last: list[Word]  # the finite verb at the end of a subordinate clause: its prefix joined
    front: list[Word]
    middle: list[Word]
    closing: list[Word]  # what ends the verbal bracket: prefix, participle or infinitive
    closing_last: list[Word]  # the same in a subordinate clause
    tail: list[Word]  # after the bracket: a clause that was extraposed

    def english(self) -> list[Word]:
        return self.front_english + self.subject_english + self.predicate_english

    def german_main(self, after_clause: bool = False) -> list[Word]:
        """Verb second: whatever comes first, the finite verb comes next."""
        if after_clause:
            order = self.finite + self.subject + self.front + self.middle
        elif self.front:
            order = self.front + self.finite + self.subject + self.middle
        else:
            order = self.subject + self.finite + self.middle
        return order + self.closing + self.tail

    def german_subordinate(self) -> list[Word]:
        return self.subject + self.front + self.middle + self.closing_last + self.finite_last + self.tail


class Grammar:
    """Grows sentences from one random generator."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.lexicon = _lexicon()
        self.concepts = itertools.count()

    def pick(self, kind: str) -> Any:
        words = self.lexicon[kind]
        return self.rng.choices(words.entries, cum_weights=words.cumulative)[0]

    def sentence(self, words: int) -> tuple[list[Word], list[Word]]:
        """English and German of about this many English words, without the final stop."""
        if words <= 13 or (words <= 18 and self.rng.random() < 0.5):
            clause = self.clause(words)
            return clause.english(), clause.german_main()
        first = self.rng.randint(max(4, words // 4), max(5, words - words // 4)) - 1
        return self.joined(first, words - first - 1)

    def joined(self, first: int, second: int) -> tuple[list[Word], list[Word]]:
        """Two clauses: a subordinate one before or after its main clause, or two coordinated."""
        concept = next(self.concepts)
        kind = self.rng.random()
        if kind < 0.3 and first <= 13:
            english_word, german_word = self.pick("subordinators")
            subordinate, main = self.clause(first), self.clause(second)
            english = [*self.words(english_word, concept), *subordinate.english(), COMMA, *main.english()]
            german = [(german_word, concept), *subordinate.german_subordinate(), COMMA]
            return english, german + main.german_main(after_clause=True)
        left_english, left_german = self.sentence(first)
        if kind < 0.65 and second <= 24:
            english_word, german_word = self.pick("subordinators")
            clause = self.clause(second)
            english = [*left_english, COMMA, *self.words(english_word, concept), *clause.english()]
            return english, [*left_german, COMMA, (german_word, concept), *clause.german_subordinate()]
        english_word, german_word = self.pick("coordinators")
        right_english, right_german = self.sentence(second)
        english = [*left_english, COMMA, (english_word, concept), *right_english]
        return english, [*left_german, COMMA, (german_word, concept), *right_german]

    def clause(self, words: int, subject: Phrase | None = None) -> Clause:
        """A clause of about this many words; a given subject (a relative pronoun) is used as it stands."""
        rng = self.rng
        spare = words - (3 if subject is None else 2)
        verb_kind = self.verb_kind(spare)
        spare -= {"intransitive": 0, "transitive": 2, "ditransitive": 4, "reporting": 5}[verb_kind]
        complex_verb = spare >= 1 and rng.random() < 0.4
        spare -= complex_verb
        front_english, front, spare = self.adverbial(spare, 0.35)
        end_english, end, spare = self.adverbial(spare, 0.4)
        if verb_kind == "reporting":
            subject_share, object_share = spare // 3, spare - spare // 3
        else:
            subject_share = 0 if subject else rng.randint(0, max(spare, 0))
            object_share = spare - subject_share
        if verb_kind == "intransitive" and object_share >= 3 and not end:
            end_english, end, object_share = self.place(object_share)
        if verb_kind == "intransitive" and not subject:
            subject_share += max(object_share, 0)
        subject = subject or self.noun_phrase("beings", subject_share, NOMINATIVE)
        verb: Verb = self.pick(verb_kind)
        objects_english, objects, tail_english, tail = self.objects(verb_kind, verb, object_share)
        group = self.verb_group(verb, subject.plural, complex_verb)
        return Clause(
            subject_english=subject.english,
            predicate_english=group[0] + objects_english + end_english + tail_english,
            front_english=front_english,
            subject=subject.german,
            finite=group[1],
            finite_last=group[2],
            front=front,
            middle=end + objects if rng.random() < 0.5 and len(end) == 1 else objects + end,
            closing=group[3],
            closing_last=group[4],
            tail=tail,
        )

    def verb_kind(self, spare: int) -> str:
        if spare >= 6 and self.rng.random() < 0.2:
            return "reporting"
        if spare >= 4 and self.rng.random() < 0.25:
            return "ditransitive"
        return "transitive" if spare >= 2 and self.rng.random() < 0.8 else "intransitive"

    def objects(self, kind: str, verb: Verb, spare: int) -> tuple[list[Word], list[Word], list[Word], list[Word]]:
        """Objects in English and German, then a clause complement in both."""
        if kind == "intransitive":
            return [], [], [], []
        if kind == "reporting":
            concept = next(self.concepts)
            clause = self.clause(max(spare + 3, 3))
            english, german = clause.english(), clause.german_subordinate()
            return [], [], [("that", concept), *english], [COMMA, ("dass", concept), *german]
        if kind == "ditransitive":
            share = self.rng.randint(0, max(spare, 0))
            receiver = self.noun_phrase("people", share, DATIVE)
            gift = self.noun_phrase("things", spare - share, ACCUSATIVE)
            return receiver.english + gift.english, receiver.german + gift.german, [], []
        category = "people" if verb.object_case == DATIVE else self.rng.choice(("beings", "things"))
        phrase = self.noun_phrase(category, spare, verb.object_case)
        return phrase.english, phrase.german, [], []

    def verb_group(self, verb: Verb, plural: bool, split: bool) -> tuple[list[Word], ...]:
        """English verbs; German finite verb in second and in last place; what closes the bracket in each."""
        concept = next(self.concepts)
        if not split:
            past = self.rng.random() < 0.4
            form = verb.past if past else (verb.base if plural else lx.third_person(verb.base))
            finite = self.german_finite(verb, past, plural)
            prefix = [(verb.prefix, concept)] if verb.prefix else []
            return [(form, concept)], [(finite, concept)], [(verb.prefix + finite, concept)], prefix, []
        helper = next(self.concepts)
        if self.rng.random() < 0.5:
            english = [("have" if plural else "has", helper), (verb.participle, concept)]
            forms = ("ist", "sind") if verb.takes_sein else ("hat", "haben")
            closing = verb.german_participle
        else:
            modal, *forms = self.pick("modals")
            english = [(modal, helper), (verb.base, concept)]
            closing = verb.prefix + verb.infinitive
        auxiliary = [(forms[plural], helper)]
        return english, auxiliary, auxiliary, [(closing, concept)], [(closing, concept)]

    @staticmethod
    def german_finite(verb: Verb, past: bool, plural: bool) -> str:
        if not past:
            return verb.infinitive if plural else verb.third
        if not plural:
            return verb.german_past
        return verb.german_past + ("n" if verb.german_past.endswith("e") else "en")

    def adverbial(self, spare: int, chance: float) -> tuple[list[Word], list[Word], int]:
        """A single adverb, or a phrase of place or company where there is room; and the words left."""
        if spare < 1 or self.rng.random() > chance:
            return [], [], spare
        if spare >= 3 and self.rng.random() < 0.6:
            return self.place(spare)
        concept = next(self.concepts)
        english, german = self.pick("adverbs")
        return [(english, concept)], [(german, concept)], spare - 1

    def place(self, spare: int) -> tuple[list[Word], list[Word], int]:
        with_person = self.rng.random() < 0.35
        english, german, case = self.pick("person prepositions" if with_person else "place prepositions")
        concept = next(self.concepts)
        share = 1 if spare > 3 and self.rng.random() < 0.4 else 0
        phrase = self.noun_phrase("people" if with_person else "places", share, case)
        words = self.words(english, concept)
        return words + phrase.english, [(german, concept), *phrase.german], spare - len(words) - 2 - share

    def noun_phrase(self, category: str, spare: int, case: str) -> Phrase:
        """A noun phrase with this many words besides determiner and noun: adjectives, relative clause, coordination."""
        if spare >= 3 and self.rng.random() < 0.15:
            return self.coordinated(category, spare - 3, case)
        noun: Noun = self.pick(category)
        plural = self.rng.random() < 0.3
        relative_words = spare if spare >= 3 and (spare > 4 or self.rng.random() < 0.6) else 0
        adjectives = min(2, max(spare - relative_words, 0))
        if relative_words > 4 and self.rng.random() < 0.4:
            adjectives, relative_words = 1, relative_words - 1
        phrase = self.simple_phrase(noun, plural, adjectives, case)
        return self.with_relative(phrase, relative_words) if relative_words else phrase

    def simple_phrase(self, noun: Noun, plural: bool, adjectives: int, case: str) -> Phrase:
        gender = PLURAL if plural else noun.gender
        column = COLUMN[gender]
        determiner, stem, endings, adjective_endings = self.pick(
            "plural determiners" if plural else "singular determiners"
        )
        concept = next(self.concepts)
        english, german = [(determiner, concept)], [(stem + endings[case][column], concept)]
        for adjective, adjective_stem in dict(self.pick("adjectives") for _ in range(adjectives)).items():
            concept = next(self.concepts)
            english.append((adjective, concept))
            german.append((adjective_stem + adjective_endings[case][column], concept))
        if english[0][0] == "a" and (english[1:] or [(noun.singular, 0)])[0][0][0] in "aeiou":
            english[0] = ("an", english[0][1])
        concept = next(self.concepts)
        english.append((noun.plural if plural else noun.singular, concept))
        german.append((self.german_noun(noun, plural, case), concept))
        return Phrase(english, german, gender, noun.person)

    @staticmethod
    def german_noun(noun: Noun, plural: bool, case: str) -> str:
        if not plural:
            return noun.german_singular
        return noun.german_plural + ("n" if case == DATIVE and not noun.german_plural.endswith(("n", "s")) else "")

    def coordinated(self, category: str, spare: int, case: str) -> Phrase:
        share = self.rng.randint(0, max(spare, 0))
        first, second = self.noun_phrase(category, share, case), self.noun_phrase(category, spare - share, case)
        concept = next(self.concepts)
        return Phrase(
            english=[*first.english, ("and", concept), *second.english],
            german=[*first.german, ("und", concept), *second.german],
            gender=PLURAL,
            person=first.person and second.person,
        )

    def with_relative(self, phrase: Phrase, words: int) -> Phrase:
        """The noun as subject of a relative clause, or as its direct object."""
        concept = next(self.concepts)
        column = COLUMN[phrase.gender]
        as_object = words >= 4 and self.rng.random() < 0.4
        pronoun = ("whom" if as_object else "who") if phrase.person else "that"
        if as_object:
            verb = self.pick("accusative")
            subject = self.noun_phrase("beings", words - 4, NOMINATIVE)
            group = self.verb_group(verb, subject.plural, split=False)
            english = subject.english + group[0]
            german = subject.german + group[4] + group[2]
        else:
            given = Phrase([], [], phrase.gender, phrase.person)
            clause = self.clause(words - 1, subject=given)
            english = clause.predicate_english + clause.front_english
            german = clause.german_subordinate()
        relative = DEFINITE[ACCUSATIVE if as_object else NOMINATIVE][column]
        return replace(
            phrase,
            english=[*phrase.english, (pronoun, concept), *english],
            german=[*phrase.german, COMMA, (relative, concept), *german, COMMA],
        )

    @staticmethod
    def words(text: str, concept: int) -> list[Word]:
        return [(word, concept) for word in text.split()]
