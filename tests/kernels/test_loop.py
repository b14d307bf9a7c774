"""Products of a loop have the gradients that autograd would give, whatever else is done with the matrix."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.kernels.loop import product, repeat
from tests.conftest import DEVICE


def double(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64).to(DEVICE).requires_grad_()


@settings(deadline=None, max_examples=30)
@given(st.booleans(), st.booleans(), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))
def test_a_loop_of_products_has_the_gradients_of_plain_ones(
    transposed: bool, of_batch: bool, steps: int, rows: int, width: int
) -> None:
    matrix = double(rows, 3, 5) if of_batch else double(3, 5)
    inner = 5 if transposed else 3
    lefts = [double(rows, width, inner) if of_batch else double(rows, inner) for _ in range(steps)]

    def loop(own: torch.Tensor) -> torch.Tensor:
        return torch.stack([product(left, own, transposed).square().sum() for left in lefts]).sum()

    plain = torch.autograd.grad(loop(matrix), [matrix, *lefts])
    fast = torch.autograd.grad(loop(repeat(matrix)), [matrix, *lefts])
    for ours, theirs in zip(fast, plain, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_other_uses_of_the_matrix_count_too() -> None:
    matrix, left = double(2, 3, 4), double(2, 1, 3)

    def use(own: torch.Tensor) -> torch.Tensor:
        step = product(left, own) + product(left, own[:, :3, :3], True).sum()
        return step.square().sum() + (own**3).sum() + product(step, own, transposed=True).sum()

    torch.testing.assert_close(
        torch.autograd.grad(use(repeat(matrix)), matrix), torch.autograd.grad(use(matrix), matrix)
    )


def test_a_pass_that_stops_early_leaves_nothing_for_the_next() -> None:
    matrix, left = double(3, 3), double(1, 3)
    own = repeat(matrix)
    first = product(left, own)
    second = product(first, own)
    torch.autograd.grad(second.sum(), left, retain_graph=True)  # never reaches the matrix
    torch.testing.assert_close(
        torch.autograd.grad(first.square().sum(), matrix, retain_graph=True)[0],
        torch.autograd.grad((left @ matrix).square().sum(), matrix)[0],
    )
    for _ in range(2):  # the same graph twice
        torch.testing.assert_close(
            torch.autograd.grad(second.sum(), matrix, retain_graph=True)[0],
            torch.autograd.grad((left @ matrix @ matrix).sum(), matrix)[0],
        )


def test_what_needs_no_gradient_is_left_alone() -> None:
    matrix = torch.randn(2, 2).to(DEVICE)
    assert repeat(matrix) is matrix
    with torch.no_grad():
        weights = torch.randn(2, 2).to(DEVICE).requires_grad_()
        assert repeat(weights) is weights
