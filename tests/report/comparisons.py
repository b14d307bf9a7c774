"""A comparison as the report is given one, of any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nmt.evaluation.capacity import capacities
from nmt.evaluation.comparison import compare_test_set, merged
from nmt.evaluation.measures.measure import chosen_measures, measure_infos
from nmt.evaluation.published import PublishedOptions, judge
from nmt.evaluation.results import Comparison, CostRow, RunInfo
from nmt.evaluation.translations import Evaluations
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
    parts = []
    for test_set in test_sets:
        by_system = {}
        for number, name in enumerate(names):
            errors = 0.1 if number == 1 else 0.3
            by_seed = {seed: evaluation(errors, 10 * int(seed) + number, GOLD) for seed in seeds}
            by_system[name] = {seed: replace(one, test_set=test_set) for seed, one in by_seed.items()}
        parts.append(compare_test_set(Evaluations(by_system), names[0], OPTIONS))
    signatures = {metric.name: metric.signature for metric in chosen_measures(["bleu", "chrf"])}
    fields = {"signatures": signatures, **merged(parts)}
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
        confidence=0.95,
        min_sentences=20,
        measures=measure_infos(),
        runs=runs,
        costs=[
            CostRow(name, length, 0.001 * length, 0.002 * length, 0.1 * length) for name in names for length in (8, 64)
        ],
        capacities=capacities(fields["rows"], {}, {}),
        published=[
            judge(
                PublishedOptions(80.0, 1.0, "bleu", test_sets[0], "Someone 2014, Table 1"), names[1], fields["rows"], ""
            )
        ],
        provenance={"command": "python -m nmt.compare +comparison=trial", "significance": "approximate randomisation"},
        options={
            name: {"model.size": str(i), "seed": "1", "optimizer.learning_rate": f"0.00{i}"}
            for i, name in enumerate(names)
        },
        **fields,
    )
