"""Weights & Biases, where it is asked for and installed."""

from __future__ import annotations

import html
import importlib.util
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from nmt.errors import UserError
from nmt.training.sinks.sink import Event, Look, Sink

RUN_NAME = "wandb-id.txt"


def check_installed() -> None:
    """Raises UserError where the library is not installed."""
    found = importlib.util.find_spec("wandb")
    if found is None or found.origin is None:  # a folder of that name has no origin
        raise UserError("journal.second=wandb: not installed; say pip install wandb, or journal.second=none")


class WeightsAndBiases(Sink):
    """One run folder is one run of Weights & Biases, also after a resume.

    ``settings`` are the run's options, for the record. Raises UserError where the library is not installed or can not
    begin.
    """

    def __init__(self, folder: Path, step: int, name: str, project: str, mode: str, settings: Mapping[str, Any]):
        check_installed()
        import wandb

        self._library = wandb
        folder.mkdir(parents=True, exist_ok=True)
        identity = folder / RUN_NAME
        if step == 0:  # what a start left that never came to a checkpoint
            identity.unlink(missing_ok=True)
        if not identity.exists():
            identity.write_text(secrets.token_hex(4))
        connection: Literal["online", "offline"] = "offline" if mode == "offline" else "online"
        try:
            self._run = wandb.init(
                project=project,
                name=name,
                id=identity.read_text(),
                resume="allow",
                mode=connection,
                dir=str(folder),
                config=dict(settings),
                settings=wandb.Settings(silent=True),
            )
        except wandb.errors.Error as error:
            raise UserError(
                f"journal.second=wandb: {str(error).splitlines()[0]}; journal.mode=offline needs no network"
            ) from None

    def event(self, event: Event) -> None:
        self._run.log(event.scalars(), step=event.step)

    def look(self, look: Look, step: int) -> None:
        for name, content in look.texts.items():
            page = self._library.Html(f"<pre>{html.escape(content)}</pre>")
            self._run.log({name: page}, step=step)
        for name, pixels in look.pictures.items():
            self._run.log({name: self._library.Image(pixels)}, step=step)

    def close(self) -> None:
        self._run.finish()
