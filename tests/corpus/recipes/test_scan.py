"""SCAN from a small repository of its layout."""

from __future__ import annotations

import pytest

from nmt.corpus.recipes.scan import SPLITS
from nmt.errors import Absent, Damaged, UserError
from tests.corpus.recipes.memory import splits_of, text, texts_of

TASKS = {path: text(f"IN: {name} twice OUT: I_WALK I_WALK", "IN: jump OUT: I_JUMP") for name, path in SPLITS.items()}


def test_commands_and_actions_are_cut_apart():
    splits = splits_of("scan", TASKS)
    assert list(splits) == ["length.train", "length.test", "simple.train", "simple.test"]
    assert texts_of(splits["length.test"]) == {
        "in": ["length.test twice", "jump"],
        "out": ["I_WALK I_WALK", "I_JUMP"],
    }


@pytest.mark.parametrize("line", ["IN: jump", "jump OUT: I_JUMP", "", "IN: jump OUT I_JUMP"])
def test_what_is_no_task_is_named_with_its_line(line):
    path = SPLITS["simple.train"]
    harmed = {**TASKS, path: text("IN: jump OUT: I_JUMP", line)}
    with pytest.raises(Damaged, match=f"brendenlake/SCAN: {path}, line 2: not 'IN: command OUT: actions'"):
        splits_of("scan", harmed)


def test_a_file_that_is_not_there_or_no_text_is_named():
    path = SPLITS["length.test"]
    with pytest.raises(Absent, match=path):
        splits_of("scan", {name: content for name, content in TASKS.items() if name != path})
    with pytest.raises(UserError, match=f"{path}, line 1: not valid UTF-8"):
        splits_of("scan", {**TASKS, path: b"IN: \xff OUT: I_JUMP\n"})
