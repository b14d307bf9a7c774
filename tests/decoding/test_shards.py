"""A file in shards: in order, resumable, shared by processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nmt.decoding.hypothesis import Translation
from nmt.decoding.shards import translate_file
from nmt.errors import UserError
from nmt.locks import if_free
from tests.conftest import door

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
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


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
