"""What is said of a file of text that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from nmt.corpus.fetching.absent import absent, how_to_fetch, megabytes
from nmt.corpus.kinds.files import FilesOptions, check_fetched
from nmt.errors import Absent

FETCH = "python -m nmt.data corpus=multi30k_en_{} fetches it (3 MB)"


@pytest.fixture(autouse=True)
def no_corpora(tmp_path, monkeypatch):
    monkeypatch.delenv("NMT_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


def test_a_file_that_a_recipe_makes_is_told_with_the_command_and_the_size():
    message = str(absent(Path("data/corpora/multi30k/train.en.gz")))
    assert message == f"data/corpora/multi30k/train.en.gz: not there; {FETCH.format('de')}"
    assert megabytes(1_000_000) == "1 MB" and megabytes(1_000_001) == "2 MB"


def test_the_configuration_that_is_named_has_the_languages_of_the_corpus_whatever_the_direction():
    path = Path("data/corpora/multi30k/test2016.en")
    assert FETCH.format("fr") in str(absent(path, ("fr", "en")))
    assert FETCH.format("de") in str(absent(path, ("en", "de")))
    assert FETCH.format("fr") in how_to_fetch(path.with_name("test2016.fr"))
    assert FETCH.format("de") in str(absent(path, ("en", "xx"))), "the first, where none fits"


def test_where_nmt_data_names_another_folder_the_message_holds_there(tmp_path, monkeypatch):
    path = tmp_path / "big/multi30k/valid.de"
    assert how_to_fetch(path) == f"{FETCH.format('de')} into data/corpora/multi30k"
    monkeypatch.setenv("NMT_DATA", str(tmp_path / "big"))
    assert how_to_fetch(path) == FETCH.format("de")


def test_a_file_of_no_recipe_is_told_without_a_command():
    for name in ("my/train.en", "multi30k/train.it.gz", "train.en"):
        assert str(absent(Path(name))) == f"{name}: no such file; check the corpus paths"


def test_a_star_that_stands_for_files_of_a_recipe_is_told_with_the_command():
    corpus = FilesOptions(train=["data/corpora/multi30k/tr*.{language}.gz"], valid="x")
    with pytest.raises(Absent, match=r"tr\*\.en\.gz: not there; .*multi30k_en_de fetches them \(3 MB\)$"):
        next(corpus.read("train"))


def test_a_typed_file_is_told_only_where_it_can_be_fetched(tmp_path):
    check_fetched(tmp_path / "mine.en")
    path = tmp_path / "data/corpora/multi30k/test2016.de"
    with pytest.raises(Absent, match=r"test2016\.de: not there; python -m nmt\.data"):
        check_fetched(path)
    path.parent.mkdir(parents=True)
    path.touch()
    check_fetched(path)
