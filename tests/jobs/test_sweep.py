"""Jobs of one command that would write into one folder."""

from __future__ import annotations

import shlex
import signal

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from nmt.config import register
from nmt.training.signals import Interrupted
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


@pytest.mark.parametrize(
    ("name", "swept", "told"),
    [
        ("evaluate", ("run=glob(*)",), "run=glob(*): stands for no value at all"),
        ("translate", ("run=a,b",), "standard input: 2 jobs would read it"),
        ("translate", ("run=a,b", "input=i", "output=o"), "o: of jobs 0 and 1, with run=a and b; put what"),
        ("export", ("run=a", "quantization=int8,float32"), "a/export/ctranslate2: of jobs 0 and 1"),
    ],
)
def test_jobs_that_would_do_nothing_or_undo_each_other_are_refused_before_the_first(tmp_path, name, swept, told):
    fails(door_in_process(name, "-m", *swept, folder=tmp_path), told)


def test_one_impossible_job_is_named_and_the_others_are_done(tmp_path):
    swept = (
        "model.attention.heads=1,3,2",
        "model.attention.score=scaled_dot",
        "run.dir='a,b (${model.attention.heads})'",
    )
    done = door_in_process("train", "-m", *TINY_TRAIN, "trainer.max_steps=1", *swept, folder=tmp_path)
    message = fails(done, "2 of 3 done; failed: #1 model.attention.heads=3")
    lines = done.stderr.decode().splitlines()
    [told] = [line for line in lines if "heads=3" in line and line != message]
    assert told.startswith("nmt: #1 model.attention.heads=3: ")
    for heads in (1, 2):
        assert (tmp_path / f"a,b ({heads})/checkpoints").is_dir()
        assert any(line.endswith(f"python -m nmt.evaluate \"run='a,b ({heads})'\"") for line in lines)
    assert len([line for line in lines if "within optimizer.warmup_steps" in line]) == 2


def test_a_job_that_fails_late_or_can_not_be_composed_does_not_end_the_others(tmp_path):
    done = door_in_process("evaluate", "-m", "run=a,b", "decoding.beam_size=1,x", folder=tmp_path)
    fails(done, "0 of 4 done; failed: #1 run=a decoding.beam_size=x, ")
    told = [line for line in done.stderr.decode().splitlines() if line.startswith("nmt: #")]
    assert [line.partition(":")[2].partition("#")[2][:1] for line in told] == ["1", "3", "0", "2"]
    assert "must be a whole number" in told[0] and "a: no run here" in told[2]


def test_a_signal_ends_all_of_a_sweep(tmp_path, monkeypatch):
    def stopped(config):
        raise Interrupted(signal.SIGTERM, 3)

    monkeypatch.setattr("nmt.evaluate._evaluate", stopped)
    done = door_in_process("evaluate", "-m", "run=a,b", folder=tmp_path)
    assert done.returncode == 128 + signal.SIGTERM
    assert b"stopped by SIGTERM at step 3" in done.stderr and b"#1" not in done.stderr


def test_several_values_where_one_is_wanted_are_told_in_a_line_that_can_be_typed(tmp_path):
    done = door_in_process("compare", "+comparison=demo", "seeds=1,2", folder=tmp_path)
    assert "\\" not in fails(done, 'seeds=1,2: one value is wanted; say "seeds=[1,2]" for a list')


@settings(max_examples=50, deadline=None)
@example("\\\\")
@example("\\'")
@example("it's \\\"${x}\\")
@example("'\":~")
@given(st.text(st.characters(exclude_characters="\0\n\r", exclude_categories=["Cs"]), min_size=1).filter(str.strip))
def test_a_hint_is_read_back_as_the_folder_that_it_names(folder):
    from nmt.errors import typed_as

    register()
    [argument] = shlex.split(typed_as("run.dir", folder))
    override = OverridesParser.create().parse_override(argument)
    assert OmegaConf.create({"dir": override.value()}).dir == folder
