"""A run is only used as what it was trained as: its checkpoints keep all that their use depends on."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from nmt.training.checkpoints.file import save_state
from nmt.training.checkpoints.parts import load_state
from tests.processes import TINY_TRAIN, door_in_process, fails

RUN = "run"
TRAIN = [*TINY_TRAIN, "run.dir=run", "trainer.max_steps=8"]
DOORS = {
    "translate": ["run=run", "device=cpu"],
    "evaluate": ["run=run", "device=cpu", "checkpoint=average"],
    "export": ["run=run"],
    "align": ["run=run", "source=lines", "target=lines", "device=cpu"],
    "score": ["run=run", "source=lines", "target=lines", "checkpoint=3", "device=cpu"],
    "train": TRAIN,
}
TUNE = [*TINY_TRAIN, "run.dir=tuned", "finetuning.run=run"]


@pytest.fixture
def here(trained_run, tmp_path) -> Path:
    """The current folder of a user with a trained run."""
    shutil.copytree(trained_run, tmp_path / RUN)
    (tmp_path / "lines").write_text("The man sleeps .\n")
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.search(old, text)
    path.write_text(re.sub(old, new, text), encoding="utf-8")


def spoil_tokenizer(run: Path) -> None:
    """One bit: the piece `er` becomes `eR`; the model still loads, and segments otherwise."""
    path = run / "tokenizer/source.model"
    content = path.read_bytes()
    assert content.count(b"\x0a\x02er") == 1
    path.write_bytes(content.replace(b"\x0a\x02er", b"\x0a\x02eR"))


def without_origin(run: Path) -> None:
    """Makes checkpoints of it that are as those of earlier versions."""
    for path in (run / "checkpoints").iterdir():
        state = load_state(path)
        state.origin = None
        save_state(state, path)


@pytest.mark.parametrize("name", [*DOORS, "finetuning"])
def test_every_door_refuses_a_run_with_another_tokenizer(here, name):
    spoil_tokenizer(here / RUN)
    arguments = TUNE if name == "finetuning" else DOORS[name]
    done = door_in_process("train" if name == "finetuning" else name, *arguments, folder=here)
    fails(done, "run/tokenizer/source.model: not what ", " was trained with")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("  dropout: .*", "  dropout: 0.75", "model.dropout=0.75, but best.safetensors was trained with"),
        ("  dropout: .*\n", "", "model.dropout=0.2, but"),  # cut: it would be at its default
        ("  target_language: de", "  target_language: fr", "corpus.target_language=fr, but"),
        ("  learning_rate: .*", "  learning_rate: 0.5", "optimizer.learning_rate=0.5, but"),
    ],
)
def test_a_configuration_that_was_changed_by_hand_is_refused_by_its_option(here, old, new, told):
    change(here / RUN / "config.yaml", old, new)
    fails(door_in_process("translate", "run=run", "device=cpu", folder=here), "run/config.yaml: ", told, "set it back")


@pytest.mark.parametrize("damage", ["", "{}", None])
def test_other_text_is_refused_where_the_record_of_the_text_is_gone(here, damage):
    record = here / RUN / "provenance.json"
    if damage is None:
        record.unlink()
    else:
        record.write_text(damage)
    fails(door_in_process("train", *TRAIN, "corpus.seed=5", folder=here), "run: its run has corpus.train (hash of")


def test_a_run_of_an_earlier_version_goes_on_and_one_line_says_what_can_not_be_checked(here):
    without_origin(here / RUN)
    (here / RUN / "provenance.json").unlink()
    for name in ("evaluate", "train"):
        done = door_in_process(name, *DOORS[name], folder=here)
        assert done.returncode == 0, done.stderr.decode()
        told = [line for line in done.stderr.decode().splitlines() if "can't be checked" in line]
        assert sum("tokenizer and options" in line for line in told) == 1
        assert sum("the text itself" in line for line in told) == (name == "train")
    after = door_in_process("train", *TRAIN, folder=here)
    assert b"can't be checked" not in after.stderr, "what it has saved since keeps what it depends on"


def test_an_option_that_came_later_counts_where_it_is_not_at_its_default(here):
    path = here / RUN / "checkpoints/best.safetensors"
    state = load_state(path)
    options = dict(state.origin.options)
    del options["model.attention.coverage"]
    record = json.loads(state.origin.to_json()) | {"options": options}
    state.origin = type(state.origin).from_json(json.dumps(record))
    save_state(state, path)
    done = door_in_process("translate", "run=run", "device=cpu", folder=here)
    assert done.returncode == 0, done.stderr.decode()
    change(here / RUN / "config.yaml", "    coverage: false", "    coverage: true")
    fails(door_in_process("translate", "run=run", "device=cpu", folder=here), "model.attention.coverage=True, but")
