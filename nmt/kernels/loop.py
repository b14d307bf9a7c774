"""Products of a loop: a matrix that every step multiplies with gets its gradient once, after the last step.

Autograd makes that gradient at every step and adds the steps up: T small products, and T passes over a matrix. All
rows of all steps in one product are the same sum. The plain path is autograd's own, which `product` and `linear` take
for any matrix that `repeat` has not prepared.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from nmt.kernels.process import product_kind


def repeat(matrix: Tensor) -> Tensor:
    """Prepares a matrix for many calls of `product`: weights (K, N), or one matrix for each row (B, K, N).

    Casts it once to autocast's format. Returns it unchanged where it needs no gradient.
    """
    needs_gradient = torch.is_grad_enabled() and matrix.requires_grad
    if not needs_gradient or torch.compiler.is_compiling():
        return matrix
    return _Repeat.apply(matrix.to(product_kind(matrix)))


def product(left: Tensor, matrix: Tensor, transposed: bool = False) -> Tensor:
    """``left`` (..., K) times ``matrix``, or times its transpose."""
    if matrix.grad_fn is None or not _is_prepared(matrix):
        return left @ (matrix.mT if transposed else matrix)
    return _Product.apply(left.to(matrix.dtype), matrix, matrix.grad_fn, transposed)


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """As `torch.nn.functional.linear`, (..., K) to (..., N), of a weight (N, K) that `repeat` may have prepared."""
    if weight.grad_fn is None or not _is_prepared(weight):
        return F.linear(inputs, weight, bias)
    outputs = product(inputs, weight, transposed=True)
    return outputs if bias is None else outputs + bias


def _is_prepared(matrix: Tensor) -> bool:
    return not torch.compiler.is_compiling() and type(matrix.grad_fn) is _Repeat._backward_cls  # type: ignore[attr-defined]


class _Repeat(torch.autograd.Function):
    """The identity. Its node of the graph keeps the factors that each step leaves in `_Product.backward`."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.factors = {}  # by backward pass, then by whether the matrix was transposed: two lists, one entry a step
        ctx.dimensions = matrix.dim()
        return matrix.view_as(matrix)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor | None) -> Tensor | None:  # type: ignore[override]
        """``gradient`` is of other uses than products."""
        factors = ctx.factors.pop(_backward_pass(), {})
        for lefts, rights in factors.values():
            left = _rows(lefts, ctx.dimensions)
            right = _rows(rights, ctx.dimensions)
            of_products = left.mT @ right
            gradient = of_products if gradient is None else gradient + of_products
        return gradient


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, left: Tensor, matrix: Tensor, node: Any, transposed: bool) -> Tensor:
        ctx.save_for_backward(left, matrix)
        ctx.node = node
        ctx.transposed = transposed
        return left @ (matrix.mT if transposed else matrix)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        left, matrix = ctx.saved_tensors
        number = _backward_pass()
        factors = ctx.node.factors
        if number not in factors:  # another pass has ended before it came to the matrix
            factors.clear()
        of_pass = factors.setdefault(number, {})
        lefts, rights = of_pass.setdefault(ctx.transposed, ([], []))
        if ctx.transposed:
            lefts.append(gradient)
            rights.append(left)
            return gradient @ matrix, None, None, None
        lefts.append(left)
        rights.append(gradient)
        return gradient @ matrix.mT, None, None, None


def _rows(steps: list[Tensor], dimensions: int) -> Tensor:
    """All rows that met one matrix: weights (2 dimensions) meet the rows of every sentence."""
    if dimensions == 2:
        steps = [step.flatten(0, -2) for step in steps]
    return torch.cat(steps, dim=-2)


def _backward_pass() -> int:
    """Tells one backward pass from another, so that what a pass leaves unfinished does not enter the next."""
    return torch._C._current_graph_task_id()
