"""Generated tasks: right by their own rule, the same from the same seed, no test sentence in training."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nmt.corpus.kinds.tasks import TASKS, TaskOptions
from nmt.errors import UserError

SMALL = TaskOptions(train_pairs=300, valid_pairs=20, test_pairs_per_bucket=10)


@pytest.mark.parametrize("task", TASKS)
def test_splits_are_of_the_size_asked_for_and_keep_apart(task):
    options = replace(SMALL, task=task)
    train, valid, test = (list(options.read(split)) for split in ("train", "valid", "test"))
    assert (len(train), len(valid), len(test)) == (300, 20, 100)
    assert not {p.source for p in test} & {p.source for p in (*train, *valid)}
    assert train == list(options.read("train")) != list(replace(options, seed=2).read("train"))
    bounds = [bound for bound in options.test_bounds for _ in range(10)]
    assert all(len(pair.source.split()) <= max(bound, 4) for pair, bound in zip(test, bounds, strict=True))


@pytest.mark.parametrize("task", TASKS)
def test_every_target_word_follows_from_the_source_word_it_is_linked_with(task):
    for pair in replace(SMALL, task=task).read("test"):
        source, target = pair.source.split(), pair.target.split()
        assert [source[i] for i, _ in sorted(pair.links, key=lambda link: link[1])] == target


def test_reverse_is_reversed_and_recall_answers_its_question():
    for pair in replace(SMALL, task="reverse").read("valid"):
        assert pair.target.split() == pair.source.split()[::-1]
    for pair in replace(SMALL, task="recall").read("valid"):
        told, _, asked = pair.source.partition(" : ")
        words = told.split()
        book = dict(zip(words[::2], words[1::2], strict=True))
        assert pair.target == book[asked] and len(pair.source.split()) % 2 == 0


def test_the_corpus_doors_know_tasks():
    assert [pair.source for pair in SMALL.read("valid")] == [p.source for p in SMALL.read("valid")]
    assert SMALL.knows_links("test")
    links = [pair.links for pair in SMALL.read("test")]
    assert len(links) == 100 and all(links)
    assert SMALL.fingerprint("train") != replace(SMALL, task="reverse").fingerprint("train")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"task": "copi"}, "did you mean 'copy'"),
        ({"symbols": 1}, "corpus.symbols=1"),
        ({"test_bounds": [5, 5]}, "corpus.test_bounds"),
        ({"max_words": 0}, "corpus.max_words=0"),
        ({"task": "recall", "symbols": 5}, "too few keys"),
        ({"symbols": 2, "max_words": 2, "test_bounds": [2], "test_pairs_per_bucket": 200}, "gives only"),
    ],
)
def test_options_that_make_nothing_are_refused(changed, message):
    with pytest.raises(UserError, match=message):
        list(replace(SMALL, **changed).read("train"))
