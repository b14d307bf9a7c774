"""Batch, and how examples are padded into one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nmt.tokens import END, PADDING, START

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
        """Returns the batch with its tensors on ``device``; itself on a CPU."""
        if device.type == "cpu":
            return self
        names = ("source", "source_mask", "target_in", "target_out", "target_mask")
        moved = {}
        for name in names:
            moved[name] = getattr(self, name).to(device, non_blocking=True)
        links = None if self.links is None else self.links.to(device)
        return replace(self, **moved, links=links)

    def rows(self, start: int, stop: int) -> Batch:
        """Returns some of its pairs, no wider than they need."""
        chosen = slice(start, stop)
        source_mask = self.source_mask[chosen]  # (b, S)
        target_mask = self.target_mask[chosen]  # (b, T)
        source_width = _width(source_mask)
        target_width = _width(target_mask)
        return Batch(
            source=self.source[chosen, :source_width],
            source_mask=source_mask[:, :source_width],
            target_in=self.target_in[chosen, :target_width],
            target_out=self.target_out[chosen, :target_width],
            target_mask=target_mask[:, :target_width],
            sentences=self.sentences[chosen],
            tokens=int(target_mask.sum()),
            links=self._links_of_rows(start, stop),
        )

    def _links_of_rows(self, start: int, stop: int) -> Tensor | None:
        if self.links is None:
            return None
        row = self.links[:, 0]  # (L,)
        chosen = self.links[(row >= start) & (row < stop)]  # (l, 3)
        return chosen - chosen.new_tensor([start, 0, 0])

    def pairs(self) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Yields the position in the corpus, the source and the target ids of each pair."""
        for row, sentence in enumerate(self.sentences):
            source = self.source[row, self.source_mask[row]]
            target = self.target_out[row, self.target_mask[row]]
            yield sentence, source, target

    @property
    def cells(self) -> int:
        """Number of tokens on both sides, padding included."""
        return self.source.numel() + self.target_in.numel()


def write_batches(path: Path, batches: Sequence[Batch]) -> None:
    """Writes the pairs of batches as JSON, for a person to look at: number in the corpus, source and target ids."""
    rows = []
    for batch in batches:
        for number, source, target in batch.pairs():
            rows.append({"pair": number, "source": source.tolist(), "target": target.tolist()})
    path.write_text(json.dumps(rows), encoding="utf-8")


def _width(mask: Tensor) -> int:
    """Length of the longest row, at least 1."""
    lengths = mask.sum(dim=1)  # (B,)
    return max(1, int(lengths.max()))


def pad(rows: Sequence[Ids]) -> tuple[Tensor, Tensor]:
    """Returns ids (B, longest) padded at the end, and the mask of real tokens."""
    count = len(rows)
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=count)  # (B,)
    width = max(1, int(lengths.max())) if count else 1
    mask = np.arange(width) < lengths[:, None]  # (B, longest)
    ids = np.full(mask.shape, PADDING, dtype=np.int64)
    if lengths.any():
        whole_numbers = [np.asarray(row, dtype=np.int64) for row in rows]
        ids[mask] = np.concatenate(whole_numbers)
    return torch.from_numpy(ids), torch.from_numpy(mask)


def make_batch(
    sources: Sequence[Ids], targets: Sequence[Ids], sentences: Sequence[int], links: Sequence[Ids] | None = None
) -> Batch:
    """Pads pairs into a batch; START and END are put around the targets. ``links``: source and target piece in turn."""
    source, source_mask = pad(sources)
    started = [np.concatenate(([START], target)) for target in targets]
    ended = [np.concatenate((target, [END])) for target in targets]
    target_in, target_mask = pad(started)
    target_out, _ = pad(ended)
    stacked = None if links is None else _stacked(links)
    return Batch(
        source=source,
        source_mask=source_mask,
        target_in=target_in,
        target_out=target_out,
        target_mask=target_mask,
        sentences=tuple(map(int, sentences)),
        tokens=sum(len(target) + 1 for target in targets),
        links=stacked,
    )


def _stacked(links: Sequence[Ids]) -> Tensor:
    """Returns (L, 3): row, target position, source position."""
    flipped = []  # of each row, (l, 2): target, source
    for row in links:
        source_and_target = np.asarray(row, dtype=np.int64).reshape(-1, 2)
        flipped.append(source_and_target[:, ::-1])
    counts = [len(row) for row in flipped]
    numbers = np.repeat(np.arange(len(flipped)), counts)  # (L,)
    columns = np.column_stack((numbers, np.concatenate(flipped)))
    return torch.from_numpy(columns)
