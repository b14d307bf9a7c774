"""A tag is no word of the sentence: once, before the whole source, whoever reads the text."""

from __future__ import annotations

import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from nmt.config import compose_train, load_train
from nmt.corpus.batches.batcher import BatchingOptions
from nmt.corpus.batches.cache import cached_pairs, cached_tokenizer
from nmt.corpus.batches.position import Position
from nmt.corpus.batches.stream import Stream, StreamOptions
from nmt.corpus.kinds.files import FilesOptions
from nmt.corpus.subwords.tokenizer import TokenizerOptions
from nmt.corpus.text.cleaning import CleaningOptions
from nmt.corpus.text.concatenation import ConcatenationOptions
from nmt.jobs.train import open_training
from nmt.run import open_run
from tests.conftest import TINY_SIZES
from tests.processes import door_in_process, fails

TAGS = ["<2de>", "<2fr>"]
TESTS = ("new", "told", "plain")
JOINING = ConcatenationOptions(share=1, max_words=12)
TOKENIZER = TokenizerOptions(kind="bpe", vocabulary_size=330, symbols=TAGS)
OPTIONS = (
    *("corpus=files", "corpus.train=['de.tsv','fr.tsv']", "corpus.tags=['<2de>','<2fr>']", "corpus.valid=de.tsv"),
    *("tokenizer.symbols=['<2de>','<2fr>']", "tokenizer.vocabulary_size=330", "corpus.tests={new: fr.tsv}"),
    *("model=transformer", *TINY_SIZES["transformer"], "batching.tokens=256", "trainer.precision=fp32"),
    *("validation.bleu_sentences=2", "trainer.max_steps=1", "device=cpu"),
)


def write(folder: Path, in_the_text: bool = False) -> None:
    """Two places of two words a sentence, whose words begin with d and with f."""
    for tag in TAGS:
        language = tag[2:4]
        before = f"{tag} " if in_the_text else ""
        lines = [f"{before}{language[0]}in{n} {language[0]}is{n}\t{language[0]}out{n} gut\n" for n in range(40)]
        (folder / f"{language}.tsv").write_text("".join(lines))


def rows_of(reader: str, corpus: FilesOptions, folder: Path) -> list[str]:
    """Every source that a reader makes of the training text, as text."""
    tokenizer = cached_tokenizer(corpus, CleaningOptions(), TOKENIZER, folder)
    if reader == "cached":
        encoded = cached_pairs(corpus, "train", CleaningOptions(), tokenizer, folder, JOINING)
        sources = [encoded.source[row].tolist() for row in range(len(encoded))]
    else:
        batching = BatchingOptions(stream=True, block=30)
        sampling = 0.2 if reader == "sampled" else 0.0
        options = StreamOptions(corpus, CleaningOptions(), JOINING, batching, sampling, seed=1)
        groups = Stream(options, tokenizer).groups(Position(), 1)
        taken = itertools.takewhile(lambda group: group[1].epoch == 0, groups)
        batches = itertools.chain.from_iterable(batches for batches, _ in taken)
        sources = [source.tolist() for batch in batches for _, source, _ in batch.pairs()]
        groups.close()
    return [tokenizer.decode_target(row) for row in sources]


@pytest.mark.parametrize("tags_are", ["options", "in the text", "line by line"])
@pytest.mark.parametrize("reader", ["cached", "stream", "sampled"])
def test_no_source_holds_a_tag_but_at_its_beginning_and_joined_ones_are_of_one_place(tmp_path, reader, tags_are):
    write(tmp_path, in_the_text=tags_are != "options")
    places = [f"{tmp_path}/de.tsv", f"{tmp_path}/fr.tsv"]
    tags = TAGS if tags_are == "options" else []
    weights = [] if reader == "cached" else [1.0, 1.0]  # then places take turns
    if tags_are == "line by line":
        texts = [(tmp_path / f"{language}.tsv").read_text().splitlines() for language in ("de", "fr")]
        lines = itertools.chain.from_iterable(zip(*texts, strict=True))
        (tmp_path / "mixed.tsv").write_text("".join(f"{line}\n" for line in lines))
        places = [f"{tmp_path}/mixed.tsv"]
        weights = []
    corpus = FilesOptions(train=places, tags=tags, weights=weights)
    sources = rows_of(reader, corpus, tmp_path)
    joined = [source for source in sources if len(source.split()) > 3]
    assert len(joined) > 20
    for source in sources:
        tag, *words = source.split()
        assert tag in TAGS and not set(words) & set(TAGS), source
        assert {word[0] for word in words} == {tag[2]}, source


def test_places_without_tags_are_not_joined_with_each_other_either(tmp_path):
    write(tmp_path)
    corpus = FilesOptions(train=[f"{tmp_path}/de.tsv", f"{tmp_path}/fr.tsv"], weights=[1.0, 1.0])
    sources = rows_of("stream", corpus, tmp_path)
    letters = [{word[0] for word in source.split()} for source in sources]
    assert len(letters) > 90 and all(len(of_source) == 1 for of_source in letters)


def test_a_placeholder_that_the_target_has_too_is_a_word_and_no_tag(tmp_path):
    """Taken for a tag, it would be lost from joined sentences."""
    placeholders = [f"<2de> din{n} din\t<2de> dout{n}\n" for n in range(40)]
    tags = [f"<2fr> <2de> fin{n} x\t<2de> fout{n}\n" for n in range(40)]
    (tmp_path / "de.tsv").write_text("".join(placeholders + tags))
    sources = rows_of("cached", FilesOptions(train=[f"{tmp_path}/de.tsv"]), tmp_path)
    joined = [source.split() for source in sources if len(source.split()) > 3]
    kept = [words for words in joined if "din" in words]
    assert kept and all(words.count("<2de>") == words.count("din") for words in kept)
    for words in joined:
        if words not in kept:
            assert words.count("<2fr>") == 1 and words.count("<2de>") == words.count("x")


@pytest.mark.parametrize("in_the_text", [False, True])
def test_a_tag_counts_as_no_word_and_no_character(tmp_path, in_the_text):
    write(tmp_path, in_the_text)
    tags = [] if in_the_text else TAGS
    corpus = FilesOptions(train=[f"{tmp_path}/de.tsv", f"{tmp_path}/fr.tsv"], tags=tags)
    tokenizer = cached_tokenizer(corpus, CleaningOptions(), TOKENIZER, tmp_path)
    strict = CleaningOptions(max_words=2, max_ratio=1.4)
    assert cached_pairs(corpus, "train", strict, tokenizer, tmp_path).report.kept == 80


@pytest.mark.parametrize("in_the_text", [False, True])
def test_links_count_the_words_after_a_tag(tmp_path, in_the_text):
    """Of a tag in the text itself, the links of the file count it; they are of the same words."""
    write(tmp_path, in_the_text)
    (tmp_path / "links").write_text(("1-0 2-1\n" if in_the_text else "0-0 1-1\n") * 80)
    tags = [] if in_the_text else TAGS
    places = [f"{tmp_path}/de.tsv", f"{tmp_path}/fr.tsv"]
    corpus = FilesOptions(train=places, tags=tags, links=f"{tmp_path}/links")
    tokenizer = cached_tokenizer(corpus, CleaningOptions(), TOKENIZER, tmp_path)
    encoded = cached_pairs(corpus, "train", CleaningOptions(), tokenizer, tmp_path, JOINING, with_links=True)
    for row in range(len(encoded)):
        source = tokenizer.source_pieces(encoded.source[row])
        first = 2  # after the mark and the tag
        linked = set(encoded.links[row][::2].tolist())
        assert linked == {place for place in range(first, len(source) - 1) if source[place] != "\u2581"}


@pytest.fixture(scope="module")
def tagged(tmp_path_factory) -> Path:
    """A run whose validation set has a tag, and of its test sets one, one in the text, one not at all."""
    folder = tmp_path_factory.mktemp("tagged")
    write(folder)
    lines = (folder / "fr.tsv").read_text().splitlines()[:6]
    (folder / "told.tsv").write_text("".join(f"<2fr> {line}\n" for line in lines))
    (folder / "new.tsv").write_text("".join(f"{line}\n" for line in lines))
    own = (
        "corpus.valid_tag='<2de>'",
        "corpus.test_tags={new: '<2fr>'}",
        "corpus.tests={new: new.tsv, told: told.tsv, plain: new.tsv}",
    )
    done = door_in_process("train", *OPTIONS, *own, "run.dir=run", folder=folder)
    assert done.returncode == 0 and b"no tag" not in done.stderr, done.stderr.decode()
    return folder


def test_the_words_of_a_test_set_are_counted_without_its_tags(tagged):
    more = ("evaluation.bucket_bounds=[2,8]", "evaluation.metrics=[chrf]", "decoding.beam_size=1", "device=cpu")
    done = door_in_process("evaluate", "run=run", *more, folder=tagged)
    assert done.returncode == 0, done.stderr.decode()
    assert b"3-8" not in done.stdout and done.stdout.count(b"1-2") == 3
    made = {
        name: json.loads((tagged / f"run/evaluations/{name}/beam_size=1/evaluation.json").read_text()) for name in TESTS
    }
    assert made["new"]["scores"] == made["told"]["scores"] != made["plain"]["scores"], "what the model read"
    assert done.stderr.decode().count(": no tag, and all of corpus.train has one") == 1
    assert "test set 'plain': no tag" in done.stderr.decode()


def test_a_trained_run_takes_the_test_sets_and_their_tags_that_it_is_started_with(tagged, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(tagged, folder)
    tests = ("corpus.tests={plain: new.tsv, de: de.tsv}", "corpus.test_tags={plain: '<2fr>', de: '<2de>'}")
    done = door_in_process("train", *OPTIONS, "corpus.valid_tag='<2de>'", *tests, "run.dir=run", folder=folder)
    assert b"already trained" in done.stderr and b"would change nothing" not in done.stderr, done.stderr.decode()
    corpus = load_train(folder / "run/config.yaml").corpus
    assert corpus.test_names() == ["new", "plain", "de"] and corpus.test_tags == {"plain": "<2fr>", "de": "<2de>"}


def test_what_the_model_reads_of_a_validation_set_has_its_tag(tagged):
    run = open_run(tagged / "run")
    corpus = replace(run.config.corpus, valid=f"{tagged}/de.tsv")
    encoded = cached_pairs(corpus, "valid", run.config.cleaning, run.tokenizer, tagged / "cache")
    read = [run.tokenizer.decode_target(encoded.source[row]) for row in range(len(encoded))]
    assert read == [f"<2de> din{n} dis{n}" for n in range(40)]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("corpus.valid_tag='<2it>'",), ("'<2it>' would be split", "tokenizer.symbols")),
        (("corpus.test_tags={new: '<2it>'}",), ("'<2it>' would be split", "tokenizer.symbols")),
        (("corpus.test_tags={now: '<2de>'}",), ("corpus.test_tags: no test set 'now'", "did you mean 'new'")),
    ],
)
def test_a_tag_that_can_not_be_is_refused(tmp_path, options, told):
    write(tmp_path)
    fails(door_in_process("train", *OPTIONS, *options, "run.dir=run", folder=tmp_path), *told)


def test_an_untagged_validation_set_is_told_where_all_training_text_has_a_tag(tmp_path, monkeypatch, caplog):
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    config = compose_train([*OPTIONS, "run.dir=run", f"cache={tmp_path}"])
    with open_training(config):
        assert caplog.text.count("corpus.valid: no tag, and all of corpus.train has one") == 1


def test_a_tag_that_the_tokenizer_does_not_know_is_told_once(tagged):
    text = b"<2de> din1\n\n<2it> din1\n<2it> din2\n<b>bold\n"
    done = door_in_process("translate", "run=run", "decoding.beam_size=1", "device=cpu", folder=tagged, text=text)
    warnings = [line for line in done.stderr.decode().splitlines() if "<2it>" in line]
    assert len(warnings) == 1 and "line 3: '<2it>' is no symbol" in warnings[0] and "<2de>, <2fr>" in warnings[0]
