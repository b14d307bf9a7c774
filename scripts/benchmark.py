"""Speed, start and memory of every family of models, through the doors that users take: `make bench`.

  python scripts/benchmark.py                         all, about 25 minutes on 2 CPU cores
  python scripts/benchmark.py --only training start   these alone
  python scripts/benchmark.py --pairs 1e4 1e5 1e6     the corpus grows so far (1e7, as usual, needs 3 GB of disk)

Systems take turns, so that a slow moment hits all; of training, start and search the median of all rounds is told, with
the lowest and the highest. Text is generated (rows of 8,000 different words, 1 to 25 of them): nothing is downloaded.
Writes benchmark.json, benchmark.md and benchmark.png into --output, parts that were not asked for kept as they were;
`scripts/update_results.py runs/benchmark` puts them into docs/speed.md.
"""

# ruff: noqa: E402
from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib

from nmt.environment import prepare_libraries

prepare_libraries()  # before torch is imported
import torch
from torch.utils.flop_counter import FlopCounterMode

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from nmt.evaluation.probes.cost import measure
from nmt.report.tables import markdown_table
from nmt.run import git_commit, machine, open_run
from nmt.training.loss import token_loss
from nmt.training.precision import choose_device, choose_precision

ROOT = Path(__file__).parent.parent
WORDS, LONGEST = 8000, 25
TEXT = [
    *("corpus=task", f"corpus.symbols={WORDS}", f"corpus.max_words={LONGEST}", f"corpus.test_bounds=[{LONGEST}]"),
    *("tokenizer.kind=word", f"tokenizer.vocabulary_size={WORDS}", "corpus.train_pairs=30000"),
]
SYSTEMS = {
    "transformer": ["+experiment=benchmark/tsmall"],
    "transformer, fp32": ["+experiment=benchmark/tsmall", "trainer.precision=fp32"],
    "attention, input feeding": ["+experiment=benchmark/rattn"],
    "attention": ["+experiment=benchmark/luong"],
    "fixed context": ["+experiment=benchmark/fixed"],
}
IN_AUTO = [system for system in SYSTEMS if "fp32" not in system]  # in the format that the machine is best at
PARTS = ("training", "start", "decoding", "length", "limit", "corpus")
LENGTHS = (8, 32, 128, 512)  # tokens of source and target
STEPS, REPORT, WARM = 40, 5, 10  # updates of a round, between readings, and left out at first


@dataclass
class Figure:
    """What was measured of one system: the readings of all rounds."""

    part: str
    system: str
    what: str
    unit: str
    readings: list[float]
    commit: str

    def told(self) -> str:
        low, middle, high = min(self.readings), statistics.median(self.readings), max(self.readings)
        return f"{number(middle)} ({number(low)}-{number(high)})" if len(self.readings) > 1 else number(middle)


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


class Bench:
    """Runs doors and reads what they leave."""

    def __init__(self, output: Path, rounds: int, device: str):
        self.output, self.rounds, self.device = output, rounds, device
        self.figures: list[Figure] = []
        self.commit = git_commit()

    def add(self, part: str, system: str, what: str, unit: str, reading: float) -> None:
        for figure in self.figures:
            if (figure.part, figure.system, figure.what) == (part, system, what):
                figure.readings.append(reading)
                return
        self.figures.append(Figure(part, system, what, unit, [reading], self.commit))

    def door(self, name: str, *options: str, **more: object) -> subprocess.CompletedProcess:
        device = [] if name == "export" else [f"device={self.device}"]
        command = [sys.executable, "-m", f"nmt.{name}", *options, *device]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, **more)
        if done.returncode:
            sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")
        return done

    def train(self, folder: Path, options: list[str], *more: str) -> Path:
        fixed = [f"run.dir={folder}", f"cache={self.output / 'benchmark-cache'}", "journal=none"]
        shutil.rmtree(folder, ignore_errors=True)
        self.door("train", *TEXT, *options, *fixed, *more)
        return folder

    def events(self, folder: Path) -> Iterator[dict]:
        for line in (folder / "journal.jsonl").read_text(encoding="utf-8").splitlines():
            yield json.loads(line)

    def run_of(self, system: str) -> Path:
        return self.output / "benchmark-runs" / system.replace(", ", "_").replace(" ", "_")

    def trained(self, system: str) -> Path:
        """A run of the system, of a few updates where there is none."""
        folder = self.run_of(system)
        if (folder / "checkpoints").is_dir():
            return folder
        return self.train(folder, SYSTEMS[system], "trainer.max_steps=5")

    def training(self) -> None:
        """Target tokens a second without padding, peak memory, padding."""
        for _ in range(self.rounds):
            for system, options in SYSTEMS.items():
                folder = self.train(
                    self.run_of(system), options, f"trainer.max_steps={STEPS}", f"trainer.log_every={REPORT}"
                )
                read = [event for event in self.events(folder) if event["event"] == "train"]
                late = [event["tokens_per_second"] for event in read if event["step"] > WARM]
                self.add("training", system, "tokens/s", "target tokens a second", statistics.median(late))
                self.add("training", system, "peak memory, GB", "GB", read[-1]["memory_gigabytes"])
                padding = statistics.mean(event["padding"] for event in read)
                self.add("training", system, "padding, %", "% of cells", 100 * padding)

    def start(self) -> None:
        """Seconds from the command to the first update, with a warm cache."""
        options = ["trainer.max_steps=1", "trainer.log_every=1"]
        for round_number in range(self.rounds + 1):
            for system in IN_AUTO:
                folder = self.output / "benchmark-runs/start"
                shutil.rmtree(folder, ignore_errors=True)
                command = [sys.executable, "-m", "nmt.train", *TEXT, *SYSTEMS[system], *options, f"run.dir={folder}"]
                command += [f"cache={self.output / 'benchmark-cache'}", f"device={self.device}"]
                began = time.perf_counter()
                process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                while process.poll() is None and not _has_step(folder / "journal.jsonl"):
                    time.sleep(0.005)
                spent = time.perf_counter() - began
                if process.wait():
                    sys.exit(f"start: {' '.join(command)} failed")
                if round_number:  # the first fills the cache
                    self.add("start", system, "first update, s", "seconds", spent)

    def decoding(self) -> None:
        """Sentences a second, beam 5: the time of 1,001 lines less that of 1. Every output has 16 tokens, as the models
        are hardly trained.
        """
        generator = random.Random(1)
        lines = [" ".join(f"s{generator.randrange(WORDS)}" for _ in range(16)) for _ in range(1001)]
        fixed = ["decoding.max_length_factor=0", "decoding.max_length_offset=16", "decoding.min_length=16"]
        engines: dict[str, tuple[Path, list[str]]] = {}
        for system in IN_AUTO:
            engines[system] = self.trained(system), []
        self.door("export", f"run={self.run_of('transformer')}", "quantization=int8")
        engines["transformer, CTranslate2 int8"] = self.run_of("transformer"), ["engine=ctranslate2"]
        for _ in range(self.rounds):
            for system, (folder, more) in engines.items():
                spent = []
                for count in (1, len(lines)):
                    began = time.perf_counter()
                    self.door("translate", f"run={folder}", *fixed, *more, input="\n".join(lines[:count]) + "\n")
                    spent.append(time.perf_counter() - began)
                self.add("decoding", system, "sentences/s", "sentences a second", 1000 / (spent[1] - spent[0]))

    def length(self) -> None:
        """Milliseconds of a training step and of greedy search of 4 sentences, in fp32."""
        device = choose_device(self.device)
        models = {system: open_run(self.trained(system)).model("last", device)[0] for system in IN_AUTO}
        for row in measure(models, LENGTHS):
            self.add("length", row.system, f"train {row.length}", "ms", 1000 * row.training_seconds)
            self.add("length", row.system, f"search {row.length}", "ms", 1000 * row.search_seconds)

    def limit(self) -> None:
        """What a step of the Transformer spends its time on, and its share of what the machine can multiply."""
        device = choose_device(self.device)
        precision = choose_precision(device, "auto")
        model = open_run(self.trained("transformer")).model("last", device)[0].train()
        tokens = torch.randint(4, WORDS, (270, 15), device=device)
        real = torch.ones_like(tokens, dtype=torch.bool)

        def step() -> None:
            with precision.autocast():
                loss, _ = token_loss(model.output, model(tokens, real, tokens), tokens, real, 0.1)
            loss.backward()
            model.zero_grad(set_to_none=True)

        with FlopCounterMode(display=False) as counted:
            step()
        kind = torch.bfloat16 if precision.name == "bf16" else torch.float32
        square = torch.randn(2048, 2048, device=device, dtype=kind)
        for _ in range(self.rounds + 1):
            rate = counted.get_total_flops() / seconds(step, device) / 1e9
            peak = 2 * 2048**3 / seconds(lambda: square @ square, device) / 1e9
            self.add("limit", "transformer", "GFLOP/s of a step", "GFLOP/s", rate)
            self.add("limit", "transformer", "GFLOP/s of a large product", "GFLOP/s", peak)
            self.add("limit", "transformer", "share of it, %", "%", 100 * rate / peak)
        with torch.profiler.profile() as found:
            for _ in range(3):
                step()
        kernels = sorted(found.key_averages(), key=lambda event: -event.self_cpu_time_total)
        total = sum(event.self_cpu_time_total for event in kernels)
        for event in kernels[:8]:
            self.add("limit", "transformer", f"{event.key}, % of time", "%", 100 * event.self_cpu_time_total / total)

    def corpus(self, sizes: list[int]) -> None:
        """Seconds and memory to prepare files of so many pairs, to start with them prepared, to start with a stream."""
        for size in sizes:
            paths = write_corpus(self.output / "benchmark-text", size)
            options = [
                *("corpus=files", f"corpus.train=['{paths}']", f"corpus.valid='{paths}.valid'"),
                *("tokenizer.kind=word", f"tokenizer.vocabulary_size={WORDS}", "+experiment=benchmark/fixed"),
                *("trainer.max_steps=1", "trainer.log_every=1"),
            ]
            cache = self.output / "benchmark-cache-of-corpus"
            shutil.rmtree(cache, ignore_errors=True)
            for what, how in (("prepare", ()), ("start", ()), ("stream", ("batching.stream=true",))):
                folder = self.output / "benchmark-runs/corpus"
                shutil.rmtree(folder, ignore_errors=True)
                began = time.perf_counter()
                self.door("train", *options, *how, f"run.dir={folder}", f"cache={cache}")
                spent = time.perf_counter() - began
                last = [event for event in self.events(folder) if event["event"] == "train"][-1]
                self.add("corpus", f"{size:,} pairs", f"{what}, s", "seconds", spent)
                self.add("corpus", f"{size:,} pairs", f"{what}: memory, GB", "GB", last["memory_gigabytes"])


def seconds(run: Callable[[], object], device: torch.device, repeats: int = 7) -> float:
    """The median of several runs."""
    spent = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        spent.append(time.perf_counter() - began)
    return statistics.median(spent)


def _has_step(journal: Path) -> bool:
    return journal.is_file() and '"event": "train"' in journal.read_text(encoding="utf-8")


def write_corpus(folder: Path, size: int) -> str:
    """Parallel files of so many pairs, and a small validation set: the path with the language left open."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"{size}.{{language}}"
    generator = random.Random(size)
    words = [f"s{number}" for number in range(WORDS)]
    for ending, count in (("", size), (".valid", 100)):
        paths = [Path(f"{stem}{ending}".replace("{language}", language)) for language in ("en", "de")]
        if all(path.is_file() for path in paths):
            continue
        with paths[0].open("w") as source, paths[1].open("w") as target:
            for _ in range(count):
                line = " ".join(generator.choices(words, k=generator.randint(1, LONGEST))) + "\n"
                source.write(line)
                target.write(line)
    return str(stem)


def tables(figures: list[Figure]) -> str:
    """Markdown: a table for each part, systems down and what was measured across."""
    parts: dict[str, list[Figure]] = {}
    for figure in figures:
        parts.setdefault(figure.part, []).append(figure)
    made = []
    for part, own in parts.items():
        systems, columns = (list(dict.fromkeys(getattr(f, name) for f in own)) for name in ("system", "what"))
        cells = {(f.system, f.what): f.told() for f in own}
        rows = [[system, *(cells.get((system, column), "–") for column in columns)] for system in systems]
        header = [part, *columns]
        if len(systems) == 1:  # what was measured goes down
            header, rows = [part, systems[0]], [list(pair) for pair in zip(columns, rows[0][1:], strict=True)]
        made.append(f"{part.capitalize()}:\n\n{markdown_table(header, rows)}")
    return "\n\n".join(made)


def draw(figures: list[Figure], path: Path) -> None:
    """Training and decoding as bars, what length and corpus size cost as lines."""
    figure, axes = plt.subplots(2, 2, figsize=(11, 7), constrained_layout=True)
    for axis, part, what in ((axes[0, 0], "training", "tokens/s"), (axes[0, 1], "decoding", "sentences/s")):
        own = [f for f in figures if f.part == part and f.what == what]
        axis.barh([f.system for f in own], [statistics.median(f.readings) for f in own], color="#4477aa")
        axis.set_xlabel(own[0].unit if own else f"{part}: not measured")
        axis.invert_yaxis()
    for system in IN_AUTO:
        own = [f for f in figures if f.part == "length" and f.system == system and f.what.startswith("train")]
        axes[1, 0].loglog([int(f.what.split()[1]) for f in own], [f.readings[0] for f in own], marker="o", label=system)
    axes[1, 0].set(xlabel="tokens of source and target", ylabel="ms of a training step of 4 sentences")
    axes[1, 0].legend()
    for what in ("prepare: memory, GB", "start: memory, GB", "stream: memory, GB"):
        own = [f for f in figures if f.part == "corpus" and f.what == what]
        sizes = [int(f.system.split()[0].replace(",", "")) for f in own]
        axes[1, 1].semilogx(sizes, [f.readings[0] for f in own], marker="o", label=what.split(":")[0])
    axes[1, 1].set(xlabel="pairs in the corpus", ylabel="peak memory, GB", ylim=(0, None))
    axes[1, 1].legend()
    figure.savefig(path, dpi=120)


def _beside_earlier(path: Path, figures: list[Figure]) -> list[Figure]:
    """What was measured before of other parts is kept."""
    measured = {figure.part for figure in figures}
    earlier = json.loads(path.read_text(encoding="utf-8"))["figures"] if path.is_file() else []
    kept = [Figure(**figure) for figure in earlier if figure["part"] not in measured]
    return sorted([*kept, *figures], key=lambda figure: PARTS.index(figure.part))


def _rounds(figures: list[Figure]) -> int:
    return max((len(figure.readings) for figure in figures if figure.part == "training"), default=0)


def _commits(figures: list[Figure]) -> str:
    """One, or each with its parts, where parts were measured at different times."""
    parts: dict[str, list[str]] = {}
    for figure in figures:
        own = parts.setdefault(figure.commit, [])
        if figure.part not in own:
            own.append(figure.part)
    return next(iter(parts)) if len(parts) == 1 else "; ".join(f"{c} ({', '.join(own)})" for c, own in parts.items())


def write(output: Path, bench: Bench) -> None:
    """After every part, so that none is lost."""
    figures = _beside_earlier(output / "benchmark.json", bench.figures)
    told = {"commit": _commits(figures), "machine": machine(), "rounds": str(_rounds(figures) or bench.rounds)}
    content = {**told, "figures": [asdict(figure) for figure in figures]}
    (output / "benchmark.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    how = " ".join(f"{name.capitalize()}: `{value}`." for name, value in told.items())
    (output / "benchmark.md").write_text(f"{tables(figures)}\n\n{how}\n", encoding="utf-8")
    draw(figures, output / "benchmark.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rounds", type=int, default=3, help="how often systems take turns (3)")
    parser.add_argument("--pairs", nargs="+", type=float, default=[1e4, 1e5, 1e6, 1e7], help="sizes of the corpus")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--output", type=Path, default=ROOT / "runs/benchmark")
    asked = parser.parse_args()
    output = asked.output.absolute()
    output.mkdir(parents=True, exist_ok=True)
    bench = Bench(output, asked.rounds, asked.device)
    measured: dict[str, Callable[[], None]] = {
        **{part: getattr(bench, part) for part in PARTS[:-1]},
        "corpus": lambda: bench.corpus([int(size) for size in asked.pairs]),
    }
    for part in PARTS:
        if part in asked.only:
            print(f"{part}: measuring", flush=True)
            measured[part]()
            write(output, bench)
            print("\n" + tables([figure for figure in bench.figures if figure.part == part]) + "\n", flush=True)
    print(f"in {output}")


if __name__ == "__main__":
    main()
