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
from nmt.corpus.subwords.tokenizer import TokenizerOptions
from nmt.corpus.text.cleaning import CleaningOptions
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
