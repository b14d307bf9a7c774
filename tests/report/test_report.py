import csv
import io
import json
import re
from dataclasses import fields

import pytest

from nmt.evaluation.comparison import compare_on, pick_examples
from nmt.evaluation.results import Comparison, HeatMap, Row, RunInfo
from nmt.evaluation.scores import make_metrics
from nmt.report import tables
from nmt.report.write import write_report
from tests.evaluation.test_comparison import OPTIONS, evaluation


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    systems = {
        "fixed": {"1": evaluation(0.3, 1)},
        "attention": {"1": evaluation(0.1, 2)},
        "<b>": {"1": evaluation(0.3, 3)},
    }
    rows, differences = compare_on(systems, "fixed", OPTIONS)
    runs = [
        RunInfo(
            name,
            "1",
            1000,
            10,
            5000,
            60.0,
            83.0,
            8,
            "fp32",
            2.0,
            f"runs/{name}",
            [
                {"step": 5, "seconds": 30.0, "tokens": 2500, "loss": 3.0},
                {"step": 10, "seconds": 60.0, "tokens": 5000, "loss": 2.0},
            ],
        )
        for name in systems
    ]
    return Comparison(
        name="trial",
        baseline="fixed",
        systems=list(systems),
        matched="minutes: 1 each",
        metrics=["bleu", "chrf"],
        signatures={m.name: m.signature for m in make_metrics(["bleu", "chrf"])},
        confidence=0.95,
        min_sentences=20,
        test_sets={"test": {"1-8": 49, "9-12": 48, "13+": 3, "all": 100}},
        rows=rows,
        differences=differences,
        runs=runs,
        examples=pick_examples(systems, OPTIONS),
        heat_maps=[HeatMap("attention", ["▁a", "$b"], ["▁c"], [[0.2, 0.8]])],
        provenance={"command": "python -m nmt.compare +comparison=trial", "significance": "approximate randomisation"},
        options={
            name: {"model.size": str(i), "seed": "1", "optimizer.learning_rate": f"0.00{i}"}
            for i, name in enumerate(systems)
        },
    )


@pytest.fixture(scope="module")
def folder(comparison, tmp_path_factory):
    place = tmp_path_factory.mktemp("report")
    write_report(comparison, place)
    return place


def test_every_form_is_written(folder):
    names = {path.name for path in folder.iterdir()}
    assert {"index.html", "report.json", "scores.csv", "report.md", "bleu_by_length.png", "bleu_by_length.svg"} <= names
    assert (folder / "bleu_by_length.png").read_bytes().startswith(b"\x89PNG")


def test_the_page_asks_for_nothing_outside_itself_and_escapes_what_it_shows(folder):
    page = (folder / "index.html").read_text()
    loads = re.findall(r'(?:src|href)="(?!#|data:)([^"]+)"|url\((?!#)([^)]+)\)|@import', page)
    assert not loads
    assert "<b>" not in page.replace("&lt;b&gt;", "")
    identifiers = re.findall(r'\bid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))


def test_the_csv_has_the_columns_of_a_row_and_reads_back(comparison, folder):
    rows = list(csv.DictReader(io.StringIO((folder / "scores.csv").read_text())))
    header = "system,seed,test_set,bucket,sentences,metric,score,low,high,baseline,p_value"
    assert list(rows[0]) == header.split(",") == [field.name for field in fields(Row)]
    assert len(rows) == len(comparison.rows)
    assert [float(row["score"]) for row in rows] == pytest.approx([row.score for row in comparison.rows], abs=1e-4)


def test_the_json_holds_all(comparison, folder):
    assert Comparison.from_json(json.loads((folder / "report.json").read_text())) == comparison


def test_findings_say_better_only_where_it_is(comparison):
    better, same = tables.findings(comparison)
    assert better.count("is ahead of fixed by") == 2
    assert same.count("do not differ") == 2 and "ahead" not in same


def test_a_table_marks_what_differs_and_brackets_what_is_too_few(comparison):
    header, rows = tables.comparison_table(comparison, "test", "bleu")
    assert header == ["source words", "sentences", "fixed", "attention", "<b>"]
    assert [row[3].endswith("*") for row in rows] == [True, True, False, True]
    assert re.fullmatch(r"\(\d+\.\d\)", rows[2][2])


def test_what_systems_were_not_given_alike_is_told(comparison, folder):
    assert tables.differing_options(comparison)[1] == [["optimizer.learning_rate", "0.000", "0.001", "0.002"]]
    assert "optimizer.learning_rate" in (folder / "index.html").read_text()
    assert "optimizer.learning_rate" in (folder / "report.md").read_text()
