"""Bad input and faults through the real doors: one line with the place and the mend, exit code 2, nothing lost."""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nmt.training.checkpoints.parts import load_state
from nmt.training.journal import read_journal
from tests.conftest import TINY_SIZES, door, environment
from tests.processes import (
    TINY_TRAIN,
    door_in_process,
    fails,
    start,
    wait_for_checkpoint,
    wait_until,
)

FILES = (
    "corpus=files",
    "corpus.train=['train.{language}']",
    "corpus.valid='valid.{language}'",
    "corpus.tests={test: 'test.{language}'}",
    "model=lstm_fixed",
    *TINY_SIZES["recurrent"],
    "tokenizer.vocabulary_size=300",
    "batching.tokens=256",
    "trainer.max_steps=2",
    "validation.bleu_sentences=2",
    "device=cpu",
    "run.dir=run",
)
GOOD = [(f"the cat number {i} sleeps here", f"die Katze Nummer {i} schläft hier") for i in range(60)]


def write(folder: Path, split: str, pairs: list[tuple[str, str]]) -> None:
    for side, language in enumerate(("en", "de")):
        (folder / f"{split}.{language}").write_bytes("".join(pair[side] + "\n" for pair in pairs).encode())


@pytest.fixture
def corpus(tmp_path) -> Path:
    for split, pairs in (("train", GOOD), ("valid", GOOD[:5]), ("test", GOOD[:5])):
        write(tmp_path, split, pairs)
    return tmp_path


def test_odd_but_usable_text_is_counted_and_trained_on(corpus):
    """Empty lines, NULs, a line of 100,000 words."""
    odd = [("", "leer"), ("nul \0 here", "nul \0 hier"), ("word " * 100_000, "Wort " * 100_000), *GOOD]
    write(corpus, "train", odd)
    made = door("train", *FILES, folder=corpus)
    assert made.returncode == 0, made.stderr.decode()
    assert b"61 of 63 pairs kept (left out: 1 empty, 1 too long)" in made.stderr


def test_a_line_of_100_000_words_is_translated_within_its_limit_and_named(trained_run):
    text = b"The man sleeps.\n" + b"word " * 100_000 + b"\nThe man sleeps.\n"
    made = door("translate", f"run={trained_run}", "decoding.beam_size=1", folder=trained_run.parent, text=text)
    assert made.returncode == 0, made.stderr.decode()
    out = made.stdout.decode().split("\n")
    assert len(out) == 4 and out[0] == out[2]
    assert b"line 2: " in made.stderr and b"cut at decoding.max_source_tokens=2000" in made.stderr


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda f: (f / "train.de").write_text("eine Zeile\n"), ("train.en has 60 lines", "train.de 1", "one pair")),
        (
            lambda f: (f / "train.de").write_bytes(b"gut\n\xff\xfe\n"),
            ("train.de, line 2", "not valid UTF-8", "convert"),
        ),
        (lambda f: write(f, "train", [("", "")] * 9), ("corpus.train", "no usable pair", "9 empty")),
        (lambda f: (f / "valid.en").unlink(), ("valid.en: no such file", "check the corpus paths")),
    ],
)
def test_a_corpus_that_can_not_be_used_is_named(corpus, spoil, told):
    spoil(corpus)
    fails(door_in_process("train", *FILES, folder=corpus), *told)


def test_an_empty_test_set_is_told_before_anything_is_scored(corpus):
    write(corpus, "test", [])
    assert door("train", *FILES, folder=corpus).returncode == 0
    fails(door_in_process("evaluate", "run=run", folder=corpus), "test set 'test' is empty")


def test_a_vanished_gpu_is_told(trained_run):
    made = door("translate", f"run={trained_run}", "device=cuda", folder=trained_run.parent, text=b"x\n")
    fails(made, "device=cuda: no such GPU is visible", "device=cpu")


def arguments(steps: int) -> list[str]:
    return [*TINY_TRAIN[:-2], f"trainer.max_steps={steps}", "trainer.validate_every=20", "run.dir=run"]


def start_run(folder: Path, steps: int, limit: int | None = None) -> subprocess.Popen[bytes]:
    """Training in the background; ``limit`` bounds the size of any file that it writes, as a full disk does."""
    bound = (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))) if limit else None
    return start(folder, arguments(steps), before=bound)


def test_killed_outright_it_goes_on_from_its_last_checkpoint_and_ends_the_same(tmp_path):
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    assert start_run(tmp_path / "whole", 60).wait(timeout=200) == 0
    process = start_run(tmp_path / "cut", 60)
    wait_for_checkpoint(tmp_path / "cut/run", process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    made = door("train", *arguments(60), folder=tmp_path / "cut")
    assert made.returncode == 0, made.stderr.decode()
    ends = [load_state(tmp_path / name / "run/checkpoints/step-00000060.safetensors") for name in ("whole", "cut")]
    own = {name: tensor for name, tensor in ends[0].tensors.items() if name.startswith("model.")}
    assert own and all((ends[1].tensors[name] == tensor).all() for name, tensor in own.items())
    steps = [
        [e["step"] for e in read_journal(tmp_path / name / "run") if e["event"] == "valid"] for name in ("whole", "cut")
    ]
    assert steps[0] == steps[1] == [20, 40, 60]


def test_control_c_writes_a_checkpoint(tmp_path):
    process = start_run(tmp_path, 100_000)
    wait_for_checkpoint(tmp_path / "run", process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and b"SIGINT" in errors and b"goes on from there" in errors


def test_a_disk_that_is_full_at_the_start_spoils_no_run(tmp_path):
    made = door("train", *arguments(20), folder=tmp_path)
    assert made.returncode == 0, made.stderr.decode()
    before = (tmp_path / "run/config.yaml").read_bytes()
    process = start_run(tmp_path, 40, limit=200)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2 and b"cannot be written" in errors and b"Traceback" not in errors
    assert (tmp_path / "run/config.yaml").read_bytes() == before
    made = door("train", *arguments(40), folder=tmp_path)
    assert made.returncode == 0 and b"going on from step 20" in made.stderr


def test_a_second_process_in_a_run_is_refused_and_told_of_the_first(tmp_path):
    process = start_run(tmp_path, 100_000)
    wait_for_checkpoint(tmp_path / "run", process)
    fails(door("train", *arguments(100_000), folder=tmp_path), "run: in use by process", str(process.pid))
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143
    made = door("train", *arguments(20), folder=tmp_path)
    assert made.returncode == 0, made.stderr.decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2])
def test_a_signal_before_training_is_told_and_leaves_nothing_half_made(tmp_path, number):
    process = start_run(tmp_path, 20)
    wait_until(lambda: list((tmp_path / "data").glob("cache/.*.lock")), "the cache", seconds=60, process=process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number and b"nmt: stopped by" in errors and b"Traceback" not in errors
    assert not list((tmp_path / "data").glob("cache/.*.partial"))


def test_a_full_disk_is_told_and_what_was_saved_stays(tmp_path):
    made = door("train", *arguments(20), folder=tmp_path)
    assert made.returncode == 0, made.stderr.decode()
    saved = tmp_path / "run/checkpoints/step-00000020.safetensors"
    before = saved.read_bytes()
    process = start_run(tmp_path, 40, limit=len(before) // 2)
    _, errors = process.communicate(timeout=120)
    told = errors.decode().strip().splitlines()[-1]
    assert process.returncode == 2 and told.startswith("nmt: ") and "cannot be written" in told, errors.decode()
    assert saved.read_bytes() == before and not list(saved.parent.glob("*.partial"))
    made = door("train", *arguments(40), folder=tmp_path)
    assert made.returncode == 0 and b"going on from step 20" in made.stderr


def test_a_truncated_checkpoint_is_named_and_the_one_before_is_used(trained_run, tmp_path):
    shutil.copytree(trained_run, tmp_path / "run")
    newest = tmp_path / "run/checkpoints/step-00000006.safetensors"
    copy = newest.read_bytes()[:-50]
    newest.unlink()  # best.safetensors is the same file under another name
    newest.write_bytes(copy)
    made = door("train", *TINY_TRAIN, "run.dir=run", folder=tmp_path)
    assert made.returncode == 0, made.stderr.decode()
    assert b"step-00000006.safetensors: damaged checkpoint" in made.stderr and b"going on from step 3" in made.stderr


def test_output_that_nobody_reads_any_more_ends_quietly(trained_run):
    text = b"The man sleeps.\n" * 20_000
    command = f"{sys.executable} -m nmt.translate run={trained_run} decoding.beam_size=1 decoding.max_length_factor=0.1"
    made = subprocess.run(
        f"{command} | head -n 1", shell=True, input=text, env=environment(), capture_output=True, timeout=200
    )
    assert made.stdout.count(b"\n") == 1 and b"Traceback" not in made.stderr


def test_all_lines_come_out_though_the_input_does_not_end_with_one(corpus, trained_run):
    text = "\n".join(["", "The man sleeps.", ""] * 5)
    made = door("translate", f"run={trained_run}", "decoding.beam_size=1", folder=corpus, text=text.encode())
    assert made.stdout.count(b"\n") == len(text.split("\n")) - 1
