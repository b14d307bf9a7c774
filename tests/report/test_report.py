import base64
import csv
import gzip
import io
import json
import re
import sys
from dataclasses import fields, replace

import pytest
from matplotlib import pyplot as plt
from plotly.offline import get_plotlyjs

from nmt.evaluation.results import Comparison, Row
from nmt.report import latex, tables, words
from nmt.report.figures import by_length
from nmt.report.page import pack
from nmt.report.write import write_report
from tests.report.comparisons import make_comparison


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return make_comparison()


@pytest.fixture(scope="module")
def folder(comparison, tmp_path_factory):
    place = tmp_path_factory.mktemp("report")
    write_report(comparison, place)
    return place


def test_every_form_is_written(folder):
    names = {path.name for path in folder.iterdir()}
    forms = {"index.html", "report.json", "scores.csv", "report.md", "sentences_test.jsonl"}
    assert (
        forms | {f"{metric}_by_length.{form}" for metric in ("bleu", "chrf") for form in ("png", "svg", "tex")} <= names
    )
    assert (folder / "bleu_by_length.png").read_bytes().startswith(b"\x89PNG")


def test_without_plotly_all_but_the_page_is_written(comparison, tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    monkeypatch.setitem(sys.modules, "plotly", None)
    (tmp_path / "index.html").write_text("of an earlier report")
    paths = write_report(comparison, tmp_path)
    assert "index.html" not in paths and not (tmp_path / "index.html").exists()
    assert (tmp_path / "report.md").exists()
    [warning] = caplog.messages
    assert "pip install plotly" in warning


def test_what_an_earlier_report_said_by_another_measure_is_gone(comparison, tmp_path):
    (tmp_path / "ter_by_length.png").write_bytes(b"of an earlier report")
    (tmp_path / "notes.txt").write_text("the user's own")
    write_report(comparison, tmp_path)
    assert not (tmp_path / "ter_by_length.png").exists()
    assert (tmp_path / "notes.txt").exists() and (tmp_path / "bleu_by_length.png").exists()


def test_the_page_is_one_file_and_escapes_what_it_shows(folder):
    page = (folder / "index.html").read_text()
    own = page.replace(get_plotlyjs(), "")
    assert not re.findall(r'(?:src|href)="(?!#|data:)([^"]+)"|@import', own)
    assert "<b>" not in own.replace("<b>${", "")
    assert len(page) < 15_000_000


def test_learning_curves_are_of_what_was_measured_and_not_of_what_it_is_drawn_against(folder):
    page = (folder / "index.html").read_text()
    assert re.findall(r'name="of" value="(\w+)"', page) == ["loss", "bleu"]
    assert re.findall(r'name="against" value="(\w+)"', page) == ["minutes", "tokens", "step"]


def test_sentences_that_do_not_fit_are_thinned_evenly(comparison):
    [sentences] = comparison.sentences
    whole, count = pack(sentences, 10**9)
    assert count == len(sentences.sources)
    small, fewer = pack(sentences, len(whole) // 3)
    assert len(small) <= len(whole) // 3 and 0 < fewer < count
    rows = json.loads(gzip.decompress(base64.b64decode(small)))["rows"]
    numbers = [row["number"] for row in rows]
    assert len(numbers) == fewer and numbers == sorted(numbers)
    counts = [sum(row["bucket"] == bucket for row in rows) for bucket in ("1-8", "9-12")]
    assert abs(counts[0] - counts[1]) <= 1, "spread over lengths, which in the file alternate"


def test_every_sentence_lies_beside_the_page(comparison, folder):
    records = [json.loads(line) for line in (folder / "sentences_test.jsonl").read_text().splitlines()]
    assert [r["source"] for r in records] == comparison.sentences[0].sources
    assert records[0]["outputs"].keys() == records[0]["scores"]["bleu"].keys() == set(comparison.systems)


def test_a_latex_table_compiles_in_spirit(comparison):
    text = latex.latex_table(comparison, "test", "bleu")
    assert text.count(r"\begin") == text.count(r"\end") == 2
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")]
    assert all(line.count("&") == 4 for line in body.splitlines() if line.endswith(r"\\"))
    assert latex.latex("5 % & $_x ±") == r"5 \% \& \$\_x $\pm$"


def test_the_csv_has_the_columns_of_a_row_and_reads_back(comparison, folder):
    rows = list(csv.DictReader(io.StringIO((folder / "scores.csv").read_text())))
    header = "system,seed,test_set,bucket,sentences,metric,score,low,high,baseline,p_value"
    assert list(rows[0]) == header.split(",") == [field.name for field in fields(Row)]
    assert len(rows) == len(comparison.rows)
    assert [float(row["score"]) for row in rows] == pytest.approx([row.score for row in comparison.rows], abs=1e-4)


def test_the_json_holds_all(comparison, folder):
    assert Comparison.from_json(json.loads((folder / "report.json").read_text())) == replace(comparison, sentences=[])


def test_a_report_of_before_reads_with_what_it_had(comparison, folder):
    content = json.loads((folder / "report.json").read_text())
    del content["gradients"], content["costs"]
    assert Comparison.from_json(content) == replace(comparison, sentences=[], gradients=[], costs=[])


def test_many_systems_stand_one_below_the_other(comparison):
    table = tables.system_table(comparison, "test", "bleu")
    header, rows = table.header, table.rows
    assert header[:5] == ["system", "1-8", "9-12", "13+", "all"] and "alignment error, %" in header
    assert [row[0] for row in rows] == comparison.systems and all(len(row) == len(header) for row in rows)
    assert rows[1][1].endswith("*") and not rows[0][1].endswith("*")


def test_findings_say_better_only_where_it_is(comparison):
    better, same = sorted(words.findings(comparison), key=lambda told: "no sure difference" in told)
    lead = (
        r"Up to 12 words attention is ahead of fixed by [^;]+ BLEU \(together \d+\.\d ± \d+\.\d, largest p . 0\.\d+\)\."
    )
    assert re.match(lead, better), "13+ has too few sentences: nothing is said of every length"
    assert "no sure difference between <b> and fixed" in same and "ahead" not in same


@pytest.mark.parametrize(
    ("range", "low", "high", "told"),
    [
        ("1-20", 1, 20, "Up to 20 words"),
        ("41+", 41, None, "Beyond 40 words"),
        ("11-40", 11, 40, "From 11 to 40 words"),
        ("8", 8, 8, "At 8 words"),
        ("every", 1, None, "At every length"),
        ("all", 0, None, "Over all lengths together"),
        ("11-40", 0, None, "At 11-40 words"),  # of a report written before findings had bounds
    ],
)
def test_ranges_read_as_words(comparison, range, low, high, told):
    finding = replace(comparison.findings[0], range=range, low=low, high=high)
    assert words.findings(replace(comparison, findings=[finding]))[0].startswith(told)


def test_a_table_marks_what_differs_and_brackets_what_is_too_few(comparison):
    table = tables.comparison_table(comparison, "test", "chrf")
    rows = table.rows
    assert table.header == ["source words", "sentences", "fixed", "attention", "<b>"]
    assert [row[3].endswith("*") for row in rows] == [True, True, False, True]
    assert re.fullmatch(r"\(\d+\.\d\)", rows[2][2])


def test_what_systems_were_not_given_alike_is_told(comparison, folder):
    assert tables.differing_options(comparison).rows == [["optimizer.learning_rate", "0.000", "0.001", "0.002"]]
    assert "optimizer.learning_rate" in (folder / "index.html").read_text()
    assert "optimizer.learning_rate" in (folder / "report.md").read_text()


@pytest.mark.parametrize("names", [("fixed", "attention"), ("transformer_fp32", "transformer_bf16", "attention_fp32")])
def test_the_legend_of_a_figure_lies_within_it_and_hides_no_text(names):
    figure = by_length(make_comparison(names), "test", "bleu")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    legend = axes.get_legend().get_window_extent()
    assert figure.bbox.padded(1).fully_containsx(legend.x0) and figure.bbox.padded(1).fully_containsx(legend.x1)
    assert not any(legend.overlaps(text.get_window_extent()) for text in axes.texts)
    plt.close(figure)
