"""Test sets compared one by one and put together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nmt.errors import UserError
from nmt.evaluation import resampling
from nmt.evaluation.comparison import compare_test_set, merged
from nmt.evaluation.measures import measure as registry
from nmt.evaluation.measures.bleu import Bleu
from nmt.evaluation.measures.measure import MEASURES, Need
from nmt.evaluation.translations import Evaluations
from tests.evaluation.test_table import OPTIONS, SOURCES, evaluation

KNOWN = [[(i, i) for i in range(7)] for _ in SOURCES]


def systems(test_set: str = "test") -> dict:
    made = {"a": {"1": evaluation(0.3, 1, KNOWN)}, "b": {"1": evaluation(0.1, 2, KNOWN)}}
    return {name: {"1": replace(by_seed["1"], test_set=test_set)} for name, by_seed in made.items()}


def test_each_size_of_a_bucket_is_resampled_once_for_all_who_need_it(monkeypatch):
    sizes = []

    class Counted(resampling.Resampler):
        def __init__(self, sentences, *rest):
            sizes.append(sentences)
            super().__init__(sentences, *rest)

    monkeypatch.setattr(resampling, "Resampler", Counted)
    result = compare_test_set(Evaluations(systems()), "a", OPTIONS)
    assert result.findings and result.places and result.rows
    assert len(sizes) == len(set(sizes))
    assert set(sizes) == {48, 49, 97, 100}, "two buckets, both together for a finding, and the whole"


def test_test_sets_are_put_together_in_their_order():
    parts = [compare_test_set(Evaluations(systems(name)), "a", OPTIONS) for name in ("z", "m")]
    fields = merged(parts)
    assert list(fields["test_sets"]) == ["z", "m"]
    assert fields["test_sets"]["z"] == {"1-8": 48, "9-12": 49, "13+": 3, "all": 100}
    assert [bucket.end for bucket in fields["buckets"]["m"]] == [8, 12, 13, 0]
    assert len(fields["rows"]) == sum(len(part.rows) for part in parts)
    assert [sentences.test_set for sentences in fields["sentences"]] == ["z", "m"]


def test_evaluations_are_regrouped_by_test_set():
    evaluated = {
        (system, seed): [replace(evaluation(0.1, seed), test_set=name) for name in ("x", "y")]
        for system in ("a", "b")
        for seed in (1, 2)
    }
    first, second = Evaluations.by_test_set(evaluated)
    assert (first.test_set, second.test_set) == ("x", "y")
    assert first.systems == ["a", "b"] and first.seeds("a") == ["1", "2", "mean"]


def test_a_chosen_measure_that_lacks_what_it_needs_is_told(monkeypatch):
    monkeypatch.setattr(registry, "MEASURES", dict(MEASURES))

    class Linked(Bleu):
        name = "linked"
        label = "linked"
        needs = frozenset({Need.KNOWN_LINKS})

    options = replace(OPTIONS, metrics=["linked"])
    without = Evaluations({"a": {"1": evaluation(0.3, 1)}})
    with pytest.raises(UserError, match="needs known word links, which a has not on test set"):
        compare_test_set(without, "a", options)
