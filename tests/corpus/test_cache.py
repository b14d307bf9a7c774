"""What is made once: by one process, whole, checked, and made again where it is damaged."""

from __future__ import annotations

import errno
import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pytest

from nmt.corpus.batches.cache import cached_pairs, cached_tokenizer, made_once
from nmt.corpus.batches.encoded import RaggedBuilder
from nmt.corpus.kinds.files import FilesOptions
from nmt.corpus.subwords.tokenizer import TokenizerOptions
from nmt.corpus.text.cleaning import CleaningOptions
from nmt.corpus.text.concatenation import ConcatenationOptions
from nmt.errors import UserError
from tests.conftest import TINY_GRAMMAR
from tests.disks import faulty


def make(folder: Path) -> None:
    with open(folder.parent / "calls", "a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(0.5)
    (folder / "made").write_text("x" * 100)


def load(folder: Path) -> str:
    return (folder / "made").read_text()


def race(folder: Path) -> None:
    assert made_once(folder, make, load) == "x" * 100


def test_of_many_processes_one_makes_it_and_the_others_wait(tmp_path):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=race, args=(tmp_path / "thing",)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert len((tmp_path / "calls").read_text().splitlines()) == 1


def test_what_a_killed_process_left_is_no_hindrance(tmp_path):
    (tmp_path / ".thing.partial").mkdir()
    (tmp_path / ".thing.partial/made").write_text("half")
    (tmp_path / ".thing.lock").touch()
    assert made_once(tmp_path / "thing", make, load) == "x" * 100
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["thing"]


def test_failing_to_make_it_leaves_nothing(tmp_path):
    def fail(folder):
        (folder / "made").write_text("half")
        raise UserError("no text")

    with pytest.raises(UserError, match="no text"):
        made_once(tmp_path / "thing", fail, load)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


@pytest.mark.parametrize("which", ["source.ids.npy", "target.offsets.npy", "report.json", "digests.json"])
@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_a_damaged_cache_is_named_and_made_again(tmp_path, tokenizer, caplog, which, how):
    def pairs():
        return cached_pairs(TINY_GRAMMAR, "train", CleaningOptions(), tokenizer, tmp_path)

    whole = [row.tolist() for row in pairs().source]
    [folder] = tmp_path.glob("pairs-*")
    content = bytearray((folder / which).read_bytes())
    if how == "gone":
        (folder / which).unlink()
    else:
        content[len(content) // 2] ^= 1
        (folder / which).write_bytes(content if how == "flipped" else content[:-3])
    assert [row.tolist() for row in pairs().source] == whole
    assert f"{folder}: damaged" in caplog.text and "made again" in caplog.text


def test_a_damaged_tokenizer_is_trained_again_and_is_the_same(tmp_path, caplog):
    def tokenizer():
        return cached_tokenizer(TINY_GRAMMAR, CleaningOptions(), TokenizerOptions(vocabulary_size=400), tmp_path)

    before = tokenizer().digest
    [path] = tmp_path.glob("tokenizer-*/source.model")
    path.write_bytes(path.read_bytes()[:-100])
    assert tokenizer().digest == before and "made again" in caplog.text


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_cache_that_can_not_be_written_is_told(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="cannot be written"):
        made_once(tmp_path / "thing", make, load)


def test_rows_written_piece_by_piece_are_the_rows_in_memory(tmp_path):
    generator = np.random.default_rng(1)
    rows = [generator.integers(0, 99, generator.integers(0, 3000)).tolist() for _ in range(1500)]
    builders = [RaggedBuilder(100), RaggedBuilder(100, tmp_path / "rows")]
    for builder in builders:
        for row in rows:
            builder.append(row)
    for made in (builder.made() for builder in builders):
        assert [row.tolist() for row in made] == rows


@pytest.fixture
def files(tmp_path) -> FilesOptions:
    for language in ("en", "de"):
        (tmp_path / f"t.{language}").write_text("".join(f"{language} word{i % 7} here\n" for i in range(200)))
    (tmp_path / "links").write_text("0-0 1-1\n" * 200)
    place = f"{tmp_path}/t.{{language}}"
    return FilesOptions(train=[place], valid=place, links=str(tmp_path / "links"))


class ChangingFiles(FilesOptions):
    """Files that someone else writes while they are read."""

    def read(self, split, first=0):
        pairs = super().read(split, first)
        yield next(pairs)
        for place in [*self.train, self.valid]:
            path = Path(place.replace("{language}", "de"))
            path.write_text(path.read_text().replace("here", "dort"))
        yield from pairs


@pytest.mark.parametrize("what", ["tokenizer", "train", "valid"])
def test_text_that_changes_while_it_is_read_is_told_and_leaves_nothing_in_the_cache(tmp_path, tokenizer, files, what):
    place = files.valid
    cache = tmp_path / "cache"

    def make(corpus):
        if what == "tokenizer":
            return cached_tokenizer(corpus, CleaningOptions(), TokenizerOptions("char", 60), cache)
        return cached_pairs(corpus, what, CleaningOptions(), tokenizer, cache)

    split = "valid" if what == "valid" else "train"
    with pytest.raises(UserError, match=rf"corpus\.{split}: the text changed while it was read"):
        make(ChangingFiles(train=[place], valid=place))
    assert not [path for path in cache.iterdir() if path.is_dir()]
    assert make(FilesOptions(train=[place], valid=place))


def test_the_names_of_what_is_cached_stay_as_they_are(files, tmp_path):
    """Else every user's text is encoded again, and every run on it refuses to go on."""
    cache = tmp_path / "cache"
    options = TokenizerOptions(kind="char", vocabulary_size=60)
    tokenizer = cached_tokenizer(files, CleaningOptions(train_words=50), options, cache)
    assert tokenizer.digest == "cb850ad69bd78e0e"
    cached_pairs(files, "train", CleaningOptions(), tokenizer, cache)
    cached_pairs(files, "train", CleaningOptions(), tokenizer, cache, ConcatenationOptions(share=0.5), with_links=True)
    cached_pairs(files, "valid", CleaningOptions(), tokenizer, cache)
    assert sorted(path.name for path in cache.glob("[!.]*")) == [
        "pairs-6575d4192ef7792d",
        "pairs-d3add19b23c83f0a",
        "pairs-eb285b2c8c7849ce",
        "tokenizer-558bafbcb5789a48",
    ]


def test_the_fingerprints_of_files_stay_as_they_are(files, tmp_path, monkeypatch):
    assert files.fingerprint("train") == "6184c2d6fe4d1f55"
    assert files.fingerprint("valid") == "60248ed1052d273a"
    mixed = FilesOptions(train=files.train * 2, weights=[1, 2], tags=["<a>", ""])
    assert mixed.fingerprint("train") == "6fa0a6d19bf19fb7"
    # A file is read once, and once more when another has taken its place: of the same size, and as old.
    monkeypatch.setattr("nmt.corpus.kinds.places.SETTLED", 0.0)
    plain = FilesOptions(train=files.train)
    before = plain.fingerprint("train")
    assert plain.fingerprint("train") == before
    path = tmp_path / "t.de"
    other = tmp_path / "other"
    other.write_text(path.read_text().replace("here", "dort"))
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    os.replace(other, path)
    assert plain.fingerprint("train") != before


def fill(folder: Path) -> None:
    (folder / "made").write_text("x" * 100)


@pytest.mark.parametrize("which", ["digests.json", "made", "the folder"])
def test_an_entry_that_can_not_be_read_now_is_no_damaged_one_and_stays(tmp_path, which):
    entry = tmp_path / "thing"
    made_once(entry, fill, load)
    unreadable = entry if which == "the folder" else entry / which
    aside = tmp_path / "aside"
    unreadable.rename(aside)
    unreadable.symlink_to(unreadable.name)  # a link to itself, which not even root can open
    with pytest.raises(UserError, match=r"thing.*: cannot be read .*cache=FOLDER"):
        made_once(entry, fill, load)
    assert unreadable.is_symlink()
    unreadable.unlink()
    aside.rename(unreadable)
    assert made_once(entry, fill, load) == "x" * 100


@pytest.mark.parametrize("leads_to", ["a damaged entry", "nothing"])
def test_of_an_entry_that_is_a_link_the_link_alone_gives_way(tmp_path, caplog, leads_to):
    entry = tmp_path / "thing"
    elsewhere = tmp_path / "other disk"
    made_once(entry, fill, load)
    entry.rename(elsewhere)
    entry.symlink_to(elsewhere)
    if leads_to == "nothing":
        elsewhere.rename(tmp_path / "not mounted")
    else:
        (elsewhere / "made").write_text("damaged")
    assert made_once(entry, fill, load) == "x" * 100 and not entry.is_symlink()
    assert f"{entry}: damaged" in caplog.text
    if leads_to == "a damaged entry":
        assert (elsewhere / "made").read_text() == "damaged"


def test_what_the_user_put_into_an_entry_stays_and_does_not_spoil_it(tmp_path, caplog):
    entry = tmp_path / "thing"
    made_once(entry, fill, load)
    (entry / "notes.txt").write_text("mine")
    assert made_once(entry, fill, load) == "x" * 100 and not caplog.records
    (entry / "made").write_text("damaged")
    assert made_once(entry, fill, load) == "x" * 100
    assert (entry / "notes.txt").read_text() == "mine"
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match=r"file: no folder.*cache=FOLDER"):
        made_once(tmp_path / "file", fill, load)
    assert (tmp_path / "file").read_text() == "mine"


class Unreadable(FilesOptions):
    """Text on a disk, or behind a network, that fails after the first pair."""

    error = OSError("Corrupt snappy compressed data.\nand more lines")

    def read(self, split, first=0):
        yield next(super().read(split, first))
        raise self.error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError("Corrupt snappy compressed data.\nand more lines"), r"^corpus\.train: cannot be read \(Corrupt"),
        (OSError(errno.EMFILE, "Too many open files", "/data/t.en"), r"^/data/t\.en: cannot be read \(Too many"),
        (ConnectionResetError(errno.ECONNRESET, "reset by peer"), r"^corpus\.train: cannot be read \(reset by"),
    ],
)
@pytest.mark.parametrize("what", ["tokenizer", "pairs"])
def test_text_that_can_not_be_read_is_no_fault_of_the_cache(tmp_path, tokenizer, files, error, told, what):
    corpus = Unreadable(train=files.train, valid=files.valid)
    corpus.error = error
    with pytest.raises(UserError, match=told) as refused:
        if what == "pairs":
            cached_pairs(corpus, "train", CleaningOptions(), tokenizer, tmp_path / "cache")
        else:
            cached_tokenizer(corpus, CleaningOptions(), TokenizerOptions("char", 60), tmp_path / "cache")
    assert "cache" not in str(refused.value) and "\n" not in str(refused.value)


def test_a_damaged_parquet_file_is_named(tmp_path, tokenizer):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "t.parquet"
    texts = [f"word {number} here" for number in range(2000)]
    parquet.write_table(pyarrow.table({"en": texts, "de": texts}), path, compression="snappy", use_dictionary=False)
    content = bytearray(path.read_bytes())
    for place in range(200, 4000, 7):
        content[place] ^= 255
    path.write_bytes(content)
    corpus = FilesOptions(train=[str(path)], valid=str(path))
    with pytest.raises(UserError, match=rf"^{path}: ") as refused:
        cached_pairs(corpus, "train", CleaningOptions(), tokenizer, tmp_path / "cache")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC])
def test_a_cache_that_can_not_be_written_is_told_with_the_mend(tmp_path, number):
    with (
        faulty(tmp_path, lambda: OSError(number, os.strerror(number))),
        pytest.raises(UserError, match=r"thing: cannot be written .*say cache=FOLDER"),
    ):
        made_once(tmp_path / "thing", fill, load)
