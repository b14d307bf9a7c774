"""A second journal beside TensorBoard's: Weights & Biases, where it is asked for and installed."""

from __future__ import annotations

import html
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from nmt.errors import UserError, nearest

SECOND = ("none", "wandb")
MODES = ("online", "offline")
RUN_NAME = "wandb-id.txt"


@dataclass
class JournalOptions:
    """TensorBoard and journal.jsonl are always written; a second journal may be."""

    second: str = "none"  # none or wandb
    project: str = "nmt"
    mode: str = "online"  # online or offline

    def __post_init__(self) -> None:
        if self.second not in SECOND:
            raise UserError(f"journal.second={self.second}: {nearest(self.second, SECOND)}")
        if self.mode not in MODES:
            raise UserError(f"journal.mode={self.mode}: {nearest(self.mode, MODES)}")


class SecondJournal(Protocol):
    def scalars(self, values: dict[str, float], step: int) -> None: ...

    def text(self, name: str, content: str, step: int) -> None: ...

    def picture(self, name: str, pixels: np.ndarray, step: int) -> None: ...

    def close(self) -> None: ...


def open_second(
    options: JournalOptions, name: str, folder: Path, step: int, settings: dict[str, Any]
) -> SecondJournal | None:
    """None where none is asked for. It goes on from ``step``; ``settings`` are the run's options, for the record."""
    if options.second != "wandb":
        return None
    if step == 0:  # what a start left that never came to a checkpoint
        (folder / RUN_NAME).unlink(missing_ok=True)
    return WandbJournal(options, name, folder, settings)


class WandbJournal:
    """One run folder is one run of Weights & Biases, also after a resume."""

    def __init__(self, options: JournalOptions, name: str, folder: Path, settings: dict[str, Any]):
        try:
            import wandb
        except ImportError:
            raise UserError(
                "journal.second=wandb: not installed; say pip install wandb, or journal.second=none"
            ) from None
        self._library = wandb
        folder.mkdir(parents=True, exist_ok=True)
        identity = folder / RUN_NAME
        if not identity.exists():
            identity.write_text(secrets.token_hex(4))
        try:
            self._run = wandb.init(
                project=options.project,
                name=name,
                id=identity.read_text(),
                resume="allow",
                mode="offline" if options.mode == "offline" else "online",
                dir=str(folder),
                config=settings,
                settings=wandb.Settings(silent=True),
            )
        except wandb.errors.Error as error:
            raise UserError(
                f"journal.second=wandb: {str(error).splitlines()[0]}; journal.mode=offline needs no network"
            ) from None

    def scalars(self, values: dict[str, float], step: int) -> None:
        self._run.log(values, step=step)

    def text(self, name: str, content: str, step: int) -> None:
        self._run.log({name: self._library.Html(f"<pre>{html.escape(content)}</pre>")}, step=step)

    def picture(self, name: str, pixels: np.ndarray, step: int) -> None:
        self._run.log({name: self._library.Image(pixels)}, step=step)

    def close(self) -> None:
        self._run.finish()
