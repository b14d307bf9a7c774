"""Segmentations drawn by other processes: the same as here, in order, and no process is left behind."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from nmt.corpus.batches.batcher import BatchingOptions
from nmt.corpus.batches.position import Position
from nmt.corpus.batches.stream import Stream, StreamOptions
from nmt.corpus.kinds.files import FilesOptions
from nmt.corpus.pair import Pair
from nmt.corpus.subwords.tokenizer import Tokenizer, TokenizerOptions, train_tokenizer
from nmt.corpus.subwords.workers import SamplingWorkers
from nmt.corpus.text.cleaning import CleaningOptions
from nmt.corpus.text.concatenation import ConcatenationOptions
from nmt.errors import UserError
from tests.conftest import ROOT

LONG = 40  # seconds, after which a test of something that ends at once has failed


@pytest.fixture(scope="module")
def tokenizer(tiny_pairs, tmp_path_factory) -> Tokenizer:
    folder = tmp_path_factory.mktemp("sampled") / "tokenizer"
    return train_tokenizer(lambda: tiny_pairs, TokenizerOptions("bpe", 500), folder)


@pytest.fixture
def slices(tiny_pairs, monkeypatch) -> list[list[Pair]]:
    monkeypatch.setattr("nmt.corpus.subwords.workers.FEW", 0)
    pairs = [Pair(source, target) for source, target, *_ in tiny_pairs[:90]]
    return [pairs[start : start + 20] for start in range(0, 90, 20)]


@pytest.fixture
def workers(tokenizer):
    made = SamplingWorkers(tokenizer, 0.3)
    yield made
    made.close()


def is_alive(process: int) -> bool:
    """A process that nobody has asked for its exit code is not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def within(seconds: float, reached) -> bool:
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_processes_draw_what_is_drawn_here_and_in_order(tokenizer, slices, workers, monkeypatch):
    drawn = list(workers.drawn(slices, range(10)))
    assert len(workers.processes) == min(workers.count + 1, len(slices))
    monkeypatch.setattr("nmt.corpus.subwords.workers.FEW", 1000)
    here = SamplingWorkers(tokenizer, 0.3)
    assert drawn == list(here.drawn(slices, range(10))) and [pairs for pairs, _, _ in drawn] == slices
    assert len({str(sources) for _, sources, _ in here.drawn(slices[:1] * 3, range(3))}) == 3
    assert not here.processes


def test_processes_that_train_on_one_machine_share_its_cores(tokenizer, monkeypatch):
    monkeypatch.setattr("nmt.corpus.subwords.workers.cores", lambda: 6)
    assert [SamplingWorkers(tokenizer, 0.3, trainers).count for trainers in (1, 2, 4, 9)] == [6, 3, 1, 1]


@pytest.mark.parametrize("pairs_of_a_slice", [20, 5000])
def test_a_process_that_is_ended_from_outside_ends_the_run_in_words(slices, workers, pairs_of_a_slice):
    """Whether its answer fits into a pipe or not."""
    coming = workers.drawn(itertools.repeat(slices[0] * (pairs_of_a_slice // 20)), itertools.count())
    next(coming)
    workers.processes[0].kill()
    with pytest.raises(UserError, match="process that draws segmentations was ended"):
        for _ in range(10):
            next(coming)


def test_closing_does_not_wait_for_what_is_being_drawn(workers, slices):
    """A slice of words that are all new, for minutes."""
    new = [Pair(" ".join(f"{n}x{word}dogscats" for word in range(50)), "a") for n in range(20_000)]
    failed = threading.Event()

    def draw():
        with pytest.raises(UserError):
            list(workers.drawn([slices[0], new, new], range(3)))
        failed.set()

    reader = threading.Thread(target=draw)
    reader.start()
    assert within(LONG, lambda: len(workers.processes) > 1)
    began = time.monotonic()
    workers.close()
    assert failed.wait(LONG) and time.monotonic() - began < LONG
    assert all(process.returncode == -signal.SIGKILL for process in workers.processes)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_processes_end_with_the_one_they_draw_for_even_if_it_is_killed(tokenizer):
    code = (
        "import itertools, sys; from pathlib import Path; from nmt.corpus.subwords import workers as w\n"
        "from nmt.corpus.pair import Pair; from nmt.corpus.subwords.tokenizer import Tokenizer\n"
        "w.FEW = 0\n"
        "workers = w.SamplingWorkers(Tokenizer.load(Path(sys.argv[1])), 0.1)\n"
        "for _ in workers.drawn(itertools.repeat([Pair('the dog', 'der Hund')] * 5), itertools.count()):\n"
        "    print(*(process.pid for process in workers.processes), flush=True)\n"
    )
    command = [sys.executable, "-c", code, str(tokenizer.source_path.parent)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    drawing = [int(number) for number in process.stdout.readline().split()]
    assert len(drawing) > 1 and all(map(is_alive, drawing))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert within(LONG, lambda: not any(map(is_alive, drawing)))


def test_a_stream_is_the_same_with_processes_and_leaves_none(tokenizer, tiny_pairs, tmp_path, monkeypatch):
    for language, lines in zip(("en", "de"), zip(*(pair[:2] for pair in tiny_pairs[:200]), strict=True), strict=True):
        (tmp_path / f"text.{language}").write_text("".join(f"{line}\n" for line in lines))
    corpus = FilesOptions(train=[f"{tmp_path}/text.{{language}}"])
    batching = BatchingOptions(tokens=100, stream=True, block=120)
    options = StreamOptions(corpus, CleaningOptions(), ConcatenationOptions(), batching, 0.3, seed=1)
    started: list[SamplingWorkers] = []

    class Watched(SamplingWorkers):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            started.append(self)

    monkeypatch.setattr("nmt.corpus.batches.stream.SamplingWorkers", Watched)
    monkeypatch.setattr("nmt.corpus.batches.stream.SLICE", 25)
    found = []
    for few in (1000, 0):
        monkeypatch.setattr("nmt.corpus.subwords.workers.FEW", few)
        groups = Stream(options, tokenizer).groups(Position(), 1)
        taken = itertools.takewhile(lambda group: group[1].epoch < 2, groups)
        found.append([[pair[1].tolist() for pair in batch.pairs()] for [batch], _ in taken])
        groups.close()
    assert found[0] == found[1] and len(found[0]) > 20
    here, there = started
    assert not here.processes and there.processes
    assert all(process.returncode is not None for process in there.processes)
