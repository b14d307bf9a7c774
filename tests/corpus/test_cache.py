"""What is made once: by one process, whole, checked, and made again where it is damaged."""

from __future__ import annotations

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
