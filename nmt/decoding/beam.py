"""Beam search over rows of hypotheses: it knows tokens and a state to logits and a state, and nothing of the model.

In the shapes, B is the number of sentences that are not done yet, k the size of the beam, V the size of the vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nmt.decoding.hypothesis import Hypothesis
from nmt.decoding.one_path import forbid
from nmt.decoding.options import DecodingOptions, penalty
from nmt.models.interface import Memory, Model, State
from nmt.tokens import END, START

NEVER = float("-inf")  # the log-probability of what can't be


@dataclass
class _Sentence:
    """What is found for one sentence; it lies on the host."""

    limit: int  # of tokens, END included
    finished: list[Hypothesis]  # best first, at most k

    def add(self, tokens: tuple[int, ...], log_probability: float, options: DecodingOptions) -> None:
        """Keeps the best k, the best first; of equals, the earlier."""
        hypothesis = Hypothesis.ranked(tokens, log_probability, options)
        self.finished.append(hypothesis)
        self.finished.sort(key=lambda hypothesis: -hypothesis.score)
        del self.finished[options.beam_size :]


@dataclass
class _Beam:
    """The paths that may still grow, k of each sentence, in neighbouring rows."""

    options: DecodingOptions
    size: int  # k
    sentences: list[_Sentence]  # B of them: those that are not done
    state: State  # what the model carries, for B * k rows
    paths: Tensor  # (B * k, 1 + length) int64: START and the tokens so far
    log_probabilities: Tensor  # (B, k) float32: of each path, summed over its tokens; NEVER where there is no path
    length: int  # tokens of every path, START not counted


@dataclass(frozen=True)
class _Candidates:
    """The likeliest 2k continuations of each sentence by one token, the likeliest first."""

    log_probabilities: Tensor  # (B, 2k) float32: of the path with its new token
    rows: Tensor  # (B, 2k) int64: which path it continues, as a row of the beam
    tokens: Tensor  # (B, 2k) int64: the new token


@torch.no_grad()
def beam_search(
    model: Model,
    memory: Memory,  # of B source sentences
    limits: Tensor,  # (B,) int64: how many tokens of each at most, END included
    options: DecodingOptions,
) -> list[list[Hypothesis]]:
    """Finds the finished hypotheses of each sentence, best first.

    At each step the 2k likeliest continuations of a sentence's k paths are looked at: END among the first k finishes a
    path, the likeliest k others go on. A sentence is done when k have finished and the best of them scores at least as
    high as the best that goes on (k unlikely ends of one likely path must not stop it), or at its limit of tokens,
    where its paths end as they are. What happens to a sentence does not depend on the others of its batch.
    """
    sentences = [_Sentence(limit, []) for limit in limits.tolist()]
    beam = _start(model, memory, sentences, options)
    while beam.sentences:
        step = model.step(beam.paths[:, -1], beam.state)
        beam.state = step.state
        candidates = _candidates(beam, step.logits)
        _finish(beam, candidates)
        _grow(beam, candidates)
        _leave_out_done(beam)
    return [sentence.finished for sentence in sentences]


def _start(model: Model, memory: Memory, sentences: list[_Sentence], options: DecodingOptions) -> _Beam:
    """Gives each sentence k paths of START alone."""
    device = memory.states.device
    size = options.beam_size
    count = len(sentences)
    rows = torch.arange(count, device=device)  # (B,)
    rows = rows.repeat_interleave(size)  # (B * k,)
    state = model.start(memory).select(rows, None)
    paths = torch.full((count * size, 1), START, device=device)  # (B * k, 1)
    log_probabilities = torch.full((count, size), NEVER, device=device)  # (B, k)
    log_probabilities[:, 0] = 0.0  # all paths are the same at first: only one may branch
    return _Beam(
        options=options,
        size=size,
        sentences=sentences,
        state=state,
        paths=paths,
        log_probabilities=log_probabilities,
        length=0,
    )


def _candidates(beam: _Beam, logits: Tensor) -> _Candidates:
    """Takes the 2k likeliest continuations of each sentence, from the logits (B * k, V) of the next token."""
    size = beam.size
    count = len(beam.sentences)
    too_short = beam.length < beam.options.min_length
    of_tokens = torch.log_softmax(logits.float(), dim=-1)  # (B * k, V)
    of_tokens = forbid(of_tokens, too_short)
    vocabulary = of_tokens.shape[-1]
    # The best 2k of a sentence lie among the best 2k of each of its paths.
    width = min(2 * size, vocabulary)
    of_tokens, tokens = of_tokens.topk(width, dim=-1)  # (B * k, 2k)
    of_tokens = of_tokens.view(count, size, width)  # (B, k, 2k)
    of_paths = beam.log_probabilities[..., None]  # (B, k, 1)
    together = of_tokens + of_paths  # (B, k, 2k)
    together = together.flatten(1)  # (B, k * 2k)
    most = min(2 * size, size * width)
    log_probabilities, places = together.topk(most, dim=-1)  # (B, 2k)
    first_rows = torch.arange(count, device=logits.device) * size  # (B,)
    rows = first_rows[:, None] + places // width  # (B, 2k)
    tokens = tokens.view(count, -1)  # (B, k * 2k)
    tokens = tokens.gather(1, places)  # (B, 2k)
    return _Candidates(
        log_probabilities=log_probabilities,
        rows=rows,
        tokens=tokens,
    )


def _finish(beam: _Beam, candidates: _Candidates) -> None:
    """Takes END among the first k candidates of a sentence as the end of a hypothesis."""
    log_probabilities = candidates.log_probabilities[:, : beam.size]  # (B, k)
    tokens = candidates.tokens[:, : beam.size]  # (B, k)
    ends = (tokens == END) & log_probabilities.isfinite()  # (B, k)
    if not bool(ends.any()):
        return
    numbers, ranks = ends.nonzero(as_tuple=True)  # (N,) and (N,): of the sentence, and among its candidates
    log_probabilities = log_probabilities[numbers, ranks]  # (N,)
    rows = candidates.rows[numbers, ranks]  # (N,)
    paths = beam.paths[rows, 1:]  # (N, length)
    ended = zip(numbers.tolist(), paths.tolist(), log_probabilities.tolist(), strict=True)
    for number, path, log_probability in ended:
        sentence = beam.sentences[number]
        sentence.add((*path, END), log_probability, beam.options)


def _grow(beam: _Beam, candidates: _Candidates) -> None:
    """Goes on with the k likeliest candidates that did not end, in their order."""
    ends = candidates.tokens == END  # (B, 2k)
    going = torch.where(ends, NEVER, candidates.log_probabilities)  # (B, 2k)
    log_probabilities, places = going.topk(beam.size, dim=-1, sorted=True)  # (B, k)
    rows = candidates.rows.gather(1, places)  # (B, k)
    rows = rows.flatten()  # (B * k,)
    tokens = candidates.tokens.gather(1, places)  # (B, k)
    tokens = tokens.view(-1, 1)  # (B * k, 1)
    paths = beam.paths[rows]  # (B * k, 1 + length)
    beam.paths = torch.cat((paths, tokens), dim=1)
    beam.state = beam.state.select(rows, None)
    beam.log_probabilities = log_probabilities
    beam.length += 1


def _leave_out_done(beam: _Beam) -> None:
    """Goes on without the sentences that are done; those at their limit keep their open paths as hypotheses."""
    likeliest = beam.log_probabilities[:, 0].tolist()  # the open path of each sentence that is best
    going = []
    for number, sentence in enumerate(beam.sentences):
        if beam.length >= sentence.limit:
            _cut(beam, number)
        elif not _is_done(beam, sentence, likeliest[number]):
            going.append(number)
    if len(going) < len(beam.sentences):
        _keep(beam, going)


def _is_done(beam: _Beam, sentence: _Sentence, likeliest: float) -> bool:
    """Whether k hypotheses have finished, and no open path scores higher than the best of them as it is now."""
    if len(sentence.finished) < beam.size:
        return False
    best_open = likeliest / penalty(beam.length, beam.options)
    return sentence.finished[0].score >= best_open


def _cut(beam: _Beam, number: int) -> None:
    """Takes the open paths of a sentence that is at its limit of tokens as finished."""
    sentence = beam.sentences[number]
    first_row = number * beam.size
    rows = slice(first_row, first_row + beam.size)
    paths = beam.paths[rows, 1:].tolist()  # (k, length)
    log_probabilities = beam.log_probabilities[number].tolist()  # (k,)
    for path, log_probability in zip(paths, log_probabilities, strict=True):
        if log_probability > NEVER:
            sentence.add(tuple(path), log_probability, beam.options)


def _keep(beam: _Beam, going: list[int]) -> None:
    """Shrinks the beam to these of its sentences."""
    device = beam.paths.device
    numbers = torch.tensor(going, dtype=torch.long, device=device)  # (B,)
    first_rows = numbers[:, None] * beam.size  # (B, 1)
    rows = first_rows + torch.arange(beam.size, device=device)  # (B, k)
    rows = rows.flatten()  # (B * k,)
    beam.sentences = [beam.sentences[number] for number in going]
    beam.state = beam.state.select(rows, numbers)
    beam.paths = beam.paths[rows]
    beam.log_probabilities = beam.log_probabilities[numbers]
