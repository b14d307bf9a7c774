"""A folder is begun anew only where nothing of a run can be lost; every other one is somebody's, and stays as it is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nmt.config import load_train
from nmt.corpus.subwords.tokenizer import Tokenizer
from nmt.errors import UserError
from nmt.run import commit_of, open_run, start_run
from nmt.training.checkpoints.folder import Checkpoints
from nmt.training.journal import read_journal
from tests.processes import TINY_TRAIN, config_of, door_in_process, fails

Spoil = Callable[[Path], object]


@pytest.fixture
def run(trained_run, tmp_path) -> Path:
    """A trained run that a test may spoil; the folder around it is the user's."""
    shutil.copytree(trained_run, tmp_path / "run")
    return tmp_path / "run"


def content_of(folder: Path) -> dict[str, bytes | str]:
    """All that lies in a folder: bytes, the targets of links, and folders."""
    content: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            content[name] = os.readlink(path)
        elif path.is_dir():
            content[name] = "folder"
        else:
            content[name] = path.read_bytes()
    return content


def no_tokenizer():
    raise AssertionError("a tokenizer is made: a run is begun")


def without_steps(run: Path) -> None:
    """As a user deletes them to save space."""
    for path in (run / "checkpoints").glob("step-*"):
        path.unlink()


def without_checkpoints(run: Path) -> None:
    shutil.rmtree(run / "checkpoints")


def replaced_by_link(target: str) -> Spoil:
    def spoil(run: Path) -> None:
        without_checkpoints(run)
        (run / "checkpoints").symlink_to(target)

    return spoil


def only_copies(run: Path) -> None:
    without_steps(run)
    (run / "checkpoints/best.safetensors").rename(run / "checkpoints/step-00000006-good.safetensors")


def an_empty_folder(run: Path) -> None:
    """What a disk that is not mounted leaves."""
    without_checkpoints(run)
    (run / "checkpoints").mkdir()


def a_file(run: Path) -> None:
    without_checkpoints(run)
    (run / "checkpoints").write_text("mine")


def only_damaged_journal(run: Path) -> None:
    """The line that tells of a checkpoint is damaged."""
    without_checkpoints(run)
    lines = (run / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (run / "journal.jsonl").write_bytes(lines[0] + b"\xff" + b"".join(lines[1:2]))


UNSEEN: dict[str, Spoil] = {
    "its steps are deleted": without_steps,
    "its checkpoints are moved away": without_checkpoints,
    "its checkpoints are on a disk that is not mounted": replaced_by_link("/nowhere/at/all"),
    "its checkpoints are a link in a circle": replaced_by_link("checkpoints"),
    "its checkpoints are an empty folder": an_empty_folder,
    "its checkpoints are a file": a_file,
    "only copies of its checkpoints are left": only_copies,
    "its journal is damaged": only_damaged_journal,
}


@pytest.mark.parametrize("resume", ["auto", "never"])
@pytest.mark.parametrize("spoil", UNSEEN.values(), ids=UNSEEN)
def test_a_run_whose_checkpoints_are_not_seen_is_not_begun_anew(run, spoil, resume):
    config = config_of(run)
    config.resume = resume
    spoil(run)
    before = content_of(run)
    with pytest.raises(UserError, match=r"run/(checkpoints|journal)") as refusal:
        start_run(config, no_tokenizer)
    message = str(refusal.value)
    assert "\n" not in message and "delete" not in message
    assert content_of(run) == before


def test_the_best_weights_alone_translate_and_the_way_to_train_on_from_them_is_told(run):
    without_steps(run)
    before = content_of(run)
    other = ("optimizer.learning_rate=0.0001", "tokenizer.vocabulary_size=390")
    fails(door_in_process("train", *TINY_TRAIN, *other, "run.dir=run", folder=run.parent), "run: its run has ")
    fails(door_in_process("train", *TINY_TRAIN, "run.dir=run", folder=run.parent), "best", "finetuning.run=run")
    done = door_in_process("translate", "run=run", "device=cpu", folder=run.parent, text=b"The man sleeps .\n")
    assert done.returncode == 0 and content_of(run) == before


def own_project(folder: Path) -> None:
    (folder / "tokenizer").mkdir()
    (folder / "tokenizer/vocab.txt").write_text("mine")
    for name in ("config.yaml", "journal.jsonl"):
        (folder / name).write_text("mine: 1\n")


def one_name(name: str) -> Spoil:
    return lambda folder: (folder / name).write_text("mine")


SOMEBODYS: dict[str, Spoil] = {
    "a project of the user's": own_project,
    "evaluations": one_name("evaluations"),
    "provenance.json": one_name("provenance.json"),
    "a link to nothing": lambda folder: (folder / "export").symlink_to("nowhere"),
}


@pytest.mark.parametrize("spoil", SOMEBODYS.values(), ids=SOMEBODYS)
def test_a_folder_with_a_name_that_a_run_writes_is_somebody_s(trained_run, tmp_path, monkeypatch, spoil):
    config = config_of(trained_run)
    spoil(tmp_path)
    before = content_of(tmp_path)
    monkeypatch.chdir(tmp_path)
    for place in (str(tmp_path), ".", ""):
        config.run.dir = place
        with pytest.raises(UserError, match=r"name another run\.dir"):
            start_run(config, no_tokenizer)
    assert content_of(tmp_path) == before


@pytest.mark.parametrize("place", [".", "''"])
def test_the_folder_of_a_project_is_not_touched_by_training_in_it(tmp_path, place):
    own_project(tmp_path)
    before = content_of(tmp_path)
    fails(door_in_process("train", *TINY_TRAIN, f"run.dir={place}", folder=tmp_path), "config.yaml", "another run.dir")
    assert content_of(tmp_path) == before


def test_a_journal_tells_of_the_first_checkpoint_without_which_the_run_is_begun_anew(run):
    config = config_of(run)
    tokenizer = Tokenizer.load(run / "tokenizer")
    journal = run / "journal.jsonl"
    start, *later = journal.read_bytes().splitlines(keepends=True)
    whole = [line for line in later if line.startswith(b'{"event": "checkpoint", "step": 3')]
    assert len(whole) == 1, "the first one"
    without_checkpoints(run)
    (run / "notes.txt").write_text("mine")
    (run / "tokenizer/vocab.txt").write_text("mine")
    journal.write_bytes(b"".join([start, *(line for line in later if line not in whole)]) + whole[0][:-5])
    assert {event["event"] for event in read_journal(run)} >= {"start", "valid"}, "whatever it had logged"
    begun = start_run(config, lambda: tokenizer)
    assert begun.folder == run and (run / "tokenizer/vocab.txt").exists() and (run / "notes.txt").exists()
    journal.write_bytes(start + whole[0])
    with pytest.raises(UserError, match="tells that there was one"):
        start_run(config, no_tokenizer)


def test_another_configuration_does_not_begin_where_a_start_came_to_no_checkpoint(run):
    config = config_of(run)
    without_checkpoints(run)
    (run / "journal.jsonl").unlink()
    before = content_of(run)
    config.model.dropout = 0.75
    with pytest.raises(UserError, match=r"its run has model\.dropout=0\.\d, not 0\.75"):
        start_run(config, no_tokenizer)
    assert content_of(run) == before


def test_a_comparison_refuses_a_folder_that_is_somebody_s_before_it_trains(tmp_path):
    (tmp_path / "runs/pair/second/seed-1/evaluations").mkdir(parents=True)
    systems = "{first: {experiment: demo/fixed}, second: {experiment: demo/attention}}"
    options = [f"'{option}'" for option in TINY_TRAIN if not option.startswith(("+", "device", "model"))]
    done = door_in_process(
        "compare",
        *("name=pair", "baseline=first", f"systems={systems}", f"overrides=[{','.join(options)}]", "device=cpu"),
        folder=tmp_path,
    )
    fails(done, "runs/pair/second/seed-1: holds evaluations and no config.yaml")
    assert not (tmp_path / "runs/pair/first").exists()


@pytest.mark.parametrize("content", ["[]", "7", '"text"', "[" * 100_000, '{"commit": 5, "data": {"train": 1}}'])
def test_a_record_that_is_no_record_tells_nothing_and_stops_nothing(run, content):
    (run / "provenance.json").write_bytes(content.encode())
    assert commit_of(open_run(run)) in ("not recorded", "5")
    assert start_run(config_of(run), no_tokenizer).folder == run


def linked_in_a_circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def test_a_record_that_can_not_be_read_ends_training_and_no_translating(run):
    linked_in_a_circle(run / "provenance.json")
    with pytest.raises(UserError, match=r"provenance\.json: cannot be read"):
        start_run(config_of(run), no_tokenizer)
    assert commit_of(open_run(run)) == "not recorded"


@pytest.mark.parametrize("name", ["journal.jsonl", "checkpoints/best.safetensors"])
def test_what_a_run_that_goes_on_can_not_read_is_told_before_anything_is_written(run, name):
    linked_in_a_circle(run / name)
    before = content_of(run)
    config = config_of(run)
    config.trainer.max_steps += 3
    with pytest.raises(UserError, match="cannot be read") as refusal:
        start_run(config, no_tokenizer)
    assert str(run / name) in str(refusal.value)
    assert content_of(run) == before


@pytest.mark.parametrize("name", ["config.yaml", "tokenizer/source.model", "tokenizer/target.model"])
def test_a_part_of_a_run_that_can_not_be_read_is_not_called_damaged(run, name):
    place = run / name
    place.unlink(missing_ok=True)
    place.symlink_to("nowhere")
    with pytest.raises(UserError, match="cannot be read") as refusal:
        open_run(run)
    assert str(place) in str(refusal.value)
    assert not any(word in str(refusal.value) for word in ("damaged", "train", "not a configuration", "no run here"))


def test_a_damaged_tokenizer_is_no_reason_to_train_again(run):
    (run / "tokenizer/source.model").write_bytes(b"half")
    with pytest.raises(UserError, match="damaged") as refusal:
        open_run(run)
    assert "train" not in str(refusal.value).removeprefix(str(run))


def test_a_report_does_without_a_journal(run):
    try:
        from nmt.jobs.run_info import run_info
    except ImportError:  # where it stood before
        from nmt.jobs.compare import _run_info as run_info
    from nmt.jobs.marks import Trained

    progress = Checkpoints(run / "checkpoints").progress()
    member = Trained("a", 1, open_run(run), load_train(run / "config.yaml"), progress, [])
    whole = run_info(member)
    journal = run / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    for spoilt in (b"\xff\n7\n[]\n" + b"".join(lines[1:]), b'{"event": "train", "step": 1}\n', None):
        journal.unlink()
        if spoilt is not None:
            journal.write_bytes(spoilt)
        info = run_info(member)
        assert (info.parameters, info.precision, info.steps) == (whole.parameters, whole.precision, whole.steps)
        journal.touch()
