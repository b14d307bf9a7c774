"""Recipes that take files as they are, line by line: Multi30k, the news test sets, the agreement triples."""

from __future__ import annotations

import gzip

import pytest

from nmt.corpus.recipes.agreement_en_de import PHENOMENA, TEXTS
from nmt.corpus.recipes.newstest_en_de import TESTS, TRAINING
from nmt.errors import Damaged
from tests.corpus.recipes.memory import pairs_of, splits_of, text, texts_of


def captions() -> dict[str, bytes]:
    packed = {}
    for split in ("train", "val", "test_2016_flickr", "test_2017_flickr"):
        for language in ("en", "de", "fr"):
            content = text(f"A\u00a0{split}  in {language}.", "", "cafe\u0301")
            packed[f"{split}.{language}.gz"] = gzip.compress(content)
    return packed


def test_multi30k_keeps_every_line_and_names_its_splits_as_others_do():
    splits = splits_of("multi30k", captions())
    assert list(splits) == ["train", "valid", "test2016", "test2017"]
    assert texts_of(splits["valid"])["fr"] == ["A val in fr.", "", "caf\u00e9"]
    assert texts_of(splits["train"]).keys() == {"en", "de", "fr"}


def test_a_caption_file_that_is_cut_or_shorter_than_the_others_is_named():
    cut = captions()
    cut["val.de.gz"] = cut["val.de.gz"][:-3]
    with pytest.raises(Damaged, match=r"multi30k/dataset: data/task1/raw/val\.de\.gz: cannot be unpacked"):
        splits_of("multi30k", cut)
    with pytest.raises(Damaged, match=r"train\.en 3, train\.de 1, train\.fr 3"):
        splits_of("multi30k", {**captions(), "train.de.gz": gzip.compress(text("Eins."))})


def news() -> dict[str, bytes]:
    files = {}
    for number, name in enumerate([*(f"eng-deu/{year}" for year in TRAINING), *TESTS.values()]):
        files[f"{name}.eng"] = text("Said  before.", f"News {number}.\r", "", "No German.")
        files[f"{name}.deu"] = text("Schon gesagt.", f"Neues {number}.", "Kein Englisch.", "\u200b")
    return files


def test_the_older_news_sets_are_one_training_text_of_different_pairs():
    splits = splits_of("newstest-en-de", news())
    assert list(splits) == ["train2008-2012", *TESTS]
    others = [(f"News {number}.", f"Neues {number}.") for number in range(1, len(TRAINING))]
    first = [("Said before.", "Schon gesagt."), ("News 0.", "Neues 0.")]
    assert pairs_of(splits["train2008-2012"]) == [*first, *others]
    last = len(TRAINING) + len(TESTS) - 1
    assert texts_of(splits["newstest2020-deen"]) == {
        "en": ["Said before.", f"News {last}."],
        "de": ["Schon gesagt.", f"Neues {last}."],
    }


def test_news_of_unequal_length_is_named():
    path = "eng-deu/newstest2010.deu"
    with pytest.raises(Damaged, match=rf"newstest2010\.eng has 4 lines and .*testsets/{path} 1;"):
        splits_of("newstest-en-de", {**news(), path: text("Nur eins.")})


def triples() -> dict[str, bytes]:
    files = {}
    for phenomenon in PHENOMENA:
        files[f"{phenomenon}/src.en"] = text("The man sleeps.", "The dog\u00a0barks.", "A line alone.")
        files[f"{phenomenon}/tgt.correct.de"] = text("Der Mann schläft.", "Der Hund bellt.", "")
        files[f"{phenomenon}/tgt.incorrect.de"] = text("Das Mann schläft.", "Der Hund bellen.", "Nichts.")
    return files


def test_agreement_triples_keep_their_order_and_only_whole_ones():
    splits = splits_of("agreement-en-de", triples())
    assert list(splits) == ["np_agreement.mt", "subj_verb_agreement.mt"]
    for split in splits.values():
        assert tuple(split.texts) == tuple(TEXTS)
        assert pairs_of(split) == [
            ("The man sleeps.", "Der Mann schläft.", "Das Mann schläft."),
            ("The dog barks.", "Der Hund bellt.", "Der Hund bellen."),
        ]


def test_a_triple_that_lacks_a_line_is_named():
    path = "np_agreement.mt/tgt.incorrect.de"
    with pytest.raises(Damaged, match=rf"data/{path} 1; line i of both"):
        splits_of("agreement-en-de", {**triples(), path: text("Das Mann schläft.")})
