import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from nmt.corpus.batcher import Position
from nmt.errors import UserError
from nmt.training import checkpoint as ck
from nmt.training.checkpoint import Checkpoints, Progress, TrainState


def state_at(step: int, value: float = 1.0) -> TrainState:
    progress = Progress(step=step, judged=step, tokens=7, position=Position(2, 3), best_score=-1.5, finished=True)
    return TrainState(progress, {"model.w": torch.full((3,), value), "random.cpu": torch.get_rng_state()})


def test_what_is_saved_is_loaded(tmp_path):
    ck.save_state(state_at(4), tmp_path / "a.safetensors")
    loaded = ck.load_state(tmp_path / "a.safetensors")
    assert loaded.progress == state_at(4).progress
    assert torch.equal(loaded.tensors["model.w"], torch.ones(3))
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 0.9999), flip=st.integers(1, 255), cut=st.booleans())
def test_any_flipped_byte_and_any_cut_is_found_and_named(tmp_path, where, flip, cut):
    path = tmp_path / "a.safetensors"
    ck.save_state(state_at(4), path)
    content = bytearray(path.read_bytes())
    place = int(where * len(content))
    content[place] ^= flip
    path.write_bytes(content[:place] if cut else content)
    with pytest.raises(UserError, match=r"a\.safetensors"):
        ck.load_state(path)


def test_a_newer_format_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(ck, "VERSION", 9)
    ck.save_state(state_at(1), tmp_path / "a.safetensors")
    monkeypatch.setattr(ck, "VERSION", 1)
    with pytest.raises(UserError, match="written in format 9"):
        ck.load_state(tmp_path / "a.safetensors")


def test_the_last_few_and_the_best_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in range(1, 6):
        checkpoints.save(state_at(step, float(step)), is_best=step == 2)
        checkpoints.wait()
    assert [path.name for path in checkpoints.steps()] == ["step-00000004.safetensors", "step-00000005.safetensors"]
    assert checkpoints.weights("best")[0]["w"][0] == 2
    assert checkpoints.weights("last")[0]["w"][0] == 5
    assert checkpoints.weights("average")[0]["w"][0] == 4.5
    assert checkpoints.weights("4")[0]["w"][0] == 4
    with pytest.raises(UserError, match="no such checkpoint"):
        checkpoints.weights("3")


def test_the_one_before_a_damaged_one_is_used_and_told(tmp_path, caplog):
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2):
        checkpoints.save(state_at(step), is_best=False)
        checkpoints.wait()
    checkpoints.steps()[-1].write_bytes(b"half")
    assert checkpoints.latest().progress.step == 1
    assert "step-00000002.safetensors" in caplog.text
    checkpoints.steps()[0].write_bytes(b"half")
    with pytest.raises(UserError, match="every checkpoint is damaged"):
        checkpoints.latest()


def test_weights_of_another_model_are_refused():
    with pytest.raises(UserError, match="another model"):
        ck.load_weights(nn.Linear(2, 2), ck.weights_of(nn.Linear(3, 2)), "x")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    ck.save_state(state_at(1), path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ck, "save_file", full)
    with pytest.raises(UserError, match="No space left"):
        ck.save_state(state_at(2), path)
    assert ck.load_state(path).progress.step == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_checkpoint_of_the_first_format_loads_under_today_s_names(tmp_path, monkeypatch):
    old = {
        "model.attention.score.key.weight": torch.ones(2),
        "optimizer.attention.score.key.weight/step": torch.ones(1),
    }
    monkeypatch.setattr(ck, "VERSION", 1)
    ck.save_state(TrainState(Progress(step=3), old), tmp_path / "step.safetensors")
    monkeypatch.undo()
    loaded = ck.load_state(tmp_path / "step.safetensors")
    assert loaded.tensors.keys() == {
        "model.attentions.0.heads.0.score.key.weight",
        "optimizer.attentions.0.heads.0.score.key.weight/step",
    }
