"""Beam search over rows of hypotheses: it knows tokens and a state to logits and a state, and nothing of the model."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nmt.corpus.subwords.tokenizer import END, START
from nmt.decoding.hypothesis import Hypothesis
from nmt.decoding.one_path import forbid
from nmt.decoding.options import DecodingOptions, penalty
from nmt.models.interface import Memory, Model


@dataclass
class _Sentence:
    """The search of one sentence, kept on the host."""

    limit: int
    finished: list[Hypothesis]  # best first, at most k


@torch.no_grad()
def beam_search(model: Model, memory: Memory, limits: Tensor, options: DecodingOptions) -> list[list[Hypothesis]]:
    """For each sentence of ``memory`` the finished hypotheses, best first.

    At each step the 2k likeliest continuations of a sentence's k paths are looked at: END among the first k finishes a
    path, the likeliest k others go on. A sentence is done when k have finished and the best of them scores at least as
    high as the best that goes on (k unlikely ends of one likely path must not stop it), or at its limit of tokens,
    where its paths end as they are. What happens to a sentence does not depend on the others of its batch.
    """
    size, device = options.beam_size, memory.states.device
    sentences = [_Sentence(limit, []) for limit in limits.tolist()]
    active = list(sentences)
    state = model.start(memory).select(torch.arange(len(active), device=device).repeat_interleave(size), None)
    scores = torch.full((len(active), size), float("-inf"), device=device)  # (B, k) log-probabilities
    scores[:, 0] = 0.0  # all paths are the same at first: only one may branch
    paths = torch.full((len(active) * size, 1), START, device=device)  # (B * k, 1 + step)
    length = 0
    while active:
        length += 1
        step = model.step(paths[:, -1], state)
        too_short = length <= options.min_length
        log_probabilities = forbid(torch.log_softmax(step.logits.float(), dim=-1), too_short)  # (B * k, V)
        vocabulary = log_probabilities.shape[-1]
        # The best 2k of a sentence lie among the best 2k of each of its paths.
        width = min(2 * size, vocabulary)
        best, token = log_probabilities.topk(width, dim=-1)  # (B * k, 2k)
        joint = (best.view(len(active), size, width) + scores[..., None]).flatten(1)  # (B, k * 2k)
        best, index = joint.topk(min(2 * size, joint.shape[1]), dim=-1)  # (B, 2k)
        first_row = torch.arange(len(active), device=device)[:, None] * size
        parent = first_row + index // width  # (B, 2k) rows
        token = token.view(len(active), -1).gather(1, index)  # (B, 2k)
        ends = token == END
        _finish(active, paths, parent, token, best, length, options)
        # The k likeliest that did not end go on, in their order.
        keep = torch.where(ends, float("-inf"), best).topk(size, dim=-1, sorted=True)
        scores = keep.values
        parent, token = parent.gather(1, keep.indices).flatten(), token.gather(1, keep.indices).flatten()
        state = step.state.select(parent, None)
        paths = torch.cat((paths[parent], token[:, None]), dim=1)
        done = [_is_done(s, best, length, options) for s, best in zip(active, scores[:, 0].tolist(), strict=True)]
        if any(done):
            _cut(active, paths, scores, length, options)
            going = torch.tensor([i for i, over in enumerate(done) if not over], dtype=torch.long, device=device)
            rows = (going[:, None] * size + torch.arange(size, device=device)).flatten()
            state, paths, scores = state.select(rows, going), paths[rows], scores[going]
            active = [sentence for sentence, over in zip(active, done, strict=True) if not over]
    return [sentence.finished for sentence in sentences]


def _finish(
    active: list[_Sentence],
    paths: Tensor,
    parent: Tensor,
    token: Tensor,
    best: Tensor,
    length: int,
    options: DecodingOptions,
) -> None:
    """Takes END among the first k continuations as finished hypotheses."""
    size = options.beam_size
    ending = (token[:, :size] == END) & best[:, :size].isfinite()
    if not bool(ending.any()):
        return
    where = ending.nonzero()  # (N, 2)
    rows = paths[parent[where[:, 0], where[:, 1]], 1:].tolist()
    values = best[where[:, 0], where[:, 1]].tolist()
    for sentence, path, value in zip(where[:, 0].tolist(), rows, values, strict=True):
        _add(active[sentence], (*path, END), value, length, options)


def _is_done(sentence: _Sentence, best_open: float, length: int, options: DecodingOptions) -> bool:
    if length >= sentence.limit:
        return True
    enough = len(sentence.finished) >= options.beam_size
    return enough and sentence.finished[0].score >= best_open / penalty(length, options)


def _cut(active: list[_Sentence], paths: Tensor, scores: Tensor, length: int, options: DecodingOptions) -> None:
    """At its limit of tokens, a sentence's open paths count as finished."""
    for i, sentence in enumerate(active):
        if length >= sentence.limit:
            for k, value in enumerate(scores[i].tolist()):
                if value > float("-inf"):
                    path = tuple(paths[i * options.beam_size + k, 1:].tolist())
                    _add(sentence, path, value, length, options)


def _add(sentence: _Sentence, tokens: tuple[int, ...], value: float, length: int, options: DecodingOptions) -> None:
    """Keeps the best k, the best first; of equals, the earlier."""
    sentence.finished.append(Hypothesis(tokens, value, value / penalty(length, options)))
    sentence.finished.sort(key=lambda hypothesis: -hypothesis.score)
    del sentence.finished[options.beam_size :]
