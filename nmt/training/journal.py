"""TensorBoard, JSONL and console in one call."""

from __future__ import annotations

import json
import logging
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from nmt.progress import Progress
from nmt.training.second_journal import SecondJournal

log = logging.getLogger("nmt")


@dataclass(frozen=True)
class Look:
    """What a person looks at while a model trains."""

    texts: dict[str, str] = field(default_factory=dict)  # Markdown by name
    pictures: dict[str, np.ndarray] = field(default_factory=dict)  # (height, width, 3) uint8 by name


class Journal:
    """What happened in a run. ``event`` goes to all three places; ``progress`` to the console's bar alone."""

    def __init__(self, folder: Path, step: int = 0, second: SecondJournal | None = None):
        self.folder, self.second = folder, second
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "journal.jsonl"
        _drop_after(self.path, step)
        self._file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115, closed by close()
        self._first_step = step
        self._board: Any = None
        self._progress: Progress | None = None

    def event(self, kind: str, step: int, **values: Any) -> None:
        """One line of journal.jsonl; numbers also become scalars ``kind/name``, those of a dictionary ``name/key``."""
        values = _finite(values)
        self._file.write(json.dumps({"event": kind, "step": step, **values}) + "\n")
        self._file.flush()
        scalars: dict[str, float] = {}
        for name, value in values.items():
            group = (
                {f"{name}/{key}": v for key, v in value.items()}
                if isinstance(value, dict)
                else {f"{kind}/{name}": value}
            )
            scalars |= {k: v for k, v in group.items() if isinstance(v, int | float) and not isinstance(v, bool)}
        for name, value in scalars.items():
            self.board.add_scalar(name, value, step)
        if self.second:
            self.second.scalars(scalars, step)

    def look(self, look: Look, step: int) -> None:
        """Sample translations and heat maps of the same sentences, to be followed through training."""
        for name, content in look.texts.items():
            self.board.add_text(name, content, step)
            if self.second:
                self.second.text(name, content, step)
        for name, pixels in look.pictures.items():
            self.board.add_image(name, pixels, step, dataformats="HWC")
            if self.second:
                self.second.picture(name, pixels, step)

    @property
    def board(self) -> Any:
        if self._board is None:  # imported late: it takes longer than the first training step
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(self.folder), purge_step=self._first_step + 1)
        return self._board

    def progress(self, share: float, title: str) -> None:
        """Share of the budget spent (0 to 1), with the time left."""
        if self._progress is None:
            shape = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
            self._progress = Progress(title, "", 1.0, first=share, shape=shape)
        self._progress.update(share, title)

    def say(self, message: str, *values: object) -> None:
        """A line on the console, above the bar."""
        with tqdm.external_write_mode():
            log.info(message, *values)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.close()
        if self._board is not None:
            self._board.close()
        if self.second:
            self.second.close()
        self._file.close()


class NoJournal:
    """Of a process that is not the first."""

    def event(self, kind: str, step: int, **values: Any) -> None: ...

    def look(self, look: Look, step: int) -> None: ...

    def progress(self, share: float, title: str) -> None: ...

    def say(self, message: str, *values: object) -> None: ...

    def close(self) -> None: ...


AnyJournal = Journal | NoJournal


def read_journal(folder: Path) -> list[dict[str, Any]]:
    """The events of a run; a last line that was cut short by a crash is left out."""
    path = folder / "journal.jsonl"
    events = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            events.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return events


def _finite(value: Any) -> Any:
    """JSON has no infinity and no NaN."""
    if isinstance(value, dict):
        return {key: _finite(v) for key, v in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _drop_after(path: Path, step: int) -> None:
    """Leaves out what a crash had written after the checkpoint that the run goes on from."""
    if not path.exists():
        return
    kept = [event for event in read_journal(path.parent) if event["step"] <= step] if step else []
    aside = path.with_suffix(".partial")
    aside.write_text("".join(json.dumps(event) + "\n" for event in kept), encoding="utf-8")
    os.replace(aside, path)
