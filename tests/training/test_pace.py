"""The order in which batches of all lengths are tried."""

from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.training.pace import spread

LENGTHS = st.lists(st.floats(1, 100), min_size=1, max_size=200)


@settings(max_examples=30, deadline=None)
@given(LENGTHS)
def test_each_batch_is_tried_once_before_any_is_tried_again(lengths):
    assert sorted(spread(lengths)) == list(range(len(lengths)))


@settings(max_examples=30, deadline=None)
@given(st.integers(8, 500), st.randoms())
def test_the_first_eight_batches_are_of_every_quarter_of_the_lengths(count, random):
    lengths = list(range(count))
    random.shuffle(lengths)
    first = [lengths[number] for number in spread(lengths)[:8]]
    assert {4 * length // count for length in first} == {0, 1, 2, 3}
