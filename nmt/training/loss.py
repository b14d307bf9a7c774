"""Label-smoothed cross-entropy over real target tokens, summed: who divides it is the trainer, by the global count."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from nmt.kernels.loop import product_kind
from nmt.models.interface import Choice, Output, mixed

CHUNK_ROWS = 512  # so that a chunk of logits stays near the processor


def plain_cross_entropy(
    hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor, smoothing: float
) -> tuple[Tensor, Tensor]:
    """The formula (Szegedy 2016, section 7): smoothed loss and negative log-likelihood, both summed over rows.

    hidden (N, E), weight (V, E), bias (V,), target (N,).
    """
    logits = F.linear(hidden, weight, bias).float()  # (N, V)
    smoothed = F.cross_entropy(logits, target, label_smoothing=smoothing, reduction="sum")
    return smoothed, F.cross_entropy(logits.detach(), target, reduction="sum")


class ChunkedCrossEntropy(torch.autograd.Function):
    """The same by chunks of rows, the gradient made in the forward: the logits (N, V) never exist as a whole.

    The logits are passed over once, by softmax, in place. What smoothing adds to the loss and to the gradients does not
    depend on the probabilities, so it is added afterwards, from the means of the weights and of the hidden vectors. In
    bf16 the loss is that of the rounded probabilities; without gradients it is exact.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor, smoothing: float, kind: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        rows, low_weight, low_bias = hidden.to(kind), weight.to(kind), bias.to(kind)
        needs_gradient = any(ctx.needs_input_grad)
        negative = hidden.new_zeros((), dtype=torch.float64)
        totals = hidden.new_zeros((), dtype=torch.float64)  # of the logarithms of the sums of exponentials
        if needs_gradient:
            grad_rows = torch.empty_like(rows)
            grad_weight, grad_bias = torch.zeros_like(weight), torch.zeros_like(bias)
        for start in range(0, len(rows), CHUNK_ROWS):
            chunk = slice(start, start + CHUNK_ROWS)
            index = target[chunk, None]
            number = torch.arange(len(index), device=index.device)
            logits = F.linear(rows[chunk], low_weight, low_bias)  # (C, V)
            of_target = logits.gather(1, index).float()  # (C, 1)
            if needs_gradient:
                probabilities = torch.softmax(logits, dim=-1, out=logits)
                chosen = probabilities.gather(1, index).float().clamp_(min=1e-30).log_()  # (C, 1)
                probabilities[number, target[chunk]] += smoothing - 1  # the gradient by the logits
                torch.mm(probabilities, low_weight, out=grad_rows[chunk])
                grad_weight += probabilities.t() @ rows[chunk]
                grad_bias += probabilities.sum(dim=0)
            else:
                chosen = torch.log_softmax(logits.float(), dim=-1).gather(1, index)
            negative -= chosen.sum(dtype=torch.float64)
            totals += (of_target - chosen).sum(dtype=torch.float64)
        mean_weight, mean_bias = weight.mean(dim=0), bias.mean()  # (E,), ()
        sum_rows = rows.sum(dim=0, dtype=torch.float32)  # (E,)
        uniform = totals - ((sum_rows * mean_weight).sum() + len(rows) * mean_bias)
        if needs_gradient:
            share = smoothing / len(weight)
            grad_weight -= share * sum_rows
            grad_bias -= share * len(rows)
            grad_hidden = grad_rows.to(hidden.dtype) - smoothing * mean_weight.to(hidden.dtype)
            ctx.save_for_backward(grad_hidden, grad_weight, grad_bias)
        likelihood = negative.float()
        ctx.mark_non_differentiable(likelihood)
        return ((1 - smoothing) * negative + smoothing * uniform).float(), likelihood

    @staticmethod
    def backward(ctx: Any, grad_smoothed: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        grad_hidden, grad_weight, grad_bias = ctx.saved_tensors
        return grad_hidden * grad_smoothed, grad_weight * grad_smoothed, grad_bias * grad_smoothed, None, None, None


def token_loss(
    projection: nn.Linear, output: Output, target: Tensor, mask: Tensor, smoothing: float
) -> tuple[Tensor, Tensor]:
    """Smoothed loss and negative log-likelihood in nats, summed over the real tokens of a batch.

    target (B, T), mask (B, T). Padding is dropped before the projection to the vocabulary. A choice that the model made
    adds its reward to the loss, not to the likelihood.
    """
    real = mask.flatten().nonzero()[:, 0]  # (N,): indexing by the mask is the same, its gradient several times as slow
    rows = output.hidden.flatten(0, 1).index_select(0, real)  # (N, E) or (N, S, E)
    labels = target.flatten()[real]  # (N,)
    kind = product_kind(rows)
    if output.mixture is not None:
        mixture = output.mixture.flatten(0, 1).index_select(0, real)  # (N, S)
        return _mixture_cross_entropy(projection, rows, mixture, labels, smoothing)
    with torch.autocast(rows.device.type, enabled=False):  # the function casts by itself
        loss, likelihood = ChunkedCrossEntropy.apply(rows, projection.weight, projection.bias, labels, smoothing, kind)
    if output.choice is not None and torch.is_grad_enabled():
        rewards = torch.zeros(mask.shape, device=mask.device)
        rewards[mask] = _log_likelihoods(projection, rows, labels)
        loss = loss + choice_loss(output.choice, rewards, mask)
    return loss, likelihood


def _mixture_cross_entropy(
    projection: nn.Linear, rows: Tensor, mixture: Tensor, labels: Tensor, smoothing: float
) -> tuple[Tensor, Tensor]:
    """Of sum of p(s) p(y | s), by chunks whose logits fit: rows (N, S, E), mixture (N, S), labels (N,)."""
    loss, likelihood = rows.new_zeros((), dtype=torch.float32), rows.new_zeros((), dtype=torch.float32)
    size = max(1, CHUNK_ROWS // rows.shape[1])
    for start in range(0, len(rows), size):
        chunk = slice(start, start + size)
        made = checkpoint(_mixed_logits, projection, rows[chunk], mixture[chunk], use_reentrant=False)
        negative = F.nll_loss(made, labels[chunk], reduction="sum")
        loss = loss + (1 - smoothing) * negative - smoothing * made.mean(dim=-1).sum()
        likelihood = likelihood + negative.detach()
    return loss, likelihood


def _mixed_logits(projection: nn.Linear, rows: Tensor, mixture: Tensor) -> Tensor:
    return mixed(projection(rows), mixture)  # (C, V)


@torch.no_grad()
def _log_likelihoods(projection: nn.Linear, rows: Tensor, labels: Tensor) -> Tensor:
    """Of each label (N,)."""
    chunks = zip(rows.split(CHUNK_ROWS), labels.split(CHUNK_ROWS), strict=True)
    return torch.cat([-F.cross_entropy(projection(r).float(), y, reduction="none") for r, y in chunks])


def guided_loss(attention: Tensor, links: Tensor) -> Tensor:
    """Cross-entropy of attention (B, T, S) against known links (L, 3), summed over linked target tokens.

    Each of them shares its weight evenly among its links (Garg 2019, equation 5; Chen 2016).
    """
    rows, targets, sources = links.unbind(dim=1)
    token = rows * attention.shape[1] + targets  # (L,)
    shared = torch.bincount(token, minlength=attention.shape[0] * attention.shape[1])[token]
    return -(attention[rows, targets, sources].float().clamp(min=1e-9).log() / shared).sum()


def choice_loss(choice: Choice, rewards: Tensor, mask: Tensor) -> Tensor:
    """What REINFORCE adds (Williams 1992; Xu 2015, equation 11), summed over real tokens.

    ``rewards`` (B, T) are log-likelihoods of the target tokens. A choice that lasts is judged by all rewards from its
    position on, else by its own. The baseline is learnt to expect the reward: it takes away variance, and, as it does
    not depend on what was drawn, adds no bias.
    """
    rewards = rewards.masked_fill(~mask, 0.0)
    if choice.lasting:
        rewards = rewards.flip(1).cumsum(dim=1).flip(1)
    surprise = rewards - choice.baseline.float()  # (B, T)
    learnt = -surprise.detach() * choice.log_probability - choice.entropy_weight * choice.entropy
    return (learnt + 0.5 * surprise.square())[mask].sum()
