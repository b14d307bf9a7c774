"""Standard input, output and error that are closed, full or gone."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import environment
from tests.processes import door_in_process, fails

FILES = ("source=text", "target=text")


@pytest.mark.parametrize(
    ("name", "arguments", "closed"),
    [
        ("translate", (), "stdin"),
        ("translate", (), "stdout"),
        ("score", FILES, "stdout"),
        ("align", FILES, "stdout"),
    ],
)
def test_a_stream_that_a_command_needs_and_that_is_closed_is_named(trained_run, tmp_path, name, arguments, closed):
    (tmp_path / "text").write_text("The man sleeps.\n")
    done = door_in_process(name, f"run={trained_run}", "device=cpu", *arguments, folder=tmp_path, closed=closed)
    place = {"stdin": "standard input", "stdout": "standard output"}[closed]
    fails(done, f"{place}: closed", "FILE")


def test_a_closed_standard_error_costs_nothing(trained_run, tmp_path):
    text = b"The man sleeps.\n"
    arguments = (f"run={trained_run}", "decoding.beam_size=1", "device=cpu")
    done = door_in_process("translate", *arguments, folder=tmp_path, text=text, closed="stderr")
    usual = door_in_process("translate", *arguments, folder=tmp_path, text=text)
    assert done.returncode == 0 and done.stdout == usual.stdout


@pytest.mark.parametrize("arguments", [["nmt"], ["nmt", "--version"], ["nmt.train", "--help"]])
def test_a_full_disk_under_the_output_is_told_in_one_line(arguments):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", *arguments], env=environment(), stdout=full, stderr=subprocess.PIPE, timeout=60
        )
    fails(done, "standard output: No space left on device")
    assert len(done.stderr.splitlines()) == 1
