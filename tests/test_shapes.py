"""One value where an option holds a list, and a list of one where it holds a value; all else is told with the mend."""

from __future__ import annotations

import pytest
import yaml

from nmt.config import compose_train, load_train, save
from tests.processes import door_in_process, fails

FILES = ("corpus=files", "model=transformer")


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("corpus.train='x.{language}'", ["x.{language}"]),
        ("corpus.train=x.{language}", ["x.{language}"]),
        ("++corpus.train=2014", ["2014"]),
        ("corpus.weights=2", [2.0]),
        ("tokenizer.symbols=<num>", ["<num>"]),
        ("corpus.valid=['x.{language}']", "x.{language}"),
        ("corpus.tests={a: ['x']}", {"a": "x"}),
        ("run.name=[2_2]", "2_2"),
    ],
)
def test_a_single_value_is_a_list_of_one_where_that_is_meant(typed, value):
    overrides = [*FILES, typed]
    if "weights" in typed:
        overrides.append("corpus.train=[x]")
    config = compose_train(overrides)
    group, name = typed.lstrip("+").partition("=")[0].split(".")
    assert getattr(getattr(config, group), name) == value


def test_the_kind_of_corpus_decides_what_one_text_is():
    assert compose_train(["corpus=datasets", "corpus.train='train[:10%]'"]).corpus.train == "train[:10%]"
    assert compose_train(["corpus=files", "corpus.train='train[:10%]'"]).corpus.train == ["train[:10%]"]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("corpus.valid=[a,b]", ("corpus.valid: holds one text, not a list",)),
        ("run.name={a: b}", ("run.name: holds one text, not names with values",)),
        ("corpus.train={a: b}", ("corpus.train: holds a list", "corpus.train=['...','...']")),
        ("corpus.tests='x.{language}'", ("corpus.tests: holds names with values", "corpus.tests={NAME: '...'}")),
        ("corpus.tests=[a]", ("corpus.tests: holds names with values",)),
        ("trainer=[1]", ("trainer: holds options of its own",)),
        ("seed=[1,2]", ("seed: holds one value, not a list",)),
        (f"seed={'9' * 5000}", ("must be a whole number",)),
    ],
)
def test_a_value_of_another_shape_is_told_with_the_mend(tmp_path, typed, told):
    fails(door_in_process("train", *FILES, typed, "--cfg", "job", folder=tmp_path), *told)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("corpus: {valid: [a, b]}", "mine.yaml: corpus.valid: holds one text"),
        ("corpus: {tests: a}", "mine.yaml: corpus.tests: holds names with values"),
        ("trainer: 3", "mine.yaml: trainer: holds options of its own"),
        ("corpus: {train: 2014-01-01, valid: [no], tests: {2014-01-01: [off], 12:30: y, 017: ~/x}}", ""),
    ],
)
def test_a_file_of_options_is_read_in_the_same_way(tmp_path, lines, told):
    folder = tmp_path / "conf/experiment"
    folder.mkdir(parents=True)
    header = "# @package _global_\ndefaults: [{override /corpus: files}]\n"
    (folder / "mine.yaml").write_text(header + lines + "\n")
    done = door_in_process("train", "--config-dir", "conf", "+experiment=mine", "--cfg", "job", folder=tmp_path)
    if told:
        fails(done, told)
        return
    corpus = yaml.safe_load(done.stdout)["corpus"]
    assert (corpus["train"], corpus["valid"]) == (["2014-01-01"], "no")
    assert corpus["tests"] == {"2014-01-01": "off", "12:30": "y", "017": "~/x"}


def test_a_run_s_own_file_says_no_and_means_the_text(tmp_path):
    path = tmp_path / "config.yaml"
    save(compose_train(["corpus=files", "corpus.tests={a: b}"]), path)
    text = path.read_text().replace("target_language: de", "target_language: no").replace("a: b", "2014-01-01: off")
    path.write_text(text)
    corpus = load_train(path).corpus
    assert (corpus.target_language, corpus.tests) == ("no", {"2014-01-01": "off"})
