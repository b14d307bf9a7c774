"""The data door, as far as it reads its command line. What it fetches is tested below `tests/corpus/fetching/`."""

from __future__ import annotations

import pytest

from nmt.jobs import corpora
from tests.processes import door_in_process, fails


@pytest.fixture
def read(monkeypatch):
    """The configurations that would be fetched."""
    configs = []
    monkeypatch.setattr(corpora, "fetch_corpora", configs.append)
    return configs


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("do=lst",), ("do=lst: did you mean 'list'?", "fetch")),
        (("do=list", "source=x"), ("source=x: is what do=fetch reads", "do=list")),
        (("do=inspect", "source=x"), ("source=x: is what do=fetch reads", "do=inspect")),
        (("output=page",), ("output=page: is where do=inspect writes", "do=fetch")),
        (("corpus=multi30k_en_de", "source=nowhere"), ("source=nowhere: no such file or folder",)),
        (("corpus=multi30k_en_dd",), ("corpus=multi30k_en_dd: no such configuration", "multi30k_en_de")),
        (("corpus=multi30k",), ("did you mean 'multi30k_en_de' or 'multi30k_en_fr'?",)),
        (("corpus=multi30k_de_en",), ("did you mean 'multi30k_en_de'?",)),
        (("+comparison=multi30",), ("comparison=multi30: no such configuration", "multi30k")),
        (("sourc=x",), ("sourc: no such option", "did you mean 'source'?")),
        (("trainer.max_steps=x",), ("trainer.max_steps=x: must be a whole number",)),
        ((), ("kind=grammar has no text to fetch", "name a corpus, such as corpus=multi30k_en_de", "do=list")),
        (("corpus=files", "corpus.train=[x]"), ("your own files, which do=inspect looks into", "do=list")),
    ],
)
def test_a_mistake_ends_in_one_line(tmp_path, arguments, told):
    fails(door_in_process("data", *arguments, folder=tmp_path), *told)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "argument", ["corpus=europarl_en_fr", "+experiment=europarl/attention", "+comparison=europarl_cpu"]
)
def test_a_corpus_is_named_by_itself_or_by_what_reads_it(tmp_path, read, argument):
    done = door_in_process("data", argument, folder=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    [config] = read
    assert config.corpus.target_language == "fr" and "europarl-en-fr" in config.corpus.valid


def test_several_corpora_are_fetched_one_after_the_other(tmp_path, read):
    done = door_in_process("data", "-m", "corpus=multi30k_en_de,scan", folder=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    assert [config.corpus.source_language for config in read] == ["en", "in"]


def test_of_several_processes_the_others_fetch_nothing(tmp_path, read, monkeypatch):
    for name, value in (("RANK", "1"), ("WORLD_SIZE", "2"), ("MASTER_ADDR", "localhost"), ("MASTER_PORT", "1")):
        monkeypatch.setenv(name, value)
    done = door_in_process("data", "corpus=scan", folder=tmp_path)
    assert done.returncode == 0 and not read
