"""A user's own measure, through the door: it appears in every form of the report, with band and star."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.conftest import ROOT, TINY_CORPUS, TINY_SIZES

LABEL = "Häufigkeit €"
# The built-in measures are taken away first; then the user's own, better when lower. It tells its systems apart by
# their attention, so that the difference between them is sure.
PLUGIN = f'''
import numpy as np

from nmt.evaluation.measures.measure import MEASURES, Measure

if REPLACE:
    MEASURES.clear()


class Frequency(Measure):
    name = "frequency"
    label = "{LABEL}"
    digits = 2
    higher_is_better = False

    def statistics(self, evaluation):
        rate = 1.0 if evaluation.heat_maps else 3.0
        return np.array([[rate * len(source.split()), len(source)] for source in evaluation.sources])

    def scores_of_sums(self, sums):
        return sums[:, 0] / sums[:, 1]
'''


def compare(folder, replace: bool, metrics: str) -> None:
    """Two tiny systems, trained for two steps and compared."""
    (folder / "my_measures.py").write_text(PLUGIN.replace("REPLACE", str(replace)), encoding="utf-8")
    small = ",".join(f"'{one}'" for one in (*TINY_CORPUS, *TINY_SIZES["recurrent"], "trainer.validate_every=2"))
    arguments = [
        "name=own",
        "baseline=fixed",
        "+systems={fixed: {experiment: demo/fixed}, attention: {experiment: demo/attention}}",
        "match=steps",
        "budget=2",
        f"overrides=[{small}]",
        f"evaluation.metrics={metrics}",
        "evaluation.bucket_bounds=[5,10]",
        "evaluation.min_sentences=4",
        "evaluation.resamples=200",
        "decoding.beam_size=1",
        "decoding.max_length_factor=1",
        "device=cpu",
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}",
        "NMT_PLUGINS": "my_measures",
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "nmt.compare", *arguments]
    made = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=300)
    assert made.returncode == 0, made.stderr.decode()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    compare(folder, replace=False, metrics="[frequency,bleu]")
    return folder / "runs/own/report-beam_size=1,max_length_factor=1"


def test_it_has_a_row_for_every_bucket_with_band_and_test(report):
    rows = [row for row in csv.DictReader((report / "scores.csv").open()) if row["metric"] == "frequency"]
    assert {(row["system"], row["bucket"]) for row in rows} == {
        (system, bucket) for system in ("fixed", "attention") for bucket in ("1-5", "6-10", "11+", "all")
    }
    for row in rows:
        assert float(row["low"]) <= float(row["score"]) <= float(row["high"])
        assert (row["p_value"] != "") == (row["system"] == "attention")


def test_the_page_and_json_are_told_its_label_and_direction(report):
    content = json.loads((report / "report.json").read_text(encoding="utf-8"))
    [info] = [measure for measure in content["measures"] if measure["name"] == "frequency"]
    assert (info["label"], info["digits"], info["higher_is_better"], info["explains"]) == (LABEL, 2, False, False)
    page = (report / "index.html").read_text(encoding="utf-8")
    assert f'value="frequency" checked><span>{LABEL} (lower is better)</span>' in page
    title = f"{LABEL} (lower is better)"
    assert f'"frequency":{{"label":"{LABEL}","title":"{title}","digits":2,"higherIsBetter":false}}' in page


def test_lower_is_ahead(report):
    text = (report / "report.md").read_text(encoding="utf-8")
    assert re.search(rf"attention is ahead of fixed by \d\.\d\d ± \d\.\d\d {LABEL}", text)


def test_its_table_has_band_and_star_in_markdown_and_latex(report):
    markdown = (report / "report.md").read_text(encoding="utf-8")
    section = markdown[markdown.index(f"## {LABEL} (lower is better), test") :].split("\n## ")[0]
    [line] = [line for line in section.splitlines() if line.startswith("| all")]
    assert re.search(r"\| +0\.\d\d \[0\.\d\d, 0\.\d\d\]\* \|$", line), line
    latex = (report / "frequency_by_length.tex").read_text(encoding="utf-8")
    assert r"Häufigkeit \texteuro{}" in latex and "]*" in latex


def test_its_curve_is_drawn(report):
    assert (report / "frequency_by_length.png").read_bytes().startswith(b"\x89PNG")
    assert "</svg>" in (report / "frequency_by_length.svg").read_text(encoding="utf-8")


def test_tensorboard_has_its_curve_and_band(report):
    board = EventAccumulator(str(report / "tensorboard/attention"))
    board.Reload()
    for end in ("", "_low", "_high"):
        assert {event.step for event in board.Scalars(f"by_length/test/frequency{end}")} == {5, 10, 11}
    assert board.Scalars("final/test_frequency")


def test_without_the_measures_that_are_built_in_the_report_is_still_written(tmp_path):
    compare(tmp_path, replace=True, metrics="[frequency]")
    report = tmp_path / "runs/own/report-beam_size=1,max_length_factor=1"
    rows = list(csv.DictReader((report / "scores.csv").open()))
    assert {row["metric"] for row in rows} == {"frequency"}
    assert {"index.html", "report.md", "report.json", "frequency_by_length.png"} <= {p.name for p in report.iterdir()}
