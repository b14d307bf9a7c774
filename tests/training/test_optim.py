import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nmt.errors import UserError
from nmt.training.optim import OPTIMIZERS, SCHEDULES, OptimizerOptions, learning_rate, make_optimizer
from tests.conftest import ROOT


@given(
    schedule=st.sampled_from(sorted(SCHEDULES)),
    step=st.integers(1, 10_000),
    progress=st.floats(0, 2),
    stood=st.integers(0, 5),
)
def test_a_rate_is_above_zero_and_at_most_the_highest(schedule, step, progress, stood):
    options = OptimizerOptions(schedule=schedule, warmup_steps=100)
    assert 0 < learning_rate(options, step, progress, stood) <= options.learning_rate * 1.0000001


def test_schedules_are_their_formulas():
    def rate(schedule, step, progress=0.0, stood=0):
        options = OptimizerOptions(schedule=schedule, learning_rate=1.0, warmup_steps=100, final_ratio=0.1)
        return learning_rate(options, step, progress, stood)

    assert rate("cosine", 50) == pytest.approx(0.5)
    assert rate("inverse_sqrt", 400) == pytest.approx(0.5)
    assert rate("cosine", 200, 0.5) == pytest.approx(0.55)
    assert [rate(name, 200, 1.0) for name in ("cosine", "linear")] == pytest.approx([0.1, 0.1])
    assert rate("linear", 200, 0.5) == pytest.approx(0.55)
    assert rate("constant", 200, 0.9) == 1
    assert rate("plateau", 200, 0.9, stood=2) == 0.25
    halved = OptimizerOptions(schedule="halving", learning_rate=1.0, warmup_steps=0, halve_from=2 / 3, halvings=5)
    at = [learning_rate(halved, 1, epoch / 7.5, 0) for epoch in (0.5, 4.9, 5.1, 5.6, 6.1, 6.6, 7.1, 7.5)]
    assert at == [1, 1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 32], "Sutskever 2014, section 3.4"


def test_weight_decay_spares_vectors():
    model = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))
    groups = make_optimizer(model, OptimizerOptions(weight_decay=0.1)).param_groups
    decayed = [p.dim() for group in groups if group["weight_decay"] > 0 for p in group["params"]]
    assert decayed == [2] and sum(len(group["params"]) for group in groups) == 4
    assert torch.is_tensor(groups[0]["params"][0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "adamm"}, "did you mean 'adam'"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"learning_rate": 0.0}, "must be above 0"),
        ({"betas": [0.9]}, "two numbers"),
    ],
)
def test_bad_options_are_told(options, message):
    with pytest.raises(UserError, match=message):
        make_optimizer(nn.Linear(1, 1), OptimizerOptions(**options))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_no_optimizer_brings_in_the_compiler(name):
    """Importing it takes a second."""
    code = f"""
import sys, torch
from nmt.training.optim import OptimizerOptions, make_optimizer
layer = torch.nn.Linear(2, 2)
optimizer = make_optimizer(layer, OptimizerOptions(name="{name}"))
layer(torch.ones(1, 2)).sum().backward()
before = layer.weight.clone()
optimizer.step()
optimizer.zero_grad(set_to_none=True)
assert not torch.equal(before, layer.weight) and layer.weight.grad is None
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
