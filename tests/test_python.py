"""The package as a program uses it: what docs/python.md shows runs as written; and the list of commands."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib

import pytest

import nmt
from nmt.config import DOORS
from nmt.door import NAMES
from nmt.models.attention.registry import SCORES
from nmt.training.checkpoints.file import save_state
from nmt.training.checkpoints.parts import load_state
from tests.conftest import ROOT, environment

BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/python.md").read_text(), re.MULTILINE | re.DOTALL)


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment(), capture_output=True, text=True)


@pytest.fixture(scope="module")
def loaded(trained_run) -> nmt.LoadedRun:
    return nmt.load(trained_run, device="cpu", decoding=nmt.DecodingOptions(beam_size=2))


def test_the_document_s_code_runs(trained_run, tmp_path, monkeypatch, capsys):
    """All blocks one after the other, as in one program."""
    folder = tmp_path / "runs/demo/attention"
    folder.mkdir(parents=True)
    (folder / "seed-1").symlink_to(trained_run)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in BLOCKS:
        exec(block, names)
    out = capsys.readouterr().out
    assert len(BLOCKS) >= 5 and "looks at" in out and "runs/nowhere: no run here" in out


def test_a_translation_has_text_probability_and_attention(loaded):
    first, blank, last = loaded.translate(["The man sleeps.", "  ", "A dog."])
    for translation in (first, last):
        shape = len(translation.target_pieces), len(translation.source_pieces)
        assert translation.attention.shape == shape
        assert translation.attention.sum(axis=1) == pytest.approx(1, abs=1e-5)
        assert translation.log_probability < 0
    assert (blank.text, blank.attention) == ("", None)


def test_the_probability_is_the_one_that_the_model_gives_to_this_text(loaded):
    [found] = loaded.translate(["The man sleeps."])
    assert found.log_probability == pytest.approx(found.score * len(found.target_pieces), rel=1e-5)
    [plain] = loaded.translate(["The man sleeps."], attention=False)
    assert (plain.text, plain.log_probability) == (found.text, found.log_probability)
    assert plain.attention is None and plain.source_pieces == ()


def test_a_run_whose_score_is_a_plugin_s_is_loaded_with_it(trained_run, tmp_path, monkeypatch):
    (tmp_path / "my_scores.py").write_text(
        "from nmt.models.attention.scores import Additive\n\n\nclass Mine(Additive):\n    name = 'mine'\n"
    )
    folder = tmp_path / "run"
    shutil.copytree(trained_run, folder)
    path = folder / "config.yaml"
    path.write_text(path.read_text().replace("score: additive", "score: mine"))
    best = folder / "checkpoints/best.safetensors"
    state = load_state(best)
    state.origin.options["model.attention.score"] = "mine"  # as if it had been trained with it
    save_state(state, best)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("NMT_PLUGINS", "my_scores")
    try:
        assert nmt.load(folder, device="cpu").translate(["The man sleeps."])[0].log_probability < 0
    finally:
        SCORES.pop("mine", None)


def test_one_string_instead_of_a_list_is_refused(loaded):
    with pytest.raises(TypeError, match="a list of lines"):
        loaded.translate("The man sleeps.")


def test_mistakes_are_user_errors(trained_run):
    with pytest.raises(nmt.UserError, match="no run here"):
        nmt.load("nowhere")
    with pytest.raises(nmt.UserError, match="did you mean 'best'"):
        nmt.load(trained_run, checkpoint="bst")
    with pytest.raises(AttributeError, match="laod"):
        nmt.laod  # noqa: B018


def test_python_m_nmt_lists_every_command_with_what_it_does():
    listed = python("-m", "nmt")
    assert listed.returncode == 0, listed.stderr
    for name in NAMES:
        [line] = [line for line in listed.stdout.splitlines() if f"python -m nmt.{name} " in line]
        assert line.split(maxsplit=3)[3][0].isupper() and line.endswith(".")
    assert "--help" in listed.stdout
    wrong = python("-m", "nmt", "train")
    assert wrong.returncode == 2 and "say python -m nmt.train" in wrong.stderr


def test_the_version_is_told_and_is_that_of_the_distribution():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == nmt.__version__
    assert python("-m", "nmt", "--version").stdout == f"nmt {nmt.__version__}\n"


def test_every_door_has_a_schema_and_a_script():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(NAMES) == DOORS.keys()
    assert project["scripts"] == {f"nmt-{name}": f"nmt.{name}:main" for name in NAMES}
    for name in NAMES:
        assert callable(__import__(f"nmt.{name}", fromlist=["main"]).main)
