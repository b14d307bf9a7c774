"""Data sets of the `datasets` library are the text that stands in them, and are told apart by all that chooses text."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from nmt.corpus.batches.cache import cached_pairs
from nmt.corpus.kinds.datasets import DatasetsOptions
from nmt.corpus.text.cleaning import CleaningOptions
from nmt.errors import UserError
from tests.processes import door_in_process, fails

COLUMNS = {"source_column": "en", "target_column": "de"}
STREAMED = pytest.mark.parametrize("streaming", [False, True], ids=["copied", "streamed"])
CELLS = [("null", "N/A"), ("None", "NA"), ("007", "1.0"), ("1e5", "nan"), ("True", "-"), ("a, b", "<NA>")]


def table(folder: Path, name: str, rows: list[tuple[str, str]], separator: str) -> None:
    quote = '"' if separator == "," else ""
    lines = [separator.join(["en", "de"])]
    for row in rows:
        lines.append(separator.join(f"{quote}{cell}{quote}" for cell in row))
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(f"{line}\n" for line in lines))


def texts(corpus: DatasetsOptions) -> list[tuple[str, str]]:
    return [(pair.source, pair.target) for pair in corpus.read("train")]


@STREAMED
def test_cells_of_a_table_are_text_as_it_stands_there(tmp_path, streaming):
    table(tmp_path / "csv", "train.csv", CELLS, ",")
    assert texts(DatasetsOptions(path=f"{tmp_path}/csv", streaming=streaming, **COLUMNS)) == CELLS
    quoted = [*CELLS, ('"open', "zu"), ('say "x" y', '"ganz"'), ("close", 'auf"'), ('"', "''")]
    table(tmp_path / "tsv", "train.tsv", quoted, "\t")
    assert texts(DatasetsOptions(path=f"{tmp_path}/tsv", streaming=streaming, **COLUMNS)) == quoted
    numbers = [("007", "1"), ("12", "2")]  # a column of nothing but numbers
    table(tmp_path / "numbers", "train.csv", numbers, ",")
    assert texts(DatasetsOptions(path=f"{tmp_path}/numbers", streaming=streaming, **COLUMNS)) == numbers


@STREAMED
@pytest.mark.parametrize(
    ("second", "message"),
    [
        ('{"en": 7, "de": "b"}', r"record 1: 'en' holds 7 \(int\), which is no text"),
        ('{"en": "a", "de": ["b"]}', r"record 1: 'de' holds \['b'\] \(list\), which is no text"),
    ],
    ids=["number", "list"],
)
def test_what_is_no_text_is_told_with_record_and_column(tmp_path, streaming, second, message):
    (tmp_path / "train.jsonl").write_text(f'{{"en": "a", "de": null}}\n{second}\n')
    with pytest.raises(UserError, match=message):
        texts(DatasetsOptions(path=str(tmp_path), streaming=streaming, **COLUMNS))


@STREAMED
def test_a_translation_that_is_absent_is_an_empty_pair(tmp_path, streaming):
    rows = '{"translation": null}\n{"translation": {"en": "a", "de": null}}\n'
    (tmp_path / "train.jsonl").write_text(rows)
    corpus = DatasetsOptions(path=str(tmp_path), streaming=streaming)
    assert texts(corpus) == [("", ""), ("a", "")]
    with pytest.raises(UserError, match=r"record 1: no language 'fr'"):
        texts(DatasetsOptions(path=str(tmp_path), streaming=streaming, source_language="fr"))


def test_a_damaged_file_ends_a_stream_in_one_line(tmp_path):
    (tmp_path / "train.csv").write_text("en,de\na,b\na,b,c,d\n")
    with pytest.raises(UserError, match=r"split 'train': cannot be loaded \(.*line 3"):
        texts(DatasetsOptions(path=str(tmp_path), streaming=True, **COLUMNS))


@STREAMED
def test_other_content_of_a_folder_is_another_text_whatever_its_time_says(tmp_path, streaming):
    table(tmp_path, "train.csv", CELLS, ",")
    path = tmp_path / "train.csv"
    corpus = DatasetsOptions(path=str(tmp_path), streaming=streaming, **COLUMNS)
    before = corpus.fingerprint("train"), texts(corpus)
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    table(tmp_path, "train.csv", CELLS[::-1], ",")
    os.utime(path, ns=times)
    after = corpus.fingerprint("train"), texts(corpus)
    assert before[0] != after[0] and after[1] == before[1][::-1]


def test_the_same_folder_in_another_place_is_the_same_text(tmp_path):
    for name in ("here", "there"):
        table(tmp_path / name, "train.csv", CELLS, ",")
    here, there = (DatasetsOptions(path=f"{tmp_path}/{name}", **COLUMNS) for name in ("here", "there"))
    assert here.fingerprint("train") == there.fingerprint("train")


def test_pairs_of_other_columns_never_come_from_the_cache(tmp_path, tokenizer):
    (tmp_path / "train.csv").write_text("en,de,fr\nthe man,der Mann,le\n")
    lengths = set()
    for target in ("de", "fr"):
        corpus = DatasetsOptions(path=str(tmp_path), source_column="en", target_column=target)
        [row] = cached_pairs(corpus, "train", CleaningOptions(), tokenizer, tmp_path / "cache").target
        lengths.add(tokenizer.decode_target(row))
    assert lengths == {"der Mann", "le"}


def test_a_run_whose_record_knew_no_columns_goes_on_and_says_so(tmp_path):
    """Its vocabulary is too small, which is told each time, though the pairs are in the cache."""
    rows = [(f"the man sees {n} cats", f"der Mann sieht {n} Katzen") for n in range(40)]
    for split in ("train", "validation"):
        table(tmp_path / "set", f"{split}.csv", rows, ",")
    command = (
        *("corpus=datasets", f"corpus.path={tmp_path}/set", "corpus.source_column=en", "corpus.target_column=de"),
        *("model=lstm_fixed", "model.embedding_size=8", "model.encoder_size=8", "model.decoder_size=8"),
        *("tokenizer.kind=char", "tokenizer.vocabulary_size=12", "device=cpu"),
        *("trainer.precision=fp32", "run.dir=run", "validation.bleu_sentences=2"),
    )
    made = door_in_process("train", *command, "trainer.max_steps=1", folder=tmp_path)
    assert made.returncode == 0, made.stderr.decode()
    for split in (b"train", b"valid"):
        assert re.search(rb"corpus\.%s: \d\d\.\d %% of the tokens are unknown .*vocabulary_size" % split, made.stderr)
    path = tmp_path / "run" / "provenance.json"
    record = json.loads(path.read_text())
    record["data"] = dict.fromkeys(record["data"], "0123456789abcdef")
    path.write_text(json.dumps(record))
    gone_on = door_in_process("train", *command, "trainer.max_steps=2", folder=tmp_path)
    assert gone_on.returncode == 0 and gone_on.stderr.count(b"the text itself can't be checked") == 1
    assert gone_on.stderr.count(b"tokens are unknown") == 2
    other = door_in_process("train", *command, "corpus.target_column=en", "trainer.max_steps=3", folder=tmp_path)
    fails(other, "corpus.train (hash of the text)")


def branch_of_parquet(folder: Path) -> None:
    """Files as the hub makes them of a data set that is a program: a folder for each of its configurations."""
    import datasets

    for pair in ("set-en-de", "set-en-fr"):
        for split in ("train", "validation", "test"):
            rows = [{"translation": {"en": split, "de": pair}}]
            path = folder / pair / split / "0000.parquet"
            path.parent.mkdir(parents=True)
            datasets.Dataset.from_list(rows).to_parquet(str(path))


@STREAMED
def test_a_folder_within_a_data_set_holds_its_splits(tmp_path, streaming):
    branch_of_parquet(tmp_path)
    options = {"path": str(tmp_path), "revision": "refs/convert/parquet", "streaming": streaming}
    german = DatasetsOptions(data_dir="set-en-de", **options)
    french = DatasetsOptions(data_dir="set-en-fr", **options)
    assert texts(german) == [("train", "set-en-de")] and texts(french) == [("train", "set-en-fr")]
    assert german.fingerprint("train") != french.fingerprint("train")


def test_a_revision_is_another_text_and_none_keeps_the_fingerprint_of_earlier_versions(tmp_path):
    (tmp_path / "train.csv").write_text('en,de\n"a","b"\n')
    corpus = DatasetsOptions(path=str(tmp_path), **COLUMNS)
    assert corpus.fingerprint("train") == "datasets-2-0bf35d5f944a6d54"
    assert DatasetsOptions(path=str(tmp_path), revision="v2", **COLUMNS).fingerprint("train") != corpus.fingerprint(
        "train"
    )


def test_a_hub_that_is_not_reached_is_told_with_what_to_do():
    mend = r"split 'train': cannot be loaded \(no route\); check the name and the network, or name a folder"
    with pytest.raises(UserError, match=mend), DatasetsOptions(path="any/set")._problems_of("train"):
        raise ConnectionError("no route")


def test_fetching_loads_every_split_once_and_a_stream_needs_none(tmp_path):
    branch_of_parquet(tmp_path / "set")
    options = ["corpus=datasets", f"corpus.path={tmp_path}/set", "corpus.data_dir=set-en-de"]
    done = door_in_process("data", *options, folder=tmp_path)
    assert done.returncode == 0
    for split in ("train", "validation", "test"):
        assert f"set, split '{split}': 1 records are here" in done.stderr.decode()
    [line] = DatasetsOptions(path="any/set", streaming=True).fetch()
    assert "streaming=true reads it from where it lies" in line
    done = door_in_process("data", *options, "corpus.valid=dev", folder=tmp_path)
    fails(done, "split 'dev': cannot be loaded")


def test_a_hub_that_can_not_be_reached_is_told_with_the_mend(monkeypatch):
    def unreachable(*arguments: object, **options: object) -> None:
        raise ConnectionError("Couldn't reach 'wmt/wmt14' on the Hub")

    monkeypatch.setattr("datasets.load_dataset_builder", unreachable)
    monkeypatch.setattr("datasets.load_dataset", unreachable)
    with pytest.raises(
        UserError, match=r"split 'train': cannot be loaded \(Couldn't reach .*; check the name and the network"
    ):
        next(DatasetsOptions(path="wmt/wmt14").read("train"))
