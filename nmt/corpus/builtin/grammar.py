"""The built-in English-German corpus: a generator with what makes translation hard, and the alignment known.

Verb-second main clauses, verb-final subordinate ones, separable verbs, verbs split by auxiliaries and modals, gender,
number and case agreement, relative clauses that agree with a far noun, coordination, clause complements. A sentence
is grown to a length in words; each word carries the concept that it expresses, and two words are aligned when they
express the same concept.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from typing import Any

from nmt.corpus.builtin.clauses import COMMAS, GERMAN_COMMA, NOTHING, Both, Clause, Phrase, VerbGroup, Word, expressed
from nmt.corpus.builtin.lexicon import ACCUSATIVE, DATIVE, NOMINATIVE, PLURAL, Determiner, lexicon, relative_pronoun
from nmt.corpus.builtin.nouns import Noun
from nmt.corpus.builtin.verbs import Verb

# English words that the objects of each kind of verb need at least.
LEAST_OBJECTS = {"intransitive": 0, "transitive": 2, "ditransitive": 4, "reporting": 5}


class Grammar:
    """Grows sentences from one random generator."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.lexicon = lexicon()
        self.concepts = itertools.count()

    def pick(self, kind: str) -> Any:
        """Draws an entry of the lexicon, frequent ones more often."""
        words = self.lexicon[kind]
        [entry] = self.rng.choices(words.entries, cum_weights=words.cumulative)
        return entry

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def share_of(self, words: int) -> int:
        """Draws how many of the words the first of two gets; there may be none."""
        return self.rng.randint(0, max(words, 0))

    def concept(self) -> int:
        """Returns a number that no word has yet."""
        return next(self.concepts)

    def say(self, english: str, german: str) -> Both:
        """Returns a new concept in the words of both languages."""
        return expressed(self.concept(), english, german)

    def sentence(self, words: int) -> Both:
        """Grows a sentence of about this many English words, without the final stop."""
        is_one_clause = words <= 13 or (words <= 18 and self.chance(0.5))
        if is_one_clause:
            return self.clause(words).main()
        low = max(4, words // 4)
        high = max(5, words - words // 4)
        first = self.rng.randint(low, high) - 1
        return self.joined(first, words - first - 1)

    def joined(self, first: int, second: int) -> Both:
        """Grows two clauses: a subordinate one before or after its main clause, or two coordinated."""
        kind = self.rng.random()
        if kind < 0.3 and first <= 13:
            subordinator = self.say(*self.pick("subordinators"))
            subordinate = self.clause(first)
            main = self.clause(second)
            return subordinator + subordinate.subordinate() + COMMAS + main.main(after_clause=True)
        left = self.sentence(first)
        if kind < 0.65 and second <= 24:
            subordinator = self.say(*self.pick("subordinators"))
            subordinate = self.clause(second)
            return left + COMMAS + subordinator + subordinate.subordinate()
        coordinator = self.say(*self.pick("coordinators"))
        right = self.sentence(second)
        return left + COMMAS + coordinator + right

    def clause(self, words: int, subject: Phrase | None = None) -> Clause:
        """Grows a clause of about this many words; a given subject (a relative pronoun) is used as it stands."""
        spare = words - (3 if subject is None else 2)
        kind = self.verb_kind(spare)
        spare -= LEAST_OBJECTS[kind]
        is_complex = spare >= 1 and self.chance(0.4)
        spare -= is_complex
        front, spare = self.adverbial(spare, 0.35)
        end, spare = self.adverbial(spare, 0.4)
        subject_share = self.subject_share(kind, spare, subject)
        object_share = spare - subject_share
        if kind == "intransitive" and object_share >= 3 and not end.german:
            end, object_share = self.place(object_share)
        if subject is None:
            if kind == "intransitive":
                subject_share += max(object_share, 0)
            subject = self.noun_phrase("beings", subject_share, NOMINATIVE)
        verb: Verb = self.pick(kind)
        objects, tail = self.objects(kind, verb, object_share)
        verbs = self.verb_group(verb, subject.plural, is_complex)
        is_moved = self.chance(0.5)
        is_adverb = len(end.german) == 1
        return Clause(
            front=front,
            subject=subject.words,
            verbs=verbs,
            objects=objects,
            end=end,
            end_is_first=is_moved and is_adverb,
            tail=tail,
        )

    def subject_share(self, kind: str, spare: int, subject: Phrase | None) -> int:
        """Draws how many of the words that are left go to the subject, which may be there already."""
        if kind == "reporting":
            return spare // 3
        if subject is not None:
            return 0
        return self.share_of(spare)

    def verb_kind(self, spare: int) -> str:
        if spare >= 6 and self.chance(0.2):
            return "reporting"
        if spare >= 4 and self.chance(0.25):
            return "ditransitive"
        if spare >= 2 and self.chance(0.8):
            return "transitive"
        return "intransitive"

    def objects(self, kind: str, verb: Verb, spare: int) -> tuple[Both, Both]:
        """Grows the objects, and a clause complement."""
        if kind == "intransitive":
            return NOTHING, NOTHING
        if kind == "reporting":
            clause = self.clause(max(spare + 3, 3))
            complement = self.say("that", "dass") + clause.subordinate()
            return NOTHING, GERMAN_COMMA + complement
        if kind == "ditransitive":
            share = self.share_of(spare)
            receiver = self.noun_phrase("people", share, DATIVE)
            gift = self.noun_phrase("things", spare - share, ACCUSATIVE)
            return receiver.words + gift.words, NOTHING
        category = "people"
        if verb.object_case != DATIVE:
            category = self.rng.choice(("beings", "things"))
        phrase = self.noun_phrase(category, spare, verb.object_case)
        return phrase.words, NOTHING

    def verb_group(self, verb: Verb, plural: bool, is_complex: bool) -> VerbGroup:
        """Inflects a verb; a complex one has an auxiliary or a modal, which opens the German bracket."""
        concept = self.concept()
        if not is_complex:
            return self.simple_verb(verb, plural, concept)
        helper = self.concept()
        if self.chance(0.5):
            auxiliary = "have" if plural else "has"
            english = [(auxiliary, helper), (verb.participle, concept)]
            forms = ("ist", "sind") if verb.takes_sein else ("hat", "haben")
            closing = [(verb.german_participle, concept)]
        else:
            modal, *forms = self.pick("modals")
            english = [(modal, helper), (verb.base, concept)]
            closing = [(verb.prefix + verb.infinitive, concept)]
        finite = [(forms[plural], helper)]
        return VerbGroup(english, finite, finite, closing, closing)

    def simple_verb(self, verb: Verb, plural: bool, concept: int) -> VerbGroup:
        is_past = self.chance(0.4)
        finite = verb.german_finite(is_past, plural)
        prefix = [(verb.prefix, concept)] if verb.prefix else []
        return VerbGroup(
            english=[(verb.english_finite(is_past, plural), concept)],
            finite=[(finite, concept)],
            finite_last=[(verb.prefix + finite, concept)],
            closing=prefix,
            closing_last=[],
        )

    def adverbial(self, spare: int, chance: float) -> tuple[Both, int]:
        """Grows a single adverb, or a phrase of place or company where there is room; and returns the words left."""
        if spare < 1 or self.rng.random() > chance:
            return NOTHING, spare
        if spare >= 3 and self.chance(0.6):
            return self.place(spare)
        adverb = self.say(*self.pick("adverbs"))
        return adverb, spare - 1

    def place(self, spare: int) -> tuple[Both, int]:
        """Grows a phrase of place or company, and returns the words left."""
        if self.chance(0.35):
            category = "people"
            english, german, case = self.pick("person prepositions")
        else:
            category = "places"
            english, german, case = self.pick("place prepositions")
        share = 1 if spare > 3 and self.chance(0.4) else 0
        phrase = self.noun_phrase(category, share, case)
        preposition = self.say(english, german)
        left = spare - len(preposition.english) - 2 - share
        return preposition + phrase.words, left

    def noun_phrase(self, category: str, spare: int, case: str) -> Phrase:
        """Grows a noun phrase with ``spare`` words besides determiner and noun: adjectives, relative clause,
        coordination.
        """
        if spare >= 3 and self.chance(0.15):
            return self.coordinated(category, spare - 3, case)
        noun: Noun = self.pick(category)
        plural = self.chance(0.3)
        relative_words = self.relative_words(spare)
        adjectives = max(spare - relative_words, 0)
        adjectives = min(adjectives, 2)
        if relative_words > 4 and self.chance(0.4):
            adjectives = 1
            relative_words -= 1
        phrase = self.simple_phrase(noun, plural, adjectives, case)
        if relative_words:
            return self.with_relative(phrase, relative_words)
        return phrase

    def relative_words(self, spare: int) -> int:
        """Draws how many words a relative clause gets: all that are left, or none."""
        if spare < 3:
            return 0
        if spare > 4 or self.chance(0.6):
            return spare
        return 0

    def simple_phrase(self, noun: Noun, plural: bool, adjectives: int, case: str) -> Phrase:
        """Inflects determiner, adjectives and noun."""
        gender = noun.gender
        kind = "singular determiners"
        if plural:
            gender = PLURAL
            kind = "plural determiners"
        determiner: Determiner = self.pick(kind)
        words = self.say(determiner.english, determiner.german(case, gender))
        picked = {}  # each once
        for _ in range(adjectives):
            adjective, stem = self.pick("adjectives")
            picked[adjective] = stem
        for adjective, stem in picked.items():
            german_adjective = determiner.german_adjective(stem, case, gender)
            words += self.say(adjective, german_adjective)
        words += self.say(noun.english(plural), noun.german(plural, case))
        self.elide(words.english)
        return Phrase(words, gender, noun.person)

    @staticmethod
    def elide(phrase: list[Word]) -> None:
        """Makes ``an`` of an ``a`` before a vowel."""
        article, concept = phrase[0]
        following, _ = phrase[1]
        if article == "a" and following[0] in "aeiou":
            phrase[0] = ("an", concept)

    def coordinated(self, category: str, spare: int, case: str) -> Phrase:
        share = self.share_of(spare)
        first = self.noun_phrase(category, share, case)
        second = self.noun_phrase(category, spare - share, case)
        words = first.words + self.say("and", "und") + second.words
        are_persons = first.person and second.person
        return Phrase(words, PLURAL, are_persons)

    def with_relative(self, phrase: Phrase, words: int) -> Phrase:
        """Adds a relative clause with the noun as its subject, or as its direct object."""
        is_object = words >= 4 and self.chance(0.4)
        if is_object:
            pronoun = "whom" if phrase.person else "that"
            case = ACCUSATIVE
            verb = self.pick("accusative")
            subject = self.noun_phrase("beings", words - 4, NOMINATIVE)
            verbs = self.verb_group(verb, subject.plural, is_complex=False)
            clause = subject.words + verbs.last()
        else:
            pronoun = "who" if phrase.person else "that"
            case = NOMINATIVE
            without_noun = Phrase(NOTHING, phrase.gender, phrase.person)
            clause = self.clause(words - 1, without_noun).relative()
        pronouns = self.say(pronoun, relative_pronoun(case, phrase.gender))
        with_clause = phrase.words + GERMAN_COMMA + pronouns + clause + GERMAN_COMMA
        return replace(phrase, words=with_clause)
