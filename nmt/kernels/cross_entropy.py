"""Label-smoothed cross-entropy of a linear map to a large vocabulary (Szegedy 2016, section 7), summed over rows.

The plain form makes all logits (N, V) at once. The fast one makes a chunk of them at a time.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nmt.kernels.limits import limits
from nmt.kernels.process import format_of_sums, product_kind, without_autocast


def linear_cross_entropy(
    hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor, label_smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    """As the library's `linear` and then `cross_entropy`, summed: the loss, and the negative log-likelihood in nats.

    hidden (N, E), weight (V, E), bias (V,), target (N,). The likelihood has no gradient.
    """
    kind = product_kind(hidden)
    with without_autocast(hidden.device):  # the function casts by itself
        return ChunkedCrossEntropy.apply(hidden, weight, bias, target, label_smoothing, kind)


def real_rows(padded: Tensor, rows: Tensor) -> Tensor:
    """Selects rows (N,) of B * T from a tensor (B, T, ...): (N, ...).

    Indexing by the mask gives the same, and takes several times as long for the gradient.
    """
    return padded.flatten(0, 1).index_select(0, rows)


def plain_cross_entropy(
    hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor, label_smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    """The formula."""
    logits = F.linear(hidden, weight, bias).float()  # (N, V)
    smoothed = F.cross_entropy(logits, target, label_smoothing=label_smoothing, reduction="sum")
    likelihood = F.cross_entropy(logits.detach(), target, reduction="sum")
    return smoothed, likelihood


class ChunkedCrossEntropy(torch.autograd.Function):
    """The formula by chunks of rows, the gradient made in the forward: the logits (N, V) never exist as a whole.

    The logits are passed over once, by softmax, in place. What smoothing adds to the loss and to the gradients does not
    depend on the probabilities, so it is added afterwards, from the means of the weights and of the hidden vectors. In
    bf16 the loss is that of the rounded probabilities; without gradients it is exact.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor, smoothing: float, kind: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        rows = hidden.to(kind)  # (N, E)
        low_weight = weight.to(kind)
        low_bias = bias.to(kind)
        needs_gradient = any(ctx.needs_input_grad)
        of_sums = format_of_sums(hidden.device)
        negative = hidden.new_zeros((), dtype=of_sums)
        totals = hidden.new_zeros((), dtype=of_sums)  # of the logarithms of the sums of exponentials
        if needs_gradient:
            grad_rows = torch.empty_like(rows)
            grad_weight = torch.zeros_like(weight)
            grad_bias = torch.zeros_like(bias)
        chunk_rows = limits(hidden.device).loss_rows
        for start in range(0, len(rows), chunk_rows):
            chunk = slice(start, start + chunk_rows)
            labels = target[chunk]  # (C,)
            index = labels[:, None]
            logits = F.linear(rows[chunk], low_weight, low_bias)  # (C, V)
            of_target = logits.gather(1, index).float()  # (C, 1)
            if needs_gradient:
                probabilities = torch.softmax(logits, dim=-1, out=logits)
                chosen = probabilities.gather(1, index).float()  # (C, 1)
                chosen.clamp_(min=1e-30).log_()
                number = torch.arange(len(labels), device=labels.device)
                probabilities[number, labels] += smoothing - 1  # the gradient by the logits
                torch.mm(probabilities, low_weight, out=grad_rows[chunk])
                grad_weight += probabilities.t() @ rows[chunk]
                grad_bias += probabilities.sum(dim=0)
            else:
                logarithms = torch.log_softmax(logits.float(), dim=-1)
                chosen = logarithms.gather(1, index)
            negative -= chosen.sum(dtype=of_sums)
            total = of_target - chosen
            totals += total.sum(dtype=of_sums)
        mean_weight = weight.mean(dim=0)  # (E,)
        sum_rows = rows.sum(dim=0, dtype=torch.float32)  # (E,)
        of_weights = (sum_rows * mean_weight).sum()
        sum_logits = of_weights + len(rows) * bias.mean()  # over rows; of each, the mean over words
        uniform = totals - sum_logits
        if needs_gradient:
            share = smoothing / len(weight)
            grad_weight -= share * sum_rows
            grad_bias -= share * len(rows)
            of_smoothing = smoothing * mean_weight.to(hidden.dtype)
            grad_hidden = grad_rows.to(hidden.dtype) - of_smoothing
            ctx.save_for_backward(grad_hidden, grad_weight, grad_bias)
        likelihood = negative.float()
        ctx.mark_non_differentiable(likelihood)
        smoothed = (1 - smoothing) * negative + smoothing * uniform
        return smoothed.float(), likelihood

    @staticmethod
    def backward(ctx: Any, grad_smoothed: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        grad_hidden, grad_weight, grad_bias = ctx.saved_tensors
        return grad_hidden * grad_smoothed, grad_weight * grad_smoothed, grad_bias * grad_smoothed, None, None, None
