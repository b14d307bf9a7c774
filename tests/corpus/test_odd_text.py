"""Files as tools and people leave them: blank lines, other line ends and encodings, columns that nobody asked for."""

from __future__ import annotations

import gzip
import json

import pytest
import torch

from nmt.corpus.batches.batcher import BatchingOptions
from nmt.corpus.batches.encoded import encode_pairs
from nmt.corpus.batches.position import Position
from nmt.corpus.batches.stream import Stream, StreamOptions
from nmt.corpus.kinds.datasets import DatasetsOptions
from nmt.corpus.kinds.files import FilesOptions
from nmt.corpus.pair import Pair
from nmt.corpus.text.cleaning import CleaningOptions, CleaningReport, clean
from nmt.corpus.text.concatenation import ConcatenationOptions
from nmt.corpus.text.lines import lines_of, lines_of_stream
from nmt.decoding.options import DecodingOptions
from nmt.decoding.translator import Translator
from nmt.errors import UserError
from nmt.models.build import build_model
from nmt.models.interface import Vocabulary
from nmt.models.recurrent import RecurrentOptions

FIRST = Pair("a cat", "eine Katze")
LAST = Pair("a dog", "ein Hund")
NOTHING = Pair("", "")
RECORD = '{"source": "a cat", "target": "eine Katze"'


def pairs_of(path):
    return list(FilesOptions(train=[str(path)]).read("train"))


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("t.tsv", ["a cat\teine Katze", "", "  ", "\u200b", "a dog\tein Hund", ""]),
        ("t.jsonl", [RECORD + "}", "", " \t", "null", '{"source": "a dog", "target": "ein Hund"}', ""]),
    ],
)
def test_a_line_with_nothing_in_it_is_an_empty_pair(tmp_path, name, lines):
    (tmp_path / name).write_text("\n".join(lines) + "\n")
    assert pairs_of(tmp_path / name) == [FIRST, NOTHING, NOTHING, NOTHING, LAST, NOTHING]


@pytest.mark.parametrize("name", ["T.TSV", "t.Tsv.GZ"])
def test_the_end_of_a_name_may_be_in_capitals(tmp_path, name):
    text = b"a cat\teine Katze\n"
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("GZ") else text)
    assert pairs_of(tmp_path / name) == [FIRST]


@pytest.mark.parametrize("form", ["languages", "translation"])
@pytest.mark.parametrize("kind", ["files", "datasets", "stream"])
def test_columns_that_nobody_asked_for_are_not_read(tmp_path, form, kind):
    import pyarrow
    import pyarrow.parquet

    far = pyarrow.array([10**18], pyarrow.int64()).cast(pyarrow.timestamp("us"))  # beyond the years that Python knows
    texts = {"en": ["a cat"], "de": ["eine Katze"]}
    if form == "translation":
        texts = {"translation": [{"en": "a cat", "de": "eine Katze"}]}
    pyarrow.parquet.write_table(pyarrow.table({"when": far, **texts}), tmp_path / "train.parquet")
    if kind == "files":
        assert pairs_of(tmp_path / "train.parquet") == [FIRST]
        return
    columns = {} if form == "translation" else {"source_column": "en", "target_column": "de"}
    corpus = DatasetsOptions(path=str(tmp_path), streaming=kind == "stream", **columns)
    assert list(corpus.read("train")) == [FIRST]


def test_a_text_of_a_parquet_file_that_cannot_be_read_is_named_by_its_row(tmp_path):
    import pyarrow
    import pyarrow.parquet

    offsets = pyarrow.py_buffer(b"".join(number.to_bytes(4, "little") for number in (0, 1, 2)))
    broken = pyarrow.StringArray.from_buffers(2, offsets, pyarrow.py_buffer(b"a\xff"))
    pyarrow.parquet.write_table(pyarrow.table({"en": ["x", "y"], "de": broken}), tmp_path / "t.parquet")
    with pytest.raises(UserError, match=r"t\.parquet, row 2: a text that cannot be read"):
        pairs_of(tmp_path / "t.parquet")


def test_a_field_of_a_record_may_be_a_number_of_any_length(tmp_path):
    (tmp_path / "t.jsonl").write_text(f'{RECORD}, "id": {"9" * 5000}}}\n')
    assert pairs_of(tmp_path / "t.jsonl") == [FIRST]


@pytest.mark.parametrize(
    "line",
    [f'{{"source": "a", "target": {"9" * 5000}}}', f'{RECORD}, "tree": {"[" * 100_000}'],
    ids=["digits", "brackets"],
)
def test_a_record_that_cannot_be_read_is_named_by_its_line(tmp_path, line):
    (tmp_path / "t.jsonl").write_text(f"{RECORD}}}\n{line}\n")
    with pytest.raises(UserError, match=r"t\.jsonl, line 2: ") as caught:
        pairs_of(tmp_path / "t.jsonl")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", ["v[2] x", "a?", "[!a]"])
def test_brackets_in_a_folder_s_name_are_no_pattern(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "part-1.tsv").write_text("a cat\teine Katze\n")
    (tmp_path / "ab").mkdir()
    (tmp_path / "ab/part-2.tsv").write_text("another\tfolder\n")
    assert pairs_of(folder / "part-*.tsv") == [FIRST]


def test_brackets_in_the_folder_of_a_data_set_are_told(tmp_path):
    folder = tmp_path / "v[2]"
    folder.mkdir()
    (folder / "train.csv").write_text("en,de\na,b\n")
    corpus = DatasetsOptions(path=str(folder), source_column="en", target_column="de")
    with pytest.raises(UserError, match=r"v\[2\].*wildcards.*corpus=files"):
        list(corpus.read("train"))


@pytest.mark.parametrize("end", ["", "\r"])
def test_lines_that_end_with_carriage_returns_alone_are_told(tmp_path, end):
    text = "one\rtwo\rthree" + end
    (tmp_path / "t.txt").write_bytes(text.encode())
    with pytest.raises(UserError, match=rf"t\.txt: one line, {text.count(chr(13))} carriage returns"):
        list(lines_of(tmp_path / "t.txt"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("first", ["The cat sleeps .", "", "Grüße"])
def test_text_of_two_or_four_bytes_a_character_is_named(encoding, first):
    stream = f"{first}\r\nThe dog runs .\r\n".encode(encoding).splitlines(keepends=True)
    with pytest.raises(UserError, match=encoding[:6].upper()):
        list(lines_of_stream(stream, "standard input"))


def test_pairs_with_nul_characters_and_pairs_without_links_are_counted(tokenizer):
    pairs = [Pair("the man", "der Mann", ((0, 0),)), Pair("the\0man", "der Mann"), Pair("a man", "ein\0Mann")]
    report = CleaningReport()
    encode_pairs(clean(pairs, CleaningOptions(), report), tokenizer, report, with_links=True)
    assert "2 hold NUL characters" in str(report) and "2 pairs have no links" in str(report)
    assert "is the file UTF-8?" in report.advice(CleaningOptions())
    assert CleaningReport(**json.loads(json.dumps({"read": 1}))).kept == 0  # a record from before these counts


def test_a_stream_tells_what_it_left_out(tmp_path, tokenizer, caplog):
    caplog.set_level("INFO", "nmt")
    (tmp_path / "t.tsv").write_text("a cat\teine Katze\n\n" * 20)
    options = StreamOptions(
        FilesOptions(train=[f"{tmp_path}/t.tsv"]),
        CleaningOptions(),
        ConcatenationOptions(),
        BatchingOptions(tokens=64, stream=True, block=10),
        sampling=0.0,
        seed=1,
    )
    groups = Stream(options, tokenizer).groups(Position(), 1)
    for _, position in groups:
        if position.epoch:
            break
    groups.close()
    said = [record.message for record in caplog.records if "kept" in record.message]
    assert said[:2] == [
        "corpus: 5 of 10 pairs kept (left out: 5 empty) so far",
        "corpus: 20 of 40 pairs kept (left out: 20 empty)",
    ]


def test_a_line_with_nothing_to_be_seen_is_translated_into_nothing(tokenizer):
    torch.manual_seed(1)
    sizes = Vocabulary(tokenizer.source_size, tokenizer.target_size, True)
    model = build_model(RecurrentOptions(embedding_size=4, encoder_size=4, decoder_size=4), sizes).eval()
    options = DecodingOptions(beam_size=1, min_length=3)
    blank, _, text = Translator(model, tokenizer, options).translate(["\u200b", "\ufeff \u00ad", "the man"])
    assert (blank.text, blank.log_probability) == ("", 0.0) and text.log_probability < 0
