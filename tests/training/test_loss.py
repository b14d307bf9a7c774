import pytest
import torch
from torch import nn

from nmt.models.interface import Output
from nmt.training.loss import guided_loss, token_loss
from tests.conftest import DEVICE, same


def test_padding_has_no_share():
    torch.manual_seed(0)
    output, hidden = nn.Linear(4, 7).to(DEVICE), torch.randn(2, 3, 4).to(DEVICE)
    target = torch.randint(0, 7, (2, 3)).to(DEVICE)
    mask = torch.tensor([[True, True, False], [True, False, False]], device=DEVICE)
    loss, likelihood = token_loss(output, Output(hidden), target, mask, 0.1)
    changed = hidden.clone()
    changed[~mask] = 99.0
    again, _ = token_loss(output, Output(changed), target.masked_fill(~mask, 0), mask, 0.1)
    same(loss, again)
    rows = torch.log_softmax(output(hidden[mask]), -1).gather(1, target[mask][:, None])
    assert likelihood.item() == pytest.approx(-rows.sum().item(), rel=1e-5)


def test_guided_loss_is_the_cross_entropy_with_evenly_shared_links():
    torch.manual_seed(1)
    attention = torch.randn(2, 3, 4).softmax(-1).to(DEVICE).requires_grad_()
    links = torch.tensor([[0, 0, 1], [0, 0, 2], [1, 2, 3]], device=DEVICE)  # row, target, source
    by_hand = -(attention[0, 0, 1].log() / 2 + attention[0, 0, 2].log() / 2 + attention[1, 2, 3].log())
    torch.testing.assert_close(guided_loss(attention, links), by_hand)
    assert guided_loss(attention, links[:0]) == 0
