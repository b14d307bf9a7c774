"""What a door sets for the libraries that PyTorch loads, and what that saves; importing the package sets nothing."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from nmt.environment import rank_and_count
from nmt.errors import UserError
from nmt.training.ranks import processes_here
from tests.conftest import ROOT
from tests.processes import door_in_process, fails

NAMES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
PREPARED = "from nmt.environment import prepare_libraries; prepare_libraries()"
# Products of ever new shapes, as batches bring them: megabytes more after 500 of them than after 300.
GROWTH = """
import os
{first}
import torch
torch.set_num_threads(1)
def megabytes():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
right = torch.ones(256, 256, dtype=torch.bfloat16)
for rows in range(600, 1100):
    torch.ones(rows, 256, dtype=torch.bfloat16) @ right
    if rows == 900:
        before = megabytes()
print(megabytes() - before)
"""


def python(code: str, **variables: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in NAMES}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env={**environment, **variables}, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize(
    ("given", "spin"), [({}, "3000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "PASSIVE"}, "None")]
)
def test_threads_wait_awake_for_a_moment_unless_the_user_says_how(given, spin):
    assert python(f"{PREPARED}; import os; print(os.environ.get('GOMP_SPINCOUNT'))", **given).strip() == spin


def test_a_door_sets_them_before_torch_is_imported():
    code = "import sys; sys.argv[1:] = ['run=nowhere']\nfrom nmt import door, translate\n"
    code += "door.prepare_libraries = lambda: print('torch' in sys.modules)\ntry: translate.main()\n"
    code += "except SystemExit: print('torch' in sys.modules)"
    assert python(code).split() == ["False", "True"]


def test_importing_the_package_changes_nothing():
    code = "import os, sys; before = dict(os.environ); import nmt\n"
    code += "print(before == dict(os.environ), 'torch' in sys.modules)"
    assert python(code).split() == ["True", "False"]


def test_a_process_knows_its_place_among_those_of_torchrun(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert rank_and_count() == (0, 1)
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert rank_and_count() == (2, 4)
    monkeypatch.setenv("RANK", "")
    monkeypatch.setenv("WORLD_SIZE", "")
    assert rank_and_count() == (0, 1), "set, but empty"


@pytest.mark.skipif(not torch.cpu._is_avx512_bf16_supported(), reason="no bf16 kernels that are made for each shape")
def test_kernels_of_shapes_long_past_take_no_memory():
    ours = float(python(GROWTH.format(first=PREPARED)))
    theirs = float(python(GROWTH.format(first="")))
    assert ours < 20 < theirs, "the library has changed: are the variables in nmt/environment.py still needed?"


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"RANK": "1"}, (0, 1)),
        ({"WORLD_SIZE": "4"}, (0, 1)),
        ({"WORLD_SIZE": "abc"}, "WORLD_SIZE=abc: not a number"),
        ({"RANK": "-1", "WORLD_SIZE": "4"}, "RANK=-1: not a number"),
        ({"RANK": "4", "WORLD_SIZE": "4"}, "RANK=4, WORLD_SIZE=4: ranks count from 0"),
    ],
)
def test_what_a_launcher_left_counts_only_where_it_can_be_right(monkeypatch, variables, place):
    set_launcher(monkeypatch, **variables)
    if isinstance(place, tuple):
        assert rank_and_count() == place
        return
    with pytest.raises(UserError, match=place):
        rank_and_count()


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"RANK": "1"}, "RANK=1, but no WORLD_SIZE: left over"),
        ({"RANK": "1", "WORLD_SIZE": "2"}, "RANK=1, WORLD_SIZE=2, but no MASTER_ADDR and MASTER_PORT: left over"),
    ],
)
def test_a_command_works_alone_and_says_so_where_a_launcher_left_a_rank(monkeypatch, tmp_path, variables, told):
    set_launcher(monkeypatch, **variables)
    done = door_in_process("evaluate", "run=nowhere", folder=tmp_path)
    fails(done, "nowhere")
    assert told in done.stderr.decode()


def test_a_process_that_has_nothing_to_do_says_so(monkeypatch, tmp_path):
    set_launcher(monkeypatch, RANK="1", WORLD_SIZE="2", MASTER_ADDR="localhost", MASTER_PORT="29500")
    done = door_in_process("evaluate", "run=nowhere", folder=tmp_path)
    assert done.returncode == 0 and b"RANK=1: evaluate is done by the first process" in done.stderr


def test_training_is_refused_where_its_processes_could_not_meet(monkeypatch, tmp_path):
    set_launcher(monkeypatch, RANK="1", WORLD_SIZE="2")
    done = door_in_process("train", "+experiment=demo/attention", "device=cpu", folder=tmp_path)
    fails(done, "RANK=1, WORLD_SIZE=2: without MASTER_ADDR and MASTER_PORT", "torchrun", "unset RANK")


def test_processes_on_a_machine_are_counted_only_under_a_launcher(monkeypatch):
    set_launcher(monkeypatch, LOCAL_WORLD_SIZE="8")
    assert processes_here() == 1
    set_launcher(monkeypatch, LOCAL_WORLD_SIZE="")
    assert processes_here() == 1


def set_launcher(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    """Sets of a launcher's variables these alone."""
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
