"""A kind of corpus is one file: the contract that each keeps, and one that comes from a user's own module."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from nmt.corpus.kinds.corpus import CORPUS_OPTIONS
from nmt.corpus.kinds.datasets import DatasetsOptions
from nmt.corpus.kinds.files import FilesOptions
from nmt.corpus.kinds.mtdata import MtdataOptions
from nmt.corpus.kinds.tasks import TaskOptions
from nmt.errors import UserError
from tests.conftest import ROOT, TINY_CORPUS, TINY_GRAMMAR, TINY_SIZES, door

OWN_KIND = '''
"""Counting: n words to the number of words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nmt.corpus.kinds.corpus import Corpus
from nmt.corpus.pair import Pair


@dataclass
class CountingOptions(Corpus):
    kind: str = "counting"
    pairs: int = 100

    def test_names(self) -> list[str]:
        return ["few", "many"]

    def read(self, split: str, first: int = 0) -> Iterator[Pair]:
        offset = {"train": 0, "valid": 1, "few": 2, "many": 3}[split]
        for number in range(first, self.pairs):
            words = (number + offset) % 9 + 1
            yield Pair("word " * words, f"{words} words")

    def fingerprint(self, split: str) -> str:
        return f"counting-{self.pairs}-{split}"
'''


@pytest.fixture
def corpora(tmp_path, monkeypatch):
    """A small corpus of each kind."""
    import datasets

    pairs = list(TINY_GRAMMAR.read("valid"))
    for language, lines in (("en", [pair.source for pair in pairs]), ("de", [pair.target for pair in pairs])):
        (tmp_path / f"text.{language}").write_text("".join(f"{line}\n" for line in lines))
        fetched = tmp_path / "mtdata/one"
        fetched.mkdir(parents=True, exist_ok=True)
        shutil.copy(tmp_path / f"text.{language}", fetched)
    rows = [{"translation": {"en": pair.source, "de": pair.target}} for pair in pairs]
    folder = tmp_path / "set"
    datasets.Dataset.from_list(rows).to_parquet(str(folder / "train.parquet"))
    monkeypatch.setenv("NMT_DATA", str(tmp_path))
    return {
        "grammar": TINY_GRAMMAR,
        "task": TaskOptions(train_pairs=30, test_pairs_per_bucket=2),
        "files": FilesOptions(train=[f"{tmp_path}/text.{{language}}"]),
        "datasets": DatasetsOptions(path=str(folder)),
        "mtdata": MtdataOptions(train=["one"]),
    }


@pytest.mark.parametrize("kind", ["grammar", "task", "files", "datasets", "mtdata"])
def test_every_kind_reads_on_from_any_pair(corpora, kind):
    corpus = corpora[kind]
    assert CORPUS_OPTIONS[kind] is type(corpus) and corpus.kind == kind
    pairs = list(corpus.read("train"))
    assert len(pairs) >= 20
    for first in (0, 1, 17, len(pairs), len(pairs) + 9):
        assert list(corpus.read("train", first)) == pairs[first:]


@pytest.mark.parametrize("kind", ["grammar", "task", "files", "datasets", "mtdata"])
def test_what_a_stream_mixes_is_the_training_text(corpora, kind):
    corpus = corpora[kind]
    [place] = corpus.mixture()
    assert place.weight == 1 and not corpus.needs_stream
    assert list(place.read(3)) == list(corpus.read("train", 3))


@pytest.mark.parametrize("kind", ["grammar", "task", "files", "datasets", "mtdata"])
def test_the_links_are_known_where_the_pairs_have_them(corpora, kind):
    corpus = corpora[kind]
    links = [pair.links for pair in corpus.read("train")]
    assert links
    assert all(links) == corpus.knows_links("train") == (kind in ("grammar", "task"))


# Of each kind, values of options that are not those of ``varied``; options that are left out choose no text.
OTHER_VALUES = {
    "grammar": {"seed": 2, "train_pairs": 20, "valid_pairs": 6, "median_words": 5.0, "sigma": 0.4, "max_words": 9},
    "task": {"task": "reverse", "symbols": 9, "seed": 2, "train_pairs": 20, "valid_pairs": 6, "max_words": 5},
    "files": {
        "train": ["{folder}/b.{{language}}", "{folder}/a.{{language}}"],
        "valid": "{folder}/b.{{language}}",
        "source_language": "fr",
        "target_language": "fr",
        "links": "{folder}/links",
        "tags": ["<x>", "<y>"],
    },
    "datasets": {
        "path": "{folder}/other",
        "name": "second",
        "source_column": "fr",
        "target_column": "fr",
        "train": "train[:3]",
        "valid": "train",
    },
    "mtdata": {"train": ["b", "a"], "valid": "b", "source_language": "fr", "target_language": "fr"},
}


def varied(kind, folder, options):
    """A small corpus of each kind, with some options set."""
    given = {}
    for name, value in options.items():
        text = json.dumps(value).replace("{folder}", str(folder)).replace("{{", "{").replace("}}", "}")
        given[name] = json.loads(text)
    usual = {
        "grammar": {"train_pairs": 12, "valid_pairs": 4, "test_pairs_per_bucket": 2, "test_bounds": [5, 9]},
        "task": {"train_pairs": 12, "valid_pairs": 4, "test_pairs_per_bucket": 2},
        "files": {
            "train": [f"{folder}/a.{{language}}", f"{folder}/b.{{language}}"],
            "valid": f"{folder}/a.{{language}}",
        },
        "datasets": {"path": f"{folder}/set", "source_column": "en", "target_column": "de", "name": "first"},
        "mtdata": {"train": ["a", "b"], "valid": "a"},
    }
    return CORPUS_OPTIONS[kind](**{**usual[kind], **given})


def test_an_option_that_changes_the_pairs_changes_the_fingerprint(tmp_path, monkeypatch):
    """Else the cache gives the pairs of one corpus to another, and a run goes on with other text."""
    ours = {kind for kind, options in CORPUS_OPTIONS.items() if options.__module__.startswith("nmt.")}
    assert ours == OTHER_VALUES.keys()
    for language in ("en", "de", "fr"):
        for name in ("a", "b"):
            text = "".join(f"{name} {language} {n}\n" for n in range(5))
            (tmp_path / f"{name}.{language}").write_text(text)
            (tmp_path / "mtdata" / name).mkdir(parents=True, exist_ok=True)
            (tmp_path / "mtdata" / name / f"text.{language}").write_text(text)
    monkeypatch.setenv("NMT_DATA", str(tmp_path))
    (tmp_path / "links").write_text("0-1\n" * 10)
    for folder in ("set", "other"):
        (tmp_path / folder).mkdir()
        for file in ("one", "two", "validation"):
            rows = "".join(f"{folder} en {file} {n},de {n},fr {n}\n" for n in range(5))
            (tmp_path / folder / f"{file}.csv").write_text("en,de,fr\n" + rows)
        files = "data_files: [{split: train, path: %s.csv}, {split: validation, path: validation.csv}]"
        configurations = [
            f"- config_name: {name}\n  {files % file}\n" for name, file in (("first", "one"), ("second", "two"))
        ]
        (tmp_path / folder / "README.md").write_text(f"---\nconfigs:\n{''.join(configurations)}---\n")
    changed = 0
    for kind, values in OTHER_VALUES.items():
        usual = varied(kind, tmp_path, {})
        for name, value in values.items():
            other = varied(kind, tmp_path, {name: value})
            for split in ("train", "valid"):
                if list(other.read(split)) != list(usual.read(split)):
                    changed += 1
                    assert other.fingerprint(split) != usual.fingerprint(split), f"{kind}: {name} of {split}"
    assert changed >= 25


def test_weights_make_each_place_one_of_a_mixture(tmp_path):
    for name in ("first", "second"):
        (tmp_path / f"{name}.tsv").write_text("".join(f"{name} {n}\t{n}\n" for n in range(5)))
    places = [f"{tmp_path}/first.tsv", f"{tmp_path}/second.tsv"]
    corpus = FilesOptions(train=places, weights=[3.0, 1.0], tags=["", "<x>"])
    assert corpus.needs_stream
    first, second = corpus.mixture()
    assert (first.weight, second.weight) == (3, 1)
    assert [pair.source for pair in first.read(3)] == ["first 3", "first 4"]
    assert [(pair.tag, pair.source, pair.place) for pair in second.read(4)] == [("<x> ", "second 4", 1)]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"train": ["a", "b"], "weights": [1.0]}, r"corpus\.weights: 1 for the 2 places of corpus\.train; one each"),
        ({"train": ["a"], "tags": ["<x>", "<y>"]}, r"corpus\.tags: 2 for the 1 places"),
        ({"train": ["a", "b"], "weights": [1.0, 0.0]}, r"corpus\.weights=\[1\.0, 0\.0\]: each must be above 0"),
    ],
)
def test_files_that_cannot_go_together_are_refused_at_once(values, message):
    with pytest.raises(UserError, match=message):
        FilesOptions(**values)


@pytest.mark.parametrize("split", ["train", "valid"])
def test_a_test_set_named_as_another_split_is_refused(split):
    """It would be judged on the text of that split."""
    options = {"train": ["a.tsv"], "valid": "b.tsv"}
    with pytest.raises(UserError, match=rf"corpus\.tests\.{split}: {split} names a split already"):
        FilesOptions(tests={split: "c.tsv"}, **options)
    same = {"train": "a.tsv", "valid": "b.tsv"}[split]
    assert FilesOptions(tests={split: same}, **options).test_names() == [split]


def test_a_data_set_without_a_name_is_told_so():
    with pytest.raises(UserError, match=r"corpus\.path: no data set is named"):
        next(DatasetsOptions().read("train"))


def test_a_data_set_needs_both_columns_or_neither():
    with pytest.raises(UserError, match="both source_column and target_column"):
        DatasetsOptions(path="x", source_column="a")


def test_only_a_record_without_a_version_counts_as_the_first_version(monkeypatch):
    bare = "0123456789abcdef"
    task = TaskOptions()
    assert task.counts_as(bare, "train")
    assert not task.counts_as("task-1-0123456789abcdef-train", "train")
    assert not FilesOptions().counts_as(bare, "train")
    monkeypatch.setattr(TaskOptions, "version", 2)
    assert not task.counts_as(bare, "train")


def test_a_kind_of_one_s_own_is_one_file(tmp_path):
    """From a module of the user's to a trained run that goes on and is evaluated on its own test sets."""
    (tmp_path / "counting.py").write_text(OWN_KIND)
    small = [option for option in TINY_CORPUS if not option.startswith("corpus")]
    options = [
        *("+experiment=demo/attention", "corpus=counting_schema", "corpus.pairs=60", *small),
        *(*TINY_SIZES["recurrent"], "tokenizer.kind=word", "trainer.max_minutes=0", "run.dir=run"),
    ]

    def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}",
            "NMT_PLUGINS": "counting",
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",
        }
        command = [sys.executable, "-m", f"nmt.{name}", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)

    for steps in (3, 5):
        made = run("train", *options, f"trainer.max_steps={steps}")
        assert made.returncode == 0, made.stderr
    assert "going on from step 3" in made.stderr
    record = json.loads((tmp_path / "run/provenance.json").read_text())
    assert record["data"]["many"] == "counting-60-many" and list(record["plugins"]) == ["counting"]
    made = run("evaluate", "run=run", "decoding.beam_size=1", "device=cpu")
    assert made.returncode == 0, made.stderr
    assert {path.name for path in (tmp_path / "run/evaluations").iterdir()} == {"few", "many"}
    refused = run("train", *options, "corpus.kind=files")
    assert refused.returncode == 2 and "corpus.kind=files: not set by itself; say corpus=NAME" in refused.stderr
    without = door("evaluate", "run=run", folder=tmp_path)
    assert without.returncode == 2 and b"corpus.kind=counting" in without.stderr
