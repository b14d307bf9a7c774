"""A file in shards: in order, resumable, shared by processes."""

from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path

import pytest

from nmt.corpus.text.lines import lines_of
from nmt.decoding import shards
from nmt.decoding.hypothesis import Translation
from nmt.decoding.shards import translate_file
from nmt.errors import UserError
from nmt.locks import if_free
from tests.conftest import door
from tests.processes import door_in_process, fails

LINES = ["", *(f"line {number} of the text" for number in range(57)), "", "the last"]


class Upper:
    """What it is given in capitals, with the number of the line; dies after so many calls."""

    def __init__(self, lives: int = 10**9):
        self.lives, self.calls = lives, 0

    def translate(self, lines, first_line):
        self.calls += 1
        if self.calls > self.lives:
            raise KeyboardInterrupt
        return [Translation(f"{number}:{line.upper()}", 0.0) for number, line in enumerate(lines, first_line)]


@pytest.fixture
def source(tmp_path) -> Path:
    (tmp_path / "in").write_text("".join(line + "\n" for line in LINES))
    return tmp_path / "in"


EXPECTED = [f"{number}:{line.upper()}" for number, line in enumerate(LINES, 1)]


@pytest.mark.parametrize("size", [1, 7, 60, 1000])
def test_line_i_of_the_output_is_line_i_of_the_input(source, tmp_path, size):
    translate_file(Upper(), source, tmp_path / "out", size, {})
    assert (tmp_path / "out").read_text().split("\n") == [*EXPECTED, ""]
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == ["in", "out"]


def test_what_was_made_before_it_died_is_kept(source, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        translate_file(Upper(lives=3), source, tmp_path / "out", 10, {})
    again = Upper()
    translate_file(again, source, tmp_path / "out", 10, {})
    assert again.calls == 3 and (tmp_path / "out").read_text().split("\n") == [*EXPECTED, ""]


def test_parts_of_other_work_are_not_joined_with_it(source, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        translate_file(Upper(lives=3), source, tmp_path / "out", 10, {"beam": 1})
    with pytest.raises(UserError, match=r"out\.parts: parts of other work"):
        translate_file(Upper(), source, tmp_path / "out", 10, {"beam": 5})


def test_parts_that_nobody_claims_are_not_joined(source, tmp_path):
    (tmp_path / "out.parts").mkdir()
    (tmp_path / "out.parts/00000000.txt").write_text("STALE\n")
    with pytest.raises(UserError, match=r"out\.parts: parts of other work"):
        translate_file(Upper(), source, tmp_path / "out", 10, {})


def test_an_input_that_changes_meanwhile_is_told(source, tmp_path):
    class Meanwhile(Upper):
        def translate(self, lines, first_line):
            if self.calls == 2:
                source.write_text("another\n")
            return super().translate(lines, first_line)

    with pytest.raises(UserError, match="changed while it was translated"):
        translate_file(Meanwhile(), source, tmp_path / "out", 10, {})


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="give it as standard input"):
        translate_file(Upper(), tmp_path / "pipe", tmp_path / "out", 10, {})


def test_an_output_that_is_there_is_not_overwritten(source, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UserError, match="out: exists"):
        translate_file(Upper(), source, tmp_path / "out", 10, {})


def test_a_shard_that_another_process_has_is_left_to_it(source, tmp_path):
    taken = tmp_path / "out.parts/00000002.txt"
    taken.parent.mkdir()

    class OtherFinishes(Upper):
        def translate(self, lines, first_line):
            if self.calls == 4:
                taken.write_text("".join(line + "\n" for line in EXPECTED[20:30]))
            return super().translate(lines, first_line)

    engine = OtherFinishes()
    with if_free(taken):
        translate_file(engine, source, tmp_path / "out", 10, {})
    assert engine.calls == 5 and (tmp_path / "out").read_text().split("\n") == [*EXPECTED, ""]


def test_through_the_door_as_from_standard_input(trained_run, tmp_path):
    text = "The man sleeps.\n\nThe dog sees the cat.\n" * 4
    (tmp_path / "in").write_text(text)
    plain = door("translate", f"run={trained_run}", "decoding.beam_size=1", folder=tmp_path, text=text.encode())
    made = door(
        "translate",
        f"run={trained_run}",
        "decoding.beam_size=1",
        "input=in",
        "output=out",
        "shard_lines=5",
        folder=tmp_path,
    )
    assert made.returncode == 0, made.stderr.decode()
    assert (tmp_path / "out").read_bytes() == plain.stdout


def test_of_processes_that_claim_an_output_at_once_one_wins(source, tmp_path, monkeypatch):
    write_text = Path.write_text

    def after_another(path, data, *arguments, **options):
        """Another process with other options claims the parts just before this one can."""
        if path.suffix == ".partial":
            write_text(path.parent / "work.json", "of another process")
        return write_text(path, data, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", after_another)
    with pytest.raises(UserError, match=r"out\.parts: parts of other work"):
        translate_file(Upper(), source, tmp_path / "out", 10, {})
    assert (tmp_path / "out.parts/work.json").read_text() == "of another process"


def stopped(source: Path, target: Path) -> None:
    """Translates the first three of six shards."""
    with pytest.raises(KeyboardInterrupt):
        translate_file(Upper(lives=3), source, target, 10, {})


def test_a_shard_that_was_changed_is_not_joined(source, tmp_path):
    stopped(source, tmp_path / "out")
    (tmp_path / "out.parts/00000001.txt").write_text("INTRUDER\n" * 10)
    with pytest.raises(UserError, match=r"00000001\.txt: changed since it was translated"):
        translate_file(Upper(), source, tmp_path / "out", 10, {})
    (tmp_path / "out.parts/00000001.txt").unlink()
    translate_file(Upper(), source, tmp_path / "out", 10, {})
    assert (tmp_path / "out").read_text().split("\n") == [*EXPECTED, ""]


def test_an_input_of_the_same_size_and_time_is_another_input_if_its_text_is(source, tmp_path):
    stopped(source, tmp_path / "out")
    stat = source.stat()
    source.write_bytes(source.read_bytes().replace(b"line 3 ", b"LINE 3 "))
    os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(UserError, match="parts of other work"):
        translate_file(Upper(), source, tmp_path / "out", 10, {})


def test_an_output_named_gz_is_gzipped_also_where_shards_are_resumed(source, tmp_path):
    stopped(source, tmp_path / "out.gz")
    translate_file(Upper(), source, tmp_path / "out.gz", 10, {})
    assert gzip.decompress((tmp_path / "out.gz").read_bytes()).decode().split("\n") == [*EXPECTED, ""]
    assert list(lines_of(tmp_path / "out.gz")) == EXPECTED


@pytest.mark.parametrize("name", ["out.bz2", "out.GZ"])
def test_a_packer_that_is_not_written_is_refused_before_any_work(name, tmp_path):
    fails(door_in_process("translate", "run=absent", "input=in", f"output={name}", folder=tmp_path), name, ".gz")


USERS = {"a file": {"thesis.tex": "mine"}, "a record of another kind": {"work.json": "{}", "x": ""}, "nothing": {}}


@pytest.mark.parametrize("held", USERS)
def test_a_folder_of_the_user_s_that_has_the_name_of_the_parts_is_left_as_it_is(source, tmp_path, held):
    parts = tmp_path / "out.parts"
    parts.mkdir()
    for name, text in USERS[held].items():
        (parts / name).write_text(text)
    with pytest.raises(UserError, match=r"out\.parts: parts of other work") as refused:
        translate_file(Upper(), source, tmp_path / "out", 10, {})
    assert "delete" not in str(refused.value) and not (tmp_path / "out").exists()
    assert {path.name: path.read_text() for path in parts.iterdir()} == USERS[held]


def test_what_the_user_puts_among_the_parts_stays_when_they_are_joined(source, tmp_path):
    stopped(source, tmp_path / "out")
    (tmp_path / "out.parts/notes.txt").write_text("mine")
    translate_file(Upper(), source, tmp_path / "out", 10, {})
    assert [path.name for path in (tmp_path / "out.parts").iterdir()] == ["notes.txt"]
    assert (tmp_path / "out").read_text().split("\n") == [*EXPECTED, ""]


@pytest.mark.parametrize("name", ["out", "out.gz"])
def test_a_process_that_comes_when_its_work_is_done_has_nothing_to_do(source, tmp_path, name):
    """As of several that torchrun starts on a short file, or the same command given twice."""
    translate_file(Upper(), source, tmp_path / name, 1000, {"beam": 5})
    made = (tmp_path / name).read_bytes()
    late = Upper()
    translate_file(late, source, tmp_path / name, 1000, {"beam": 5})
    assert late.calls == 0 and (tmp_path / name).read_bytes() == made
    assert [path.name for path in tmp_path.glob("*.parts")] == []
    with pytest.raises(UserError, match=f"{name}: exists"):
        translate_file(Upper(), source, tmp_path / name, 1000, {"beam": 1})
    (tmp_path / name).write_bytes(made + b"edited")
    with pytest.raises(UserError, match=f"{name}: exists"):
        translate_file(Upper(), source, tmp_path / name, 1000, {"beam": 5})


def test_a_process_that_comes_late_has_nothing_to_do_where_files_have_no_attributes(source, tmp_path, monkeypatch):
    monkeypatch.delattr(os, "setxattr", raising=False)
    monkeypatch.delattr(os, "getxattr", raising=False)
    translate_file(Upper(), source, tmp_path / "out", 10, {})
    late = Upper()
    translate_file(late, source, tmp_path / "out", 10, {})
    assert late.calls == 0


def test_parts_that_are_removed_while_another_process_looks_at_them_are_no_mistake(source, tmp_path, monkeypatch):
    """The last of several processes joins the shards just when another one wants to take one."""
    is_free = shards._is_free

    def late(path):
        monkeypatch.setattr(shards, "_is_free", is_free)
        translate_file(Upper(), source, tmp_path / "out", 10, {})
        raise FileNotFoundError(2, "No such file or directory", str(path))  # as a lock says in a folder that is gone

    monkeypatch.setattr(shards, "_is_free", late)
    translate_file(Upper(), source, tmp_path / "out", 10, {})
    assert (tmp_path / "out").read_text().split("\n") == [*EXPECTED, ""]


def test_into_a_pipe_or_a_device_translations_are_written_as_they_come(source, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    received = []
    reader = threading.Thread(target=lambda: received.append((tmp_path / "pipe").read_bytes()), daemon=True)
    reader.start()
    translate_file(Upper(), source, tmp_path / "pipe", 10, {})
    translate_file(Upper(), source, Path("/dev/null"), 10, {})
    reader.join(60)
    assert received[0].decode().split("\n") == [*EXPECTED, ""]
    assert (tmp_path / "pipe").is_fifo() and not list(tmp_path.glob("*.parts")) and not list(tmp_path.glob(".*"))


def test_what_is_open_as_dev_fd_is_written_to_from_where_it_stands(source, tmp_path):
    with open(tmp_path / "log", "wb") as log:
        log.write(b"before\n")
        log.flush()
        translate_file(Upper(), source, Path(f"/dev/fd/{log.fileno()}"), 10, {})
    assert (tmp_path / "log").read_text().split("\n") == ["before", *EXPECTED, ""]


def test_an_output_that_can_be_no_file_is_refused_without_the_advice_to_delete_it(source, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "mine").write_text("mine")
    for name in ("folder", "link", "mine"):
        with pytest.raises(UserError, match=f"{name}: ") as refused:
            translate_file(Upper(), source, tmp_path / name, 10, {})
        assert "delete" not in str(refused.value) and "another output" in str(refused.value)
    assert (tmp_path / "link").is_symlink() and (tmp_path / "mine").read_text() == "mine"


def test_a_shard_that_can_not_be_read_now_is_not_called_changed(source, tmp_path):
    stopped(source, tmp_path / "out")
    note = tmp_path / "out.parts/00000001.json"
    note.unlink()
    note.symlink_to(note.name)
    with pytest.raises(UserError, match=r"cannot be read"):
        translate_file(Upper(), source, tmp_path / "out", 10, {})
    assert note.is_symlink() and (tmp_path / "out.parts/00000001.txt").exists()
