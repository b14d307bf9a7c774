import numpy as np
import pytest

from nmt.errors import UserError
from nmt.training.journal import Journal, JournalOptions, Look, open_journal, read_journal
from nmt.training.sinks.sink import Sink


def test_weights_and_biases_writes_offline_and_keeps_its_run_after_a_resume(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="wandb is not installed; pip install wandb to test it")
    monkeypatch.setenv("WANDB_MODE", "offline")
    options = JournalOptions(second="wandb", mode="offline")
    for step in (1, 2):
        journal = open_journal(tmp_path, step - 1, options, "trial", {"model.size": "4"})
        journal.event("valid", step, loss=2.0)
        journal.look(Look({"samples/1": "<x>"}, {"attention/1": np.zeros((4, 4, 3), dtype=np.uint8)}), step)
        journal.close()
    identity = (tmp_path / "wandb-id.txt").read_text()
    stored = list((tmp_path / "wandb").glob(f"offline-run-*-{identity}/run-{identity}.wandb"))
    assert stored and all(path.stat().st_size > 0 for path in stored)


class Kept(Sink):
    """Keeps the events that it is given."""

    def __init__(self):
        self.events = []

    def event(self, event):
        self.events.append(event)


def test_every_sink_gets_an_event_whose_numbers_are_finite():
    sinks = [Kept(), Kept()]
    Journal(sinks).event("train", 3, loss=float("inf"), tokens=7, done=True, name="x", norm_of={"a": 1.5})
    for sink in sinks:
        [event] = sink.events
        assert event.values == {"loss": None, "tokens": 7, "done": True, "name": "x", "norm_of": {"a": 1.5}}
        assert event.scalars() == {"train/tokens": 7, "norm_of/a": 1.5}


def test_a_journal_that_is_opened_at_a_step_drops_what_came_after_it(tmp_path):
    journal = open_journal(tmp_path)
    for step in (1, 2, 3):
        journal.event("train", step, loss=1.0)
    journal.close()
    open_journal(tmp_path, 2).close()
    assert [event["step"] for event in read_journal(tmp_path)] == [1, 2]


def test_nothing_of_weights_and_biases_is_written_where_it_is_not_asked_for(tmp_path):
    open_journal(tmp_path).close()
    assert [path.name for path in tmp_path.iterdir()] == ["journal.jsonl"]


@pytest.mark.parametrize(
    ("options", "told"), [({"second": "wandbb"}, "did you mean 'wandb'"), ({"mode": "x"}, "mode=x")]
)
def test_bad_options_are_told(options, told):
    with pytest.raises(UserError, match=told):
        JournalOptions(**options)
