"""An export says what it was made of, and what was exchanged or spoilt is told, whatever clocks say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes import door_in_process, fails

pytest.importorskip("ctranslate2", exc_type=ImportError)

RUNS = Path(__file__).parent.parent / "runs"
TEXT = (RUNS / "lines.txt").read_bytes()
Done = subprocess.CompletedProcess[bytes]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with its export."""
    folder = tmp_path_factory.mktemp("exported")
    shutil.copytree(RUNS / "dbcf5e1" / "transformer", folder / "run")
    made = door_in_process("export", "run=run", folder=folder)
    assert made.returncode == 0, made.stderr.decode()
    return folder


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    shutil.copytree(exported / "run", tmp_path / "run")
    return tmp_path


def translate(folder: Path, *arguments: str, run: str = "run", text: bytes = TEXT) -> Done:
    options = ("engine=ctranslate2", "device=cpu", "decoding.beam_size=1")
    return door_in_process("translate", f"run={run}", *options, *arguments, folder=folder, text=text)


def other_weights(run: Path) -> None:
    """Puts another run's checkpoint of the same kind in the place of the run's, older by the clock."""
    best = run / "checkpoints/best.safetensors"
    best.unlink()
    shutil.copyfile(RUNS / "5d01b3c/transformer/checkpoints/step-00000400.safetensors", best)
    os.utime(best, (1e9, 1e9))


def other_option(run: Path) -> None:
    path = run / "config.yaml"
    path.write_text(path.read_text().replace("activation: relu", "activation: gelu"))


@pytest.mark.parametrize("change", [other_weights, other_option])
def test_an_export_of_what_the_run_no_longer_is_is_told(folder, change: Callable[[Path], None]):
    """The clock tells nothing, and the run has another place than when it was exported."""
    shutil.move(folder / "run", folder / "moved")
    assert translate(folder, run="moved").stderr == b""
    change(folder / "moved")
    made = translate(folder, run="moved")
    assert made.returncode == 0 and b"export it again" in made.stderr


@pytest.mark.parametrize("name", ["model.bin", "tokenizer/source.model", "export.json"])
def test_a_spoilt_file_of_an_export_is_named(folder, name):
    path = folder / "run/export/ctranslate2" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    fails(translate(folder), name, "export the run again")


def test_an_export_from_before_translates_with_one_line_on_what_can_not_be_checked(folder):
    path = folder / "run/export/ctranslate2/export.json"
    record = json.loads(path.read_text())
    before = {name: record[name] for name in ("checkpoint", "file", "quantization")}
    path.write_text(json.dumps(before))
    made = translate(folder)
    assert made.returncode == 0 and len(made.stdout.splitlines()) == len(TEXT.splitlines())
    errors = made.stderr.decode().splitlines()
    assert len(errors) == 1 and "exported before digests were kept" in errors[0]


def test_shards_of_two_exports_are_never_joined_and_an_export_by_itself_takes_a_file(folder, monkeypatch):
    from nmt.decoding.ctranslate2_engine import Engine

    (folder / "in").write_bytes(TEXT)
    command = ("input=in", "output=out", "shard_lines=8")
    calls = []
    search = Engine.translate

    def dies_at_the_second(engine, lines, first_line=1):
        calls.append(lines)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return search(engine, lines, first_line)

    monkeypatch.setattr(Engine, "translate", dies_at_the_second)
    assert translate(folder, *command).returncode == 130
    again = door_in_process("export", "run=run", "quantization=int8", folder=folder)
    assert again.returncode == 0, again.stderr.decode()
    fails(translate(folder, *command), "out.parts: parts of other work")
    made = translate(folder, *command[:1], "output=by-itself", "shard_lines=8", run="run/export/ctranslate2")
    assert made.returncode == 0, made.stderr.decode()
    assert (folder / "by-itself").read_bytes() == translate(folder).stdout


def test_a_length_penalty_above_1_says_once_that_this_search_stops_sooner(folder):
    made = translate(folder, "decoding.length_penalty_alpha=1.5")
    assert made.returncode == 0
    assert made.stderr.decode().count("decoding.length_penalty_alpha=1.5: above 1") == 1
    assert translate(folder).stderr == b""
