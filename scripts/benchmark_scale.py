"""What growing costs: text of any size in flat memory, one process against two, one core against all.

  python scripts/benchmark_scale.py                         about 15 minutes on 2 cores
  python scripts/benchmark_scale.py --pairs 1e5 1e6 1e7     how large the text grows (the last takes 1.6 GB of disk)

Writes benchmark.md into --output; `scripts/update_results.py runs/scale` puts it into docs/speed.md. Text is generated.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmark import LONGEST, ROOT, TEXT, WORDS, number, write_corpus

from nmt.report.tables import markdown_table
from nmt.run import git_commit, machine

READ = """
import sys, time, torch
from pathlib import Path
from nmt.corpus.batches.batcher import BatchingOptions
from nmt.corpus.batches.position import Position
from nmt.corpus.batches.cache import cached_pairs
from nmt.corpus.text.cleaning import CleaningOptions
from nmt.corpus.text.concatenation import ConcatenationOptions
from nmt.corpus.kinds.files import FilesOptions
from nmt.corpus.batches.stream import Stream, StreamOptions
from nmt.corpus.subwords.tokenizer import Tokenizer
from nmt.training.meter import peak_memory
how, place, tokenizer, cache = sys.argv[1:]
corpus, tokenizer = FilesOptions(train=[place]), Tokenizer.load(Path(tokenizer))
began = time.perf_counter()
if how == "encode":
    count = len(cached_pairs(corpus, "train", CleaningOptions(), tokenizer, Path(cache)))
else:
    sampling = 0.1 if how == "sampled" else 0.0
    batching = BatchingOptions(stream=True)
    options = StreamOptions(corpus, CleaningOptions(), ConcatenationOptions(), batching, sampling, 1)
    count = 0
    groups = Stream(options, tokenizer).groups(Position(), 1)  # held: its processes are measured, too
    for batches, after in groups:
        count += sum(len(batch.sentences) for batch in batches)
        if after.epoch:
            break
drawing = Path("/proc/self/task").glob("*/children")
peaks = [Path(f"/proc/{child}/status").read_text() for place in drawing for child in place.read_text().split()]
others = sum(int(line.split()[1]) for peak in peaks for line in peak.splitlines() if line.startswith("VmHWM")) / 1e6
print(count / (time.perf_counter() - began), peak_memory(torch.device("cpu")) + others)
"""


def run(command: list[str], cores: str = "", **more: object) -> subprocess.CompletedProcess:
    bound = ["taskset", "-c", cores] if cores else []
    done = subprocess.run([*bound, *command], capture_output=True, text=True, cwd=ROOT, **more)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")
    return done


def reading(output: Path, sizes: list[int], tokenizer: Path, cores: list[str]) -> list[list[str]]:
    """Pairs a second and peak memory of encoding into the cache, and of a stream."""
    rows = []
    for size in sizes:
        place = write_corpus(output / "benchmark-text", size)
        for how in ("encode", "stream", "sampled"):
            if how == "sampled" and size > sizes[0]:
                continue
            cells = []
            for bound in cores if size == sizes[0] else cores[-1:]:
                cache = output / "benchmark-cache-of-scale"
                shutil.rmtree(cache, ignore_errors=True)
                told = run([sys.executable, "-c", READ, how, place, str(tokenizer), str(cache)], bound).stdout.split()
                cells.append(told)
            single = number(float(cells[0][0])) if len(cells) > 1 else "–"
            rows.append([how, f"{size:,}", single, number(float(cells[-1][0])), f"{float(cells[-1][1]):.2f}"])
    return rows


def launched(processes: int, module: str, options: list[str]) -> list[str]:
    if processes == 1:
        return [sys.executable, "-m", module, *options]
    how = ["--standalone", "--local-addr", "127.0.0.1", "--nproc-per-node", str(processes)]
    return [sys.executable, "-m", "torch.distributed.run", *how, "-m", module, *options]


def training(output: Path, rounds: int) -> list[list[str]]:
    """Target tokens a second of the same batches by one process and by two, a core each."""
    rows = []
    for system in ("tsmall", "rattn"):
        rates: dict[tuple[int, str], list[float]] = {}
        for _ in range(rounds):
            for processes, sharding in ((1, "none"), (2, "none"), (2, "full")):
                folder = output / "benchmark-runs/scale"
                shutil.rmtree(folder, ignore_errors=True)
                options = [
                    *(*TEXT, f"+experiment=benchmark/{system}", f"run.dir={folder}", "journal=none", "device=cpu"),
                    *(f"cache={output / 'benchmark-cache'}", "trainer.max_steps=30", "trainer.log_every=5"),
                    *(f"trainer.accumulate={2 // processes}", f"trainer.sharding={sharding}", "trainer.threads=1"),
                ]
                run(launched(processes, "nmt.train", options), env={**os.environ, "OMP_NUM_THREADS": "1"})
                events = map(json.loads, (folder / "journal.jsonl").read_text().splitlines())
                late = [e["tokens_per_second"] for e in events if e["event"] == "train" and e["step"] > 10]
                rates.setdefault((processes, sharding), []).append(statistics.median(late))
        one = statistics.median(rates[1, "none"])
        for (processes, sharding), found in rates.items():
            rate = statistics.median(found)
            how = "1 process" if processes == 1 else f"2 processes, sharding={sharding}"
            rows.append([system, how, number(rate), f"{rate / one:.2f}"])
    return rows


def translating(output: Path) -> list[list[str]]:
    """Lines a second of a file, by one process and by two, a core each. Models are hardly trained: 16 tokens a line."""
    text = Path(write_corpus(output / "benchmark-text", 10_000).replace("{language}", "en"))
    lines = output / "benchmark-text/4000.en"
    lines.write_text("".join(text.read_text().splitlines(keepends=True)[:4000]))
    fixed = ["decoding.max_length_factor=0", "decoding.max_length_offset=16", "decoding.min_length=16", "device=cpu"]
    target, rates = output / "benchmark-text/out", []
    for processes in (1, 2):
        target.unlink(missing_ok=True)
        folder = output / "benchmark-runs/scale"
        options = [f"run={folder}", f"input={lines}", f"output={target}", "shard_lines=500", *fixed]
        began = time.perf_counter()
        run(launched(processes, "nmt.translate", options), env={**os.environ, "OMP_NUM_THREADS": "1"})
        rates.append(4000 / (time.perf_counter() - began))
    return [[f"{n} process{'es' * (n > 1)}", number(r), f"{r / rates[0]:.2f}"] for n, r in enumerate(rates, 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", nargs="+", type=float, default=[1e5, 1e6, 1e7], help="sizes of the text")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=ROOT / "runs/scale")
    asked = parser.parse_args()
    output = asked.output.absolute()
    output.mkdir(parents=True, exist_ok=True)
    commit = git_commit()
    everything = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    first = everything.split(",")[0]
    steps = training(output, asked.rounds)
    tokenizer = output / "benchmark-runs/scale/tokenizer"
    rows = reading(output, [int(size) for size in asked.pairs], tokenizer, [first, everything])
    lines = translating(output)
    cores = f"{len(everything.split(','))} cores"
    parts = [
        "Text of 1 to 25 words, read, cleaned and encoded:",
        markdown_table(["how", "pairs", "pairs/s, 1 core", f"pairs/s, {cores}", "peak memory, GB"], rows),
        "The same batches, each process on a core of its own:",
        markdown_table(["model", "processes", "target tokens/s", "of one process"], steps),
        "A file translated with a beam of 5, from the command to the file:",
        markdown_table(["processes", "lines/s", "of one process"], lines),
        f"Commit: `{commit}`. Machine: `{machine()}`. Text: {WORDS:,} words, up to {LONGEST} a sentence.",
    ]
    (output / "benchmark.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print("\n\n".join(parts))


if __name__ == "__main__":
    main()
