from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    with open(tmp_path / "journal.jsonl", "a", encoding="utf-8") as file:
        file.write('{"event": "train", "st')  # killed while it wrote
    assert [event["step"] for event in read_journal(tmp_path)] == [1, 2]
    open_journal(tmp_path, 2).close()
    assert not list(tmp_path.glob("*damaged*"))


def test_nothing_of_weights_and_biases_is_written_where_it_is_not_asked_for(tmp_path):
    open_journal(tmp_path).close()
    assert [path.name for path in tmp_path.iterdir()] == ["journal.jsonl"]


@pytest.mark.parametrize(
    ("options", "told"), [({"second": "wandbb"}, "did you mean 'wandb'"), ({"mode": "x"}, "mode=x")]
)
def test_bad_options_are_told(options, told):
    with pytest.raises(UserError, match=told):
        JournalOptions(**options)


def written(folder: Path, steps: int) -> list[bytes]:
    """The lines of a journal with a start and so many steps."""
    journal = open_journal(folder)
    journal.event("start", 0, parameters=5)
    for step in range(1, steps + 1):
        journal.event("train", step, loss=1.5)
    journal.close()
    return (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)


NO_EVENTS = (b"\xff\xfe", b"7", b"[1, 2]", b"null", b'"text"', b"{", b'{"event": "train"}', b'{"step": 1}', b"9" * 5000)
STRANGE = (
    b'{"event": 5, "step": 1}',
    b'{"event": "train", "step": "x"}',
    b'{"event": "train", "step": true}',
    b"[" * 9999,
)


@settings(max_examples=30, deadline=None)
@given(where=st.integers(0, 6), line=st.sampled_from(NO_EVENTS + STRANGE) | st.binary(min_size=1, max_size=9))
def test_a_damaged_line_loses_only_itself(where, line):
    with TemporaryDirectory() as name:
        folder = Path(name)
        lines = written(folder, 5)
        spoilt = [*lines[:where], line.replace(b"\n", b"?") + b"\n", *lines[where:]]
        (folder / "journal.jsonl").write_bytes(b"".join(spoilt))
        assert [event["step"] for event in read_journal(folder)] == [0, 1, 2, 3, 4, 5]
        open_journal(folder, 4).close()
        assert [event["step"] for event in read_journal(folder)] == [0, 1, 2, 3, 4]
        assert (folder / "journal.jsonl").read_bytes() == b"".join(lines[:5])


def test_the_journal_as_it_was_is_kept_where_a_line_of_it_is_damaged(tmp_path, caplog):
    path = tmp_path / "journal.jsonl"
    for name in ("journal.damaged.jsonl", "journal.damaged-2.jsonl"):
        lines = written(tmp_path, 5)
        lines[2] = lines[2].replace(b'"', b"\xff", 1)
        path.write_bytes(b"".join(lines) + b'{"event": "tr')
        before = path.read_bytes()
        caplog.clear()
        open_journal(tmp_path, 4).close()
        assert (tmp_path / name).read_bytes() == before
        assert [f"{path}: damaged in line 3, " in message and name in message for message in caplog.messages] == [True]
        path.unlink()


def test_a_journal_that_can_not_be_read_is_not_taken_for_none(tmp_path):
    (tmp_path / "journal.jsonl").symlink_to("journal.jsonl")
    for use in (read_journal, lambda folder: open_journal(folder, 3)):
        with pytest.raises(UserError, match=r"journal\.jsonl: cannot be read"):
            use(tmp_path)
