"""Jobs of one command that would write into one folder."""

from __future__ import annotations

import pytest

from tests.conftest import TINY_CORPUS
from tests.processes import TINY_TRAIN, door_in_process, fails
from tests.test_doors import quoted


@pytest.mark.parametrize(
    ("swept", "told"),
    [
        (("run.name=s", "trainer.accumulate=1,4"), ("runs/s/seed-1", "trainer.accumulate=1 and 4", "run.name=s/${")),
        (("trainer.max_steps=4,8",), ("runs/demo/attention/seed-1", "jobs 0 and 1", "/${trainer.max_steps}")),
        (("run.dir=x", "seed=1,2"), ("x: of jobs 0 and 1", "seed=1 and 2", "run.dir=x/${seed}")),
    ],
)
def test_unlike_jobs_of_one_run_are_refused_before_the_first(tmp_path, swept, told):
    done = door_in_process("train", "-m", *TINY_TRAIN, *swept, folder=tmp_path)
    fails(done, *told)
    assert not list(tmp_path.iterdir())


def test_unlike_jobs_of_one_comparison_are_refused_before_the_first(tmp_path):
    small = f"overrides={quoted(TINY_CORPUS)}"
    done = door_in_process("compare", "-m", "+comparison=demo", "match=steps", "budget=1,2", small, folder=tmp_path)
    fails(done, "runs/demo: of jobs 0 and 1", "budget=1.0 and 2.0", "name=demo-${budget}")
    assert not list(tmp_path.iterdir())
