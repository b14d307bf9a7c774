"""The text of generated corpora is held by its hash: a run that goes on must find the text that it began with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

import pytest

from nmt.corpus.kinds.grammar import GrammarOptions
from nmt.corpus.kinds.tasks import TASKS, TaskOptions
from nmt.corpus.pair import Pair

GRAMMAR = GrammarOptions(train_pairs=1000, valid_pairs=100, test_pairs_per_bucket=10)
TASK = TaskOptions(train_pairs=1000, valid_pairs=100, test_pairs_per_bucket=10, test_bounds=[2, 4, 6, 8])
# Of version 1. If one of these changes, raise `version` beside the code that changed the text.
TEXTS = {
    "grammar": ["7cf5aa8e00538900", "1611f13c00d03fae", "d63969600f38f1c1"],
    "copy": ["1f59284ba216175c", "abe4c747ba3ecae3", "b63dd44f71b3729b"],
    "reverse": ["1305416a1482520a", "7d95f02410356532", "9653fa387092af7b"],
    "recall": ["fef96ba516765433", "c9a4301b8d128040", "7be9995eed7d4956"],
}


def text_hash(pairs: Iterable[Pair]) -> str:
    lines = [f"{pair.source}\t{pair.target}\t{pair.links}" for pair in pairs]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def test_the_grammar_s_text_is_that_of_its_version():
    found = [text_hash(GRAMMAR.read(split)) for split in ("train", "valid", "test")]
    assert GRAMMAR.version == 1
    assert found == TEXTS["grammar"]


@pytest.mark.parametrize("task", TASKS)
def test_a_task_s_text_is_that_of_its_version(task):
    options = replace(TASK, task=task)
    found = [text_hash(options.read(split)) for split in ("train", "valid", "test")]
    assert TASK.version == 1
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
    found = [options.fingerprint("train") for options in (GRAMMAR, *changed)]
    assert len(set(found)) == len(found)
    assert GRAMMAR.fingerprint("train") != GRAMMAR.fingerprint("valid")


def test_an_option_that_came_later_changes_nothing_at_its_default():
    @dataclass
    class Later(GrammarOptions):
        shuffled: bool = False

    of_run = {"train_pairs": 1000, "valid_pairs": 100, "test_pairs_per_bucket": 10}
    assert Later(**of_run).fingerprint("train") == GRAMMAR.fingerprint("train")
    assert Later(**of_run, shuffled=True).fingerprint("train") != GRAMMAR.fingerprint("train")


def test_the_fingerprints_of_generated_text_are_what_runs_have_recorded():
    assert GrammarOptions().fingerprint("train") == "grammar-1-9bc1c07267b74d22-train"
    assert TaskOptions().fingerprint("train") == "task-1-c2941101af0ff3c5-train"
