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
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    found: dict[int, np.ndarray] = {}
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        encoded = [tokenizer.encode_source(sources[row]) for row in rows]
        given = [[*tokenizer.encode_target(targets[row]), END] for row in rows]
        norms = _norms(model, encoded, given)  # (PARTS, B, S)
        for b, row in enumerate(rows):
            found[row] = _shares(norms[:, b, : len(encoded[b])])
    model.train(was_training)
    return [found[row] for row in range(len(sources))]


def _norms(model: Model, encoded: Sequence[Sequence[int]], given: Sequence[Sequence[int]]) -> np.ndarray:
    """Of the gradient, for the asked word of each tenth of the target, by each source piece: (PARTS, B, S)."""
    device = model.device
    ids, mask = (tensor.to(device) for tensor in pad(encoded))
    target_in, _ = pad([[START, *row[:-1]] for row in given])
    target_out, _ = pad(given)
    embedded: list[Tensor] = []
    hook = model.source_embedding.register_forward_hook(lambda module, inputs, output: embedded.append(output))
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):  # cuDNN has no backward in evaluation mode
        memory = model.encode(ids, mask)
        hook.remove()
        logits = model.logits(model.decode(memory, target_in.to(device)))
        chosen = torch.log_softmax(logits.float(), dim=-1).gather(-1, target_out.to(device)[..., None])[
            ..., 0
        ]  # (B, T)
        norms = []
        for part in range(PARTS):
            asked = torch.tensor([int((part + 0.5) / PARTS * len(row)) for row in given], device=device)
            total = chosen.gather(1, asked[:, None]).sum()
            [gradient] = torch.autograd.grad(total, embedded[0], retain_graph=part + 1 < PARTS)
            norms.append(gradient.detach().float().norm(dim=-1).cpu().numpy())  # (B, S)
    return np.stack(norms)


def _shares(norms: np.ndarray) -> np.ndarray:
    """Norms (PARTS, S) to percent by tenth of the source (PARTS, PARTS)."""
    length = norms.shape[1]
    edges = np.linspace(0, length, PARTS + 1)
    columns = []
    for low, high in itertools.pairwise(edges):
        first = min(int(low), length - 1)
        columns.append(norms[:, first : max(int(high), first + 1)].mean(axis=1))
    made = np.stack(columns, axis=1)  # (PARTS, PARTS)
    return 100 * made / np.maximum(made.sum(axis=1, keepdims=True), 1e-30)
