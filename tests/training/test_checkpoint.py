import builtins
import logging
import os
import shutil
import threading
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
import torch.distributed.checkpoint as dcp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from nmt.corpus.batches.position import Position
from nmt.errors import UserError
from nmt.training.checkpoints.file import save_state
from nmt.training.checkpoints.folder import Checkpoints
from nmt.training.checkpoints.parts import load_state, part_path
from nmt.training.checkpoints.state import Counters, TrainState, load_weights, weights_of
from nmt.training.ranks import Ranks
from nmt.training.sharding import rows_of


def state_at(step: int, value: float = 1.0) -> TrainState:
    progress = Counters(step=step, judged=step, tokens=7, position=Position(2, 3), best_score=-1.5, finished=True)
    return TrainState(progress, {"model.w": torch.full((3,), value), "random.cpu": torch.get_rng_state()})


def test_what_is_saved_is_loaded(tmp_path):
    save_state(state_at(4), tmp_path / "a.safetensors")
    loaded = load_state(tmp_path / "a.safetensors")
    assert loaded.progress == state_at(4).progress
    assert torch.equal(loaded.tensors["model.w"], torch.ones(3))
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 0.9999), flip=st.integers(1, 255), cut=st.booleans())
def test_any_flipped_byte_and_any_cut_is_found_and_named(tmp_path, where, flip, cut):
    path = tmp_path / "a.safetensors"
    save_state(state_at(4), path)
    content = bytearray(path.read_bytes())
    place = int(where * len(content))
    content[place] ^= flip
    path.write_bytes(content[:place] if cut else content)
    with pytest.raises(UserError, match=r"a\.safetensors"):
        load_state(path)


def test_a_newer_format_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("nmt.training.checkpoints.file.VERSION", 9)
    save_state(state_at(1), tmp_path / "a.safetensors")
    monkeypatch.setattr("nmt.training.checkpoints.file.VERSION", 1)
    with pytest.raises(UserError, match="written in format 9"):
        load_state(tmp_path / "a.safetensors")


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
        load_weights(nn.Linear(2, 2), weights_of(nn.Linear(3, 2)), "x")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    save_state(state_at(1), path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nmt.training.checkpoints.file.save_file", full)
    with pytest.raises(UserError, match="No space left"):
        save_state(state_at(2), path)
    assert load_state(path).progress.step == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_checkpoint_of_the_first_format_loads_under_today_s_names(tmp_path, monkeypatch):
    old = {
        "model.attention.score.key.weight": torch.ones(2),
        "optimizer.attention.score.key.weight/step": torch.ones(1),
    }
    monkeypatch.setattr("nmt.training.checkpoints.file.VERSION", 1)
    save_state(TrainState(Counters(step=3), old), tmp_path / "step.safetensors")
    monkeypatch.undo()
    loaded = load_state(tmp_path / "step.safetensors")
    assert loaded.tensors.keys() == {
        "model.attentions.0.heads.0.score.key.weight",
        "optimizer.attentions.0.heads.0.score.key.weight/step",
    }


def parts_of_a_state(rows: int, count: int) -> tuple[TrainState, list[TrainState]]:
    """A whole state, and what each of several processes holds of it."""
    whole = state_at(4)
    whole.tensors |= {"model.w": torch.randn(rows, 3), "optimizer.w/exp_avg": torch.randn(rows)}
    states = []
    for number in range(count):
        own = rows_of(rows, number, count)
        tensors = {name: t[own.start : own.stop] if "w" in name else t for name, t in whole.tensors.items()}
        first_rows = {name: own.start for name in tensors if "w" in name}
        states.append(TrainState(whole.progress, tensors, number, count, first_rows))
    return whole, states


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(1, 9), written=st.integers(2, 5), read=st.integers(1, 5))
def test_parts_of_some_processes_are_read_by_any_other_number(rows, written, read):
    whole, states = parts_of_a_state(rows, written)
    with TemporaryDirectory() as folder:
        for state in states:
            save_state(state, part_path(Path(folder), state.number, written))
        loaded = [load_state(Path(folder), number, read) for number in range(read)]
    for name, tensor in whole.tensors.items():
        own = [state.tensors[name] for state in loaded]
        if "w" in name:
            assert [len(t) for t in own] == [len(rows_of(rows, number, read)) for number in range(read)]
            assert torch.equal(torch.cat(own), tensor)
        else:
            assert all(torch.equal(t, tensor) for t in own)
    assert all(state.progress == whole.progress for state in loaded)


def test_parts_are_cut_as_fsdp_cuts_tensors():
    for rows in range(1, 12):
        for count in range(1, 6):
            cut = [len(chunk) for chunk in torch.arange(rows).chunk(count)]
            assert [len(rows_of(rows, number, count)) for number in range(count)] == cut + [0] * (count - len(cut))


def test_parts_are_what_torch_distributed_checkpoint_reads(tmp_path):
    whole, states = parts_of_a_state(5, 2)
    for state in states:
        save_state(state, part_path(tmp_path, state.number, 2))
    names = ("model.w", "optimizer.w/exp_avg")
    found = {name: torch.zeros_like(whole.tensors[name]) for name in names}
    with warnings.catch_warnings(action="ignore"):  # that there is one process
        dcp.load(found, storage_reader=dcp.HuggingFaceStorageReader(str(tmp_path)), no_dist=True)
    assert all(torch.equal(found[name], whole.tensors[name]) for name in names)


def saved_in_parts(folder: Path, step: int, is_best: bool = False) -> Path:
    """As two processes do."""
    whole, states = parts_of_a_state(5, 2)
    writers = [Checkpoints(folder, keep=2) for _ in states]
    for state, writer in zip(reversed(states), writers, strict=True):  # the first process's last
        state.progress.step = state.progress.judged = step
        writer.save(state, is_best, whole if is_best and not state.number else None)
    for writer in writers:
        writer.wait()
    return folder / f"step-{step:08d}"


def test_a_folder_of_parts_is_a_checkpoint_like_a_file(tmp_path):
    for step in (1, 2, 3):
        saved_in_parts(tmp_path, step, is_best=step == 2)
    checkpoints = Checkpoints(tmp_path, keep=2)
    assert [path.name for path in checkpoints.all()] == ["step-00000002", "step-00000003"]
    assert checkpoints.latest().progress.step == 3
    assert all(len(checkpoints.weights(which)[0]["w"]) == 5 for which in ("best", "last", "average", "3"))
    checkpoints.save(state_at(4), is_best=False)  # one process goes on
    checkpoints.wait()
    assert [path.name for path in checkpoints.all()] == ["step-00000003", "step-00000004.safetensors"]


@pytest.mark.parametrize("fault", ["a part is missing", "a part is cut", "a byte is flipped", "a part of another step"])
def test_a_damaged_part_is_named_and_the_checkpoint_before_it_used(tmp_path, caplog, fault):
    saved_in_parts(tmp_path, 1)
    place = saved_in_parts(tmp_path, 2)
    path = part_path(place, 1, 2)
    content = path.read_bytes()
    path.unlink()
    if fault == "a part is cut":
        path.write_bytes(content[:-5])
    elif fault == "a byte is flipped":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif fault == "a part of another step":
        shutil.copyfile(tmp_path / "step-00000001" / path.name, path)
        for number in range(2):
            with pytest.raises(UserError, match="of another checkpoint"):
                load_state(place, number, 2)
    assert Checkpoints(tmp_path).latest().progress.step == 1
    assert f"{path}" in caplog.text


@settings(max_examples=300, deadline=None)
@given(where=st.floats(0, 0.9999), flip=st.integers(1, 255), cut=st.booleans(), part=st.integers(0, 1))
def test_any_flipped_byte_and_any_cut_of_a_part_is_found_by_one_of_those_who_read(where, flip, cut, part):
    with TemporaryDirectory() as folder:
        place = saved_in_parts(Path(folder), 1)
        path = part_path(place, part, 2)
        content = bytearray(path.read_bytes())
        byte = int(where * len(content))
        content[byte] ^= flip
        path.write_bytes(content[:byte] if cut else content)
        faults = []
        for number in range(2):
            try:
                load_state(place, number, 2)
            except UserError as error:
                faults.append(str(error))
        assert any(str(place) in fault for fault in faults)


def test_what_a_cut_write_left_is_no_checkpoint_and_does_not_mix_with_another(tmp_path):
    """Killed before all parts were there; and, in the second folder, while an old one was removed."""
    whole = saved_in_parts(tmp_path, 2)
    for left in ("step-00000002.partial", "step-00000001.old.partial"):
        (tmp_path / left).mkdir()
        shutil.copyfile(part_path(whole, 0, 2), part_path(tmp_path / left, 0, 3))
    shutil.rmtree(whole)
    checkpoints = Checkpoints(tmp_path)
    assert not checkpoints.all() and checkpoints.latest() is None and not list(tmp_path.iterdir())


def test_a_step_made_anew_replaces_the_old_one(tmp_path):
    place = saved_in_parts(tmp_path, 2)
    shutil.copyfile(part_path(place, 0, 2), part_path(place, 0, 3))
    saved_in_parts(tmp_path, 2)
    assert [path.name for path in sorted(place.iterdir())] == [
        "00001-of-00002.safetensors",
        "00002-of-00002.safetensors",
    ]
    assert [path.name for path in tmp_path.iterdir()] == [place.name]


@pytest.mark.parametrize("processes", [1, 2])
def test_a_step_made_anew_by_another_number_of_processes_replaces_the_damaged_one(tmp_path, processes):
    """A file stands for one process and a folder for several: the old form must not lie beside the new one."""

    def save(count: int) -> None:
        if count == 2:
            saved_in_parts(tmp_path, 2)
        else:
            checkpoints = Checkpoints(tmp_path)
            checkpoints.save(state_at(2), is_best=False)
            checkpoints.wait()

    save(3 - processes)
    save(processes)
    names = {1: "step-00000002.safetensors", 2: "step-00000002"}
    assert [path.name for path in tmp_path.iterdir()] == [names[processes]]


def test_a_run_that_was_killed_while_a_step_replaced_itself_has_the_new_one(tmp_path):
    place = saved_in_parts(tmp_path, 2)
    place.rename(tmp_path / "made")
    saved_in_parts(tmp_path, 2).rename(tmp_path / "step-00000002.old.partial")
    (tmp_path / "made").rename(place.with_suffix(".partial"))
    assert Checkpoints(tmp_path).latest().progress.step == 2
    assert [path.name for path in tmp_path.iterdir()] == [place.name]


def test_a_checkpoint_that_knows_of_a_best_comes_after_it(tmp_path, monkeypatch):
    """Or a run that was killed in between would go on without its best weights."""
    from nmt.training.checkpoints.names import was_cut

    for count in (1, 2):
        folder = tmp_path / str(count)
        with monkeypatch.context() as patched:
            patched.setattr("nmt.training.checkpoints.folder._link", killed)
            patched.setattr("nmt.training.checkpoints.folder._swap", killed)
            with pytest.raises(InterruptedError):
                if count == 2:
                    saved_in_parts(folder, 1, is_best=True)
                else:
                    checkpoints = Checkpoints(folder)
                    checkpoints.save(state_at(1), is_best=True)
                    checkpoints.wait()
        assert was_cut([path.name for path in folder.iterdir()]), "the run may begin anew"
        assert Checkpoints(folder).best.exists() and Checkpoints(folder).latest() is None
        assert not was_cut([path.name for path in folder.iterdir()]), "the best alone is kept"


def killed(*_):
    raise InterruptedError


def test_a_process_that_can_not_write_its_part_is_not_waited_for(tmp_path, monkeypatch):
    _, (first, second) = parts_of_a_state(5, 2)
    with monkeypatch.context() as patched:
        patched.setattr("nmt.training.checkpoints.file.save_file", lambda *_: killed())
        other = Checkpoints(tmp_path)
        other.save(second, is_best=False)
        with pytest.raises(UserError, match="cannot be written"):
            other.wait()
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(first, is_best=False)
    with pytest.raises(UserError, match=r"00002-of-00002\.safetensors: its process could not write it"):
        checkpoints.wait()
    assert Checkpoints(tmp_path).latest() is None


def test_a_process_that_has_ended_is_not_waited_for(tmp_path):
    _, (first, _) = parts_of_a_state(5, 2)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(first, is_best=False)
    checkpoints.give_up()
    checkpoints.wait()
    assert checkpoints.latest() is None


def test_a_process_that_does_not_write_its_part_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("nmt.training.checkpoints.folder.SECONDS", 0.1)
    earlier = saved_in_parts(tmp_path, 1)
    _, (first, _) = parts_of_a_state(5, 2)
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.save(first, is_best=False)
    with pytest.raises(UserError, match=r"00002-of-00002\.safetensors: its process has not written it"):
        checkpoints.wait()
    assert earlier.is_dir() and checkpoints.latest().progress.step == 1


def saved(folder: Path, *steps: int, keep: int = 3, best: int = 0) -> Checkpoints:
    """A run's checkpoints at these steps, whose weights are their steps."""
    checkpoints = Checkpoints(folder, keep)
    for step in steps:
        checkpoints.save(state_at(step, float(step)), is_best=step == best)
        checkpoints.wait()
    return checkpoints


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


COPIES = (
    "step-00000024-good.safetensors",
    "step-00000024.safetensors.bak",
    "step-00000024 (copy).safetensors",
    "step-00000024.copy",
    "step-000000024.safetensors",
    "xstep-00000024.safetensors",
    "interim-00000024-old.safetensors",
    "step-00000024-good.partial",
    "notes.partial",
)


def test_copies_that_a_user_made_are_neither_used_nor_deleted(tmp_path):
    checkpoints = saved(tmp_path, 1, 2)
    for name in COPIES:
        shutil.copyfile(tmp_path / "step-00000001.safetensors", tmp_path / name)
    (tmp_path / "own.partial").mkdir()
    assert checkpoints.latest().progress.step == 2
    assert checkpoints.weights("last")[0]["w"][0] == 2
    saved(tmp_path, 3, 4, 5, keep=1)
    assert [path.name for path in checkpoints.all()] == ["step-00000005.safetensors"]
    assert {*COPIES, "own.partial"} == {path.name for path in tmp_path.iterdir()} - {"step-00000005.safetensors"}


def linked_in_a_circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def linked_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("spoil", [linked_in_a_circle, linked_to_nothing, a_folder])
@pytest.mark.parametrize("name", ["step-00000002.safetensors", "best.safetensors"])
def test_what_can_not_be_read_ends_the_command_and_is_not_passed_over(tmp_path, spoil, name):
    checkpoints = saved(tmp_path, 1, 2, best=1)
    spoil(tmp_path / name)
    before = content_of(tmp_path)
    for use in (checkpoints.latest, lambda: checkpoints.weights("best" if "best" in name else "2")):
        with pytest.raises(UserError, match=f"{name}: cannot be read") as refusal:
            use()
        assert "damaged" not in str(refusal.value) and "delete" not in str(refusal.value)
    assert content_of(tmp_path) == before


def test_what_the_system_does_not_let_us_read_is_neither_absent_nor_damaged(tmp_path, monkeypatch):
    """As another user's file; and a disk that answers with an error."""
    checkpoints = saved(tmp_path, 1, 2)
    opened = builtins.open
    fault = PermissionError(13, "Permission denied")

    def refused(file, *arguments, **more):
        if str(file).endswith("2.safetensors"):
            raise fault
        return opened(file, *arguments, **more)

    monkeypatch.setattr("builtins.open", refused)
    with pytest.raises(UserError, match=r"step-00000002\.safetensors: cannot be read \(Permission denied\)"):
        checkpoints.latest()
    fault = OSError(5, "Input/output error")
    for read in (checkpoints.latest, checkpoints.progress, checkpoints.newest_origin):
        with pytest.raises(UserError, match=r"step-00000002\.safetensors: cannot be read \(Input/output error\)"):
            read()


@pytest.mark.parametrize("kind", ["a link to nothing", "a file"])
def test_a_folder_that_can_not_be_listed_is_not_empty(tmp_path, kind):
    folder = tmp_path / "checkpoints"
    if kind == "a file":
        folder.write_text("mine")
    else:
        folder.symlink_to("nowhere")
    checkpoints = Checkpoints(folder)
    for ask in (checkpoints.all, checkpoints.latest, checkpoints.progress, lambda: checkpoints.weights("best")):
        with pytest.raises(UserError, match="checkpoints: cannot be read"):
            ask()


def made_newer(path: Path, monkeypatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("nmt.training.checkpoints.file.VERSION", 99)
        save_state(load_state(path), path)


def test_a_newer_checkpoint_ends_the_command_whatever_older_ones_there_are(tmp_path, monkeypatch):
    checkpoints = saved(tmp_path, 1, 2)
    made_newer(tmp_path / "step-00000002.safetensors", monkeypatch)
    before = content_of(tmp_path)
    for ask in (checkpoints.latest, checkpoints.progress, checkpoints.newest_origin):
        with pytest.raises(UserError, match=r"step-00000002\.safetensors: written in format 99.*update nmt"):
            ask()
    made_newer(tmp_path / "step-00000001.safetensors", monkeypatch)
    with pytest.raises(UserError, match="update nmt"):
        checkpoints.latest()
    assert before.keys() == content_of(tmp_path).keys()


def test_a_damaged_checkpoint_is_kept_beside_the_one_that_is_made_in_its_place(tmp_path, caplog):
    checkpoints = saved(tmp_path, 1, 2)
    for damage in (b"half", b"another"):
        (tmp_path / "step-00000002.safetensors").write_bytes(damage)
        assert checkpoints.latest().progress.step == 1
        saved(tmp_path, 2)
    assert "step-00000002.safetensors: kept as step-00000002.damaged.safetensors" in caplog.text
    assert (tmp_path / "step-00000002.damaged.safetensors").read_bytes() == b"half"
    assert (tmp_path / "step-00000002.damaged-2.safetensors").read_bytes() == b"another"
    assert [path.name for path in checkpoints.all()] == ["step-00000001.safetensors", "step-00000002.safetensors"]


def test_where_all_are_damaged_nobody_is_told_to_delete_them(tmp_path):
    checkpoints = saved(tmp_path, 1)
    (tmp_path / "step-00000001.safetensors").write_bytes(b"half")
    with pytest.raises(UserError, match="every checkpoint is damaged") as refusal:
        checkpoints.latest()
    assert "delete" not in str(refusal.value) and (tmp_path / "step-00000001.safetensors").read_bytes() == b"half"


def test_a_checkpoint_that_one_process_can_not_read_ends_all(tmp_path, monkeypatch):
    """And none of them goes on from the one before."""
    saved(tmp_path, 1, 2)
    ranks = [Ranks(number, 2) for number in range(2)]
    ranks[1] = Ranks(1, 2, store=ranks[0].store)
    endings: dict[int, str] = {}

    def read(path: Path, number: int = 0, count: int = 1) -> TrainState:
        if number == 1 and "2" in path.name:
            raise Unreadable(f"{path}: cannot be read")
        return load_state(path)

    class Unreadable(UserError):
        """Known by its name, which passes between processes."""

    monkeypatch.setattr("nmt.training.checkpoints.folder.load_state", read)

    def go_on(rank: Ranks) -> None:
        try:
            state = Checkpoints(tmp_path).latest(rank, sharded=True)
            endings[rank.number] = f"step {state.progress.step}"
        except UserError as error:
            endings[rank.number] = str(error)

    threads = [threading.Thread(target=go_on, args=(rank,)) for rank in ranks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all("step-00000002.safetensors: cannot be read" in endings[number] for number in range(2)), endings


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o027])
def test_checkpoints_have_the_mode_that_the_umask_asks_for(tmp_path, mask):
    before = os.umask(mask)
    try:
        saved(tmp_path / "file", 1, best=1)
        saved_in_parts(tmp_path / "parts", 1)
    finally:
        os.umask(before)
    files = [path for path in tmp_path.rglob("*.safetensors") if path.is_file()]
    assert len(files) == 4 and {path.stat().st_mode & 0o777 for path in files} == {0o666 & ~mask}


def test_a_step_is_found_whatever_wrote_it_and_those_that_are_kept_are_named(tmp_path):
    checkpoints = saved(tmp_path, 6, 8, 10, best=8)
    state = state_at(242, 242.0)
    state.progress.judged = 10
    checkpoints.save(state, is_best=False)
    checkpoints.wait()
    assert [path.name for path in checkpoints.files("242")] == ["interim-00000242.safetensors"]
    assert checkpoints.weights("242")[0]["w"][0] == 242
    with pytest.raises(UserError, match=r"checkpoint=7: no such checkpoint in .*; kept: 6, 8, 10, 242, best"):
        checkpoints.weights("7")
    with pytest.raises(UserError, match="kept: 6, 8, 10"):
        checkpoints.weights("9" * 5000)


def test_of_how_many_checkpoints_the_average_is_is_told(tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="nmt"):
        saved(tmp_path, 2, 4, 6).weights("average")
    assert "checkpoint=average: the mean of 3 checkpoints (steps 2, 4, 6)" in caplog.text


@pytest.mark.parametrize("name", ["²", "٣", "1²"])
def test_only_digits_are_the_number_of_a_step(tmp_path, name):
    from nmt.schemas import CompareConfig, SystemOptions

    with pytest.raises(UserError, match=f"checkpoint={name}: no such file"):
        saved(tmp_path, 3).files(name)
    with pytest.raises(UserError, match=f"checkpoint={name}: .*or a step number"):
        CompareConfig(name="x", baseline="a", systems={"a": SystemOptions("demo/fixed")}, checkpoint=name)
