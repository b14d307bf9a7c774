"""Names in a ``checkpoints`` folder: which are checkpoints, what a killed process left, and what is the user's."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path

from nmt.errors import Absent, not_read

BEST = "best.safetensors"
_NUMBER = "(?:[0-9]{8}|[1-9][0-9]{8,})"
_CHECKPOINT = re.compile(rf"(step|interim)-({_NUMBER})(?:\.safetensors)?")
# What is written aside, renamed before it is deleted, or is safetensors' own temporary file.
_LEFT = re.compile(rf"(?:best|(?:step|interim)-{_NUMBER}(?:\.(?:old|gone|new))?)\.partial|\.tmp[A-Za-z0-9]{{6}}")


def is_step(text: str) -> bool:
    """Whether a text is the number of a step."""
    return text.isascii() and text.isdecimal()


def is_checkpoint(name: str, kind: str = "") -> bool:
    """Whether a name is that of a checkpoint, of one kind (step or interim) where it is given.

    Copies that a user made beside it have other names: they are neither used nor deleted.
    """
    match = _CHECKPOINT.fullmatch(name)
    return match is not None and kind in ("", match[1])


def step_of(path: Path) -> int:
    """Returns the step in the name of a checkpoint. Raises ValueError for another name."""
    match = _CHECKPOINT.fullmatch(path.name)
    if match is None:
        raise ValueError(path.name)
    return int(match[2])


def is_left(name: str) -> bool:
    """Whether a name is one that only a process which was killed while it wrote leaves."""
    return _LEFT.fullmatch(name) is not None


def names_in(folder: Path) -> list[str]:
    """Returns the names in a folder, in order; none where it is absent.

    Raises Unreadable where it can't be listed: what is not seen may well be there.
    """
    try:
        return sorted(os.listdir(folder))
    except OSError as error:
        fault = not_read(error, folder)
        if isinstance(fault, Absent):
            return []
        raise fault from None


def was_cut(names: Collection[str]) -> bool:
    """Whether these names are what a process leaves that is killed before its first checkpoint is whole.

    It leaves a best checkpoint only together with what lies aside for the checkpoint that knows of it.
    """
    kept = [name for name in names if not is_left(name)]
    aside = [name for name in names if is_left(name) and name.startswith(("step-", "interim-"))]
    return not kept or (kept == [BEST] and bool(aside))
