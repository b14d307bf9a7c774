"""Where names are absent that only Linux has, as on Windows and macOS: taken away in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import environment
from tests.processes import TINY_TRAIN

LOST = """
import os, signal, sys
{first}
for name in ("SIGHUP", "SIGQUIT", "SIGXCPU", "SIGUSR1", "SIGUSR2", "SIGKILL", "SIGALRM", "pthread_sigmask"):
    delattr(signal, name)
for name in ("fork", "nice", "sched_getaffinity", "link", "getuid", "killpg", "mkfifo", "statvfs", "fchmod"):
    delattr(os, name)
for name in ("resource", "fcntl", "pwd", "grp", "termios", "tty"):
    sys.modules[name] = None
"""
DOORS = """
import importlib, pathlib
read_text = pathlib.Path.read_text
def read(path, *arguments, **named):
    if str(path).startswith("/proc"):
        raise FileNotFoundError(path)
    return read_text(path, *arguments, **named)
pathlib.Path.read_text = read
def door(name, *arguments):
    sys.argv = [name, *arguments]
    importlib.import_module(f"nmt.{{name}}").main()
door("train", *{arguments})
pathlib.Path("in.txt").write_text("The man sleeps.")
door("translate", "run=run", "input=in.txt", "output=out.txt")
door("evaluate", "run=run", "evaluation.resamples=10")
"""
STREAM = ("batching.stream=true", "tokenizer.sampling=0.1", "run.dir=run")


def run(code: str, folder) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment(), capture_output=True, timeout=200)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_the_commands_are_listed_without_what_only_linux_has(tmp_path):
    code = LOST.format(first="") + "from nmt import __main__\nimport nmt.training.signals\nsys.argv = ['nmt']\n"
    assert "nmt.evaluate" in run(code + "__main__.main()", tmp_path)


@pytest.mark.slow
def test_training_translation_and_evaluation_do_without_what_only_linux_has(tmp_path):
    # Libraries may use what the system has: they have versions of their own for each.
    first = "import torch, hydra, sentencepiece, sacrebleu"
    code = LOST.format(first=first) + DOORS.format(arguments=repr([*TINY_TRAIN, *STREAM]))
    assert "source words" in run(code, tmp_path)
    assert (tmp_path / "out.txt").read_text().count("\n") == 1
