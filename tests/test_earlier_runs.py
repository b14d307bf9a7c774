"""Runs that earlier commits made (tests/runs/README.md) are evaluated, translated with, exported and gone on with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from nmt.training.checkpoints.parts import load_state
from tests.processes import door_in_process

RUNS = Path(__file__).parent / "runs"
COMMITS = ("5d01b3c", "dbcf5e1")
SYSTEMS = ("attention", "transformer")
STEPS = 400  # of optimization, in each of them
MOST_BYTES = 300_000  # of the runs of one commit


def done(name: str, *arguments: str, text: bytes = b"") -> bytes:
    """Standard output of a door, which must not fail, in the current folder."""
    result = door_in_process(name, *arguments, folder=Path.cwd(), text=text)
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout


def messages_of(name: str, *arguments: str) -> list[str]:
    """The lines on standard error of a door, which must not fail, in the current folder."""
    result = door_in_process(name, *arguments, folder=Path.cwd())
    messages = result.stderr.decode().splitlines()
    assert result.returncode == 0, messages
    return messages


@pytest.fixture(params=COMMITS)
def commit(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def here(commit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that commit's runs, which is the current folder: ``best.safetensors`` is a file of its own in it."""
    folder = tmp_path / commit
    shutil.copytree(RUNS / commit, folder)
    monkeypatch.chdir(folder)
    return folder


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def command_of(system: str) -> list[str]:
    """What the run was made by, as overrides of the train door."""
    return [*lines_of(RUNS / f"{system}.txt"), *lines_of(RUNS / "shared.txt")]


def events_of(run: Path, kind: str) -> list[dict[str, object]]:
    events = [json.loads(line) for line in lines_of(run / "journal.jsonl")]
    return [event for event in events if event["event"] == kind]


def test_the_runs_of_a_commit_stay_small_and_name_no_machine(commit):
    files = [path for path in (RUNS / commit).rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    for path in files:
        if path.suffix not in (".safetensors", ".model"):
            text = path.read_text(encoding="utf-8")
            assert not any(place in text for place in ("/home/", "/root/", "/tmp/")), path


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_earlier_run_translates_as_it_did(system, here):
    output = done("translate", f"run={system}", "device=cpu", text=(RUNS / "lines.txt").read_bytes())
    assert output.decode().splitlines() == lines_of(here / system / "translations.txt")


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_earlier_run_is_evaluated(system, here):
    output = done("evaluate", f"run={system}", "device=cpu", "evaluation.resamples=10")
    assert b"test: 16 sentences" in output
    folder = here / system / "evaluations" / "test"
    assert lines_of(folder / "source.txt") == lines_of(RUNS / "lines.txt")
    assert lines_of(folder / "hypothesis.txt") == lines_of(here / system / "translations.txt")
    scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))["scores"]
    assert {row["metric"] for row in scores} >= {"bleu", "chrf"}


def test_an_earlier_run_is_exported_and_the_export_translates(here):
    pytest.importorskip("ctranslate2", exc_type=ImportError)
    done("export", "run=transformer", "format=ctranslate2")
    lines = (RUNS / "lines.txt").read_bytes()
    greedy = ("run=transformer", "device=cpu", "decoding.beam_size=1")
    assert done("translate", *greedy, "engine=ctranslate2", text=lines) == done("translate", *greedy, text=lines)


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_earlier_run_is_gone_on_with_by_its_own_command(system, here):
    before = load_state(here / system / "checkpoints" / "best.safetensors")
    messages = messages_of("train", *command_of(system), f"trainer.max_steps={STEPS + 2}")
    assert sum("the text itself can't be checked" in message for message in messages) == 1
    assert sum(f"under which terms its {STEPS} updates were made is not recorded" in line for line in messages) == 1
    steps = list((here / system / "checkpoints").glob("step-*"))
    assert [path.name for path in steps] == [f"step-{STEPS + 2:08d}.safetensors"]
    after = load_state(steps[0])
    assert after.progress.tokens > before.progress.tokens
    assert after.tensors.keys() == before.tensors.keys(), "weights, moments and generators, by today's names"
    assert [event["step"] for event in events_of(here / system, "start")] == [0, STEPS]
    validations = events_of(here / system, "valid")
    assert validations[-1]["step"] == STEPS + 2
    assert validations[-1]["loss"] == pytest.approx(validations[-2]["loss"], abs=0.05), "it goes on, not anew"
