"""What an evaluation believes of what it made before, and that each search and each checkpoint keeps its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.processes import door_in_process, lines_but_of_age

RUNS = Path(__file__).parent.parent / "runs"


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run evaluated by two searches of one command."""
    folder = tmp_path_factory.mktemp("evaluated")
    shutil.copytree(RUNS / "dbcf5e1" / "transformer", folder / "run")
    made = door_in_process("evaluate", "-m", "decoding.beam_size=1,5", "run=run", *SMALL, folder=folder)
    assert made.returncode == 0, made.stderr.decode()
    return folder


SMALL = ("device=cpu", "evaluation.resamples=10", "evaluation.shown_sentences=2", "evaluation.bucket_bounds=[10]")


@pytest.fixture
def folder(evaluated: Path, tmp_path: Path) -> Path:
    shutil.copytree(evaluated / "run", tmp_path / "run")
    return tmp_path


def evaluate(folder: Path, *arguments: str) -> tuple[str, list[str]]:
    """What the door prints, and its lines on standard error but the one that the run is of an earlier version."""
    made = door_in_process("evaluate", "run=run", *SMALL, *arguments, folder=folder)
    assert made.returncode == 0, made.stderr.decode()
    return made.stdout.decode(), lines_but_of_age(made)


def greedy(folder: Path) -> tuple[str, list[str], Path]:
    """As `evaluate`, and where it keeps the translations."""
    printed, errors = evaluate(folder, "decoding.beam_size=1")
    usual = folder / "run/evaluations/test"
    other = usual / "beam_size=1"
    place = other if other.is_dir() else usual
    return printed, errors, place


def test_two_searches_of_one_command_keep_their_own_texts_and_scores(evaluated):
    usual = evaluated / "run/evaluations/test"
    other = usual / "beam_size=1"
    assert (usual / "hypothesis.txt").read_text() == (RUNS / "dbcf5e1/transformer/translations.txt").read_text()
    assert (usual / "hypothesis.txt").read_text() != (other / "hypothesis.txt").read_text()
    for place, beam in ((usual, 5), (other, 1)):
        scores = json.loads((place / "scores.json").read_text())
        assert scores["search"]["beam_size"] == beam
        assert scores["checkpoint"] == "best" and scores["file"] == "best.safetensors" and scores["weights"]


def test_a_checkpoint_given_as_a_file_keeps_its_own_known_by_its_weights(folder):
    step = "run/checkpoints/step-00000400.safetensors"
    evaluate(folder, "decoding.beam_size=1", f"checkpoint={step}")
    evaluations = folder / "run/evaluations/test"
    weights = json.loads((evaluations / "scores.json").read_text())["weights"]
    [place] = evaluations.glob("checkpoint=*")
    assert place.name == f"checkpoint=step-00000400.safetensors-{weights[:8]},beam_size=1"
    assert json.loads((place / "scores.json").read_text())["checkpoint"] == step


def test_a_text_that_was_edited_is_not_believed_and_is_named(folder):
    before, errors, place = greedy(folder)
    assert errors == []
    shutil.copyfile(place / "reference.txt", place / "hypothesis.txt")
    after, errors, _ = greedy(folder)
    assert after == before
    assert len(errors) == 1 and "hypothesis.txt: not as it was written" in errors[0]


def test_another_model_option_under_the_same_weights_is_another_model(folder):
    _, _, place = greedy(folder)
    before = (place / "hypothesis.txt").read_text()
    path = folder / "run/config.yaml"
    path.write_text(path.read_text().replace("activation: relu", "activation: gelu"))
    greedy(folder)
    assert (place / "hypothesis.txt").read_text() != before


def test_an_evaluation_from_before_is_believed_with_one_line_wherever_it_lies(folder):
    """It had no digests, and every search lay in the folder of the test set."""
    before, _, place = greedy(folder)
    usual = folder / "run/evaluations/test"
    if place != usual:
        for path in place.iterdir():
            path.rename(usual / path.name)
    record = usual / "evaluation.json"
    content = json.loads(record.read_text())
    for name in ("digests", "digest", "cut"):
        content.pop(name, None)
    content["identity"] = {name: content["identity"][name] for name in ("checkpoint", "weights", "decoding")}
    record.write_text(json.dumps(content))
    written = record.stat().st_mtime_ns
    after, errors, _ = greedy(folder)
    assert after == before and record.stat().st_mtime_ns == written
    assert len(errors) == 1 and "made before digests were kept" in errors[0]


def test_outputs_that_were_cut_have_a_column_and_a_line_and_their_rows_are_kept(folder):
    limit = ("decoding.beam_size=1", "decoding.min_length=3", "decoding.max_length_factor=0")
    printed, errors = evaluate(folder, *limit, "decoding.max_length_offset=2")
    assert "outputs cut, %" in printed.splitlines()[1]
    assert len(errors) == 1 and "16 of 16 outputs were cut" in errors[0]
    [path] = (folder / "run/evaluations/test").glob("*max_length_offset=2*/evaluation.json")
    assert json.loads(path.read_text())["cut"] == list(range(16))
    printed, errors, _ = greedy(folder)
    assert "cut" not in printed and errors == []


def test_a_report_by_another_search_lies_beside_that_of_the_comparison_s_own(tmp_path, monkeypatch):
    written = []

    class Compared:
        metrics = ("bleu",)

    def write_report(comparison, folder):
        written.append(str(folder))
        return {"scores.csv": folder, "bleu_by_length.png": folder, "report.md": folder}

    monkeypatch.setattr(
        "nmt.jobs.compare.compare_systems", lambda config, _: (Compared(), Path(config.runs) / config.name)
    )
    monkeypatch.setattr("nmt.report.documents.markdown_summary", lambda _: "")
    monkeypatch.setattr("nmt.report.write.write_report", write_report)
    asked = {
        ("+comparison=guided", "decoding.beam_size=1"): "runs/guided/report",  # as its file has it
        ("+comparison=demo", "checkpoint=last", "decoding.beam_size=1"): "runs/demo/report-checkpoint=last,beam_size=1",
    }
    for arguments in asked:
        made = door_in_process("compare", *arguments, folder=tmp_path)
        assert made.returncode == 0, made.stderr.decode()
    assert written == list(asked.values())
