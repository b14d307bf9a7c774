"""A corpus in its place: whole or as it was, whatever ends the process, fills the disk or works beside it."""

from __future__ import annotations

import errno
import gzip
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from nmt.corpus.fetching.absent import absent
from nmt.corpus.fetching.fetch import fetch
from nmt.corpus.fetching.place import faults, is_here
from nmt.corpus.recipes.recipe import Files, Split
from nmt.errors import Absent, Damaged, NotKept, UserError
from nmt.jobs.corpora import folders_of
from tests.conftest import environment
from tests.corpora_server import Mood, packed
from tests.corpus.fetching.test_download import ALL, CUT, QUICK, fetched
from tests.disks import Killed, faulty
from tests.processes import door_in_process, fails, wait_until
from tests.toy_corpus import COMMIT, FILES, TEXTS, TOY_ARCHIVE, TOY_FILES, TREE, recipe, texts_in

FETCH = """
from nmt.corpus.fetching.fetch import fetch
from tests.toy_corpus import TOY_FILES
from pathlib import Path
import sys
fetch(TOY_FILES, Path(sys.argv[1]))
"""
WRITES = 100  # more than a fetch makes


@pytest.fixture
def corpora(tmp_path):
    return tmp_path / "corpora"


@pytest.fixture
def toy(corpora, server):
    """The corpus of single files, whole."""
    return fetched(TOY_FILES, corpora)


def test_a_killed_download_goes_on_where_it_was(corpora, server):
    server.mood = Mood(only="train.de", stalls_at=CUT)
    folder = corpora / "toy-files"
    process = subprocess.Popen([sys.executable, "-c", FETCH, str(folder)], env=environment())
    partial = corpora / ".downloads/toy-files/owner+toy/data/train.de.partial"
    wait_until(lambda: partial.exists() and partial.stat().st_size > CUT - 10_000, "a partial file", process=process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not folder.exists()
    written = partial.stat().st_size
    server.mood = Mood()
    server.asked.clear()
    fetched(TOY_FILES, corpora)
    assert server.sent == ALL - written + CUT
    assert (f"/owner/toy/{COMMIT}/data/train.en", "") not in server.asked  # which had come before


def test_of_two_at_once_the_second_waits_and_finds_it_whole(corpora, server, caplog):
    caplog.set_level(logging.INFO, "nmt")
    goes_on = threading.Event()
    server.mood = Mood(holds=goes_on)
    brought = []
    folder = corpora / "toy-files"
    threads = [threading.Thread(target=lambda: brought.append(fetch(TOY_FILES, folder))) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_until(lambda: ": waiting for " in caplog.text and server.asked, "one that waits")
    goes_on.set()
    for thread in threads:
        thread.join()
    assert sorted(brought) == [False, True]
    assert len(server.asked) == len(FILES)
    assert texts_in(folder) == TEXTS


@pytest.mark.parametrize("toy", [TOY_FILES, TOY_ARCHIVE], ids=["files", "archive"])
def test_a_disk_that_is_full_at_any_write_leaves_nothing_half_made(corpora, server, toy):
    def full():
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    folder = corpora / toy.folder
    for number in range(1, WRITES):
        try:
            with faulty(corpora, full, at=number) as writes:
                fetch(toy, folder, patience=QUICK)
        except UserError as error:
            assert "No space left on device" in str(error)
            assert "free space, or set NMT_DATA" in str(error)
        assert not is_here(toy, corpora) or not faults(toy, folder)
        if len(writes) < number:
            break
    assert number > 5
    assert texts_in(folder) == TEXTS


def test_a_process_that_is_killed_at_any_write_leaves_nothing_half_made(corpora, server):
    folder = corpora / "toy-archive"
    for number in range(1, WRITES):
        try:
            with faulty(corpora, Killed, at=number) as writes:
                fetch(TOY_ARCHIVE, folder, patience=QUICK)
        except Killed:
            pass
        assert not is_here(TOY_ARCHIVE, corpora) or not faults(TOY_ARCHIVE, folder)
        if len(writes) < number:
            break
    assert number > 5
    assert texts_in(folder) == TEXTS


def test_a_folder_without_rights_is_told_in_one_line(corpora, server):
    def refused():
        return PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with pytest.raises(NotKept, match="set NMT_DATA to a folder that can be written"), faulty(corpora, refused):
        fetch(TOY_FILES, corpora / "toy-files")


def test_a_whole_corpus_that_can_not_be_written_is_as_good(toy, corpora):
    with faulty(corpora, lambda: PermissionError(errno.EACCES, "no")):
        assert not fetch(TOY_FILES, toy)


def test_a_missing_text_is_made_again_and_all_else_stays(toy, caplog):
    (toy / "valid.de").unlink()
    (toy / "mine.txt").write_text("mine")
    (toy / "SOURCE.md").write_text("changed")
    before = (toy / "train.en").stat().st_ino
    assert fetch(TOY_FILES, toy, patience=QUICK)
    assert faults(TOY_FILES, toy) == {}
    assert (toy / "mine.txt").read_text() == "mine"
    assert (toy / "SOURCE.md").read_text() == "changed"
    assert (toy / "train.en").stat().st_ino == before
    assert f"{toy}/valid.de: was not there; made again" in caplog.text


def test_a_text_of_other_bytes_is_made_again_and_the_other_kept(toy, caplog):
    (toy / "valid.de").write_text("ein Text von jemand\n")
    assert fetch(TOY_FILES, toy, patience=QUICK)
    assert (toy / "valid.damaged.de").read_text() == "ein Text von jemand\n"
    assert (toy / "valid.de").read_bytes() == FILES["data/valid.de"]
    assert "not the text of this corpus" in caplog.text
    assert "kept as valid.damaged.de" in caplog.text


def test_a_packed_text_that_is_cut_counts_as_another(toy):
    (toy / "valid.de").unlink()
    (toy / "valid.de.gz").write_bytes(b"\x1f\x8b\x08")
    assert list(faults(TOY_FILES, toy)) == ["valid.de"]


def test_a_text_that_is_only_there_in_the_other_packing_is_made_where_it_is_named(toy):
    assert list(faults(TOY_FILES, toy, ["valid.de.gz", "valid.en"])) == ["valid.de"]


def test_texts_that_are_not_what_the_recipe_knows_end_in_one_line(corpora, server):
    wrong = recipe("toy-wrong", TOY_FILES.needs[0])
    object.__setattr__(wrong, "digests", {**TEXTS, "valid.de": "0" * 64})
    with pytest.raises(Damaged) as raised:
        fetch(wrong, corpora / "toy-wrong", patience=QUICK)
    assert f"toy-wrong/valid.de: not the text of this corpus (SHA-256 {TEXTS['valid.de']}, not 000" in str(raised.value)
    assert not (corpora / "toy-wrong").exists()


def test_the_origin_of_the_texts_lies_beside_them(toy):
    text = (toy / "SOURCE.md").read_text()
    assert text.startswith("# A toy | corpus\n\n- Repository: <https://github.com/owner/toy>, commit 0123456789abcdef")
    assert re.search(r"\| train \| 2000 \| 11000 \| 11000 \| 2000 \| 0 \| .* \| 10 \|", text)
    assert f"| `valid.de` | `{TEXTS['valid.de']}` |" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in tables[:4]} == {14}
    assert {line.count("|") for line in tables[4:]} == {3}


def unpacked(folder, top=""):
    for path, content in TREE.items():
        place = folder / top / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return folder


@pytest.mark.parametrize("toy", [TOY_FILES, TOY_ARCHIVE], ids=["files", "archive"])
@pytest.mark.parametrize("way", ["folder", "top", "archive", "owner+toy", "owner/toy", "toy", f"toy-{COMMIT}.tar.gz"])
def test_a_repository_that_is_here_is_taken_as_it_lies(corpora, tmp_path, toy, way):
    source = tmp_path / "given"
    source.mkdir()
    if way == "archive":
        source = source / "some.tgz"
        source.write_bytes(packed("toy", COMMIT, TREE))
    elif way.endswith(".tar.gz"):
        (source / way).write_bytes(packed("toy", COMMIT, TREE))
    else:
        top = {"folder": "", "top": f"toy-{COMMIT}"}.get(way, way)
        unpacked(source, top)
    assert fetch(toy, corpora / toy.folder, str(source))
    assert texts_in(corpora / toy.folder) == TEXTS


def test_a_file_of_the_source_that_is_another_is_named(corpora, tmp_path):
    source = unpacked(tmp_path / "given")
    (source / "data/train.en").write_bytes(b"other\n")
    with pytest.raises(Damaged, match=r"given/data/train\.en: not the file of owner/toy at 0123"):
        fetch(TOY_FILES, corpora / "toy-files", str(source))


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [("none", Absent, "no such file or folder"), ("text", UserError, "no archive"), ("empty", Absent, "no such file")],
)
def test_a_source_that_is_none_is_named(corpora, tmp_path, name, kind, reason):
    (tmp_path / "text").write_text("text")
    (tmp_path / "empty").mkdir()
    with pytest.raises(kind, match=reason):
        fetch(TOY_FILES, corpora / "toy-files", str(tmp_path / name))


def test_a_corpus_of_several_repositories_is_taken_from_a_folder_that_holds_them(corpora, tmp_path):
    need = TOY_FILES.needs[0]
    other = Files("somebody/else", COMMIT, need.prefix, need.digests, need.size)
    several = recipe("several", need)
    object.__setattr__(several, "needs", (need, other))
    object.__setattr__(several, "splits", lambda sources: TOY_FILES.splits(sources[1:]))
    unpacked(tmp_path / "given" / "owner+toy")
    with pytest.raises(Absent, match=r"no somebody\+else, somebody/else or else in it; clone https://github\.com/some"):
        fetch(several, corpora / "several", str(tmp_path / "given"))
    (tmp_path / "given/else.tar.gz").write_bytes(packed("else", COMMIT, TREE))
    assert fetch(several, corpora / "several", str(tmp_path / "given"))


def data(folder, *places, options=()):
    train, valid = places
    overrides = [f"corpus.train=['{train}']", f"corpus.valid='{valid}'", *options]
    return door_in_process("data", "corpus=files", *overrides, folder=folder)


def test_the_door_fetches_what_a_configuration_reads(corpora, tmp_path, server):
    places = (f"{corpora}/toy-files/train.{{language}}", f"{corpora}/toy-archive/valid.{{language}}")
    done = data(tmp_path, *places)
    assert done.returncode == 0, done.stderr.decode()
    lines = done.stderr.decode().splitlines()
    assert f"{corpora}/toy-files: A toy | corpus is here now, 2,000 training pairs" in lines
    assert f"{corpora}/toy-archive: A toy | corpus is here now, 2,000 training pairs" in lines
    assert "toy-archive: downloading 120 kB of owner/toy" in lines
    done = data(tmp_path, *places)
    assert f"{corpora}/toy-files: A toy | corpus is here already, 2,000 training pairs" in done.stderr.decode()
    assert texts_in(corpora / "toy-archive") == TEXTS


def test_a_text_that_lies_elsewhere_is_not_fetched_there(corpora, tmp_path, server):
    elsewhere = tmp_path / "elsewhere/toy-files"
    place = f"{elsewhere}/train.{{language}}"
    fails(data(tmp_path, place, place), f"{elsewhere}/train.en: not there", f"set NMT_DATA={tmp_path}/elsewhere")
    assert not server.asked


def test_a_name_that_the_corpus_has_not_is_told(corpora, tmp_path, server):
    place = f"{corpora}/toy-files/train.{{language}}.gz"
    fails(data(tmp_path, place, place), "train.en.gz: the corpus has this text as train.en")


def test_a_corpus_without_a_text_to_fetch_is_told(tmp_path):
    fails(door_in_process("data", "corpus=grammar", folder=tmp_path), "kind=grammar has no text to fetch", "do=list")


def test_the_door_says_in_one_line_that_nothing_can_be_had(corpora, tmp_path, server):
    server.mood = Mood(status=404)
    place = f"{corpora}/toy-files/train.{{language}}"
    fails(data(tmp_path, place, place), "toy-files: not to be had", "answers 404", "source=FOLDER")


@pytest.mark.parametrize("place", [".toy-files.partial", "toy-files/.partial", ".downloads/toy-files"])
def test_what_a_killed_process_left_beside_a_whole_corpus_goes(toy, corpora, place):
    (corpora / place).mkdir(parents=True)
    (corpora / place / "train.en").write_text("a")
    assert not fetch(TOY_FILES, toy)
    assert {path.name for path in corpora.iterdir()} == {"toy-files", ".toy-files.lock"}
    assert texts_in(toy) == TEXTS


@pytest.mark.parametrize("place", [".toy-files.partial", ".downloads/toy-files"])
def test_a_file_where_a_folder_is_made_gives_way(corpora, server, place):
    (corpora / place).parent.mkdir(parents=True)
    (corpora / place).write_text("a")
    assert fetch(TOY_FILES, corpora / "toy-files", patience=QUICK)
    assert {path.name for path in corpora.iterdir()} == {"toy-files", ".toy-files.lock"}


def test_a_folder_that_is_a_link_to_another_disk_is_filled(corpora, tmp_path, server, monkeypatch):
    def replace_on_one_disk(source, place):
        sides = {Path(os.path.realpath(path)).is_relative_to(tmp_path / "disk") for path in (source, place)}
        if len(sides) > 1:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        os.rename(source, place)

    (tmp_path / "disk").mkdir()
    corpora.mkdir()
    (corpora / "toy-files").symlink_to(tmp_path / "disk")
    monkeypatch.setattr(os, "replace", replace_on_one_disk)
    [(toy, folder)] = folders_of([(TOY_FILES, corpora / "toy-files/train.en")])
    assert fetch(toy, folder, patience=QUICK)
    assert texts_in(tmp_path / "disk") == TEXTS


def test_a_folder_that_is_a_link_to_nothing_is_told(corpora, server):
    corpora.mkdir()
    (corpora / "toy-files").symlink_to("gone")
    with pytest.raises(UserError, match="toy-files: leads to gone, which is not there"):
        fetch(TOY_FILES, corpora / "toy-files", patience=QUICK)


def test_links_in_a_circle_are_told_in_one_line(corpora):
    corpora.symlink_to("corpora")
    [(toy, folder)] = folders_of([(TOY_FILES, corpora / "toy-files/train.en")])
    with pytest.raises(UserError, match="toy-files: cannot be written"):
        fetch(toy, folder)
    assert str(absent(folder / "train.en")).startswith(f"{folder}/train.en: not there")


def test_an_empty_nmt_data_counts_as_none(tmp_path, server, monkeypatch):
    monkeypatch.setenv("NMT_DATA", "")
    place = "${oc.env:NMT_DATA,data/corpora}/toy-files/train.{language}"
    done = data(tmp_path, place, place)
    assert done.returncode == 0, done.stderr.decode()
    assert texts_in(tmp_path / "data/corpora/toy-files") == TEXTS


def test_a_text_that_is_read_and_wrong_is_told_though_another_packing_is_right(toy, tmp_path):
    (toy / "train.en.gz").write_bytes(gzip.compress(FILES["data/train.en"]))
    (toy / "train.en").write_text("other\n")
    place = f"{toy}/train.{{language}}"
    fails(data(tmp_path, place, place), "train.en: not the text of this corpus", "beside it as train.en.gz")


def test_a_right_text_is_not_made_again_for_its_other_packing(toy, server):
    assert fetch(TOY_FILES, toy, files=["train.en.gz"], patience=QUICK)
    assert not list(toy.glob("*damaged*"))


def fails_at_once(sources):
    raise KeyError("a")


@pytest.mark.parametrize(
    ("splits", "told"),
    [
        (fails_at_once, r"test_fetch\.py, line \d+: the recipe of toy-files fails \(KeyError: 'a'\)"),
        (lambda sources: ["text"], r"test_fetch\.py: the recipe of toy-files fails \(AttributeError"),
        (lambda sources: [Split("more", {"en": ["a"]})], r"toy-files/more\.en: .* does not name it in its digests"),
        (lambda sources: [Split("train", {"en": ["a\nb"]})], r"toy-files/train\.en: .* a line with a line end in it"),
    ],
)
def test_a_recipe_with_a_mistake_is_told_in_one_line(corpora, server, splits, told):
    with pytest.raises(UserError, match=told):
        fetch(replace(TOY_FILES, splits=splits), corpora / "toy-files", patience=QUICK)
    assert not (corpora / "toy-files").exists()


def test_a_pipe_that_is_given_is_no_archive(corpora, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="no archive"):
        fetch(TOY_FILES, corpora / "toy-files", str(tmp_path / "pipe"))
