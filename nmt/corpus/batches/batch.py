"""Batch, and how examples are padded into one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nmt.tokens import END, PADDING, START

Ids = Sequence[int] | np.ndarray
Joined = tuple[np.ndarray, np.ndarray]  # ids of all rows one after the other (tokens,), and their lengths (B,)


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
    real: Tensor  # (N,) int64: places of the real target tokens among all B * T, so that no device is asked for them
    links: Tensor | None = None  # (L, 3) int64: row, target position, source position of every link, where known

    def to(self, device: torch.device) -> Batch:
        """Returns the batch with its tensors on ``device``, all in one copy; itself on a CPU."""
        if device.type == "cpu":
            return self
        tensors = {}
        for name in TENSORS:
            tensor = getattr(self, name)
            if tensor is not None:
                tensors[name] = tensor
        copies: dict[str, Any] = copied_at_once(tensors, device)
        return replace(self, **copies)

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
            real=_real_places(target_mask[:, :target_width]),
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


# In this order: eight bytes a number first, so that each lies where its kind must.
TENSORS = ("source", "target_in", "target_out", "real", "links", "source_mask", "target_mask")


def copied_at_once(tensors: Mapping[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """Copies tensors to a device in one piece. On a GPU the copy is made while the process goes on.

    Each must lie at a multiple of its number's bytes: the widest kinds come first.
    """
    parts = [tensor.contiguous().flatten().view(torch.uint8) for tensor in tensors.values()]
    whole = torch.cat(parts)  # (bytes,)
    if device.type == "cuda":
        whole = whole.pin_memory()  # only from such memory does a copy not wait
    moved = whole.to(device, non_blocking=True)
    copies = {}
    for (name, tensor), part in zip(tensors.items(), moved.split([len(part) for part in parts]), strict=True):
        copies[name] = part.view(tensor.dtype).view(tensor.shape)
    return copies


def write_batches(path: Path, batches: Sequence[Batch]) -> None:
    """Writes the pairs of batches as JSON, for a person to look at: number in the corpus, source and target ids."""
    rows = []
    for batch in batches:
        for number, source, target in batch.pairs():
            rows.append({"pair": number, "source": source.tolist(), "target": target.tolist()})
    path.write_text(json.dumps(rows), encoding="utf-8")


def _real_places(mask: Tensor) -> Tensor:
    """Places (N,) of what is True in a mask (B, T), counted row by row."""
    return mask.flatten().nonzero()[:, 0]


def _width(mask: Tensor) -> int:
    """Length of the longest row, at least 1."""
    lengths = mask.sum(dim=1)  # (B,)
    return max(1, int(lengths.max()))


def pad(rows: Sequence[Ids]) -> tuple[Tensor, Tensor]:
    """Returns ids (B, longest) padded at the end, and the mask of real tokens."""
    padded, mask = _padded(*joined(rows))
    return torch.from_numpy(padded), torch.from_numpy(mask)


def make_batch(
    sources: Sequence[Ids], targets: Sequence[Ids], sentences: Sequence[int], links: Sequence[Ids] | None = None
) -> Batch:
    """Pads pairs into a batch; START and END are put around the targets. ``links``: source and target piece in turn."""
    return batch_of_joined(joined(sources), joined(targets), sentences, links)


def joined(rows: Sequence[Ids]) -> Joined:
    """Returns all ids in a row (tokens,), and the lengths (B,)."""
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    whole_numbers = [np.asarray(row, dtype=np.int64) for row in rows]
    ids = np.concatenate([np.empty(0, dtype=np.int64), *whole_numbers])
    return ids, lengths


def batch_of_joined(
    source: Joined, target: Joined, sentences: Sequence[int], links: Sequence[Ids] | None = None
) -> Batch:
    """`make_batch` of ids that lie in a row already, without a Python loop over the pairs."""
    source_ids, source_mask = _padded(*source)
    target_ids, lengths = target
    inner, inner_mask = _padded(target_ids, lengths, least=0)  # (B, T - 1): START or END comes to each
    rows, width = inner.shape
    target_in = np.full((rows, width + 1), PADDING, dtype=np.int64)
    target_in[:, 0] = START
    target_in[:, 1:] = inner
    target_out = np.full((rows, width + 1), PADDING, dtype=np.int64)
    target_out[:, :-1] = inner
    target_out[np.arange(rows), lengths] = END
    target_mask = np.ones((rows, width + 1), dtype=bool)  # START is always there
    target_mask[:, 1:] = inner_mask
    stacked = None if links is None else _stacked(links)
    return Batch(
        source=torch.from_numpy(source_ids),
        source_mask=torch.from_numpy(source_mask),
        target_in=torch.from_numpy(target_in),
        target_out=torch.from_numpy(target_out),
        target_mask=torch.from_numpy(target_mask),
        sentences=tuple(map(int, sentences)),
        tokens=len(target_ids) + rows,
        real=torch.from_numpy(np.flatnonzero(target_mask)),
        links=stacked,
    )


def _padded(ids: np.ndarray, lengths: np.ndarray, least: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Ids (tokens,) of rows of these lengths, as rows (B, longest) padded at the end, and their mask."""
    width = int(lengths.max(initial=least))
    mask = np.arange(width) < lengths[:, None]  # (B, longest)
    padded = np.full(mask.shape, PADDING, dtype=np.int64)
    padded[mask] = ids
    return padded, mask


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
