"""`python -m nmt.data do=inspect`: what it prints and writes, and how every odd input ends."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from nmt.config import CONFIG_FOLDER, DOORS, register, typed
from nmt.corpus.kinds.datasets import DatasetsOptions
from nmt.corpus.kinds.files import FilesOptions
from nmt.corpus.kinds.tasks import TaskOptions
from nmt.errors import UserError
from nmt.jobs import inspect as job
from nmt.jobs.epoch import EpochEstimate
from nmt.schemas import DataConfig, TrainConfig
from tests.inspection.plain import look, write
from tests.processes import door_in_process, fails

TRAIN = [(f"sentence {number} here", f"Satz {number} hier") for number in range(20)]
TEST = [("sentence 3 here", "Satz 3 hier"), ("nothing seen", "nichts")]
INSPECT = ("do=inspect", "corpus=files")
ESTIMATE = EpochEstimate("the run's", 1.25, 1.5, 8000, 12_000, 3_456_789, 3723.0, "cpu", 2)


def measured(config: TrainConfig, pairs: int) -> EpochEstimate:
    assert pairs == 20
    return ESTIMATE


def refused(config: TrainConfig, pairs: int) -> EpochEstimate:
    raise UserError("device=cuda: no GPU here; say device=cpu")


@pytest.fixture(autouse=True)
def without_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an epoch takes is measured elsewhere; here it is refused at once."""
    monkeypatch.setattr(job, "estimate_epoch", refused)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inspect")
    write(folder / "my", "train", TRAIN)
    write(folder / "my", "mine", TEST)
    return folder


@pytest.fixture(scope="module")
def config(place: Path) -> DataConfig:
    register()
    corpus = f"corpus.train={place}/my/train.{{language}}"
    tests = f"corpus.tests={{mine: '{place}/my/mine.{{language}}'}}"
    with initialize_config_dir(str(CONFIG_FOLDER), version_base="1.3"):
        return typed(compose("data", overrides=[*INSPECT, corpus, tests, f"output={place}/out"]), DOORS["data"])


def test_a_look_is_printed_and_written_as_page_and_numbers(place, config, capsys, monkeypatch):
    monkeypatch.setattr(job, "estimate_epoch", measured)
    inspection = job.inspect(config)
    printed = capsys.readouterr().out
    assert "1 of 2 sentences of mine is in the training text: line 1; with the same target 1: line 1" in printed
    assert "tokenizer.vocabulary_size=8000" in printed
    assert "pieces a word: 1.25 in the source, 1.50 in the target (tokenizer: the run's)" in printed
    assert "12,000 updates, 3,456,789 target tokens, about 1:02:03 of updates on cpu with 2 threads" in " ".join(
        printed.split()
    )
    assert f"{place}/out/index.html" in printed
    record = json.loads((place / "out/inspection.json").read_text())
    assert record["epoch"]["vocabulary_size"] == 8000
    assert [split["pairs"] for split in record["splits"]] == [20, 2]
    assert record["shared"][0]["pairs"] == {"count": 1, "first": [1]}
    assert record["warnings"] == inspection.warnings
    assert "1:02:03" in (place / "out/index.html").read_text()


def test_a_look_goes_on_where_an_epoch_can_not_be_measured(place):
    done = door_in_process("data", *INSPECT, "corpus.train=my/train.{language}", folder=place)
    assert done.returncode == 0, done.stderr.decode()
    assert b"an epoch: not measured: device=cuda: no GPU here" in done.stdout
    assert (place / "data/inspect/my-en-de/index.html").is_file()
    assert json.loads((place / "data/inspect/my-en-de/inspection.json").read_text())["epoch"] is None


def test_a_look_is_kept_where_measuring_is_stopped(tmp_path, config, monkeypatch):
    def stopped(config: TrainConfig, pairs: int) -> EpochEstimate:
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "estimate_epoch", stopped)
    with pytest.raises(KeyboardInterrupt):
        job.inspect(replace(config, output=f"{tmp_path}/out"))
    assert json.loads((tmp_path / "out/inspection.json").read_text())["epoch"] is None


def test_a_test_set_alone_is_looked_into_without_an_epoch(config, monkeypatch, capsys):
    monkeypatch.setattr(job, "estimate_epoch", None)
    inspection = job.inspect(replace(config, corpus=replace(config.corpus, train=[])))
    assert [split.name for split in inspection.splits] == ["mine"]
    assert "buckets of mine: 2 sentences are too few" in capsys.readouterr().out


def test_files_of_the_user_in_the_folder_stay(place, config):
    folder = place / "kept"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    (folder / "index.html").write_text("an earlier look")
    job.inspect(replace(config, output=str(folder)))
    assert (folder / "notes.txt").read_text() == "mine"
    assert "a look into the text" in (folder / "index.html").read_text()


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (None, ["my/odd.en", "no such file"]),
        (b"one\ntwo\nthree\n", ["my/odd.en has 3 lines", "my/odd.de 1;"]),
        (b"\x80\x81 binary\n", ["my/odd.en, line 1", "not valid UTF-8"]),
        (gzip.compress(b"one\n"), ["my/odd.en", "compressed by gzip"]),
        (b"one\rtwo\rthree", ["my/odd.en", "carriage returns"]),
        (b"\xff\xfeo\0n\0e\0\n\0", ["my/odd.en", "UTF-16"]),
    ],
)
def test_text_that_can_not_be_read_ends_in_one_line(tmp_path, content, parts):
    (tmp_path / "my").mkdir()
    (tmp_path / "my/odd.de").write_bytes(b"eins\n")
    if content is not None:
        (tmp_path / "my/odd.en").write_bytes(content)
    with pytest.raises(UserError) as raised:
        look(FilesOptions(train=[f"{tmp_path}/my/odd.{{language}}"]))
    message = str(raised.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "! train: no pairs; the file is empty"),
        (b"\n", "! train: cleaning leaves no pair"),
        (b"one line without an end", "1  100.0 %"),
        (b"\0\0\n", "! train, source: 1 with NUL characters"),
    ],
)
def test_odd_text_is_looked_into_all_the_same(tmp_path, config, capsys, content, said):
    for language in ("en", "de"):
        (tmp_path / f"odd.{language}").write_bytes(content)
    corpus = FilesOptions(train=[f"{tmp_path}/odd.{{language}}"])
    job.inspect(replace(config, corpus=corpus))
    assert said in capsys.readouterr().out


def test_unequal_files_end_the_door_in_one_line(place):
    for language, lines in (("en", 3), ("de", 1)):
        (place / f"my/odd.{language}").write_text("x\n" * lines)
    done = door_in_process("data", *INSPECT, "corpus.train=my/odd.{language}", folder=place)
    fails(done, "my/odd.en has 3 lines and my/odd.de 1")
    assert done.stdout == b""


def test_a_folder_that_can_not_be_written_is_told_after_the_look(tmp_path, config, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/below.*output=FOLDER"):
        job.inspect(replace(config, output=f"{tmp_path}/file/below"))
    assert "The text" in capsys.readouterr().out


def test_a_look_is_named_by_the_folder_of_its_text():
    def files(train: str) -> str:
        return job.name_of(FilesOptions(source_language="en", target_language="fr", train=[train]))

    assert files("/data/europarl-en-fr/train.{language}.gz") == "europarl-en-fr"
    assert files("a b/train.{language}") == "a-b-en-fr"
    assert files("train.{language}") == "files-en-fr"
    assert files("..\\x/../train.tsv") == "files-en-fr"
    assert job.name_of(TaskOptions()) == "task-symbols-symbols"
    assert job.name_of(DatasetsOptions(path="wmt/wmt14")) == "wmt-en-de"
