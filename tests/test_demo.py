"""The demo keeps its promise: make test-slow (about seven minutes)."""

import csv

import pytest

from tests.conftest import door


@pytest.mark.slow
def test_the_fixed_context_is_good_on_short_sentences_and_falls_with_length_while_attention_holds(tmp_path):
    made = door("compare", "+comparison=demo", folder=tmp_path, limit=900, threads="2")
    assert made.returncode == 0, made.stderr.decode()
    with open(tmp_path / "runs/demo/report/scores.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "bleu"]
    shortest, longest = ({row["system"]: row for row in rows if row["bucket"] == bucket} for bucket in ("1-10", "81+"))
    assert float(shortest["fixed"]["score"]) >= 0.6 * float(shortest["attention"]["score"])
    assert float(longest["fixed"]["score"]) <= 0.3 * float(longest["attention"]["score"])
    assert float(longest["fixed"]["high"]) < float(longest["attention"]["low"])
