"""Segmentations drawn by other processes: the same as here, in order, and no process is left behind."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nmt.corpus import sampling_workers
from nmt.corpus.pairs import Pair
from nmt.corpus.sampling_workers import SamplingWorkers
from nmt.corpus.tokenizer import Tokenizer, TokenizerOptions, train_tokenizer
from nmt.errors import UserError
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def tokenizer(tiny_pairs, tmp_path_factory) -> Tokenizer:
    folder = tmp_path_factory.mktemp("sampled") / "tokenizer"
    return train_tokenizer(lambda: tiny_pairs, TokenizerOptions("bpe", 500), folder)


@pytest.fixture
def slices(tiny_pairs, monkeypatch) -> list[list[Pair]]:
    monkeypatch.setattr(sampling_workers, "SLICE", 20)
    pairs = [Pair(source, target) for source, target, *_ in tiny_pairs[:90]]
    return [pairs[start : start + 20] for start in range(0, 90, 20)]


def children_of(process: int) -> list[int]:
    return [int(number) for number in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def test_processes_draw_what_is_drawn_here_and_in_order(tokenizer, slices, monkeypatch):
    workers = SamplingWorkers(tokenizer, 0.3)
    drawn = list(workers.drawn(slices, range(10)))
    workers.close()
    monkeypatch.setattr(sampling_workers, "SLICE", 1000)
    here = list(SamplingWorkers(tokenizer, 0.3).drawn(slices, range(10)))
    assert drawn == here and [pairs for pairs, _, _ in drawn] == slices
    assert len({str(sources) for _, sources, _ in SamplingWorkers(tokenizer, 0.3).drawn(slices[:1] * 3, range(3))}) == 3


def test_a_process_that_is_ended_from_outside_ends_the_run_in_words(tokenizer, slices):
    workers = SamplingWorkers(tokenizer, 0.3)
    coming = workers.drawn(itertools.cycle(slices), itertools.count())
    next(coming)
    assert workers._pool is not None
    os.kill(next(iter(workers._pool._processes)), signal.SIGKILL)
    with pytest.raises(UserError, match="process that draws segmentations was ended"):
        list(coming)
    workers.close()


def test_what_is_not_wanted_any_more_is_left_and_others_can_be_drawn(tokenizer, slices):
    workers = SamplingWorkers(tokenizer, 0.3)
    coming = workers.drawn([*slices[:1], *[slices[0] * 20_000] * 9], range(10))  # minutes of work
    next(coming)
    began = time.monotonic()
    workers.stop()
    workers.close()
    assert time.monotonic() - began < 20
    again, others = workers.drawn(slices, range(5)), SamplingWorkers(tokenizer, 0.3)
    assert list(again) == list(others.drawn(slices, range(5)))
    workers.close()
    others.close()


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes in /proc")
def test_processes_end_with_the_one_they_draw_for_even_if_it_is_killed(tokenizer):
    code = (
        "import itertools, sys; from pathlib import Path; from nmt.corpus import sampling_workers as w\n"
        "from nmt.corpus.pairs import Pair; from nmt.corpus.tokenizer import Tokenizer\n"
        "w.SLICE = 5\n"
        "workers = w.SamplingWorkers(Tokenizer.load(Path(sys.argv[1])), 0.1)\n"
        "for _ in workers.drawn(itertools.repeat([Pair('the dog', 'der Hund')] * 5), itertools.count()):\n"
        "    print('drawn', flush=True)\n"
    )
    command = [sys.executable, "-c", code, str(tokenizer.source_path.parent)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    children = children_of(process.pid)
    assert children
    process.send_signal(signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(Path(f"/proc/{child}").exists() for child in children):
        time.sleep(0.05)
    assert not [child for child in children if Path(f"/proc/{child}").exists()]
