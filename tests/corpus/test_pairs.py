import gzip
import json

import pytest

from nmt.corpus.kinds.datasets import DatasetsOptions
from nmt.corpus.kinds.files import FilesOptions
from nmt.corpus.pair import Pair
from nmt.corpus.text.cleaning import CleaningOptions, CleaningReport, clean
from nmt.corpus.text.lines import lines_of
from nmt.errors import UserError

PAIRS = [Pair("a cat", "eine Katze"), Pair("a dog\u2028here", "ein Hund"), Pair("ü", "漢字")]


def write(path, lines, newline="\n"):
    text = "".join(line + newline for line in lines).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_plain_and_gzipped_files_are_read(tmp_path, ending):
    write(tmp_path / f"t.en{ending}", [p.source for p in PAIRS])
    write(tmp_path / f"t.de{ending}", [p.target for p in PAIRS], newline="\r\n")
    assert list(FilesOptions(train=[f"{tmp_path}/t.{{language}}{ending}"]).read("train")) == PAIRS


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_tsv_is_read(tmp_path, ending):
    write(tmp_path / f"t.tsv{ending}", [f"{p.source}\t{p.target}" for p in PAIRS])
    assert list(FilesOptions(train=[f"{tmp_path}/t.tsv{ending}"]).read("train")) == PAIRS


@pytest.mark.parametrize("form", ["languages", "names", "translation"])
def test_jsonl_is_read(tmp_path, form):
    keys = ("source", "target") if form == "names" else ("en", "de")
    records = [dict(zip(keys, pair[:2], strict=True)) for pair in PAIRS]
    records = [{"translation": record} for record in records] if form == "translation" else records
    write(tmp_path / "t.jsonl", [json.dumps(record) for record in records])
    assert list(FilesOptions(valid=f"{tmp_path}/t.jsonl").read("valid")) == PAIRS


def test_parquet_is_read(tmp_path):
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"en": [p.source for p in PAIRS], "de": [p.target for p in PAIRS]})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    assert list(FilesOptions(tests={"x": f"{tmp_path}/t.parquet"}).read("x")) == PAIRS


@pytest.mark.parametrize("columns", [True, False])
def test_a_local_datasets_folder_is_read(tmp_path, columns):
    import datasets

    if columns:
        data = datasets.Dataset.from_dict({"first": [p.source for p in PAIRS], "second": [p.target for p in PAIRS]})
    else:
        data = datasets.Dataset.from_list([{"translation": {"en": p.source, "de": p.target}} for p in PAIRS])
    datasets.DatasetDict({"train": data, "test": data}).save_to_disk(str(tmp_path / "set"))
    names = {"source_column": "first", "target_column": "second"} if columns else {}
    options = DatasetsOptions(path=str(tmp_path / "set"), **names)
    assert list(options.read("train")) == PAIRS
    assert list(options.read("test")) == PAIRS
    assert options.fingerprint("train") == DatasetsOptions(path=str(tmp_path / "set"), **names).fingerprint("train")
    with pytest.raises(UserError, match=r"no split 'validation'.*known: test, train"):
        list(options.read("valid"))
    with pytest.raises(UserError, match=r"no language 'fr'|no column 'translation'"):
        list(DatasetsOptions(path=str(tmp_path / "set"), target_language="fr").read("train"))


def test_a_folder_of_parquet_loads_as_a_data_set(tmp_path):
    import datasets

    rows = [{"translation": {"en": p.source, "de": p.target}} for p in PAIRS]
    datasets.Dataset.from_list(rows).to_parquet(str(tmp_path / "train.parquet"))
    assert list(DatasetsOptions(path=str(tmp_path)).read("train")) == PAIRS


def test_files_of_unequal_length_are_refused_with_both_counts(tmp_path):
    write(tmp_path / "t.en", ["a", "b", "c"])
    write(tmp_path / "t.de", ["a"])
    for first, second in (("en", "de"), ("de", "en")):
        options = FilesOptions(source_language=first, target_language=second, train=[f"{tmp_path}/t.{{language}}"])
        with pytest.raises(UserError, match=r"t.en has 3 lines.*t.de 1|t.de has 1 lines.*t.en 3"):
            list(options.read("train"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.tsv", b"a\tb\nab\n", "line 2: 1 columns"),
        ("t.tsv", b"a\tb\n\xff\tb\n", "line 2: not valid UTF-8"),
        ("t.jsonl", b'{"en": "a", "de": "b"}\n{"en": 3}\n', "line 2: no text under 'en' and 'de'"),
        ("t.jsonl", b"{oops\n", "line 1: not valid JSON"),
        ("t.jsonl", b'{"en": "a", "de": "b"}\n{"en": "\\ud800", "de": "b"}\n', "line 2: half of a surrogate pair"),
        ("t.parquet", b"none", "not a parquet file"),
        ("t.tsv.gz", b"none", "named .gz, but not compressed; rename it"),
        ("t.xyz", b"none", "put {language}"),
    ],
)
def test_bad_files_are_named_with_their_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        list(FilesOptions(train=[str(tmp_path / name)]).read("train"))
    assert name in str(caught.value)


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_nothing_in_a_record_is_an_empty_text_and_a_number_is_told(tmp_path, form):
    import datasets

    place = tmp_path / f"t.{form}"

    def read(*rows):
        records = datasets.Dataset.from_list(list(rows))
        records.to_parquet(str(place)) if form == "parquet" else records.to_json(str(place))
        return list(FilesOptions(train=[str(place)]).read("train"))

    assert read({"en": "a", "de": None}, {"en": None, "de": "b"}) == [Pair("a", ""), Pair("", "b")]
    empty, whole = read({"translation": None}, {"translation": {"en": "a", "de": "b"}})
    assert (empty, whole) == (Pair("", ""), Pair("a", "b"))
    with pytest.raises(UserError, match=r"(line|row) 2: 'de' holds 8 \(int\), which is no text"):
        read({"en": "a", "de": None}, {"en": "a", "de": 8})


def test_a_gzip_file_cut_short_is_told(tmp_path):
    (tmp_path / "t.gz").write_bytes(gzip.compress(b"line\n" * 10_000)[:-20])
    with pytest.raises(UserError, match="damaged or cut short"):
        list(lines_of(tmp_path / "t.gz"))


def test_absent_files_and_unknown_sets_are_told(tmp_path):
    options = FilesOptions(train=[f"{tmp_path}/no.{{language}}"], tests={"test2016": "x"})
    with pytest.raises(UserError, match=r"no.en: no such file; check the corpus paths$"):
        list(options.read("train"))
    with pytest.raises(UserError, match="did you mean 'test2016'"):
        list(options.read("test2017"))
    with pytest.raises(UserError, match=r"corpus.valid: no place"):
        list(options.read("valid"))


def test_cleaning_counts_every_pair_left_out():
    long = "x " * 300
    pairs = [*PAIRS, Pair("", "a"), Pair("b", " "), Pair(long, long), Pair("a", "b" * 30), Pair("no", "nein, nein")]
    report = CleaningReport()
    kept = list(clean(pairs, CleaningOptions(max_words=200, max_ratio=4), report))
    assert kept == [*PAIRS, Pair("no", "nein, nein")]
    assert report == CleaningReport(read=8, kept=4, empty=2, too_long=1, odd_ratio=1)
    assert str(report) == "4 of 8 pairs kept (left out: 2 empty, 1 too long, 1 odd ratio)"
    again = CleaningReport()
    from nmt.corpus.text.writing import Proportions  # here, so that all other tests run at earlier commits too

    measured = Proportions.of(pairs)
    assert list(clean(pairs, CleaningOptions(max_words=200, max_ratio=4), again, measured)) == kept
    assert again == report, "text in words keeps its pairs, whatever is measured of it"


@pytest.mark.parametrize("name", ["a/b", "..", "x y", ""])
def test_a_test_set_s_name_must_be_able_to_name_a_folder(name):
    with pytest.raises(UserError, match="names files"):
        FilesOptions(tests={name: "t.tsv"})
