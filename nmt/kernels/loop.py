"""Products of a loop: a matrix that every step multiplies with gets its gradient once, after the last step.

Autograd makes that gradient at every step and adds the steps up: T small products, and T passes over a matrix. All
rows of all steps in one product are the same sum. The plain path is autograd's own, which `product` takes for any
matrix that `repeat` has not prepared; tests hold them equal.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


def product_kind(tensor: Tensor) -> torch.dtype:
    """The format that products of the tensor are made in: what autocast says, else its own."""
    device = tensor.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else tensor.dtype


def repeat(matrix: Tensor) -> Tensor:
    """The same values, for many a `product`: weights (K, N), or a matrix for each row of the batch (B, K, N).

    Under autocast the format of products is given to it here, not at every step. What needs no gradient is left alone.
    """
    if not (torch.is_grad_enabled() and matrix.requires_grad) or torch.compiler.is_compiling():
        return matrix
    return _Repeat.apply(matrix.to(product_kind(matrix)))


def product(left: Tensor, matrix: Tensor, transposed: bool = False) -> Tensor:
    """``left`` (..., K) times ``matrix``, or times its transpose."""
    if matrix.grad_fn is None or not _is_prepared(matrix):
        return left @ (matrix.mT if transposed else matrix)
    return _Product.apply(left.to(matrix.dtype), matrix, matrix.grad_fn, transposed)


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """A linear map (..., K) to (..., N) whose weight (N, K) may be prepared by `repeat`."""
    if weight.grad_fn is None or not _is_prepared(weight):
        return F.linear(inputs, weight, bias)
    made = product(inputs, weight, transposed=True)
    return made if bias is None else made + bias


def _is_prepared(matrix: Tensor) -> bool:
    return not torch.compiler.is_compiling() and type(matrix.grad_fn) is _Repeat._backward_cls  # type: ignore[attr-defined]


class _Repeat(torch.autograd.Function):
    """The identity. Its node of the graph keeps what the steps leave in `_Product.backward`."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.left_behind, ctx.dimensions = {}, matrix.dim()
        return matrix.view_as(matrix)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor | None) -> Tensor | None:  # type: ignore[override]
        """``gradient`` is of other uses than products."""
        for of_rows, of_columns in ctx.left_behind.pop(_backward_pass(), {}).values():
            joined = _rows(of_rows, ctx.dimensions).mT @ _rows(of_columns, ctx.dimensions)
            gradient = joined if gradient is None else gradient + joined
        return gradient


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, left: Tensor, matrix: Tensor, node: Any, transposed: bool) -> Tensor:
        ctx.save_for_backward(left, matrix)
        ctx.node, ctx.transposed = node, transposed
        return left @ (matrix.mT if transposed else matrix)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        left, matrix = ctx.saved_tensors
        left_behind, number = ctx.node.left_behind, _backward_pass()
        if number not in left_behind:  # another pass has ended before it came to the matrix
            left_behind.clear()
        kept = left_behind.setdefault(number, {}).setdefault(ctx.transposed, ([], []))
        rows, columns = (gradient, left) if ctx.transposed else (left, gradient)
        kept[0].append(rows)
        kept[1].append(columns)
        return gradient @ (matrix if ctx.transposed else matrix.mT), None, None, None


def _rows(steps: list[Tensor], dimensions: int) -> Tensor:
    """All rows that met one matrix: weights (2 dimensions) meet those of every sentence."""
    return torch.cat([step.flatten(0, -2) for step in steps] if dimensions == 2 else steps, dim=-2)


def _backward_pass() -> int:
    """Tells one backward pass from another, so that what a pass leaves unfinished does not enter the next."""
    return torch._C._current_graph_task_id()
