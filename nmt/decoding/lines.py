"""A line on its way into the model, and out of it, whichever engine translates."""

from __future__ import annotations

import logging

from nmt.tokens import END

log = logging.getLogger("nmt")


def cut_source(ids: list[int], limit: int, number: int, named: str) -> list[int]:
    """Cuts a source of more than ``limit`` tokens to so many, END among them, and names its line and ``named``."""
    if len(ids) <= limit:
        return ids
    log.warning("line %d: %d tokens, cut at %s", number, len(ids), named)
    return [*ids[: limit - 1], END]


def one_line(text: str) -> str:
    """One line in, one line out, whatever the pieces spell."""
    return text.replace("\n", " ").replace("\r", " ").strip()
