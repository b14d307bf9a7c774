"""The check of a GPU machine goes on past what fails or hangs, and tells; on a CPU it runs whole but for the laws."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

import gpu
import gpu_results

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
    assert not list(tmp_path.glob("out/*.partial"))


def test_a_machine_without_the_gpu_that_was_asked_for_fails_the_check(tmp_path):
    command = [sys.executable, str(ROOT / "scripts/gpu.py"), "check", "--out", str(tmp_path), "--only", "machine"]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "torch sees no GPU" in done.stdout


def test_every_stage_has_its_function_and_every_law_its_file():
    for name, known in gpu.STAGES.items():
        assert f"\ndef {name}(setting: Setting, report: Report)" in (ROOT / f"scripts/{known.module}.py").read_text()
    import gpu_laws

    for path in gpu_laws.LAWS:
        assert (ROOT / path).exists(), path
