"""The text of generated corpora is held by its hash: a run that goes on must find the text that it began with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

import pytest

from nmt.corpus.kinds import grammar as builtin
from nmt.corpus.kinds import tasks
from nmt.corpus.kinds.corpus import fingerprint
from nmt.corpus.kinds.generated import AlignedPair, versioned
from nmt.corpus.kinds.grammar import GrammarOptions
from nmt.corpus.kinds.tasks import TaskOptions

GRAMMAR = GrammarOptions(train_pairs=1000, valid_pairs=100, test_pairs_per_bucket=10)
TASK = TaskOptions(train_pairs=1000, valid_pairs=100, test_pairs_per_bucket=10, test_bounds=[2, 4, 6, 8])
# Of version 1. If one of these changes, raise VERSION beside the code that changed the text.
TEXTS = {
    "grammar": ["7cf5aa8e00538900", "1611f13c00d03fae", "d63969600f38f1c1"],
    "copy": ["1f59284ba216175c", "abe4c747ba3ecae3", "b63dd44f71b3729b"],
    "reverse": ["1305416a1482520a", "7d95f02410356532", "9653fa387092af7b"],
    "recall": ["fef96ba516765433", "c9a4301b8d128040", "7be9995eed7d4956"],
}


def text_hash(pairs: Iterable[AlignedPair]) -> str:
    lines = [f"{pair.source}\t{pair.target}\t{pair.links}" for pair in pairs]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def test_the_grammar_s_text_is_that_of_its_version():
    found = [text_hash(builtin.generate(GRAMMAR, split)) for split in ("train", "valid", "test")]
    assert builtin.VERSION == 1
    assert found == TEXTS["grammar"]


@pytest.mark.parametrize("task", tasks.TASKS)
def test_a_task_s_text_is_that_of_its_version(task):
    options = replace(TASK, task=task)
    found = [text_hash(tasks.generate(options, split)) for split in ("train", "valid", "test")]
    assert tasks.VERSION == 1
    assert found == TEXTS[task]


def test_every_option_that_changes_the_text_changes_the_fingerprint():
    changed = [
        replace(GRAMMAR, seed=2),
        replace(GRAMMAR, train_pairs=1001),
        replace(GRAMMAR, test_bounds=[10, 20]),
        replace(GRAMMAR, sigma=0.5),
        TASK,
        replace(TASK, task="reverse"),
        replace(TASK, symbols=32),
    ]
    found = [fingerprint(options, "train") for options in (GRAMMAR, *changed)]
    assert len(set(found)) == len(found)
    assert fingerprint(GRAMMAR, "train") != fingerprint(GRAMMAR, "valid")


def test_an_option_that_came_later_changes_nothing_at_its_default():
    @dataclass
    class Later(GrammarOptions):
        shuffled: bool = False

    now = versioned(GRAMMAR, builtin.VERSION, builtin.KNOWN_TO_VERSION)
    of_run = {"train_pairs": 1000, "valid_pairs": 100, "test_pairs_per_bucket": 10}
    assert versioned(Later(**of_run), builtin.VERSION, builtin.KNOWN_TO_VERSION) == now
    assert versioned(Later(**of_run, shuffled=True), builtin.VERSION, builtin.KNOWN_TO_VERSION) != now
