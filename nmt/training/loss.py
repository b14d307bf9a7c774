"""Label-smoothed cross-entropy over real target tokens, summed: who divides it is the trainer, by the global count."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CHUNK_ROWS = 256  # so that a chunk of logits stays near the processor


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
    """The same by chunks of rows, the gradient made in the forward: the logits (N, V) never exist as a whole."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor, smoothing: float, kind: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        needs_gradient = any(ctx.needs_input_grad)
        low_weight, low_hidden = weight.to(kind), hidden.to(kind)
        losses = hidden.new_zeros(2, dtype=torch.float64)
        if needs_gradient:
            grad_hidden = torch.empty_like(low_hidden)
            grad_weight = torch.zeros_like(weight)
            grad_bias = torch.zeros_like(bias)
        for start in range(0, len(hidden), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            logits = F.linear(low_hidden[rows], low_weight, bias.to(kind)).float()  # (C, V)
            total = logits.logsumexp(dim=-1)  # (C,)
            index = target[rows, None]
            negative = (total - logits.gather(1, index)[:, 0]).sum(dtype=torch.float64)
            uniform = (total - logits.mean(dim=-1)).sum(dtype=torch.float64) if smoothing else 0.0
            losses += torch.stack(((1 - smoothing) * negative + smoothing * uniform, negative))
            if needs_gradient:
                gradient = logits.sub_(total[:, None]).exp_().sub_(smoothing / logits.shape[1])
                gradient.scatter_add_(1, index, torch.full_like(total, smoothing - 1)[:, None])
                grad_bias += gradient.sum(dim=0)
                gradient = gradient.to(kind)
                torch.mm(gradient, low_weight, out=grad_hidden[rows])
                grad_weight += gradient.t() @ low_hidden[rows]
        if needs_gradient:
            ctx.save_for_backward(grad_hidden.to(hidden.dtype), grad_weight, grad_bias)
        smoothed, likelihood = losses.float()
        ctx.mark_non_differentiable(likelihood)
        return smoothed, likelihood

    @staticmethod
    def backward(ctx: Any, grad_smoothed: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        grad_hidden, grad_weight, grad_bias = ctx.saved_tensors
        return grad_hidden * grad_smoothed, grad_weight * grad_smoothed, grad_bias * grad_smoothed, None, None, None


def token_loss(
    output: nn.Linear, hidden: Tensor, target: Tensor, mask: Tensor, smoothing: float
) -> tuple[Tensor, Tensor]:
    """Smoothed loss and negative log-likelihood in nats, summed over the real tokens of a batch.

    hidden (B, T, E), target (B, T), mask (B, T). Padding is dropped before the projection to the vocabulary.
    """
    kind = hidden.dtype
    if torch.is_autocast_enabled(hidden.device.type):
        kind = torch.get_autocast_dtype(hidden.device.type)
    rows, labels = hidden[mask], target[mask]  # (N, E), (N,)
    return ChunkedCrossEntropy.apply(rows, output.weight, output.bias, labels, smoothing, kind)
