"""The stage of `scripts/gpu.py` about training steps of a base Transformer: their time, and what it is spent on."""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from gpu_results import Report
from gpu_setting import Setting, seconds_each
from torch.autograd import DeviceType
from torch.autograd.profiler_util import FunctionEventAvg

from nmt.config import TrainConfig, compose_train
from nmt.corpus.batches.batch import Batch, make_batch
from nmt.kernels.limits import LIMITS
from nmt.kernels.process import synchronize
from nmt.models.build import build_model
from nmt.models.interface import Model, Vocabulary
from nmt.training.optim import make_optimizer
from nmt.training.precision import choose_precision
from nmt.training.ranks import Ranks
from nmt.training.update import Objective, Update

RATE = 1e-4
KERNELS_SHOWN = 25
LAUNCHES = ("cudaLaunchKernel", "cuLaunchKernel")  # how their names begin: some end in ExC or a version
WAIT = "called a synchronizing"  # PyTorch's words; another of its warnings says that it doesn't see every wait
MORE_ROWS = 32_768

EXPERIMENT = "+experiment=benchmark/base"
TINY = [
    "model.size=32",
    "model.heads=2",
    "model.feed_forward_size=64",
    "model.encoder_layers=1",
    "model.decoder_layers=1",
    "tokenizer.vocabulary_size=300",
    "batching.tokens=600",
]


@dataclass(frozen=True)
class Sizes:
    """How much is trained on."""

    few_tokens: int  # beside the experiment's own
    median: int  # target tokens of a sentence
    steps: int
    warm: int  # steps before the clock starts


REAL_SIZES = Sizes(few_tokens=4_000, median=26, steps=15, warm=5)
TINY_SIZES = Sizes(few_tokens=200, median=8, steps=4, warm=1)


@contextmanager
def more_loss_rows() -> Iterator[None]:
    """Makes the loss in larger chunks."""
    before = dict(LIMITS)
    for name, limits in before.items():
        LIMITS[name] = replace(limits, loss_rows=MORE_ROWS)
    try:
        yield
    finally:
        LIMITS.update(before)


@contextmanager
def compiled_blocks(model: Model) -> Iterator[None]:
    """Runs each block of the Transformer through PyTorch's compiler, for sentences of any length."""
    blocks = [*model.encoder, *model.decoder]
    torch._dynamo.reset()
    for block in blocks:
        block.compile(dynamic=True)
    try:
        yield
    finally:
        for block in blocks:
            block._compiled_call_impl = None


@dataclass(frozen=True)
class Variant:
    """A way to make a step, with what is expected of it at 25,000 and at 4,000 tokens."""

    name: str
    settings: tuple[Callable[[], AbstractContextManager], ...] = ()
    compiles: bool = False
    predicted: tuple[str, ...] = ("", "")


VARIANTS = (
    Variant("as it is", predicted=("45-50 ms", "22-28 ms")),
    Variant(f"{MORE_ROWS:,} rows of loss", (more_loss_rows,), predicted=("as before", "as before")),
    Variant("as it is, once more", predicted=("as before", "as before")),
)
COMPILED = Variant("compiled blocks", compiles=True, predicted=("33-38 ms", "12-18 ms"))


def steps(setting: Setting, report: Report) -> None:
    """Measures training steps with random ids at lengths of real text, then tells kernels, launches and waits.

    The variant that may be a hundred times slower comes last, with few steps.
    """
    sizes = REAL_SIZES
    overrides = [EXPERIMENT, f"device={setting.device}"]
    if setting.tiny:
        sizes = TINY_SIZES
        overrides += TINY
    config = compose_train(overrides)
    update = _make_update(setting, report, config)
    vocabulary = config.tokenizer.vocabulary_size
    sizes_of_batches = (config.batching.tokens, sizes.few_tokens)
    for place, tokens in enumerate(sizes_of_batches):
        batches = draw_batches(vocabulary, sizes.median, tokens, sizes.steps)
        for variant in VARIANTS:
            what = f"{tokens:,} tokens, {variant.name}"
            with report.trying(what):
                _measure(report, what, update, batches, sizes.warm, variant, variant.predicted[place])
    for tokens in sizes_of_batches:
        _try_replay(setting, report, update, draw_batches(vocabulary, sizes.median, tokens, 1)[0], compiles=False)
    largest = draw_batches(vocabulary, sizes.median, config.batching.tokens, 4)
    with report.trying("kernels"):
        _profile(setting, report, update, largest)
    with report.trying("waits for the device"):
        _count_waits(setting, report, update, largest[0])
    for place, tokens in enumerate(sizes_of_batches):
        batches = draw_batches(vocabulary, sizes.median, tokens, sizes.steps)
        what = f"{tokens:,} tokens, {COMPILED.name}"
        if not setting.cuda:
            report.skip(what, "for GPUs only: compiling takes a CPU half a minute")
            continue
        with report.trying(what):
            _measure(report, what, update, batches, sizes.warm, COMPILED, COMPILED.predicted[place])
        _try_replay(setting, report, update, batches[0], compiles=True)


def _make_update(setting: Setting, report: Report, config: TrainConfig) -> Update:
    """The model and all that trains it, as the trainer makes them."""
    device = setting.torch_device
    precision = choose_precision(device, config.trainer.precision)
    torch.manual_seed(config.seed)
    words = config.tokenizer.vocabulary_size
    model = build_model(config.model, Vocabulary(words, words, joint=True)).to(device).train()
    report.fact("model and format", f"{model.parameter_count():,} parameters, {precision.name}")
    objective = Objective(model, config.trainer.label_smoothing, 0.0, compiled=False)
    optimizer = make_optimizer(model, config.optimizer)
    return Update(objective, optimizer, precision, Ranks(device=device), config.trainer.clip_norm, sharded=False)


def draw_batches(vocabulary: int, median: int, tokens: int, count: int) -> list[Batch]:
    """Batches of random ids. Within one, sentences are of about one length, as in a bucket; each batch has its own."""
    random = np.random.default_rng(1)
    batches = []
    for _ in range(count):
        drawn = random.lognormal(math.log(median), 0.45)
        length = int(np.clip(drawn, 4, 100))
        rows = max(1, tokens // (length + 1))  # START or END is one more
        sources = []
        targets = []
        for _ in range(rows):
            shorter = random.integers(0, 3, size=2)
            sources.append(random.integers(4, vocabulary, size=length - shorter[0]))
            targets.append(random.integers(4, vocabulary, size=length - shorter[1]))
        batches.append(make_batch(sources, targets, range(rows)))
    return batches


def _step(update: Update, batch: Batch) -> None:
    update.gradients([batch], batch.tokens, "the check")
    update.apply(RATE)


def _measure(
    report: Report, what: str, update: Update, batches: list[Batch], warm: int, variant: Variant, predicted: str
) -> None:
    """Adds the mean time of the steps that follow the warm ones, the slowest, and the peak of memory."""
    device = update.precision.device
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with contextlib.ExitStack() as stack:
        for change in variant.settings:
            stack.enter_context(change())
        if variant.compiles:
            stack.enter_context(compiled_blocks(update.model))
        began = time.perf_counter()
        first_ones = batches if variant.compiles else batches[:1]
        for batch in first_ones:
            _step(update, batch)
        synchronize(device)
        first = time.perf_counter() - began
        moments = []
        for number, batch in enumerate(batches):
            if number == warm:
                synchronize(device)
                moments.append(time.perf_counter())
            _step(update, batch)
            if number >= warm:
                moments.append(time.perf_counter())
        synchronize(device)
        end = time.perf_counter()
    measured = batches[warm:]
    mean = (end - moments[0]) / len(measured)
    slowest = max(np.diff(moments))
    rate = sum(batch.tokens for batch in measured) / (end - moments[0])
    note = f"first {first:.1f} s; slowest {1e3 * slowest:.1f} ms; {rate:,.0f} target tokens/s"
    if device.type == "cuda":
        note += f"; peak {torch.cuda.max_memory_allocated(device) / 1e9:.1f} GB"
    report.figure(what, 1e3 * mean, "ms", predicted, note)


def _try_replay(setting: Setting, report: Report, update: Update, batch: Batch, compiles: bool) -> None:
    what = f"{batch.tokens:,} tokens, forward and backward of one shape as a CUDA graph"
    if compiles:
        what += ", compiled"
    with report.trying(what):
        _replay(setting, report, what, update, batch, compiles)


def _replay(setting: Setting, report: Report, what: str, update: Update, batch: Batch, compiles: bool) -> None:
    """Adds the time of a batch's forward and backward pass where nothing is launched one by one: a lower bound."""
    if not setting.cuda:
        report.skip(what, "for GPUs only")
        return
    with contextlib.ExitStack() as stack:
        if compiles:
            stack.enter_context(compiled_blocks(update.model))
        moved = batch.to(setting.torch_device)

        def run() -> None:
            with update.precision.autocast():
                loss, _ = update.objective(moved)
            (loss / batch.tokens).backward()

        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                update.optimizer.zero_grad(set_to_none=True)
                run()
        torch.cuda.current_stream().wait_stream(side)
        update.optimizer.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            run()
        seconds = seconds_each(graph.replay, setting.torch_device, 20)
        update.optimizer.zero_grad(set_to_none=True)
        rows, length = batch.target_in.shape
        note = f"{rows} x {length}; {batch.tokens / seconds:,.0f} target tokens/s without the optimizer"
        report.figure(what, 1e3 * seconds, "ms", note=note)


def _profile(setting: Setting, report: Report, update: Update, batches: list[Batch]) -> None:
    """Adds the kernels that take most of the device's own time, launches a step, and the device's busy share."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    if setting.cuda:
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    device = setting.torch_device
    _step(update, batches[0])
    synchronize(device)
    with torch.profiler.profile(activities=activities) as profiler:
        began = time.perf_counter()
        for batch in batches[1:]:
            _step(update, batch)
        synchronize(device)
        wall = time.perf_counter() - began
    events = profiler.key_averages()
    count = len(batches) - 1
    if setting.cuda:
        order = "self_device_time_total"
        kernels = [event for event in events if event.device_type == DeviceType.CUDA and not _annotation(event)]
    else:
        order = "self_cpu_time_total"
        kernels = list(events)
    (setting.out / "profile.txt").write_text(events.table(sort_by=order, row_limit=60), encoding="utf-8")
    kernels.sort(key=lambda event: -getattr(event, order))
    total = sum(getattr(event, order) for event in kernels)  # us
    for event in kernels[:KERNELS_SHOWN]:
        spent = getattr(event, order)
        note = f"{100 * spent / total:.1f} % of kernel time, {event.count / count:.0f} a step"
        report.figure(f"kernel {event.key[:50]}", spent / count / 1e3, "ms a step", note=note)
    if not setting.cuda:
        report.skip("launches and busy share", "for GPUs only")
        return
    report.figure("launches", count_launches(events) / count, "a step", "2,300")
    report.figure("busy share, under the profiler", 100 * total / 1e6 / wall, "%", "85 %")


def count_launches(events: Iterable[FunctionEventAvg]) -> int:
    """How many kernels were launched, of a profiler's events by name."""
    return sum(event.count for event in events if event.key.startswith(LAUNCHES))


def _annotation(event: object) -> bool:
    """Whether it is a name that code gave to a region, which would count its kernels twice."""
    return bool(getattr(event, "is_user_annotation", False))  # younger than torch 2.5


def _count_waits(setting: Setting, report: Report, update: Update, batch: Batch) -> None:
    """Adds how often a step waits for the device, by the line that makes it wait."""
    _step(update, batch)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with _warned_of_waits(setting.cuda):
            _step(update, batch)
    places = waits_by_place(caught)
    if not setting.cuda:
        report.skip("waits for the device", "for GPUs only")
        return
    named = ", ".join(f"{place} {number}" for place, number in places.most_common())
    report.figure("waits for the device", places.total(), "a step", "5-10", named)


@contextmanager
def _warned_of_waits(cuda: bool) -> Iterator[None]:
    """Makes PyTorch warn where the processor waits for the device."""
    if not cuda:
        yield
        return
    torch.cuda.set_sync_debug_mode("warn")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def waits_by_place(caught: list[warnings.WarningMessage]) -> Counter[str]:
    """How many of the warnings tell of a wait, by file and line."""
    places: Counter[str] = Counter()
    for warning in caught:
        if WAIT in str(warning.message):
            places[f"{Path(warning.filename).name}:{warning.lineno}"] += 1
    return places
