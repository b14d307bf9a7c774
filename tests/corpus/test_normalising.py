"""One Unicode form for all text of a tokenizer: composed and decomposed spellings are the same text to a run."""

from __future__ import annotations

import unicodedata

import pytest

from nmt.corpus.batches.cache import cached_pairs, cached_tokenizer
from nmt.corpus.kinds.files import FilesOptions
from nmt.corpus.subwords.tokenizer import Tokenizer, TokenizerOptions, train_tokenizer
from nmt.corpus.text.cleaning import CleaningOptions
from nmt.decoding.options import DecodingOptions
from nmt.errors import UserError
from nmt.jobs.evaluate import evaluate_run
from nmt.run import open_run
from tests.processes import door_in_process

COMPOSED = [("Café %d ﬁn", "schöne Grüße %d"), ("un été %d", "ein Ärger %d")]


def decomposed(text):
    return unicodedata.normalize("NFD", text)


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """Forty pairs, each once composed and once decomposed."""
    folder = tmp_path_factory.mktemp("text")
    pairs = [(source % n, target % n) for n in range(20) for source, target in COMPOSED]
    for column, language in enumerate(("fr", "de")):
        lines = [pair[column] for pair in pairs]
        lines += [decomposed(line) for line in lines]
        (folder / f"t.{language}").write_text("".join(f"{line}\n" for line in lines))
    return folder


def corpus_in(folder):
    place = f"{folder}/t.{{language}}"
    return FilesOptions(source_language="fr", train=[place], valid=place, tests={"test": place})


@pytest.mark.parametrize("form", ["nfc", "nfkc"])
def test_both_spellings_are_duplicates_and_have_the_same_pieces(tmp_path, text, form):
    options = TokenizerOptions(vocabulary_size=300, normalise=form)
    cleaning = CleaningOptions(duplicates="drop")
    tokenizer = cached_tokenizer(corpus_in(text), cleaning, options, tmp_path)
    for split in ("train", "valid"):
        report = cached_pairs(corpus_in(text), split, cleaning, tokenizer, tmp_path).report
        assert (report.read, report.kept, report.duplicate) == (80, 40, 40)
    tokenizer.save(tmp_path / "saved")
    loaded = Tokenizer.load(tmp_path / "saved")
    for line in ("Café 3 ﬁn", "ein Ärger"):
        assert loaded.encode_source(line) == loaded.encode_source(decomposed(line))
        assert loaded.spelt_target(line) == loaded.spelt_target(decomposed(line))
        expected = line.replace("ﬁ", "fi") if form == "nfkc" else line
        assert loaded.decode_target(loaded.encode_target(decomposed(line))) == expected


def test_words_stay_as_many_in_every_form(tmp_path, tiny_pairs):
    options = TokenizerOptions(vocabulary_size=400, normalise="nfkc")
    tokenizer = train_tokenizer(lambda: tiny_pairs, options, tmp_path)
    line = "´a ¨ b\u00a0c ﷺ ３ e\u0301"
    text = tokenizer.decode_target(tokenizer.encode_target(line))
    assert text == "´a ¨ b c ﷺ 3 é" and len(text.split()) == len(line.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normalise": "nfd"}, r"normalise=nfd: did you mean 'nfc'"),
        ({"normalise": "nfkc", "symbols": ["<ﬁ>"]}, "tokenizer.symbols: '<ﬁ>'"),
        ({"character_coverage": 0.5}, "character_coverage=0.5: must be 0.98 to 1"),
    ],
)
def test_forms_and_shares_that_cannot_be_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        TokenizerOptions(**options)


@pytest.mark.slow
def test_a_run_keeps_its_form_in_whatever_reads_text(tmp_path, text):
    place = f"{text}/t.{{language}}"
    command = [
        *("corpus=files", "corpus.source_language=fr", f"corpus.train={place}", f"corpus.valid={place}"),
        *(
            f"corpus.tests={{test: '{tmp_path}/few.{{language}}'}}",
            "tokenizer.vocabulary_size=300",
            "tokenizer.normalise=nfc",
        ),
        *("validation.bleu_sentences=0", "validation.samples=0"),
        *("model=lstm_attention", "model.embedding_size=8", "model.encoder_size=8", "model.decoder_size=8"),
        *("trainer.max_steps=2", "trainer.precision=fp32", "device=cpu", "run.dir=run", "cleaning.duplicates=drop"),
    ]
    for language in ("fr", "de"):
        lines = (text / f"t.{language}").read_text().splitlines()
        few = [*lines[:2], *lines[40:42]]
        (tmp_path / f"few.{language}").write_text("".join(f"{line}\n" for line in few))
    done = door_in_process("train", *command, folder=tmp_path)
    assert done.returncode == 0 and b"40 of 80 pairs kept" in done.stderr, done.stderr.decode()
    printed = []
    for form in ("NFC", "NFD"):
        (tmp_path / "source").write_text(unicodedata.normalize(form, "un été\nCafé 7 ﬁn\n"))
        (tmp_path / "target").write_text(unicodedata.normalize(form, "ein Ärger\nGrüße 7\n"))
        lines = (tmp_path / "source").read_bytes()
        of_form = [door_in_process("translate", "run=run", "device=cpu", folder=tmp_path, text=lines).stdout]
        for name in ("score", "align"):
            done = door_in_process(name, "run=run", "source=source", "target=target", "device=cpu", folder=tmp_path)
            of_form.append(done.stdout)
        printed.append(of_form)
    assert printed[0] == printed[1] and all(printed[0])
    [evaluation] = evaluate_run(open_run(tmp_path / "run"), [], "best", DecodingOptions(beam_size=1), 0, "cpu")
    assert evaluation.references[:2] == evaluation.references[2:], "both spellings are one reference"
    changed = door_in_process("train", *command, "tokenizer.normalise=nfkc", "trainer.max_steps=3", folder=tmp_path)
    assert changed.returncode == 2 and b"tokenizer.normalise=nfc, not nfkc" in changed.stderr


def test_the_rarest_characters_are_spelt_in_bytes_where_pieces_are_few(tmp_path, tiny_pairs):
    """Each ideograph comes once: as pieces they would not fit, and the message says what would do."""
    rows = []
    for place, pair in enumerate(tiny_pairs):
        rows.append((pair.source + chr(0x4E00 + 2 * place) + chr(0x4E01 + 2 * place), pair.target))
    message = r"tokenizer\.character_coverage below 1 .*; say tokenizer\.vocabulary_size=\d+ or more"
    with pytest.raises(UserError, match=message) as few:
        train_tokenizer(lambda: rows, TokenizerOptions(vocabulary_size=700), tmp_path / "few")
    least = int(str(few.value).partition("say tokenizer.vocabulary_size=")[2].split()[0])
    for size, coverage in ((least, 1.0), (700, 0.98)):
        options = TokenizerOptions(vocabulary_size=size, character_coverage=coverage)
        tokenizer = train_tokenizer(lambda: rows, options, tmp_path / str(size))
        assert tokenizer.source_size == size
        for source, _ in rows[::10]:
            assert tokenizer.decode_target(tokenizer.encode_target(source)) == source
    with pytest.raises(UserError, match="more characters"):
        train_tokenizer(lambda: rows, TokenizerOptions(vocabulary_size=least - 1), tmp_path / "fewer")
