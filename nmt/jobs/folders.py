"""Where evaluations and reports lie: each checkpoint and each search has a folder of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nmt.config import composed_without
from nmt.decoding.options import DecodingOptions
from nmt.digests import bytes_digest
from nmt.run import Run
from nmt.schemas import CompareConfig
from nmt.training.checkpoints.folder import NAMED
from nmt.training.checkpoints.names import is_step

BEST = "best"  # the checkpoint that is taken where none is named
LONGEST = 180  # of a folder's name; file systems end at 255 bytes


def evaluation_folder(run: Run, test_set: str, checkpoint: str, weights: str, decoding: DecodingOptions) -> Path:
    """Returns the folder of a test set's translations.

    Those of ``checkpoint=best`` by the default search lie in ``evaluations/<test set>``, all others below it in a
    folder that says what differs, as in ``checkpoint=last,beam_size=1``. ``weights`` is a digest, by which checkpoints
    that are given as files are told apart.
    """
    folder = run.folder / "evaluations" / test_set
    different: dict[str, Any] = {}
    if checkpoint != BEST:
        different["checkpoint"] = _checkpoint_name(checkpoint, weights)
    different |= _other_search(decoding, DecodingOptions())
    if not different:
        return folder
    return folder / _name_of(different)


def report_folder(config: CompareConfig) -> Path:
    """Returns the folder of a comparison's report.

    It is ``<runs>/<name>/report`` for the comparison's own settings, as its file gives them. Where the command line
    gives another checkpoint or search, its name says what differs, as in ``report-beam_size=1``.
    """
    folder = Path(config.runs) / config.name
    own = composed_without(("checkpoint", "decoding"), CompareConfig)
    if own is None:
        return folder / "report"
    different: dict[str, Any] = {}
    if config.checkpoint != own.checkpoint:
        different["checkpoint"] = config.checkpoint
    different |= _other_search(config.decoding, own.decoding)
    if not different:
        return folder / "report"
    return folder / f"report-{_name_of(different)}"


def _other_search(decoding: DecodingOptions, usual: DecodingOptions) -> dict[str, Any]:
    """Returns the options that decide what search finds and are not as usual."""
    different = {}
    for name, value in asdict(decoding).items():
        if name not in decoding.ONLY_SPEED and value != getattr(usual, name):
            different[name] = value
    return different


def _checkpoint_name(checkpoint: str, weights: str) -> str:
    """Returns a checkpoint's name as part of a folder's; that of a file is followed by the start of its digest."""
    if checkpoint in NAMED or is_step(checkpoint):
        return checkpoint
    stem = re.sub(r"[^\w.+-]", "_", Path(checkpoint).name)
    return f"{stem[:60]}-{weights[:8]}"


def _name_of(different: Mapping[str, Any]) -> str:
    """Returns a folder's name of options and values; a digest ends one that would be too long."""
    name = ",".join(f"{option}={_in_words(value)}" for option, value in different.items())
    if len(name) <= LONGEST:
        return name
    return f"{name[:LONGEST]}-{bytes_digest(name.encode())[:8]}"


def _in_words(value: Any) -> str:
    """Writes 2.0 as 2."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
