"""Updates that are read together train what updates read one by one train."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from nmt.kernels.limits import LIMITS
from nmt.training.checkpoints.state import Counters, weights_of
from nmt.training.journal import read_journal
from nmt.training.meter import Meter
from nmt.training.optim import OptimizerOptions
from nmt.training.unread import Unread
from tests.training.test_trainer import make  # noqa: F401, a fixture


@pytest.fixture
def read_later(monkeypatch):
    """As on a GPU: updates are read three at a time, and batches are made ahead."""

    def change():
        monkeypatch.setitem(LIMITS, "cpu", replace(LIMITS["cpu"], unread_updates=3, batches_ahead=3))

    return change


def test_a_run_whose_updates_are_read_together_is_the_same_run(make, read_later, tmp_path):  # noqa: F811
    at_once = make("at_once", max_steps=11, log_every=5, validate_every=4)
    at_once.fit()
    read_later()
    later = make("later", max_steps=11, log_every=5, validate_every=4)
    later.fit()
    for name, weight in weights_of(at_once.model).items():
        torch.testing.assert_close(weights_of(later.model)[name], weight, atol=0, rtol=0)
    for kind in ("train", "valid"):
        events = [[e["loss"] for e in read_journal(tmp_path / f) if e["event"] == kind] for f in ("at_once", "later")]
        assert events[0] == events[1]


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_gradient_that_is_not_finite_changes_nothing_and_is_counted_later(make, read_later, optimizer):  # noqa: F811
    read_later()
    kept = []

    def spoil_second(progress):
        kept.append({name: weight.clone() for name, weight in weights_of(trainer.model).items()})
        if progress.step == 2:  # the next gradient
            trainer.update.objective.smoothing = float("nan")
        if progress.step == 3:
            trainer.update.objective.smoothing = 0.1

    options = OptimizerOptions(name=optimizer)
    trainer = make(
        "spoilt", max_steps=5, optimizer=options, after_step=spoil_second, validate=lambda model: {"loss": 1.0}
    )
    progress = trainer.fit()
    assert progress.skipped == 1 and progress.nonfinite == 0
    for name, weight in kept[1].items():
        assert torch.equal(kept[2][name], weight)
        assert weights_of(trainer.model)[name].isfinite().all()
    assert any(not torch.equal(kept[3][name], weight) for name, weight in kept[2].items())


def test_numbers_are_read_in_the_order_of_their_updates():
    unread = Unread(2)
    progress = Counters(step=12)
    meter = Meter()
    for likelihood, norm in ((1.5, 2.0), (2.5, float("inf"))):
        unread.add(torch.tensor(likelihood, dtype=torch.float64), torch.tensor(norm))
    assert unread.is_full
    unread.read(progress, meter)
    assert (progress.skipped, progress.nonfinite, meter.losses, meter.updates) == (1, 1, 4.0, 2)
    unread.read(progress, meter)
    assert meter.updates == 2 and not unread.is_full
