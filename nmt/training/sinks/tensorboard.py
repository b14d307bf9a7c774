"""TensorBoard: curves, sample translations and attention."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nmt.errors import leave_disk_errors_to_caller
from nmt.training.sinks.sink import Event, Look, Sink

MARKDOWN = "\\`*_{}[]()<>#+-.!|~=&\t"  # characters that would mean something else than themselves


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
            writer.add_text(name, as_markdown(content), step)
        for name, pixels in look.pictures.items():
            writer.add_image(name, pixels, step, dataformats="HWC")

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _open(self) -> Any:
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter  # late: it takes longer than the first training step

            leave_disk_errors_to_caller()
            self._writer = SummaryWriter(str(self._folder), purge_step=self._first_step + 1)
        return self._writer


def as_markdown(text: str) -> str:
    """Returns Markdown that TensorBoard shows as this very text, line by line."""
    lines = [_escaped(line) for line in text.split("\n")]
    return "  \n".join(lines)  # two spaces: the line ends here


def _escaped(line: str) -> str:
    """Writes what Markdown or HTML would read as a command as the number of its character, outer white space too."""
    first = len(line) - len(line.lstrip())
    last = len(line.rstrip())
    characters: list[str] = []
    for place, character in enumerate(line):
        is_outer = not first <= place < last
        if is_outer or character in MARKDOWN:
            character = f"&#{ord(character)};"
        characters.append(character)
    return "".join(characters)
