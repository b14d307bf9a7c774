"""A trained run written for another engine, and whether such an export is of the run as it is now."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch

from nmt.decoding.ctranslate2_engine import export, export_folder
from nmt.decoding.export_record import read_record
from nmt.digests import weights_digest
from nmt.errors import UserError
from nmt.jobs.identity import model_identity, run_identity
from nmt.run import Run, open_run
from nmt.schemas import ExportConfig
from nmt.training.checkpoints.file import opened
from nmt.training.checkpoints.parts import part_paths

log = logging.getLogger("nmt")


def export_run(config: ExportConfig) -> tuple[Path, str]:
    """Exports a checkpoint of a run, and returns the export's folder and the checkpoint's file name.

    The record says what was exported: what it was made of by digests, so that clocks and places do not count.
    """
    run = open_run(config.run)
    heads = _heads(run, config.checkpoint)  # before the weights: one that is replaced meanwhile shows
    model, file = run.model(config.checkpoint, torch.device("cpu"))
    checkpoint = (run.checkpoints.folder / file).resolve()
    made_of = {
        "checkpoint": config.checkpoint,
        "file": str(checkpoint),
        "heads": heads,
        **model_identity(run, model),
    }
    folder = Path(config.output) if config.output else export_folder(run.folder)
    export(model, run.tokenizer, folder, config.quantization, made_of)
    return folder, file


def warn_if_stale(folder: Path, place: Path) -> None:
    """Logs a line where the run of an export is there and has other weights, tokenizer or model options now.

    ``place`` is what the user named, the run or the export itself. The heads of the run's checkpoint files are read,
    which takes no time; only where these are others, the weights.
    """
    record = read_record(folder)
    run_folder = _run_of(folder, place, record)
    if "weights" not in record or run_folder is None:
        return
    try:
        run = open_run(run_folder)
        if _is_of(record, run):
            return
    except UserError as error:
        log.warning("%s: whether it is of its run as it is now can't be checked (%s)", folder, error)
        return
    log.warning("%s: its run has other weights, tokenizer or model options since; export it again", folder)


def _run_of(folder: Path, place: Path, record: dict[str, Any]) -> Path | None:
    """Returns the run that the user named, or that the export lies in, or whose checkpoint it was made of."""
    candidates = [place, Path(record["file"]).parent.parent]
    around = folder.resolve().parent.parent
    if export_folder(around) == folder.resolve():
        candidates.insert(1, around)
    for candidate in candidates:
        if (candidate / "config.yaml").is_file():
            return candidate
    return None


def _is_of(record: dict[str, Any], run: Run) -> bool:
    """Whether an export was made of a run's checkpoint of that name as it is now."""
    if any(record[name] != value for name, value in run_identity(run).items()):
        return False
    checkpoint = record["checkpoint"]
    if _heads(run, checkpoint) == record["heads"]:
        return True
    model, _ = run.model(checkpoint, torch.device("cpu"))
    return bool(weights_digest(model) == record["weights"])


def _heads(run: Run, checkpoint: str) -> list[str]:
    """Returns the digest that each file of a checkpoint keeps in its head."""
    parts: list[Path] = []
    for file in run.checkpoints.files(checkpoint):
        if file.is_dir():
            parts += part_paths(file)
        else:
            parts.append(file)
    heads = []
    for part in parts:
        with opened(part) as content:
            heads.append(content.metadata()["digest"])
    return heads
