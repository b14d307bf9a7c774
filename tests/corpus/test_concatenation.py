"""Short neighbours joined: whole, in order, within the length, links carried along."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.corpus.pair import Pair
from nmt.corpus.text.cleaning import CleaningReport
from nmt.corpus.text.concatenation import ConcatenationOptions, with_joined
from nmt.errors import UserError

PAIRS = [Pair(f"a{i} b{i}", f"x{i} y{i} z{i}", ((0, 2), (1, 0))) for i in range(200)]


@settings(deadline=None)
@given(st.floats(0, 2), st.integers(2, 40))
def test_every_pair_stays_and_joined_ones_are_neighbours_within_the_length(share, max_words):
    report = CleaningReport()
    made = list(with_joined(PAIRS, ConcatenationOptions(share, max_words), report))
    joined = [pair for pair in made if pair not in PAIRS]
    assert [pair for pair in made if pair in PAIRS] == PAIRS
    assert len(joined) == report.joined <= share * len(PAIRS) + 1
    for pair in joined:
        words = pair.source.split()
        first = int(words[0][1:])
        assert words == [w for i in range(first, first + len(words) // 2) for w in (f"a{i}", f"b{i}")]
        assert 4 <= len(words) <= max_words
        linked = [(words[s], pair.target.split()[t]) for s, t in pair.links]
        assert all((a[0], b[0]) in {("a", "z"), ("b", "x")} and a[1:] == b[1:] for a, b in linked)


def test_it_is_the_same_every_time_and_off_by_default():
    once, again = (list(with_joined(PAIRS, ConcatenationOptions(0.5), CleaningReport())) for _ in range(2))
    assert once == again and len(once) > len(PAIRS) + 80
    assert list(with_joined(PAIRS, ConcatenationOptions(), CleaningReport())) == PAIRS


@pytest.mark.parametrize("values", [{"share": -0.1}, {"share": 1e6}, {"share": 1, "max_words": 1}])
def test_options_without_meaning_are_refused(values):
    with pytest.raises(UserError, match=r"joining\."):
        ConcatenationOptions(**values)
