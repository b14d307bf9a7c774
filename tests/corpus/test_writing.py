"""What follows from a script: which pairs are kept, how sentences are joined, what is recorded of the text."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from nmt.config import compose_train
from nmt.corpus.pair import Pair
from nmt.corpus.text.cleaning import CleaningOptions, CleaningReport, clean
from nmt.jobs.train import open_training
from tests.conftest import TINY_SIZES

# Long English words, and Chinese with about a fifth of their characters.
TRANSLATED = [
    Pair("Environmental organisations' internationalisation continues.", "环保组织的国际化在继续。"),
    Pair("Responsibilities of the representatives were acknowledged.", "代表的职责获得认可。"),
    Pair("Unfortunately, misunderstandings are unavoidable sometimes.", "可惜误会有时难免。"),
]
COPY = "not translated: environmental organisations in English again"  # beside a source as long: of an odd ratio


def written(folder: Path, train: list[Pair], valid: list[Pair], *options: str):
    """The configuration of a tiny run on this text."""
    for split, pairs in {"train": train, "valid": valid}.items():
        for side, language in (("source", "en"), ("target", "xx")):
            lines = [getattr(pair, side) + "\n" for pair in pairs]
            (folder / f"{split}.{language}").write_text("".join(lines), encoding="utf-8")
    return compose_train(
        [
            *("corpus=files", "model=gru_fixed", "corpus.target_language=xx"),
            f"corpus.train=['{folder}/train.{{language}}']",
            f"corpus.valid='{folder}/valid.{{language}}'",
            *TINY_SIZES["recurrent"],
            *("tokenizer.kind=char", "tokenizer.vocabulary_size=80", "device=cpu", "trainer.max_steps=1"),
            *(f"run.dir={folder}/run", f"cache={folder}/cache"),
            *options,
        ]
    )


def test_a_corpus_of_constant_ratio_is_kept_and_an_odd_pair_is_not(tmp_path):
    odd = Pair(TRANSLATED[0].source, COPY)
    with open_training(written(tmp_path, [*TRANSLATED * 20, odd], [*TRANSLATED, odd])) as (run, trainer):
        report = trainer.batches.pairs.report
        assert (report.read, report.kept, report.odd_ratio) == (61, 60, 1)
        assert trainer.validate.batcher.pairs.report.kept == 3, "by the ratio of the training text"
    recorded = json.loads((run.folder / "provenance.json").read_text())["proportions"]
    assert recorded["source"] == "words" and recorded["target"] == "characters"
    assert 0.15 < recorded["ratio"] < 0.25


def test_a_limit_of_words_counts_characters_where_the_script_has_no_spaces(tmp_path):
    options = ("cleaning.max_words=10", "cleaning.max_ratio=100")
    with open_training(written(tmp_path, TRANSLATED * 20, TRANSLATED, *options)) as (_, trainer):
        report = trainer.batches.pairs.report
        assert (report.kept, report.too_long) == (40, 20), "sources have 4 to 7 words, targets 9, 10 and 12 characters"


def test_sentences_of_such_a_script_are_joined_without_a_space(tmp_path):
    options = ("joining.share=1", "joining.max_words=20", "tokenizer.joint=false", "cleaning.max_ratio=100")
    with open_training(written(tmp_path, TRANSLATED * 20, TRANSLATED, *options)) as (run, trainer):
        pairs = trainer.batches.pairs
        targets = [run.tokenizer.decode_target(pairs.target[row].tolist()) for row in range(len(pairs))]
    joined = [target for target in targets if target.count("。") > 1]
    assert joined and not any(" " in target for target in joined)


def test_one_warning_names_the_limit_that_leaves_out_much(tmp_path, caplog):
    odd = Pair(COPY, "kurz")
    train = [Pair("a dog", "ein Hund"), odd] * 30
    with (
        caplog.at_level(logging.WARNING, logger="nmt"),
        open_training(written(tmp_path, train, train[:1])),
    ):
        [warning] = [message for message in caplog.messages if "corpus.train" in message]
        assert "50% as odd ratio (cleaning.max_ratio=4)" in warning


def kept(text: str, script: str) -> bool:
    pairs = [Pair("x", text)]
    return bool(list(clean(pairs, CleaningOptions(target_script=script), CleaningReport())))


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("JAPANESE", "東京タワーはとても高いです。"),
        ("KOREAN", "大韓民國은 民主共和國이다."),
        ("KATAKANA", "コーーー"),
        ("LATIN", "ＮＨＫ"),
        ("TELUGU", "నమస్కారం"),
        ("LAO", "ສະບາຍດີ"),
        ("TIBETAN", "བཀྲ་ཤིས"),
        ("MEETEI_MAYEK", "ꯃꯤꯇꯩ"),
    ],
    ids=lambda value: value if value.isascii() else "",
)
def test_text_is_known_by_its_script(script, text):
    assert kept(text, script) and not kept(text, "GREEK")
    assert not kept("Αθήνα", script)
