"""SCAN: commands in a made language, and the actions that they ask for (Lake and Baroni 2018)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from nmt.corpus.recipes.recipe import Files, Recipe, Source, Split, register
from nmt.corpus.recipes.rows import Row, split_of_rows
from nmt.corpus.recipes.text import lines_of_file
from nmt.errors import Damaged

# Names here, and in the repository.
SPLITS = {
    "length.train": "length_split/tasks_train_length.txt",
    "length.test": "length_split/tasks_test_length.txt",
    "simple.train": "simple_split/tasks_train_simple.txt",
    "simple.test": "simple_split/tasks_test_simple.txt",
}
TASK = re.compile("IN: (.*) OUT: (.*)")


def _splits(sources: Sequence[Source]) -> Iterator[Split]:
    [tasks] = sources
    for name, path in SPLITS.items():
        yield split_of_rows(name, ("in", "out"), _tasks_of_file(tasks, path))


def _tasks_of_file(tasks: Source, path: str) -> list[Row]:
    rows: list[Row] = []
    for number, line in enumerate(lines_of_file(tasks, path), 1):
        task = TASK.fullmatch(line)
        if task is None:
            raise Damaged(f"{tasks.place(path)}, line {number}: not 'IN: command OUT: actions'")
        command, actions = task.groups()
        rows.append((command, actions))
    return rows


TASKS = Files(
    repository="brendenlake/SCAN",
    commit="c4b756cbc010d75c912f16c42c8f15dc6b7e6c8f",
    prefix="",
    size=8_160_776,
    digests={
        "length_split/tasks_train_length.txt": "b034212dc7cf87ce62f3a067dd6ad49c4d5cd18d51d615d13825516bcb1ebbc2",
        "length_split/tasks_test_length.txt": "0760752ed34a75116ae11dcc1ee17526b7500060da1366540730fa24894d7db3",
        "simple_split/tasks_train_simple.txt": "941bb8a088c5f53ceff12fde902dc008933cf0c4203cc672c47b5f79d73262dd",
        "simple_split/tasks_test_simple.txt": "1fe1c8f5a19d0dc40e41bab94278f45f66f3dc415a978bd29855a23440610fc6",
    },
)

register(
    Recipe(
        folder="scan",
        title="SCAN, length and simple splits",
        languages=("in", "out"),
        corpora=("scan", "scan_simple"),
        pairs=16_990,
        licence="BSD License",
        citation=(
            "Lake and Baroni 2018: Generalization without Systematicity: On the Compositional Skills of Sequence-"
            "to-Sequence Recurrent Networks (ICML)"
        ),
        treatment=(
            "'IN: command OUT: actions' cut in two. In the length split, training outputs have up to 22 actions, "
            "test outputs 24 to 48."
        ),
        needs=(TASKS,),
        digests={
            "length.test.in": "04eab6ada611243e791c86b6118db8c7b3d54b4c5fc569a0f4708ec4c41636cf",
            "length.test.out": "737858f4d15c5be0a123c2cdbc51e4f5184108b52ac5758a8941dcaaa868ee26",
            "length.train.in": "2fcb4627103199d3ef2bdde0627694bb8303fefc12ffb444716a7a8f9efc0ab8",
            "length.train.out": "227b1fc8a893068e8b38c33122088e6c8558ce99a58c2f5656433510c415789e",
            "simple.test.in": "920507b7d7fe26231aace4f64330e6646b7ca094e0079b5f4910f2022d191da4",
            "simple.test.out": "e95ce1259beb7bb72faeb4d81e2de551f96504ae22a40b49d659852511dee0d4",
            "simple.train.in": "70e71627f485b41d48c89d94e10f96c6766fb6c60b167042f5c0cebf0fb916c9",
            "simple.train.out": "c94463fc462eef66141e2303b7adb7d322ba32b881ec26a17b8e1cedb7140247",
        },
        splits=_splits,
        measured="out",
    )
)
