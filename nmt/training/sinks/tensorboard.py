"""TensorBoard: curves, sample translations and attention."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from nmt.training.sinks.sink import Event, Look, Sink

log = logging.getLogger("nmt")


class TensorBoard(Sink):
    """Writes event files into the run's folder. Points after ``step``, which a crash left, are hidden."""

    def __init__(self, folder: Path, step: int = 0):
        self._folder = folder
        self._first_step = step
        self._writer: Any = None

    def event(self, event: Event) -> None:
        writer = self._open()
        for name, value in event.scalars().items():
            writer.add_scalar(name, value, event.step)

    def look(self, look: Look, step: int) -> None:
        writer = self._open()
        for name, content in look.texts.items():
            writer.add_text(name, content, step)
        for name, pixels in look.pictures.items():
            writer.add_image(name, pixels, step, dataformats="HWC")

    def close(self) -> None:
        if self._writer is None:
            return
        try:
            self._writer.close()
        except OSError as error:  # whatever ends the run is told by who met it first
            log.warning("%s: the last points for TensorBoard are lost (%s)", self._folder, error.strerror or error)

    def _open(self) -> Any:
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter  # late: it takes longer than the first training step

            self._writer = SummaryWriter(str(self._folder), purge_step=self._first_step + 1)
        return self._writer
