"""Where a run is in its text, and which share of it a process takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Share:
    """Which process this is among those that share the batches of an update."""

    rank: int = 0
    world: int = 1
    here: int = 1  # processes on this machine, which share its cores


ALONE = Share()


@dataclass(frozen=True)
class Position:
    """Where in the text the next batch is: enough to go on exactly there. Checkpoints hold it."""

    epoch: int = 0
    batch: int = 0  # of the epoch; of a stream, of the block
    # Of a stream alone:
    block: int = 0  # that the batch is in
    read: tuple[tuple[int, int], ...] = ()  # of each place, when the block began: passes over it, pairs read since
    processes: int = 1  # that shared the block
    readings: float = 0.0  # of the first place, parts of one too; 0 where its length is not known

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Position:
        """Reads what asdict() wrote, and JSON made of it; fields that an older version did not write are as at the
        beginning.
        """
        read = tuple((passes, count) for passes, count in values.get("read", ()))
        return cls(**{**values, "read": read})
