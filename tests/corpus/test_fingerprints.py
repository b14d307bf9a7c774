"""A corpus of files is known by its text, however that is packed, and runs that knew it by its packing go on."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nmt.config import load_train
from nmt.corpus.kinds import places
from nmt.corpus.kinds.files import FilesOptions
from nmt.corpus.kinds.places import digest_of, text_digest_of
from nmt.corpus.text.lines import lines_of
from nmt.errors import UserError
from nmt.run import start_run
from tests.conftest import TINY_CORPUS, TINY_GRAMMAR, TINY_SIZES
from tests.processes import door_in_process

SMALL = [option for option in TINY_CORPUS if not option.startswith("corpus.")]
TRAIN = (
    "corpus=files",
    "corpus.train=['train.{language}.gz']",
    "corpus.valid='valid.{language}.gz'",
    "model=lstm_fixed",
    "optimizer.schedule=constant",
    *SMALL,
    *TINY_SIZES["recurrent"],
    "run.dir=run",
    "cache=cache",
    "validation.bleu_sentences=0",
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=400), levels=st.tuples(st.integers(0, 9), st.integers(0, 9)))
def test_the_same_content_has_one_digest_however_it_is_packed(tmp_path, content, levels):
    plain = tmp_path / "text"
    plain.write_bytes(content)
    for number, level in enumerate(levels):
        packed = tmp_path / f"{number}.GZ"
        packed.write_bytes(gzip.compress(content, compresslevel=level, mtime=number))
        assert text_digest_of(packed) == text_digest_of(plain) == digest_of(plain)
    other = tmp_path / "other.gz"
    other.write_bytes(gzip.compress(content + b"."))
    assert text_digest_of(other) != text_digest_of(plain)


def test_an_archive_of_several_members_is_the_text_of_all(tmp_path):
    path = tmp_path / "t.gz"
    path.write_bytes(gzip.compress(b"one\n") + gzip.compress(b"two\n"))
    (tmp_path / "t").write_bytes(b"one\ntwo\n")
    assert text_digest_of(path) == text_digest_of(tmp_path / "t")


def test_every_form_of_text_and_its_links_are_known_by_their_text_and_parquet_by_its_bytes(tmp_path):
    line = b'{"en": "a", "de": "b"}\n'
    for name, content in (("t.en", b"a\n"), ("t.de", b"b\n"), ("t.tsv", b"a\tb\n"), ("t.jsonl", line), ("l", b"0-0\n")):
        (tmp_path / name).write_bytes(content)
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content, mtime=7))
    for place in ("t.{language}", "t.tsv", "t.jsonl"):
        plain = FilesOptions(train=[f"{tmp_path}/{place}"], links=f"{tmp_path}/l")
        packed = FilesOptions(train=[f"{tmp_path}/{place}.gz"], links=f"{tmp_path}/l.gz")
        assert plain.fingerprint("train") == packed.fingerprint("train")
        assert packed.was_recorded_as(packed._hash("train", digest_of), "train")
        assert not packed.was_recorded_as("0123456789abcdef", "train")
    (tmp_path / "t.parquet.gz").write_bytes(b"no gzip")
    assert text_digest_of(tmp_path / "t.parquet.gz") == digest_of(tmp_path / "t.parquet.gz")


def test_of_a_file_above_a_gigabyte_on_the_disk_the_ends_stand_for_all(tmp_path, monkeypatch):
    """At that size a start would take minutes."""
    monkeypatch.setattr(places, "GIGABYTE", 40)
    monkeypatch.setattr(places, "MEGABYTE", 8)
    path = tmp_path / "t.gz"
    path.write_bytes(b"beginning" + bytes(50) + b"the end")  # not even packed
    assert text_digest_of(path) == digest_of(path)


LINES = gzip.compress(b"line\n" * 9000, mtime=0)


@pytest.mark.parametrize(
    "content", [LINES[:-9], b"no gzip\n", LINES[:-8] + b"12345678"], ids=["cut short", "not packed", "another checksum"]
)
def test_a_damaged_file_is_told_in_the_words_of_its_reader(tmp_path, content):
    path = tmp_path / "t.en.gz"
    path.write_bytes(content)
    with pytest.raises(UserError) as read:
        list(lines_of(path))
    with pytest.raises(UserError) as hashed:
        text_digest_of(path)
    assert str(hashed.value) == str(read.value)


def write(folder: Path, level: int) -> None:
    for split, count in (("train", 60), ("valid", 6)):
        pairs = list(TINY_GRAMMAR.read(split))[:count]
        for language, lines in (("en", [pair.source for pair in pairs]), ("de", [pair.target for pair in pairs])):
            text = "".join(f"{line}\n" for line in lines).encode()
            packed = gzip.compress(text, compresslevel=level, mtime=level)
            (folder / f"{split}.{language}.gz").write_bytes(packed)


def train(folder: Path, steps: int):
    return door_in_process("train", *TRAIN, f"trainer.max_steps={steps}", folder=folder)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on .gz files, all of its records made when files were hashed as they were packed."""
    folder = tmp_path_factory.mktemp("begun")
    write(folder, 6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FilesOptions, "fingerprint", lambda self, split: self._hash(split, digest_of))
        done = train(folder, 2)
    assert done.returncode == 0, done.stderr.decode()
    return folder


@pytest.fixture(scope="module")
def gone_on(begun: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run after two updates more, by today's code."""
    folder = tmp_path_factory.mktemp("gone_on") / "here"
    shutil.copytree(begun, folder)
    done = train(folder, 4)
    messages = done.stderr.decode()
    assert done.returncode == 0, messages
    assert "going on from step 2" in messages and "can't be checked" not in messages
    return folder


def test_an_earlier_run_on_packed_files_goes_on_with_the_same_batches(gone_on):
    """Though its caches are made anew, which are named by the text: tokenizer and proportions are the run's own."""
    contents = [path.read_text() for path in gone_on.glob("cache/pairs-*/digests.json")]
    assert len(contents) == 4 and len(set(contents)) == 2, "train and valid, each under both names"
    assert len(list(gone_on.glob("cache/tokenizer-*"))) == 1


def start(before: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]) -> None:
    """Goes on with a copy of a run, its text changed, up to where its text is checked."""
    shutil.copytree(before, folder)
    change(folder)
    monkeypatch.chdir(folder)
    start_run(load_train(Path("run/config.yaml")), lambda: pytest.fail("the run has a tokenizer"))


def pack_anew(folder: Path) -> None:
    write(folder, 1)


def change_a_letter(folder: Path) -> None:
    path = folder / "train.de.gz"
    text = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(text.replace(b"e", b"i", 1), mtime=6))


def test_once_it_has_gone_on_the_files_may_be_packed_anew(gone_on, tmp_path, monkeypatch):
    start(gone_on, tmp_path / "here", monkeypatch, pack_anew)


def test_an_earlier_run_whose_files_were_packed_anew_is_refused_with_the_mend(begun, tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"run has corpus\.train \(hash of the text\).*put those very files back"):
        start(begun, tmp_path / "here", monkeypatch, pack_anew)


@pytest.mark.parametrize("name", ["begun", "gone_on"])
def test_an_earlier_run_is_refused_with_another_text(name, request, tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"run has corpus\.train \(hash of the text\)"):
        start(request.getfixturevalue(name), tmp_path / "here", monkeypatch, change_a_letter)
