"""A comparison for TensorBoard: scores by source length, systems laid over each other, and final scores by options."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from nmt.errors import leave_disk_errors_to_caller
from nmt.evaluation.results import ALL, ALL_SEEDS, Comparison, Row
from nmt.report.hparams import experiment_of, typed_options, write_session

if TYPE_CHECKING:  # imported late: TensorBoard is slow to start
    from torch.utils.tensorboard import SummaryWriter


def write_board(comparison: Comparison, folder: Path) -> None:
    """A run of TensorBoard for each system: the axis of its curves is the source length, not the step.

    Each bucket stands at its last length, an open one at the median length of its sentences. As in every figure, a
    bucket with too few sentences for a band, or too short for the measure, has no point. Scores over all lengths stand
    at the number of updates. What was there before is replaced.
    """
    from torch.utils.tensorboard import SummaryWriter

    shutil.rmtree(folder, ignore_errors=True)
    leave_disk_errors_to_caller()
    places = _places(comparison)
    finals = {system: _finals(comparison, system) for system in comparison.systems}
    tags: dict[str, None] = {}  # of all systems, each once
    for of_system in finals.values():
        tags |= dict.fromkeys(of_system)
    options = typed_options(comparison.options)
    experiment = experiment_of(options, tags)
    for system in comparison.systems:
        place = folder / folder_of(system)
        with SummaryWriter(str(place)) as board:
            board.add_custom_scalars(_layout(comparison))
            for row in comparison.rows:
                if row.system == system and row.bucket != ALL and _is_drawn(comparison, row):
                    at = places[row.test_set, row.bucket]
                    _add_point(board, row, at)
        updates = next(run.steps for run in comparison.runs if run.system == system)
        write_session(place, options[system], finals[system], updates, experiment)


def _finals(comparison: Comparison, system: str) -> dict[str, float]:
    """A system's scores over all lengths, by their tags; of several seeds their mean."""
    finals: dict[str, float] = {}
    for row in comparison.rows:
        if row.system != system or row.bucket != ALL or not _is_of_all_seeds(comparison, row):
            continue
        if row.metric in comparison.metrics:
            finals[f"final/{row.test_set}_{row.metric}"] = row.score
    return finals


def folder_of(system: str) -> str:
    """Names the folder of a system's curves."""
    return re.sub(r"[^\w.+-]+", "_", system)


def _add_point(board: SummaryWriter, row: Row, at: int) -> None:
    """One bucket's score, and its band where it has one."""
    tag = f"by_length/{row.test_set}/{row.metric}"
    values = {"": row.score, "_low": row.low, "_high": row.high}
    for end, value in values.items():
        if value is not None:
            board.add_scalar(f"{tag}{end}", value, at)


def _places(comparison: Comparison) -> dict[tuple[str, str], int]:
    """Where each bucket stands on the axis, by test set and label."""
    places: dict[tuple[str, str], int] = {}
    for test_set, buckets in comparison.buckets.items():
        for bucket in buckets:
            places[test_set, bucket.label] = bucket.place
    return places


def _is_drawn(comparison: Comparison, row: Row) -> bool:
    """Whether a bucket's score is its system's and says something: one that was chosen needs a band, as in figures."""
    if not _is_of_all_seeds(comparison, row):
        return False
    is_chosen = row.metric in comparison.metrics
    if is_chosen and row.low is None:
        return False
    return not comparison.too_short(row.test_set, row.bucket, row.metric)


def _is_of_all_seeds(comparison: Comparison, row: Row) -> bool:
    """Whether a row speaks for its system: the mean over seeds, or the only seed."""
    if row.seed == ALL_SEEDS:
        return True
    seeds = {run.seed for run in comparison.runs}
    return len(seeds) == 1


def _layout(comparison: Comparison) -> dict[str, dict[str, list]]:
    """The page CUSTOM SCALARS: a chart with its band for each test set and measure, whose title names its axis."""
    charts: dict[str, list] = {}
    for test_set in comparison.test_sets:
        axis = f"source {comparison.unit(test_set)}"
        for bucket in comparison.buckets.get(test_set, []):
            if bucket.high is None and bucket.label != ALL:
                axis += f", {bucket.label} at its median {bucket.place}"
        for metric in comparison.metrics:
            tag = f"by_length/{test_set}/{metric}"
            tags = [tag, f"{tag}_low", f"{tag}_high"]
            charts[f"{metric} by source length, {test_set} ({axis})"] = ["Margin", tags]
    return {"quality by source length": charts}
