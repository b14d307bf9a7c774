"""The scripts that write results into the documents."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from nmt.config import CONFIG_FOLDER
from nmt.report.write import write_report
from tests.conftest import ROOT
from tests.report.comparisons import make_comparison

sys.path.insert(0, str(ROOT / "scripts"))

import reproduce
import update_results


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(update_results, "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/results.md").write_text("before\n<!-- trial -->\nold\n<!-- /trial -->\nafter\n")
    (tmp_path / "README.md").write_text("before\n<!-- trial-short -->\nold\n<!-- /trial-short -->\nafter\n")
    write_report(make_comparison(), tmp_path / "runs/trial/report")
    return tmp_path


def test_a_table_is_rewritten_between_its_markers_alone(place):
    for _ in range(2):
        update_results.update(place / "runs/trial")
    text = (place / "docs/results.md").read_text()
    assert text.startswith("before\n<!-- trial -->") and text.endswith("<!-- /trial -->\nafter\n")
    assert "old" not in text and text.count("| 9-12 ") == 1 and "reproduced" not in text
    assert (place / "docs/trial.png").stat().st_size > 10_000


def test_the_readme_gets_every_second_bucket_and_the_whole(place):
    update_results.update(place / "runs/trial")
    whole = (place / "docs/results.md").read_text().splitlines()
    short = (place / "README.md").read_text().splitlines()
    table = [line for line in short if line.startswith("|")]
    rows = [line for line in whole if line.startswith("|")]
    labels = [line.split("|")[1].strip() for line in table]
    assert labels[-1] == "all" and len(labels) == 2 + len(rows[2 : rows.index(table[-1])][::2]) + 1
    assert set(table) <= set(rows) and "In brackets" not in "".join(short)


def test_a_comparison_that_no_page_has_a_place_for_is_told(place):
    (place / "docs/results.md").write_text("nothing here")
    with pytest.raises(SystemExit, match="no page has a place for 'trial'"):
        update_results.update(place / "runs/trial")


def test_work_is_asked_to_save_and_stop_when_time_is_up(capsys):
    code = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(143)); time.sleep(60)"
    start = time.monotonic()
    assert reproduce.run("trial", [sys.executable, "-c", code], start + 1) == 3
    assert time.monotonic() - start < 20 and "the same command continues" in capsys.readouterr().out
    assert reproduce.run("trial", [sys.executable, "-c", "raise SystemExit(2)"], float("inf")) == 2


@pytest.mark.parametrize(("code", "reproduced"), [(0, ["real", "other"]), (2, ["other"])])
def test_a_comparison_whose_corpus_can_not_be_fetched_is_left_out(monkeypatch, capsys, code, reproduced):
    works = [sys.executable, "-S", "-c", ""]
    updated: list[str] = []
    monkeypatch.setattr(reproduce, "results", lambda device: {"real": (works, "some_corpus"), "other": (works, "")})
    monkeypatch.setattr(reproduce, "fetching", lambda corpus: [sys.executable, "-S", "-c", f"raise SystemExit({code})"])
    monkeypatch.setattr(reproduce, "update", lambda folder: updated.append(folder.name))
    monkeypatch.setattr(sys, "argv", ["reproduce.py"])
    assert reproduce.main() == 0 and updated == reproduced
    assert ("real: left out, some_corpus could not be fetched" in capsys.readouterr().out) == (code == 2)


def test_what_is_reproduced_on_real_text_names_a_corpus_that_there_is():
    for device in ("cpu", "cuda"):
        for _, corpus in reproduce.results(device).values():
            assert not corpus or (CONFIG_FOLDER / f"corpus/{corpus}.yaml").exists()
    assert reproduce.fetching("scan")[-3:] == ["-m", "nmt.data", "corpus=scan"]


def test_there_is_a_place_for_every_result():
    text = "".join((ROOT / page).read_text() for page in update_results.PAGES)
    for device in ("cpu", "cuda"):
        for name in reproduce.results(device):
            assert f"<!-- {name} -->" in text and f"<!-- /{name} -->" in text


def test_an_unknown_name_is_told():
    made = subprocess.run(
        [sys.executable, "scripts/reproduce.py", "--only", "demoo"], cwd=ROOT, capture_output=True, check=False
    )
    assert made.returncode == 2 and b"there are demo, multi30k" in made.stderr


def test_a_benchmark_has_its_place_too(place):
    (place / "runs/peers").mkdir(parents=True)
    (place / "runs/peers/benchmark.md").write_text("| a | table |\n")
    (place / "docs/speed.md").write_text("<!-- peers -->\n<!-- /peers -->\n")
    update_results.update(place / "runs/peers")
    assert (place / "docs/speed.md").read_text() == "<!-- peers -->\n| a | table |\n<!-- /peers -->\n"


def test_rounds_of_a_side_by_side_benchmark_become_one_row(tmp_path):
    from peers import table

    for number, pace in ((1, 1.0), (2, 0.5)):
        run = {"t0": 0.0, "times": [3 + pace * i for i in range(20)], "tokens": [100] * 20, "cells": [125] * 20}
        (tmp_path / f"nmt.tsmall.fp32.{number}.json").write_text(json.dumps({**run, "rss_kb": 2048 * number}))
    (tmp_path / "decode.tsv").write_text("nmt.tsmall.beam5.bf16\t197.0 sent/s (best 198.0)\tmore\n")
    assert table.training(tmp_path) == [["tsmall", "**nmt**, fp32", "150 (100-200)", "20.0", "3.0", "3", "2"]]
    assert table.searching(tmp_path / "decode.tsv") == [["tsmall", "**nmt**, bf16", "197.0"]]
