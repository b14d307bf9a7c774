"""The fast form of every kernel equals its plain one, on every device at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import nmt.kernels
from nmt.kernels.process import products_in
from nmt.kernels.registry import PAIRS, Form, Pair

WITHOUT_A_PAIR = {"__init__", "process", "limits", "registry"}
CASES = [(pair, device) for pair in PAIRS for device in pair.devices]
every_pair = pytest.mark.parametrize(
    ("pair", "device"), CASES, ids=[f"{pair.file}-{pair.name}-{device}" for pair, device in CASES]
)


@pytest.fixture(autouse=True)
def only_devices_at_hand(request: pytest.FixtureRequest) -> Iterator[None]:
    if "device" not in request.fixturenames:
        yield
        return
    device = request.getfixturevalue("device")
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU")
    with products_in("fp32", torch.device(device)):
        yield


def outcome(form: Form, pair: Pair, device: str) -> list[Tensor]:
    """Outputs of a form, then the gradients of its inputs and of the weights of its layers."""
    torch.manual_seed(1)
    inputs: list[Any] = []
    leaves: list[Tensor] = []
    for value in pair.examples(False):
        if isinstance(value, nn.Module):
            value = value.to(device)
            leaves.extend(value.parameters())
        elif isinstance(value, Tensor):
            value = value.to(device)
            if value.is_floating_point():
                leaves.append(value.requires_grad_())
        inputs.append(value)
    torch.manual_seed(2)
    outputs = form(*inputs)
    if isinstance(outputs, Tensor):
        outputs = (outputs,)
    total = torch.zeros((), device=device)
    for output in outputs:
        if output.requires_grad:
            total = total + (output * torch.linspace(-1, 1.5, output.numel(), device=device).view_as(output)).sum()
    return [*outputs, *torch.autograd.grad(total, leaves)]


def assert_equal(pair: Pair, fast: Form, device: str) -> None:
    expected = outcome(pair.plain, pair, device)
    computed = outcome(fast, pair, device)
    assert len(computed) == len(expected)
    for ours, theirs in zip(computed, expected, strict=True):
        assert ours.shape == theirs.shape
        assert (ours - theirs).abs().max() <= pair.tolerance * theirs.abs().max()


@every_pair
def test_the_fast_form_equals_the_plain_one_with_its_gradients(pair: Pair, device: str) -> None:
    assert_equal(pair, pair.fast, device)


class WrongGradient(torch.autograd.Function):
    """The identity, with a gradient that is wrong by a thousandth."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor) -> Tensor:  # type: ignore[override]
        return inputs.view_as(inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return gradient * 1.001


def wrong_outputs(form: Form) -> Form:
    def spoilt(*inputs: Any) -> Any:
        outputs = form(*inputs)
        if isinstance(outputs, Tensor):
            return outputs * 1.001
        return tuple(output * 1.001 for output in outputs)

    return spoilt


def wrong_gradients(form: Form) -> Form:
    def spoilt(*inputs: Any) -> Any:
        return form(*[WrongGradient.apply(x) if isinstance(x, Tensor) and x.requires_grad else x for x in inputs])

    return spoilt


@every_pair
@pytest.mark.parametrize("spoil", [wrong_outputs, wrong_gradients])
def test_a_fast_form_that_is_wrong_by_a_thousandth_is_found(
    pair: Pair, device: str, spoil: Callable[[Form], Form]
) -> None:
    with pytest.raises(AssertionError):
        assert_equal(pair, spoil(pair.fast), device)


def test_every_kernel_has_a_pair() -> None:
    files = {path.stem for path in Path(nmt.kernels.__file__).parent.glob("*.py")}
    assert files - WITHOUT_A_PAIR == {pair.file for pair in PAIRS}
