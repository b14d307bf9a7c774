"""Batch, and how examples are padded into one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from nmt.corpus.subwords.tokenizer import END, PADDING, START

Ids = Sequence[int] | np.ndarray


@dataclass(frozen=True)
class Batch:
    """Sentence pairs as padded tensors. True in a mask always means a real token."""

    source: Tensor  # (B, S) int64
    source_mask: Tensor  # (B, S) bool
    target_in: Tensor  # (B, T) int64, starts with START
    target_out: Tensor  # (B, T) int64, ends with END
    target_mask: Tensor  # (B, T) bool
    sentences: tuple[int, ...]  # positions of the pairs in their corpus
    tokens: int  # real target tokens, END included
    links: Tensor | None = None  # (L, 3) int64: row, target position, source position of every link, where known

    def to(self, device: torch.device) -> Batch:
        if device.type == "cpu":
            return self
        names = ("source", "source_mask", "target_in", "target_out", "target_mask")
        moved = {name: getattr(self, name).to(device, non_blocking=True) for name in names}
        return replace(self, **moved, links=None if self.links is None else self.links.to(device))

    def rows(self, start: int, stop: int) -> Batch:
        """Some of its pairs, no wider than they need."""
        chosen = slice(start, stop)
        source_mask, target_mask = self.source_mask[chosen], self.target_mask[chosen]
        s, t = (max(1, int(mask.sum(dim=1).max())) for mask in (source_mask, target_mask))
        links = self.links
        if links is not None:
            links = links[(links[:, 0] >= start) & (links[:, 0] < stop)] - links.new_tensor([start, 0, 0])
        return Batch(
            source=self.source[chosen, :s],
            source_mask=source_mask[:, :s],
            target_in=self.target_in[chosen, :t],
            target_out=self.target_out[chosen, :t],
            target_mask=target_mask[:, :t],
            sentences=self.sentences[chosen],
            tokens=int(target_mask.sum()),
            links=links,
        )

    def pairs(self) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Position in the corpus, source and target ids of each."""
        for row, sentence in enumerate(self.sentences):
            yield sentence, self.source[row, self.source_mask[row]], self.target_out[row, self.target_mask[row]]

    @property
    def cells(self) -> int:
        """Padding included."""
        return self.source.numel() + self.target_in.numel()


def pad(rows: Sequence[Ids]) -> tuple[Tensor, Tensor]:
    """Ids (B, longest) padded at the end, and the mask of real tokens."""
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    width = max(1, int(lengths.max())) if len(rows) else 1
    mask = np.arange(width) < lengths[:, None]  # (B, longest)
    ids = np.full(mask.shape, PADDING, dtype=np.int64)
    if lengths.any():
        ids[mask] = np.concatenate([np.asarray(row, dtype=np.int64) for row in rows])
    return torch.from_numpy(ids), torch.from_numpy(mask)


def make_batch(
    sources: Sequence[Ids], targets: Sequence[Ids], sentences: Sequence[int], links: Sequence[Ids] | None = None
) -> Batch:
    """Pads pairs into a batch; START and END are put around the targets. ``links``: source and target piece in turn."""
    source, source_mask = pad(sources)
    target_in, target_mask = pad([np.concatenate(([START], target)) for target in targets])
    target_out, _ = pad([np.concatenate((target, [END])) for target in targets])
    tokens = sum(len(target) + 1 for target in targets)
    numbers = tuple(map(int, sentences))
    joined = None if links is None else _links(links)
    return Batch(source, source_mask, target_in, target_out, target_mask, numbers, tokens, joined)


def _links(rows: Sequence[Ids]) -> Tensor:
    """(L, 3): row, target position, source position."""
    found = [np.asarray(row, dtype=np.int64).reshape(-1, 2)[:, ::-1] for row in rows]
    numbers = np.repeat(np.arange(len(found)), [len(row) for row in found])
    return torch.from_numpy(np.column_stack((numbers, np.concatenate(found))))
