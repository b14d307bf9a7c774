"""What became of words by their place in the sentence."""

from __future__ import annotations

from nmt.evaluation.places import recall_by_place
from nmt.evaluation.translations import Evaluations
from tests.evaluation.test_table import OPTIONS, made
from tests.texts import REFERENCES


def test_a_tenth_with_fewer_than_20_words_is_no_point_of_the_curve():
    lengths = [10] * 3 + [9] * 97  # of the latter none has a word in the last tenth
    sources = ["w " * length for length in lengths]
    links = [[(place, place) for place in range(length)] for length in lengths]
    rows = recall_by_place(Evaluations({"a": {"1": made(REFERENCES, sources, links)}}), OPTIONS)
    whole = {row.place: row.words for row in rows if row.bucket == "all"}
    assert 10 not in whole and set(whole) == set(range(1, 10))
    assert min(whole.values()) >= 20
