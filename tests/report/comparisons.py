"""A comparison as the report is given one, of any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nmt.evaluation.capacity import capacities
from nmt.evaluation.findings import find
from nmt.evaluation.published import PublishedOptions, judge
from nmt.evaluation.results import Comparison, CostRow, RunInfo
from nmt.evaluation.scores import make_metrics
from nmt.evaluation.table import compare_on, gradient_rows, recall_by_place, sentence_set
from tests.evaluation.test_table import OPTIONS, SOURCES, evaluation

GOLD = [[(i, i) for i in range(min(7, len(source.split())))] for source in SOURCES]

CURVE = [
    {"step": 5, "seconds": 30.0, "tokens": 2500, "loss": 3.0, "bleu": 10.0},
    {"step": 10, "seconds": 60.0, "tokens": 5000, "loss": 2.0, "bleu": 20.0},
]


def make_comparison(
    names: Sequence[str] = ("fixed", "attention", "<b>"),
    seeds: Sequence[str] = ("1",),
    test_sets: Sequence[str] = ("test",),
) -> Comparison:
    """The second system makes fewer errors than the others."""
    rows, differences, findings, sentences, places, gradients = [], [], [], [], [], []
    for test_set in test_sets:
        systems = {
            name: {
                seed: replace(evaluation(0.1 if i == 1 else 0.3, 10 * int(seed) + i), test_set=test_set)
                for seed in seeds
            }
            for i, name in enumerate(names)
        }
        made, found = compare_on(systems, names[0], OPTIONS, GOLD)
        rows, differences = rows + made, differences + found
        findings += find(systems, names[0], OPTIONS)
        sentences.append(sentence_set(systems, OPTIONS, GOLD))
        places += recall_by_place(systems, OPTIONS, GOLD)
        gradients += gradient_rows(systems, OPTIONS)
    runs = [
        RunInfo(name, seed, 1000, 10, 5000, 60.0, 83.0, 8, "fp32", 2.0, f"runs/{name}", None, CURVE)
        for name in names
        for seed in seeds
    ]
    return Comparison(
        name="trial",
        baseline=names[0],
        systems=list(names),
        matched="minutes: 1 each",
        metrics=["bleu", "chrf"],
        signatures={metric.name: metric.signature for metric in make_metrics(["bleu", "chrf"])},
        confidence=0.95,
        min_sentences=20,
        test_sets={test_set: {"1-8": 49, "9-12": 48, "13+": 3, "all": 100} for test_set in test_sets},
        rows=rows,
        differences=differences,
        runs=runs,
        findings=findings,
        sentences=sentences,
        places=places,
        gradients=gradients,
        costs=[
            CostRow(name, length, 0.001 * length, 0.002 * length, 0.1 * length) for name in names for length in (8, 64)
        ],
        capacities=capacities(rows, {}, {}),
        published=[
            judge(PublishedOptions(80.0, 1.0, "bleu", test_sets[0], "Someone 2014, Table 1"), names[1], rows, "")
        ],
        provenance={"command": "python -m nmt.compare +comparison=trial", "significance": "approximate randomisation"},
        options={
            name: {"model.size": str(i), "seed": "1", "optimizer.learning_rate": f"0.00{i}"}
            for i, name in enumerate(names)
        },
    )
