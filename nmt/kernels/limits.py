"""How much is done at once, by device: what changes speed and memory, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Limits:
    """Sizes that suit a device."""

    loss_rows: int  # target tokens whose logits exist at once; on a CPU, so that they stay near the processor
    search_cells: int  # source cells times beam in one batch: long sentences come in smaller batches
    validation_sentences: int  # in one batch of a validation's search
    unread_updates: (
        int  # whose likelihood and gradient norm wait on the device to be read together: reading waits for it
    )
    batches_ahead: int  # that a thread makes while the device is at work


LIMITS = {
    "cpu": Limits(loss_rows=512, search_cells=32_768, validation_sentences=64, unread_updates=1, batches_ahead=0),
    "cuda": Limits(loss_rows=8192, search_cells=262_144, validation_sentences=512, unread_updates=50, batches_ahead=4),
}


def limits(device: torch.device) -> Limits:
    """The sizes for this device."""
    return LIMITS[device.type]
