"""Outputs that the length limit cuts are told at the end, by every way to translate."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nmt.decoding.options import DecodingOptions
from nmt.decoding.translator import Translator
from nmt.errors import UserError
from tests.processes import door_in_process, lines_but_of_age

RUNS = Path(__file__).parent.parent / "runs"
LINES = (RUNS / "lines.txt").read_text(encoding="utf-8").splitlines()
# No output may end before four tokens, and each is cut after three.
ALL_CUT = ("decoding.min_length=4", "decoding.max_length_factor=0", "decoding.max_length_offset=3")
TEXT = f"{LINES[0]}\n\n{LINES[1]}\n".encode()
TOLD = "2 of 3 outputs were cut at decoding.max_length_factor=0, max_length_offset=3"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, and its export where CTranslate2 is there."""
    folder = tmp_path_factory.mktemp("cuts")
    shutil.copytree(RUNS / "dbcf5e1" / "transformer", folder / "run")
    return folder


def errors_of(folder: Path, *arguments: str, text: bytes = b"") -> list[str]:
    made = door_in_process("translate", "run=run", "device=cpu", *arguments, folder=folder, text=text)
    assert made.returncode == 0, made.stderr.decode()
    return lines_but_of_age(made)


@pytest.mark.parametrize("search", ["decoding.beam_size=5", "decoding.temperature=1"])
def test_outputs_of_a_stream_that_were_cut_are_counted_by_every_search(folder, search):
    errors = errors_of(folder, *ALL_CUT, search, text=TEXT)
    assert len(errors) == 1 and errors[0].startswith(TOLD)


def test_outputs_that_were_cut_are_counted_by_ctranslate2_too(folder):
    pytest.importorskip("ctranslate2", exc_type=ImportError)
    made = door_in_process("export", "run=run", folder=folder)
    assert made.returncode == 0, made.stderr.decode()
    errors = errors_of(folder, "engine=ctranslate2", *ALL_CUT, text=TEXT)
    assert len(errors) == 1 and errors[0].startswith(TOLD)
    assert errors_of(folder, "engine=ctranslate2", "decoding.max_length_offset=50", text=TEXT) == []


def test_cuts_of_all_shards_are_told_by_whoever_joins_them(folder, tmp_path, monkeypatch):
    shutil.copytree(folder / "run", tmp_path / "run")
    (tmp_path / "in").write_bytes(TEXT * 2)
    command = (*ALL_CUT, "input=in", "output=out", "shard_lines=2")
    calls = []
    translate = Translator.translate

    def dies_at_the_third(translator, lines, **options):
        calls.append(lines)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return translate(translator, lines, **options)

    monkeypatch.setattr(Translator, "translate", dies_at_the_third)
    stopped = door_in_process("translate", "run=run", "device=cpu", *command, folder=tmp_path)
    assert stopped.returncode == 130
    errors = errors_of(tmp_path, *command)
    assert len(calls) == 4 and len(errors) == 1
    assert errors[0].startswith(TOLD.replace("2 of 3", "4 of 6"))


@pytest.mark.parametrize(
    "options", [{"max_length_factor": 1e19}, {"max_length_offset": 2**31 - 1}, {"min_length": 2**31 - 1}]
)
def test_limits_that_no_search_can_count_to_are_refused(options):
    with pytest.raises(UserError, match=r"decoding\.\w+_length\w*=.*: must be .* or less"):
        DecodingOptions(**options)
