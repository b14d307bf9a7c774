"""A comparison for TensorBoard: scores by source length, systems laid over each other, and final scores by options."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from nmt.evaluation.results import ALL, ALL_SEEDS, Comparison


def write_board(comparison: Comparison, folder: Path) -> None:
    """A run of TensorBoard for each system: the axis of its curves is the source length, not the step.

    Each bucket stands at its last word (the open one at its first). What was there before is replaced.
    """
    from torch.utils.tensorboard import SummaryWriter

    shutil.rmtree(folder, ignore_errors=True)
    for system in comparison.systems:
        place = folder / re.sub(r"[^\w.+-]+", "_", system)
        with SummaryWriter(str(place)) as board:
            board.add_custom_scalars(_layout(comparison))
            for row in comparison.rows:
                whole = row.seed == ALL_SEEDS or len({run.seed for run in comparison.runs}) == 1
                if row.system != system or row.bucket == ALL or not whole:
                    continue
                at = int(re.findall(r"\d+", row.bucket)[-1])
                tag = f"by_length/{row.test_set}/{row.metric}"
                board.add_scalar(tag, row.score, at)
                if row.low is not None and row.high is not None:
                    board.add_scalar(f"{tag}_low", row.low, at)
                    board.add_scalar(f"{tag}_high", row.high, at)
        finals = {
            f"final/{row.test_set}_{row.metric}": row.score
            for row in comparison.rows
            if row.system == system and row.bucket == ALL and row.metric in comparison.metrics
        }
        record_options(place, comparison.options[system], finals)


def _layout(comparison: Comparison) -> dict[str, dict[str, list]]:
    """The page CUSTOM SCALARS: one chart with its band for each test set and metric."""
    charts = {
        f"{metric} by source length, {test_set}": [
            "Margin",
            [f"by_length/{test_set}/{metric}{end}" for end in ("", "_low", "_high")],
        ]
        for test_set in comparison.test_sets
        for metric in comparison.metrics
    }
    return {"quality by source length": charts}


def record_options(folder: Path, options: dict[str, str], scores: dict[str, float]) -> None:
    """Options and final scores as a line of TensorBoard's HPARAMS page."""
    from torch.utils.tensorboard import SummaryWriter
    from torch.utils.tensorboard.summary import hparams

    with SummaryWriter(str(folder)) as board:
        for summary in hparams(options, scores):
            board.file_writer.add_summary(summary)
        for name, value in scores.items():
            board.add_scalar(name, value)
