"""Stages of `scripts/gpu.py measure`: how fast models train and search, and Europarl by source length."""

from __future__ import annotations

import contextlib
import itertools
import json
import statistics
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from gpu_results import Report
from gpu_setting import Setting

from nmt.config import compose_train
from nmt.decoding.options import DecodingOptions
from nmt.jobs.open import open_translator
from nmt.jobs.train import train_run
from nmt.kernels.process import synchronize

UPDATES = 120
LOGGED_EVERY = 20
WARM_EVENTS = 2  # of the journal, which are left out
LINES = 2000
WORDS = 25  # of a line
SYSTEMS = ("fixed", "attention", "transformer")
PACKED_EVERY = 15.0  # seconds
# What comes back of a run: texts, no weights.
PACKED = ("config.yaml", "journal.jsonl", "provenance.json", "evaluations", "report")
NOT_PACKED = (".npz", ".safetensors")


@dataclass(frozen=True)
class Trained:
    """A benchmark with a batch size."""

    name: str
    experiment: str
    tokens: int


TRAINED = (
    Trained("base Transformer", "base", 4_096),
    Trained("base Transformer", "base", 25_000),
    Trained("base Transformer", "base", 50_000),
    Trained("LSTM attention", "lstm", 16_384),
    Trained("LSTM attention", "lstm", 65_536),
    Trained("LSTM attention with input feeding", "lstm_feeding", 16_384),
    Trained("LSTM attention with input feeding", "lstm_feeding", 65_536),
    Trained("fixed-context LSTM", "lstm_fixed", 16_384),
)
TINY = [
    "corpus.train_pairs=300",
    "corpus.symbols=100",
    "corpus.max_words=8",
    "corpus.test_bounds=[4,8]",
    "tokenizer.vocabulary_size=200",
    "trainer.max_steps=6",
    "trainer.log_every=2",
]
SMALL = {
    "base": ["model.size=16", "model.heads=2", "model.feed_forward_size=32", "model.encoder_layers=1"],
    "lstm": ["model.embedding_size=16", "model.encoder_size=16", "model.decoder_size=32"],
}


def training(setting: Setting, report: Report) -> None:
    """Trains each benchmark through the door, and adds the median of its target tokens a second."""
    for trained in TRAINED:
        what = f"{trained.name}, {trained.tokens:,} tokens"
        with report.trying(what):
            _train(setting, report, trained, what)


def _train(setting: Setting, report: Report, trained: Trained, what: str) -> None:
    folder = _benchmark_folder(setting, trained.experiment, trained.tokens)
    tokens = 200 if setting.tiny else trained.tokens
    overrides = [
        f"+experiment=benchmark/{trained.experiment}",
        f"batching.tokens={tokens}",
        "batching.sentences=8192",
        f"trainer.max_steps={UPDATES}",
        f"trainer.log_every={LOGGED_EVERY}",
        *_places(setting, folder),
    ]
    if setting.tiny:
        overrides += [*TINY, *SMALL[trained.experiment.partition("_")[0]]]
    if setting.cuda:
        torch.cuda.reset_peak_memory_stats()
    began = time.monotonic()
    _, counters = train_run(compose_train(overrides))
    seconds = time.monotonic() - began
    events = [event for event in _events(folder) if event["event"] == "train"]
    rates = [event["tokens_per_second"] for event in events[WARM_EVENTS:]]
    rate = statistics.median(rates)
    parameters = next(event["parameters"] for event in _events(folder) if event["event"] == "start")
    note = f"{parameters:,} parameters; {counters.step} updates in {seconds:.0f} s; "
    note += f"{6 * parameters * rate / 1e12:.0f} TFLOP/s as 6 a parameter and target token; "
    note += f"peak {events[-1]['memory_gigabytes']:.1f} GB"
    report.figure(what, rate, "target tokens/s", note=note)


def _benchmark_folder(setting: Setting, experiment: str, tokens: int) -> Path:
    return setting.work / f"{experiment}-{tokens}"


def _places(setting: Setting, folder: Path) -> list[str]:
    return [f"run.dir={folder}", f"cache={setting.work / 'cache'}", f"device={setting.device}"]


def _events(folder: Path) -> list[dict]:
    lines = (folder / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def search(setting: Setting, report: Report) -> None:
    """Translates lines of 25 words with beam 5; every hypothesis is as long as its limit allows, three more."""
    runs = (
        ("base Transformer", "base", 25_000),
        ("LSTM attention", "lstm", 16_384),
        ("fixed-context LSTM", "lstm_fixed", 16_384),
    )
    ways = [(64, "fp32"), (256, "fp32"), (1024, "fp32"), (1024, "tf32"), (1024, "bf16")]
    if not setting.cuda:
        ways = [(64, "fp32")]
    for name, experiment, tokens in runs:
        for batch_size, precision in ways:
            what = f"{name}, beam 5, {batch_size} sentences, {precision}"
            with report.trying(what):
                folder = _benchmark_folder(setting, experiment, tokens)
                options = DecodingOptions(
                    beam_size=5,
                    batch_size=batch_size,
                    precision=precision,
                    max_length_factor=1.0,
                    max_length_offset=3,
                    min_length=WORDS + 2,
                )
                translator = open_translator(str(folder), "last", setting.device, options)
                lines = _lines(setting)
                translator.translate(lines[:batch_size])
                synchronize(setting.torch_device)
                began = time.perf_counter()
                translations = translator.translate(lines)
                seconds = time.perf_counter() - began
                words = sum(len(translation.text.split()) for translation in translations)
                report.figure(what, len(lines) / seconds, "sentences/s", note=f"{words / len(lines):.1f} words each")


def _lines(setting: Setting) -> list[str]:
    """Lines of words that the tokenizer knows."""
    count = 20 if setting.tiny else LINES
    known = [f"s{number}" for number in range(1, 60)]
    lines = []
    for row in range(count):
        words = [known[(7 * row + 11 * place) % len(known)] for place in range(WORDS)]
        lines.append(" ".join(words))
    return lines


def europarl(setting: Setting, report: Report) -> None:
    """Compares the three systems on Europarl, matched by tokens: as many as fit into the time that is left."""
    began = time.monotonic()
    rates = {}
    for system in SYSTEMS:
        with report.trying(f"rate of {system}"):
            rates[system] = _rate(setting, system)
            report.figure(f"rate of {system}", rates[system], "target tokens/s")
    if len(rates) < len(SYSTEMS):
        report.fail("budget", "not every system has a rate")
        return
    left = setting.ends - time.time()
    reserve = 0.36 * left + 10  # for evaluation and report
    seconds_a_token = sum(1 / rates[system] for system in SYSTEMS)
    budget = int((left - reserve) / seconds_a_token)
    if setting.tiny:
        budget = 1_500
    report.figure("budget", budget, "target tokens each", note=f"rates took {time.monotonic() - began:.0f} s")
    folder = setting.work / "runs"
    command = [sys.executable, "-m", "nmt.compare", "+comparison=europarl", "match=tokens", f"budget={budget}"]
    command += [f"runs={folder}", f"device={setting.device}", *_compared(setting)]
    with packing(folder, setting.out):
        code = subprocess.run(command, check=False).returncode
    if code:
        report.fail("comparison", f"exit code {code}")
    for line in _table(folder / "europarl" / "report" / "report.md"):
        report.fact("comparison", line)


def _table(path: Path) -> list[str]:
    """The first table of a report, line by line."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = itertools.dropwhile(lambda line: not line.startswith("|"), lines)
    return list(itertools.takewhile(lambda line: line.startswith("|"), rows))


def _rate(setting: Setting, system: str) -> float:
    folder = setting.work / f"rate-{system}"
    overrides = [f"+experiment=europarl/{system}", f"run.dir={folder}", f"device={setting.device}", *_shared(setting)]
    updates = 60
    if setting.tiny:
        updates = 4
        overrides += _small(system)
    overrides += [f"trainer.max_steps={updates}", "trainer.max_minutes=0", "validation.bleu_sentences=0"]
    overrides += [f"trainer.log_every={updates // 4}", "validation.samples=0"]
    train_run(compose_train(overrides))
    events = [event for event in _events(folder) if event["event"] == "train"]
    return statistics.median(event["tokens_per_second"] for event in events[1:])


def _shared(setting: Setting) -> list[str]:
    shared = ["trainer.validate_every=400", "validation.samples=0"]
    if setting.tiny:
        shared += ["batching.tokens=512", "tokenizer.vocabulary_size=400", "tokenizer.pairs=1000"]
    return shared


def _compared(setting: Setting) -> list[str]:
    options = [f"overrides={_quoted(_shared(setting))}", "decoding.beam_size=5", "decoding.batch_size=512"]
    if setting.tiny:
        options += [f"systems.{system}.overrides={_quoted(_small(system))}" for system in SYSTEMS]
    return options


def _quoted(overrides: list[str]) -> str:
    """A list for Hydra."""
    return "[" + ",".join(f"'{override}'" for override in overrides) + "]"


def _small(system: str) -> list[str]:
    if system == "transformer":
        return [*SMALL["base"], "model.decoder_layers=1"]
    return [*SMALL["lstm"], "model.encoder_layers=1", "model.decoder_layers=1"]


@contextmanager
def packing(folder: Path, out: Path) -> Iterator[None]:
    """Packs the texts of runs every few seconds, so that what is cut short has told."""
    is_over = threading.Event()

    def pack_again() -> None:
        while not is_over.wait(PACKED_EVERY):
            pack(folder, out)

    thread = threading.Thread(target=pack_again, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        pack(folder, out)


def pack(folder: Path, out: Path) -> None:
    """Writes OUT/runs.tgz whole, or leaves it as it was."""
    aside = out / "runs.partial"
    with contextlib.suppress(OSError), tarfile.open(aside, "w:gz") as archive:
        for path in sorted(folder.rglob("*")):
            within = path.relative_to(folder)
            if path.is_file() and set(PACKED) & set(within.parts) and path.suffix not in NOT_PACKED:
                archive.add(path, str(within))
        archive.close()
        aside.replace(out / "runs.tgz")
