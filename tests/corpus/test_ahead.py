"""Batches made ahead are the same batches, and leave no thread behind."""

from __future__ import annotations

import threading

import pytest

from nmt.corpus.batches.ahead import made_ahead


@pytest.mark.parametrize("count", [0, 1, 4])
def test_items_come_in_their_order_and_all_of_them(count):
    assert list(made_ahead((number for number in range(50)), count)) == list(range(50))


@pytest.mark.parametrize("count", [0, 3])
def test_an_error_is_raised_where_its_item_is_asked_for(count):
    def items():
        yield 1
        raise ValueError("no second")

    made = made_ahead(items(), count)
    assert next(made) == 1
    with pytest.raises(ValueError, match="no second"):
        next(made)


@pytest.mark.parametrize("count", [0, 3])
def test_closing_ends_the_items_and_their_thread(count):
    closed = []

    def items():
        try:
            number = 0
            while True:
                yield number
                number += 1
        finally:
            closed.append(True)

    before = threading.active_count()
    made = made_ahead(items(), count)
    assert [next(made), next(made)] == [0, 1]
    made.close()
    assert closed == [True]
    assert threading.active_count() == before
