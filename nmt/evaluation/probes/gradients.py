"""How far an output word reaches back: the gradient of its log-probability by every source word's embedding."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from nmt.corpus.batches.batch import pad
from nmt.corpus.subwords.tokenizer import Tokenizer
from nmt.models.interface import Model
from nmt.tokens import END, START

Ids = Sequence[Sequence[int]]  # of a batch of sentences

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
    maps: dict[int, np.ndarray] = {}
    for rows in _batches(sources):
        source_ids = []
        target_ids = []
        for row in rows:
            source_ids.append(tokenizer.encode_source(sources[row]))
            pieces = tokenizer.encode_target(targets[row])
            target_ids.append([*pieces, END])
        norms = _norms(model, source_ids, target_ids)  # (PARTS, B, S)
        for place, row in enumerate(rows):
            length = len(source_ids[place])
            of_sentence = norms[:, place, :length]
            maps[row] = _shares(of_sentence)
    model.train(was_training)
    return [maps[row] for row in range(len(sources))]


def _batches(sources: Sequence[str]) -> Iterator[list[int]]:
    """Rows of sentences of about the same length."""
    lengths = [len(source) for source in sources]
    rows = sorted(range(len(sources)), key=lengths.__getitem__)
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def _norms(model: Model, source_ids: Ids, target_ids: Ids) -> np.ndarray:
    """Of the gradient, for the asked word of each tenth of the target, by each source piece: (PARTS, B, S)."""
    norms = []
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):  # cuDNN has no backward in evaluation mode
        embedded, chosen = _log_probabilities(model, source_ids, target_ids)
        for part in range(PARTS):
            places = _middles(part, target_ids)
            asked = torch.tensor(places, device=model.device)  # (B, 1)
            log_probability = chosen.gather(1, asked)  # (B, 1)
            total = log_probability.sum()  # sentences don't see each other, so that each keeps its own gradient
            goes_on = part + 1 < PARTS
            [gradient] = torch.autograd.grad(total, embedded, retain_graph=goes_on)  # (B, S, E)
            gradient = gradient.detach().float()
            norm = gradient.norm(dim=-1)  # (B, S)
            norms.append(norm.cpu().numpy())
    return np.stack(norms)


def _middles(part: int, target_ids: Ids) -> list[list[int]]:
    """The piece in the middle of a tenth of each target (B, 1)."""
    share = (part + 0.5) / PARTS
    middles = []
    for ids in target_ids:
        piece = int(share * len(ids))
        middles.append([piece])
    return middles


def _log_probabilities(model: Model, source_ids: Ids, target_ids: Ids) -> tuple[Tensor, Tensor]:
    """The source's embeddings (B, S, E), and the log-probability of every target piece after those before it (B, T)."""
    device = model.device
    ids, mask = pad(source_ids)
    shifted = [[START, *row[:-1]] for row in target_ids]
    target_in, _ = pad(shifted)
    target_out, _ = pad(target_ids)
    embedded: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        embedded.append(output)

    hook = model.source_embedding.register_forward_hook(keep)
    ids = ids.to(device)
    mask = mask.to(device)
    memory = model.encode(ids, mask)
    hook.remove()
    target_in = target_in.to(device)
    output = model.decode(memory, target_in)
    logits = model.logits(output)  # (B, T, V)
    log_probabilities = torch.log_softmax(logits.float(), dim=-1)
    target_out = target_out.to(device)
    chosen = log_probabilities.gather(-1, target_out[..., None])  # (B, T, 1)
    return embedded[0], chosen[..., 0]


def _shares(norms: np.ndarray) -> np.ndarray:
    """Norms (PARTS, S) to percent by tenth of the source (PARTS, PARTS)."""
    length = norms.shape[1]
    edges = np.linspace(0, length, PARTS + 1)
    columns = []
    for low, high in itertools.pairwise(edges):
        first = min(int(low), length - 1)
        end = max(int(high), first + 1)
        tenth = norms[:, first:end]
        columns.append(tenth.mean(axis=1))
    by_part = np.stack(columns, axis=1)  # (PARTS, PARTS)
    totals = by_part.sum(axis=1, keepdims=True)
    return 100 * by_part / np.maximum(totals, 1e-30)
