"""Scaled dot-product attention (Vaswani 2017, equation 1) over padded sentences.

Two forms: the formula, and the library's fused kernel. `attention` chooses. A form for sentences without padding
(packed rows with their lengths) becomes one more function here, and one more branch of `attention`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nmt.kernels.softmax import exact, softmax


def attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, need_weights: bool = False
) -> tuple[Tensor, Tensor | None]:
    """As the library's `scaled_dot_product_attention`, with the weights where they are needed.

    query (B, H, T, D), key and value (B, H, S, D). ``attn_mask`` broadcasts to (B, H, T, S): booleans, True where a
    query may look, or numbers that are added to the scores. Returns the context (B, H, T, D) and the weights
    (B, H, T, S) or None.
    """
    if need_weights:  # the fused kernel keeps none
        return plain_attention(query, key, value, attn_mask)
    if query.device.type == "cpu":  # its fused kernel has a backward that is slower than the formula's
        context, _ = plain_attention(query, key, value, attn_mask)
        return context, None
    return fused_attention(query, key, value, attn_mask), None


def where_allowed(mask: Tensor) -> Tensor | None:
    """Where queries may look, (B, 1, 1, S), of a mask (B, S); None where that is everywhere, which saves a CPU time.

    A GPU isn't asked whether it is: the process would wait for the answer, and its kernel is as fast with a mask.
    """
    if mask.device.type == "cpu" and bool(mask.all()):
        return None
    return mask[:, None, None]


def plain_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """softmax(Q K^T / sqrt(D)) V, and the weights."""
    scale = query.shape[-1] ** -0.5
    products = query @ key.transpose(-1, -2)  # (B, H, T, S)
    return weighted_values(exact(products) * scale, value, attn_mask)


def fused_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None) -> Tensor:
    """The library's fused kernel."""
    if attn_mask is not None and attn_mask.dtype != torch.bool:
        attn_mask = attn_mask.to(query.dtype)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=attn_mask)


def weighted_values(scores: Tensor, value: Tensor, attn_mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """softmax(scores) V and the weights, for any scores (B, H, T, S) in fp32 or more."""
    if attn_mask is not None:
        scores = _masked(scores, attn_mask)
    weights = softmax(scores).to(value.dtype)  # (B, H, T, S)
    return weights @ value, weights


def _masked(scores: Tensor, attn_mask: Tensor) -> Tensor:
    if attn_mask.dtype == torch.bool:
        return scores.masked_fill(~attn_mask, float("-inf"))
    return scores + attn_mask
