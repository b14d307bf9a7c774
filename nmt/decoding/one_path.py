"""One path per sentence: greedy, or sampled at a temperature."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nmt.decoding.hypothesis import Hypothesis
from nmt.decoding.options import DecodingOptions
from nmt.models.interface import Memory, Model
from nmt.tokens import END, PADDING, START


def forbid(log_probabilities: Tensor, end: bool = False) -> Tensor:
    """Sets PADDING and START, which are never output, to -inf in place, and END where ``end`` says so. (..., V)"""
    forbidden = [PADDING, START]
    if end:
        forbidden.append(END)
    for token in forbidden:  # one by one: a list of them would copy all
        log_probabilities[..., token] = float("-inf")
    return log_probabilities


@torch.no_grad()
def sample(
    model: Model,
    memory: Memory,  # of B source sentences
    limits: Tensor,  # (B,) int64, on the CPU: how many tokens of each at most, END included
    options: DecodingOptions,
    generators: Sequence[torch.Generator] = (),
) -> list[Hypothesis]:
    """Finds one hypothesis for each sentence; temperature 0 takes the likeliest token at each step.

    ``generators``, where the temperature is above 0, holds one for each sentence, on the CPU, so that what is drawn
    does not depend on the batch. Finished sentences leave the batch: A of them are left. None ends before
    ``options.min_length`` tokens.
    """
    device = memory.states.device
    count = len(limits)
    tokens: list[list[int]] = [[] for _ in range(count)]  # of each sentence
    totals = torch.zeros(count, dtype=torch.float64)  # (B,) log-probabilities
    sentences = torch.arange(count)  # (A,) which sentence each row is
    latest = torch.full((count,), START, device=device)  # (A,)
    state = model.start(memory)
    length = 0
    while len(sentences):
        step = model.step(latest, state)
        state = step.state
        log_probabilities = torch.log_softmax(step.logits.float(), dim=-1)  # (A, V)
        log_probabilities = forbid(log_probabilities, end=length < options.min_length)
        if options.temperature > 0:
            own_generators = [generators[sentence] for sentence in sentences.tolist()]
            latest = _draw(log_probabilities / options.temperature, own_generators)  # (A,)
        else:
            latest = log_probabilities.argmax(dim=-1)  # (A,)
        chosen = log_probabilities.gather(1, latest[:, None])[:, 0]  # (A,)
        totals[sentences] += chosen.cpu().double()
        for sentence, token in zip(sentences.tolist(), latest.tolist(), strict=True):
            tokens[sentence].append(token)
        length += 1
        goes_on = (latest.cpu() != END) & (length < limits[sentences])  # (A,)
        rows = goes_on.nonzero()[:, 0]
        if len(rows) < len(sentences):
            sentences = sentences[rows]
            rows = rows.to(device)
            latest = latest[rows]
            state = state.select(rows, rows)
    found = zip(tokens, totals.tolist(), strict=True)
    return [Hypothesis.ranked(tuple(path), log_probability, options) for path, log_probability in found]


def _draw(log_probabilities: Tensor, generators: list[torch.Generator]) -> Tensor:
    """Draws a token for each row of log-probabilities (A, V), which need not sum to one: (A,)."""
    vocabulary = log_probabilities.shape[1]
    noise = [_gumbel(vocabulary, generator) for generator in generators]
    perturbed = log_probabilities + torch.stack(noise).to(log_probabilities.device)  # (A, V)
    return perturbed.argmax(dim=-1)


def _gumbel(size: int, generator: torch.Generator) -> Tensor:
    """Noise under which the likeliest token is a draw from the distribution (Gumbel 1954)."""
    times = torch.empty(size).exponential_(generator=generator)
    return -times.log()
