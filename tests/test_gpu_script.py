"""The check of a GPU machine goes on past what fails or hangs, and tells; on a CPU it runs whole but for the laws."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tarfile
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

import gpu
import gpu_kernels
import gpu_laws
import gpu_measure
import gpu_results
import gpu_steps
from gpu_setting import Setting

from nmt.config import compose_train
from nmt.kernels.attention import plain_attention

SLEEPER = "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
SLEEPER += "open(sys.argv[1], 'w').write(str(child.pid)); child.wait()"


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


def is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc").exists(), reason="processes are looked up in /proc")
def test_a_stage_that_fails_or_hangs_does_not_stop_the_next_and_is_told(tmp_path):
    stages = [
        gpu.Stage("failing", python("print('what went wrong'); raise SystemExit(3)"), 30),
        gpu.Stage("hanging", python(SLEEPER, str(tmp_path / "pid")), 2),
        gpu.Stage("working", python("pass"), 30),
    ]
    began = time.monotonic()
    assert gpu.check(stages, tmp_path) == 1
    assert time.monotonic() - began < 30
    rows = {row["stage"]: row for row in json.loads((tmp_path / "results.json").read_text())["rows"]}
    assert {name: row["status"] for name, row in rows.items()} == {
        "failing": "failed",
        "hanging": "timeout",
        "working": "ok",
    }
    assert "exit code 3" in rows["failing"]["note"] and "limit of 2 s" in rows["hanging"]["note"]
    assert "what went wrong" in (tmp_path / "failing.log").read_text()
    assert len((tmp_path / "table.txt").read_text().splitlines()) == 3
    child = int((tmp_path / "pid").read_text())
    while is_alive(child):  # killed, and not yet buried
        assert time.monotonic() - began < 40, "what a hanging stage started outlives it"
        time.sleep(0.1)


def test_stages_that_all_work_give_no_error(tmp_path):
    assert gpu.check([gpu.Stage("working", python("pass"), 30)], tmp_path) == 0


def test_stages_together_have_no_more_time_than_was_given(tmp_path):
    told = f"import os; open({str(tmp_path / 'ends')!r}, 'w').write(os.environ['{gpu.ENDS}']); "
    stages = [
        gpu.Stage("hanging", python(told + "import time; time.sleep(60)"), 30),
        gpu.Stage("late", python("pass"), 30),
    ]
    began = time.time()
    assert gpu.check(stages, tmp_path, seconds=2) == 1
    assert time.time() - began < 20
    rows = gpu_results.Results(tmp_path).rows()
    assert [(row.stage, row.status) for row in rows] == [("hanging", "timeout"), ("late", "skipped")]
    assert "limit of 2 s" in rows[0].note and rows[1].note == "no time left"
    assert began < float((tmp_path / "ends").read_text()) < began + 4, "the stage knows when it will be killed"


def test_a_stage_keeps_its_own_limit_where_more_time_is_left(tmp_path):
    assert gpu.check([gpu.Stage("hanging", python("import time; time.sleep(60)"), 1)], tmp_path, seconds=50) == 1
    assert "limit of 1 s" in gpu_results.Results(tmp_path).rows()[0].note


@pytest.mark.slow
def test_tests_that_are_cut_short_have_told_what_failed_so_far(tmp_path, monkeypatch):
    tests = tmp_path / "test_given.py"
    tests.write_text(
        "import time\n\n"
        "def test_right(): pass\n\n"
        "def test_wrong(): assert 1 == 2, 'one is not two'\n\n"
        "def test_hanging(): time.sleep(60)\n"
    )
    monkeypatch.setattr(gpu_laws, "LAWS", [str(tests)])
    monkeypatch.setattr(gpu_laws, "MARGIN", 0.0)
    results = gpu_results.Results(tmp_path)
    report = gpu_results.Report(results, "laws", predicts=False)
    began = time.time()
    gpu_laws.laws(Setting("cpu", True, tmp_path, tmp_path, ends=began + 8), report)
    assert time.time() - began < 30
    failed, passed, stopped = results.rows()
    assert failed.what == "test_given: test_wrong" and "one is not two" in failed.note
    assert (passed.what, passed.value, passed.note) == ("tests passed", 1, "1 failed, 0 skipped")
    assert stopped.status == "failed" and "1 passed and 1 failed so far" in stopped.note
    assert report.failures == 2


def test_a_law_that_cannot_be_read_is_a_failed_row(tmp_path, monkeypatch):
    broken = tmp_path / "test_broken.py"
    broken.write_text("import no_such_module_of_anyone\n")
    monkeypatch.setattr(gpu_laws, "LAWS", [str(broken)])
    results = gpu_results.Results(tmp_path)
    report = gpu_results.Report(results, "laws", predicts=False)
    gpu_laws.laws(Setting("cpu", True, tmp_path, tmp_path), report)
    assert report.failures == 1
    assert results.rows()[0].status == "failed" and "no_such_module_of_anyone" in results.rows()[0].note


def test_only_warnings_of_a_wait_count_as_waits():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            warnings.warn("called a synchronizing CUDA operation (Triggered internally at ...)", stacklevel=1)
        warnings.warn("does not yet detect all synchronizing operations", stacklevel=1)
    places = gpu_steps.waits_by_place(caught)
    assert list(places.values()) == [3]
    assert next(iter(places)).startswith("test_gpu_script.py:")


def test_launches_are_counted_by_either_interface_and_nothing_else_is():
    names = ["cudaLaunchKernel", "cudaLaunchKernelExC_v11060", "cuLaunchKernelEx", "cudaMemcpyAsync", "aten::mm"]
    events = [SimpleNamespace(key=name, count=10**place) for place, name in enumerate(names)]
    assert gpu_steps.count_launches(events) == 111


def test_packed_heads_are_cut_where_sentences_end(tmp_path, monkeypatch):
    library = pytest.importorskip("torch.nn.attention.varlen")

    def by_sentence(query, key, value, starts, starts_of_keys, longest, longest_key):
        assert starts.dtype == torch.int32 and starts is starts_of_keys and longest == longest_key
        contexts = []
        for first, last in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
            assert last - first <= longest
            parts = [tensor[first:last].transpose(0, 1) for tensor in (query, key, value)]
            contexts.append(plain_attention(*parts)[0].transpose(0, 1))
        return torch.cat(contexts)  # (B * T, H, D)

    monkeypatch.setattr(library, "varlen_attn", by_sentence)
    report = gpu_results.Report(gpu_results.Results(tmp_path), "attention", predicts=False)
    packed = {kernel.name: kernel for kernel in gpu_kernels._kernels(report)}["variable length, packed"]
    heads = gpu_kernels._heads(Setting("cpu", True, tmp_path, tmp_path), 1)
    heads.mask.fill_(True)
    expected = gpu_kernels._masked(heads).transpose(1, 2).flatten(0, 1)
    torch.testing.assert_close(packed.attend(heads), expected)


def test_a_row_is_written_at_once_and_stands_beside_its_prediction(tmp_path):
    results = gpu_results.Results(tmp_path)
    report = gpu_results.Report(results, "steps", predicts=True)
    report.figure("a step", 61.23, "ms", "55-65 ms")
    assert "61.2 ms  predicted 55-65 ms" in (tmp_path / "table.txt").read_text()
    with report.trying("another"):
        raise RuntimeError("no such kernel\nand more")
    assert [row.status for row in results.rows()] == ["ok", "failed"] and report.failures == 1
    assert results.rows()[1].note == "RuntimeError: no such kernel"
    report.skip("a third", "a CPU has none")
    assert report.failures == 1


def test_predictions_for_a_gpu_are_not_held_against_a_cpu(tmp_path):
    report = gpu_results.Report(gpu_results.Results(tmp_path), "steps", predicts=False)
    report.figure("a step", 61.23, "ms", "55-65 ms")
    assert "predicted" not in (tmp_path / "table.txt").read_text()


def test_the_check_runs_on_a_cpu_and_skips_what_that_has_not(tmp_path):
    command = [sys.executable, str(ROOT / "scripts/gpu.py"), "check", "--out", str(tmp_path / "out"), "--device", "cpu"]
    command += ["--only", "machine", "attention", "steps"]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = gpu_results.Results(tmp_path / "out").rows()
    stages = [row.stage for row in rows if row.what == "whole stage"]
    assert stages == ["machine", "attention", "steps"]
    skipped = [row.what for row in rows if row.status == "skipped"]
    assert {"cuDNN", "cuDNN, padding mask", "variable length, packed", "waits for the device"} <= set(skipped)
    measured = [row for row in rows if row.what.endswith("as it is")]
    assert len(measured) == 2 and all(row.value > 0 for row in measured)
    variants = {row.what.partition("tokens, ")[2] for row in rows if "tokens, " in row.what and row.status == "ok"}
    assert variants == {variant.name for variant in gpu_steps.VARIANTS}
    assert not list(tmp_path.glob("out/*.partial"))


@pytest.mark.slow
def test_figures_are_measured_on_a_cpu_at_tiny_sizes(tmp_path):
    corpus = tmp_path / "data" / "europarl-en-fr"
    corpus.mkdir(parents=True)
    generated = [pair for pair, _ in zip(compose_train([]).corpus.read("train"), range(600), strict=False)]
    for language, side in (("en", "source"), ("fr", "target")):
        lines = [getattr(pair, side) + "\n" for pair in generated]
        for name in ("train", "train-more", "train-long"):
            with gzip.open(corpus / f"{name}.{language}.gz", "wt", encoding="utf-8") as file:
                file.writelines(lines)
        for name in ("valid", "test-by-length"):
            (corpus / f"{name}.{language}").write_text("".join(lines[:30]), encoding="utf-8")
    command = [sys.executable, str(ROOT / "scripts/gpu.py"), "measure", "--out", str(tmp_path / "out")]
    command += ["--device", "cpu", "--only", "training", "search", "europarl"]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "NMT_DATA": str(tmp_path / "data")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = gpu_results.Results(tmp_path / "out").rows()
    assert not [row for row in rows if row.status == "failed"]
    assert len([row for row in rows if row.unit == "target tokens/s"]) == len(gpu_measure.TRAINED) + 3
    assert len([row for row in rows if row.unit == "sentences/s"]) == 3
    with tarfile.open(tmp_path / "out" / "runs.tgz") as packed:
        names = packed.getnames()
    assert "europarl/report/scores.csv" in names
    assert "europarl/transformer/seed-1/evaluations/test-by-length/hypothesis.txt" in names
    assert not [name for name in names if name.endswith(".safetensors")]


def test_a_machine_without_the_gpu_that_was_asked_for_fails_the_check(tmp_path):
    command = [sys.executable, str(ROOT / "scripts/gpu.py"), "check", "--out", str(tmp_path), "--only", "machine"]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "torch sees no GPU" in done.stdout


def test_every_stage_has_its_function_and_every_law_its_file():
    for name, known in gpu.STAGES.items():
        assert f"\ndef {name}(setting: Setting, report: Report)" in (ROOT / f"scripts/{known.module}.py").read_text()
    for path in gpu_laws.LAWS:
        assert (ROOT / path).exists(), path
