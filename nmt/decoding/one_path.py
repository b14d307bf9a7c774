"""One path per sentence: greedy, or sampled at a temperature."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nmt.corpus.subwords.tokenizer import END, PADDING, START
from nmt.decoding.hypothesis import Hypothesis
from nmt.models.interface import Memory, Model


def forbid(log_probabilities: Tensor, end: bool = False) -> Tensor:
    """PADDING and START are never output, and END not where ``end`` says so. (..., V)"""
    for token in (PADDING, START, END) if end else (PADDING, START):  # one by one: a list of them would copy all
        log_probabilities[..., token] = float("-inf")
    return log_probabilities


@torch.no_grad()
def sample(
    model: Model,
    memory: Memory,
    limits: Tensor,
    temperature: float = 0.0,
    generators: Sequence[torch.Generator] = (),
    min_length: int = 0,
) -> list[Hypothesis]:
    """One hypothesis for each sentence of ``memory``; temperature 0 takes the likeliest token at each step.

    ``limits`` (B,) holds the most tokens, END included, of each. ``generators`` holds one for each sentence, on the
    CPU, so that what is drawn does not depend on the batch. Finished sentences leave the batch; none ends before
    ``min_length`` tokens.
    """
    device, count = memory.states.device, len(limits)
    tokens: list[list[int]] = [[] for _ in range(count)]
    totals = torch.zeros(count, dtype=torch.float64)
    alive = torch.arange(count)  # (B,) sentence of each row
    state = model.start(memory)
    latest = torch.full((count,), START, device=device)
    while len(alive):
        step = model.step(latest, state)
        too_short = len(tokens[int(alive[0])]) < min_length  # all that are alive are as long
        log_probabilities = forbid(torch.log_softmax(step.logits.float(), dim=-1), too_short)  # (B, V)
        preferred = log_probabilities
        if temperature > 0:
            noise = [_gumbel(preferred.shape[1], generators[sentence]) for sentence in alive.tolist()]
            preferred = preferred / temperature + torch.stack(noise).to(device)
        latest = preferred.argmax(dim=-1)  # (B,)
        totals[alive] += log_probabilities.gather(1, latest[:, None])[:, 0].double().cpu()
        for sentence, token in zip(alive.tolist(), latest.tolist(), strict=True):
            tokens[sentence].append(token)
        lengths = torch.tensor([len(tokens[sentence]) for sentence in alive.tolist()])
        going = ((latest.cpu() != END) & (lengths < limits[alive])).nonzero()[:, 0]
        state = step.state
        if len(going) < len(alive):
            alive = alive[going]
            going = going.to(device)
            state, latest = state.select(going, going), latest[going]
    return [Hypothesis(tuple(row), total, total) for row, total in zip(tokens, totals.tolist(), strict=True)]


def _gumbel(size: int, generator: torch.Generator) -> Tensor:
    """Noise under which the likeliest token is a draw from the distribution (Gumbel 1954)."""
    return -torch.empty(size).exponential_(generator=generator).log()
