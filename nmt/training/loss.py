"""Label-smoothed cross-entropy over real target tokens, summed: the trainer divides it by the global count."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from nmt.kernels.cross_entropy import linear_cross_entropy, real_rows
from nmt.kernels.limits import limits
from nmt.models.interface import Choice, Output, mixed


def token_loss(
    projection: nn.Linear,
    output: Output,
    target: Tensor,
    mask: Tensor,
    smoothing: float,
    real: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Smoothed loss and negative log-likelihood in nats, summed over the real tokens of a batch.

    target (B, T), mask (B, T). Padding is dropped before the projection to the vocabulary. A choice that the model made
    adds its reward to the loss, not to the likelihood. ``real`` (N,), where they are known, are the places of the real
    tokens among all B * T: a GPU that is asked for them makes the process wait.
    """
    if real is None:
        real = mask.flatten().nonzero()[:, 0]  # (N,)
    rows = real_rows(output.hidden, real)  # (N, E) or (N, S, E)
    labels = real_rows(target, real)  # (N,)
    if output.mixture is not None:
        mixture = real_rows(output.mixture, real)  # (N, S)
        return _mixture_cross_entropy(projection, rows, mixture, labels, smoothing)
    loss, likelihood = linear_cross_entropy(rows, projection.weight, projection.bias, labels, smoothing)
    if output.choice is not None and torch.is_grad_enabled():
        rewards = torch.zeros(mask.shape, device=mask.device)
        rewards[mask] = _log_likelihoods(projection, rows, labels)
        loss = loss + choice_loss(output.choice, rewards, mask)
    return loss, likelihood


def _mixture_cross_entropy(
    projection: nn.Linear, rows: Tensor, mixture: Tensor, labels: Tensor, smoothing: float
) -> tuple[Tensor, Tensor]:
    """`token_loss` where p(y) is the sum of p(s) p(y | s): rows (N, S, E), mixture (N, S), labels (N,).

    The logits (C, S, V) of a chunk exist at once, and are made again for its gradient.
    """
    loss = rows.new_zeros((), dtype=torch.float32)
    likelihood = rows.new_zeros((), dtype=torch.float32)
    size = max(1, limits(rows.device).loss_rows // rows.shape[1])
    for start in range(0, len(rows), size):
        chunk = slice(start, start + size)
        logarithms = checkpoint(_mixed_logits, projection, rows[chunk], mixture[chunk], use_reentrant=False)  # (C, V)
        negative = F.nll_loss(logarithms, labels[chunk], reduction="sum")
        uniform = logarithms.mean(dim=-1).sum()
        loss = loss + (1 - smoothing) * negative - smoothing * uniform
        likelihood = likelihood + negative.detach()
    return loss, likelihood


def _mixed_logits(projection: nn.Linear, rows: Tensor, mixture: Tensor) -> Tensor:
    return mixed(projection(rows), mixture)  # (C, V)


@torch.no_grad()
def _log_likelihoods(projection: nn.Linear, rows: Tensor, labels: Tensor) -> Tensor:
    """Log-probability of each label (N,), in nats."""
    size = limits(rows.device).loss_rows
    chunks = []
    for some_rows, some_labels in zip(rows.split(size), labels.split(size), strict=True):
        logits = projection(some_rows).float()  # (C, V)
        chunks.append(-F.cross_entropy(logits, some_labels, reduction="none"))
    return torch.cat(chunks)


def guided_loss(attention: Tensor, links: Tensor) -> Tensor:
    """Cross-entropy of attention (B, T, S) against known links (L, 3), summed over linked target tokens.

    A token shares its weight evenly among its links (Garg 2019, equation 5; Chen 2016).
    """
    rows, targets, sources = links.unbind(dim=1)
    batch, length, _ = attention.shape
    token = rows * length + targets  # (L,)
    links_of_token = torch.bincount(token, minlength=batch * length)  # (B * T,)
    logarithms = attention[rows, targets, sources].float().clamp(min=1e-9).log()  # (L,)
    return -(logarithms / links_of_token[token]).sum()


def choice_loss(choice: Choice, rewards: Tensor, mask: Tensor) -> Tensor:
    """Loss of a drawn choice by REINFORCE (Williams 1992; Xu 2015, equation 11), summed over real tokens.

    ``rewards`` (B, T) are log-likelihoods of the target tokens. A choice that lasts is judged by all rewards from its
    position on, else by its own. The baseline is learnt to expect the reward: it takes away variance, and, as it does
    not depend on what was drawn, adds no bias.
    """
    rewards = rewards.masked_fill(~mask, 0.0)
    if choice.lasting:
        rewards = rewards.flip(1).cumsum(dim=1).flip(1)
    surprise = rewards - choice.baseline.float()  # (B, T)
    of_entropy = choice.entropy_weight * choice.entropy
    reinforced = -surprise.detach() * choice.log_probability - of_entropy
    of_baseline = 0.5 * surprise.square()
    return (reinforced + of_baseline)[mask].sum()
