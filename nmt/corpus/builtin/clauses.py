"""What sentences of the built-in grammar are made of: words, phrases, verbs and clauses, in both languages at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from nmt.corpus.builtin.lexicon import PLURAL

Word = tuple[str, int]  # its form, and the concept that it expresses
COMMA: Word = (",", -1)


@dataclass(frozen=True)
class Both:
    """The same words in both languages; perhaps none."""

    english: list[Word] = field(default_factory=list)
    german: list[Word] = field(default_factory=list)

    def __add__(self, other: Both) -> Both:
        return Both(self.english + other.english, self.german + other.german)


NOTHING = Both()
COMMAS = Both([COMMA], [COMMA])
GERMAN_COMMA = Both([], [COMMA])  # where English has none


def expressed(concept: int, english: str, german: str) -> Both:
    """Returns a concept in the words of both languages."""
    return Both(_words(english, concept), _words(german, concept))


def _words(text: str, concept: int) -> list[Word]:
    return [(form, concept) for form in text.split()]


@dataclass(frozen=True)
class Phrase:
    """A noun phrase, with what must agree with it."""

    words: Both
    gender: str  # m, f, n, or PLURAL
    person: bool

    @property
    def plural(self) -> bool:
        return self.gender == PLURAL


@dataclass(frozen=True)
class VerbGroup:
    """The verbs of a clause. German splits them: the finite verb, and what closes the bracket that it opens."""

    english: list[Word]
    finite: list[Word]  # in second place
    finite_last: list[Word]  # at the end of a subordinate clause: its prefix joined
    closing: list[Word]  # prefix, participle or infinitive, in a main clause
    closing_last: list[Word]  # the same in a subordinate clause

    def last(self) -> Both:
        """Returns the verbs as they end a subordinate clause."""
        return Both(self.english, self.closing_last + self.finite_last)


@dataclass(frozen=True)
class Clause:
    """The parts of a clause, from which every order of words is made."""

    front: Both  # an adverbial that a main clause starts with
    subject: Both
    verbs: VerbGroup
    objects: Both
    end: Both  # an adverbial
    end_is_first: bool  # of German: whether that adverbial comes before the objects
    tail: Both  # a clause that was extraposed: after the German bracket

    def main(self, after_clause: bool = False) -> Both:
        return Both(self.english(), self.german_main(after_clause))

    def subordinate(self) -> Both:
        return Both(self.english(), self.german_subordinate())

    def relative(self) -> Both:
        """Returns the words after a relative pronoun, which is the subject."""
        return Both(self._english_predicate() + self.front.english, self.german_subordinate())

    def english(self) -> list[Word]:
        return self.front.english + self.subject.english + self._english_predicate()

    def _english_predicate(self) -> list[Word]:
        return self.verbs.english + self.objects.english + self.end.english + self.tail.english

    def german_main(self, after_clause: bool) -> list[Word]:
        """Returns the words with the verb second: whatever comes first, the finite verb comes next."""
        front = self.front.german
        subject = self.subject.german
        finite = self.verbs.finite
        if after_clause:
            start = finite + subject + front
        elif front:
            start = front + finite + subject
        else:
            start = subject + finite
        return start + self._middle() + self.verbs.closing + self.tail.german

    def german_subordinate(self) -> list[Word]:
        """Returns the words with the finite verb last."""
        start = self.subject.german + self.front.german + self._middle()
        return start + self.verbs.closing_last + self.verbs.finite_last + self.tail.german

    def _middle(self) -> list[Word]:
        if self.end_is_first:
            return self.end.german + self.objects.german
        return self.objects.german + self.end.german
