"""What gives way in a ``checkpoints`` folder: deleted where a newer one took its place, kept where it is damaged."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from pathlib import Path

from nmt.swap import name_of_damaged

log = logging.getLogger("nmt")


def remove(path: Path) -> None:
    """Deletes a file or a folder. A folder is renamed first: were this cut, its rest would pass for a checkpoint."""
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    aside = path
    if path.suffix != ".partial":
        aside = path.with_suffix(".gone.partial")
        shutil.rmtree(aside, ignore_errors=True)
        path.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def keep_aside(damaged: Iterable[Path]) -> None:
    """Renames damaged checkpoints, so that nothing is written in their place, and says so."""
    for path in damaged:
        place = name_of_damaged(path)  # under which it counts as no checkpoint
        path.rename(place)
        log.warning("%s: kept as %s", path, place.name)
