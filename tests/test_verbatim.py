"""The text of an option is taken as it is typed, on the command line and in a user's YAML, by every door."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from nmt.config import compose_train, load_train, save
from tests.conftest import TINY_CORPUS, TINY_SIZES
from tests.processes import TINY_TRAIN, door_in_process, fails

LIKE_NUMBERS = ["2024_01", "1_1", "1e3", "1.0", ".5", "+5", "0x10", "007", "12:30", "inf", "true", "on", "no"]
READ_AS_OTHERS = ["2024_01", "1_1", "1e3", ".5", "+5", "true"]  # on the command line, by Hydra itself
REFUSED = ["~/x", "größe", "#1", "a=b"]  # by Hydra's grammar, without quotes
# An option of text of each form: by its door, and what is typed around the text.
PLACES = {
    "train": ["run.dir={}", "cache={}", "finetuning.run={}", "tokenizer.symbols=[a,{}]", "++run.name={}"],
    "evaluate": ["run={}", "test_sets=[{}]"],
    "translate": ["checkpoint={}", "input={}"],
    "align": ["source={}", "reverse={}"],
    "score": ["wrong={}"],
    "export": ["output={}"],
    "compare": ["name={}", "runs={}", "systems={{a: {{experiment: {}, overrides: [{}]}}}}"],
}


def composed(name, *arguments, folder, key=""):
    """What a door prints of its configuration, or of an option of it."""
    made = door_in_process(name, "--cfg", "job", *arguments, folder=folder)
    assert made.returncode == 0, made.stderr.decode()
    config = yaml.safe_load(made.stdout)
    for part in filter(None, key.split(".")):
        config = config[part]
    return config


@pytest.mark.parametrize("text", READ_AS_OTHERS + REFUSED)
def test_a_name_is_what_is_typed_for_it(text):
    assert compose_train([f"run.name={text}"]).run.name == text


def test_a_name_is_the_same_in_a_file_whatever_yaml_takes_it_for(tmp_path):
    folder = tmp_path / "conf/experiment"
    folder.mkdir(parents=True)
    lines = ["# @package _global_", "defaults: [{override /corpus: files}]", "run: {name: 1_1}", "corpus:"]
    lines += ["  target_language: no", "  tests:", *(f"    {text}: {text}" for text in LIKE_NUMBERS)]
    (folder / "mine.yaml").write_text("\n".join(lines))
    config = composed("train", "--config-dir", "conf", "+experiment=mine", folder=tmp_path)
    assert (config["run"]["name"], config["corpus"]["target_language"]) == ("1_1", "no")
    assert config["corpus"]["tests"] == {text: text for text in LIKE_NUMBERS}


@pytest.mark.parametrize("name", PLACES)
def test_every_option_of_text_takes_what_is_typed(tmp_path, name):
    typed = [place.format("1_1", "1_1") for place in PLACES[name]]
    printed = str(composed(name, *typed, folder=tmp_path))
    assert printed.count("'1_1'") == sum(place.count("{}") for place in PLACES[name])


def test_members_of_lists_and_names_of_test_sets_are_text_too(tmp_path):
    typed = ("corpus=files", "corpus.train=[1e3,'2_2',true]", "corpus.tests={2014: ~/x.{language}, 1_1: 1.50}")
    corpus = composed("train", *typed, folder=tmp_path, key="corpus")
    assert corpus["train"] == ["1e3", "2_2", "true"]
    assert corpus["tests"] == {"2014": "~/x.{language}", "1_1": "1.50"}


def test_a_comparison_in_a_file_names_systems_and_test_sets_as_it_says(tmp_path):
    folder = tmp_path / "conf/comparison"
    folder.mkdir(parents=True)
    lines = [
        *("# @package _global_", "name: 2024_01", "baseline: on", "test_sets: [1_1, no]", "seeds: [1, 1e1]"),
        *("systems:", "  on: {experiment: 1e3, overrides: [2_2]}", "  2014: {experiment: true}"),
    ]
    (folder / "mine.yaml").write_text("\n".join(lines))
    config = composed("compare", "--config-dir", "conf", "+comparison=mine", folder=tmp_path)
    assert (config["name"], config["baseline"], config["test_sets"]) == ("2024_01", "on", ["1_1", "no"])
    assert config["systems"]["on"] == {"experiment": "1e3", "overrides": ["2_2"]}
    assert config["systems"]["2014"]["experiment"] == "true" and config["seeds"] == [1, 10]


def test_a_sweep_over_names_makes_a_run_of_each(tmp_path):
    sweep = ("-m", "+experiment=demo/attention", *TINY_CORPUS, *TINY_SIZES["recurrent"], "trainer.max_minutes=0")
    made = door_in_process("train", *sweep, "trainer.max_steps=1", "run.name=1_1,~x", folder=tmp_path)
    assert made.returncode == 0, made.stderr.decode()
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"1_1", "~x"}
    assert load_train(tmp_path / "runs/1_1/seed-1/config.yaml").run.name == "1_1"


@pytest.mark.parametrize("text", ["2024_01", "12:30", "null", "<<"])
def test_a_run_reads_back_the_name_that_it_wrote(tmp_path, text):
    config = compose_train([f"run.name='{text}'", "run.dir=~/runs"])
    save(config, tmp_path / "config.yaml")
    again = load_train(tmp_path / "config.yaml")
    assert (again.run.name, again.run.dir) == (text, str(Path.home() / "runs"))


def test_whole_numbers_may_be_written_as_powers_of_ten_and_budgets_have_no_bound():
    config = compose_train(["trainer.max_steps=2e3", "trainer.max_tokens=1e11", "batching.tokens=1e3"])
    assert (config.trainer.max_steps, config.trainer.max_tokens, config.batching.tokens) == (2000, 10**11, 1000)


@pytest.mark.parametrize("typed", ["trainer.max_tokens=~5", "run.name=(ö,2)"])
def test_what_cannot_be_read_is_named_by_its_characters(tmp_path, typed):
    key, _, value = typed.partition("=")
    message = fails(door_in_process("train", typed, folder=tmp_path), f"{typed}: cannot be read", f"{key}='{value}'")
    named = message.partition("cannot be read; ")[2].partition(" must stand in quotes")[0]
    assert named == {"~5": "~", "(ö,2)": "( ö , )"}[value]


def test_the_home_folder_stands_for_a_tilde_in_every_path(tmp_path, monkeypatch):
    home = tmp_path / "home"
    here = tmp_path / "here"
    here.mkdir()
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    made = door_in_process("train", *TINY_TRAIN, "run.dir=~/run", "cache='~/cache'", folder=here)
    assert made.returncode == 0, made.stderr.decode()
    (home / "source").write_text("The man sleeps .\n")
    (home / "target").write_text("Der Mann schläft .\n")
    for name, arguments in {
        "translate": ["run=~/run", "input=~/source", "output=~/output"],
        "score": ["run=~/run", "source=~/source", "target='~/target'", "checkpoint=~/run/checkpoints/best.safetensors"],
        "train": [*TINY_TRAIN, "trainer.max_steps=1", "run.dir=tuned", "cache=~/cache", "finetuning.run=~/run"],
    }.items():
        made = door_in_process(name, *arguments, folder=here)
        assert made.returncode == 0, made.stderr.decode()
    assert (home / "output").exists() and (home / "cache").exists()
    assert not list(tmp_path.glob("**/~*"))


def test_the_home_of_a_user_who_is_not_there_is_told_in_one_line(tmp_path):
    done = door_in_process("evaluate", "run=~nobody-here/x", folder=tmp_path)
    fails(done, "run=~nobody-here/x: no such user")
