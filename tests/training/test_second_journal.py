import numpy as np
import pytest

from nmt.errors import UserError
from nmt.training.journal import Journal, Look
from nmt.training.second_journal import JournalOptions, open_second


def test_weights_and_biases_writes_offline_and_keeps_its_run_after_a_resume(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="wandb is not installed; pip install wandb to test it")
    monkeypatch.setenv("WANDB_MODE", "offline")
    options = JournalOptions(second="wandb", mode="offline")
    for step in (1, 2):
        journal = Journal(tmp_path, step - 1, open_second(options, "trial", tmp_path, step - 1, {"model.size": "4"}))
        journal.event("valid", step, loss=2.0)
        journal.look(Look({"samples/1": "<x>"}, {"attention/1": np.zeros((4, 4, 3), dtype=np.uint8)}), step)
        journal.close()
    identity = (tmp_path / "wandb-id.txt").read_text()
    stored = list((tmp_path / "wandb").glob(f"offline-run-*-{identity}/run-{identity}.wandb"))
    assert stored and all(path.stat().st_size > 0 for path in stored)


def test_none_is_opened_where_none_is_asked_for(tmp_path):
    assert open_second(JournalOptions(), "trial", tmp_path, 0, {}) is None


@pytest.mark.parametrize(
    ("options", "told"), [({"second": "wandbb"}, "did you mean 'wandb'"), ({"mode": "x"}, "mode=x")]
)
def test_bad_options_are_told(options, told):
    with pytest.raises(UserError, match=told):
        JournalOptions(**options)
