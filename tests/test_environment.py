"""What `import nmt` sets for the libraries that PyTorch loads, and what that saves."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from tests.conftest import ROOT

NAMES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
# Products of ever new shapes, as batches bring them: megabytes more after 500 of them than after 300.
GROWTH = """
import os, {first}
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
    assert python("import nmt, os; print(os.environ.get('GOMP_SPINCOUNT'))", **given).strip() == spin


@pytest.mark.skipif(not torch.cpu._is_avx512_bf16_supported(), reason="no bf16 kernels that are made for each shape")
def test_kernels_of_shapes_long_past_take_no_memory():
    ours, theirs = (float(python(GROWTH.format(first=first))) for first in ("nmt", "sys"))
    assert ours < 20 < theirs, "the library has changed: are the variables in nmt/__init__.py still needed?"
