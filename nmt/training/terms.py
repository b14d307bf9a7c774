"""The terms under which each part of a run was trained: what may change while it goes on, and changes its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Options by their full names, and facts of the machine: those of `FACTS`.
Terms = dict[str, Any]

FACTS = ("threads", "processes", "precision", "torch", "kernels")


@dataclass(frozen=True)
class Part:
    """The updates of a run from one change of its terms to the next."""

    step: int  # updates before it
    terms: Terms  # empty where they are not known: the version that trained it kept none


def parts_from(parts: tuple[Part, ...], step: int, terms: Terms | None) -> tuple[Part, ...]:
    """Returns the parts of a run that goes on from ``step`` under ``terms``: a new one only where those are new.

    ``terms`` are None where nobody keeps them.
    """
    if terms is None:
        return parts
    trained = tuple(part for part in parts if part.step < step)
    if step and not trained:
        trained = (Part(0, {}),)
    if trained and trained[-1].terms == terms:
        return trained
    return (*trained, Part(step, terms))
