"""How far an output word reaches back: the gradient of its log-probability by every source word's embedding."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from nmt.corpus.batches.batch import pad
from nmt.corpus.subwords.tokenizer import END, START, Tokenizer
from nmt.models.interface import Model

PARTS = 10  # of source and target
BATCH = 8  # sentences at a time; their graphs are kept while each tenth of the target is asked


def gradient_maps(
    model: Model, tokenizer: Tokenizer, sources: Sequence[str], targets: Sequence[str]
) -> list[np.ndarray]:
    """For each pair (PARTS, PARTS): the percent that each tenth of the source has in the gradient of an output word.

    Row k asks the word in the middle of the k-th tenth of the target: the norms of the gradient of its log-probability
    (given the words before it) by the source embeddings, averaged over each tenth of the source, made to sum to 100. A
    tenth of a source of fewer pieces than tenths is that of its nearest piece. Costs one backward pass for each tenth.
    """
    was_training = model.training
    model.eval()
    by_length = sorted(range(len(sources)), key=lambda row: len(sources[row]))
    maps: dict[int, np.ndarray] = {}
    for start in range(0, len(by_length), BATCH):
        rows = by_length[start : start + BATCH]
        source_ids = [tokenizer.encode_source(sources[row]) for row in rows]
        target_ids = [[*tokenizer.encode_target(targets[row]), END] for row in rows]
        norms = _norms(model, source_ids, target_ids)  # (PARTS, B, S)
        for place, row in enumerate(rows):
            length = len(source_ids[place])
            maps[row] = _shares(norms[:, place, :length])
    model.train(was_training)
    return [maps[row] for row in range(len(sources))]


def _norms(model: Model, source_ids: Sequence[Sequence[int]], target_ids: Sequence[Sequence[int]]) -> np.ndarray:
    """Of the gradient, for the asked word of each tenth of the target, by each source piece: (PARTS, B, S)."""
    norms = []
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):  # cuDNN has no backward in evaluation mode
        embedded, chosen = _log_probabilities(model, source_ids, target_ids)
        for part in range(PARTS):
            middle = (part + 0.5) / PARTS
            places = [int(middle * len(ids)) for ids in target_ids]
            asked = torch.tensor(places, device=model.device)  # (B,)
            total = chosen.gather(1, asked[:, None]).sum()
            is_last = part + 1 == PARTS
            [gradient] = torch.autograd.grad(total, embedded, retain_graph=not is_last)  # (B, S, E)
            norm = gradient.detach().float().norm(dim=-1)  # (B, S)
            norms.append(norm.cpu().numpy())
    return np.stack(norms)


def _log_probabilities(
    model: Model, source_ids: Sequence[Sequence[int]], target_ids: Sequence[Sequence[int]]
) -> tuple[Tensor, Tensor]:
    """The source's embeddings (B, S, E), and the log-probability of every target piece after those before it (B, T)."""
    device = model.device
    ids, mask = pad(source_ids)
    target_in, _ = pad([[START, *row[:-1]] for row in target_ids])
    target_out, _ = pad(target_ids)
    embedded: list[Tensor] = []
    hook = model.source_embedding.register_forward_hook(lambda module, inputs, output: embedded.append(output))
    memory = model.encode(ids.to(device), mask.to(device))
    hook.remove()
    logits = model.logits(model.decode(memory, target_in.to(device)))  # (B, T, V)
    log_probabilities = torch.log_softmax(logits.float(), dim=-1)
    of_targets = target_out.to(device)[..., None]  # (B, T, 1)
    chosen = log_probabilities.gather(-1, of_targets)[..., 0]  # (B, T)
    return embedded[0], chosen


def _shares(norms: np.ndarray) -> np.ndarray:
    """Norms (PARTS, S) to percent by tenth of the source (PARTS, PARTS)."""
    length = norms.shape[1]
    edges = np.linspace(0, length, PARTS + 1)
    columns = []
    for low, high in itertools.pairwise(edges):
        first = min(int(low), length - 1)
        end = max(int(high), first + 1)
        columns.append(norms[:, first:end].mean(axis=1))
    by_part = np.stack(columns, axis=1)  # (PARTS, PARTS)
    totals = by_part.sum(axis=1, keepdims=True)
    return 100 * by_part / np.maximum(totals, 1e-30)
