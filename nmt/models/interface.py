"""What every model must do. Nothing outside `models` asks which one it has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Vocabulary:
    """Sizes of the tokenizer's vocabularies; ``joint`` when source and target share one."""

    source: int
    target: int
    joint: bool


@dataclass(frozen=True)
class Memory:
    """What the encoder leaves of a source sentence."""

    states: Tensor  # (B, S, D), zero where the mask is False
    mask: Tensor  # (B, S) bool, True at real tokens
    summary: Tensor | None = None  # (B, Z): the fixed context, where the model makes one


@dataclass(frozen=True)
class State:
    """What decoding carries from step to step; opaque to everyone but its model. Every tensor is batch-first.

    Each source sentence may have several hypotheses, k of them in neighbouring rows: what belongs to the source is
    there once for all of them.
    """

    of_source: dict[str, Tensor] = field(default_factory=dict)  # (B, ...)
    of_hypothesis: dict[str, Tensor] = field(default_factory=dict)  # (B * k, ...)

    def select(self, rows: Tensor, sources: Tensor | None) -> State:
        """These hypotheses and these source sentences, in this order, repeats allowed; None keeps all sources as they
        are. Every source must keep as many hypotheses as any other.
        """
        of_source = self.of_source
        if sources is not None:
            of_source = {name: tensor.index_select(0, sources) for name, tensor in of_source.items()}
        of_hypothesis = {name: tensor.index_select(0, rows) for name, tensor in self.of_hypothesis.items()}
        return State(of_source, of_hypothesis)


def for_each(tensor: Tensor, rows: int) -> Tensor:
    """What belongs to source sentences (B, ...), for each of their hypotheses: (rows, ...)."""
    sources = len(tensor)
    if sources == rows:
        return tensor
    return tensor.repeat_interleave(rows // sources, dim=0)


@dataclass(frozen=True)
class Step:
    """One position of the target."""

    logits: Tensor  # (B, V)
    state: State
    attention: Tensor | None = None  # (B, S), only if asked for


@dataclass(frozen=True)
class Choice:
    """A source position drawn at each target position: no gradient reaches it but through its reward."""

    log_probability: Tensor  # (B, T), of what was drawn
    entropy: Tensor  # (B, T), of what it was drawn from, in nats
    baseline: Tensor  # (B, T), the reward that was expected
    entropy_weight: float
    lasting: bool  # whether it changes what comes after its own position


@dataclass(frozen=True)
class Output:
    """All positions of the target at once, before the output projection (which the loss makes only at real tokens)."""

    hidden: Tensor  # (B, T, E); with a mixture (B, T, S, E), a prediction from each source position
    attention: Tensor | None = None  # (B, T, S), only if asked for
    heads: Tensor | None = None  # (B, L, H, T, S), the weights of every layer and head, only if asked for
    mixture: Tensor | None = None  # (B, T, S), the weights of those predictions
    choice: Choice | None = None


def mixed(logits: Tensor, mixture: Tensor) -> Tensor:
    """Logits (..., S, V) of each source position, and their weights (..., S), to log-probabilities (..., V)."""
    logarithms = mixture.float().clamp(min=1e-30).log()  # padding has no weight, and a logarithm of 0 no gradient
    of_positions = torch.log_softmax(logits.float(), dim=-1)  # (..., S, V)
    weighted = of_positions + logarithms[..., None]
    return torch.logsumexp(weighted, dim=-2)


class Model(nn.Module, ABC):
    """A translation model: an encoder, and a decoder that is run whole (`decode`) or by steps (`start`, `step`).

    ``output`` is the linear map from hidden (E) to logits (V); ``source_embedding`` makes vectors of source ids, and is
    the first thing that `encode` calls.
    """

    output: nn.Linear
    source_embedding: nn.Embedding

    @abstractmethod
    def encode(self, source: Tensor, mask: Tensor) -> Memory:
        """Source ids (B, S) and their mask to what the decoder may see of them."""

    @abstractmethod
    def decode(self, memory: Memory, target_in: Tensor, attend: bool = False, heads: bool = False) -> Output:
        """Teacher forcing: hidden for every position of ``target_in`` (B, T), none of which sees a later one.

        ``attend`` asks for the attention weights, ``heads`` for those of every layer and head.
        """

    @abstractmethod
    def start(self, memory: Memory) -> State:
        """The state before the first target token."""

    @abstractmethod
    def step(self, tokens: Tensor, state: State, attend: bool = False) -> Step:
        """From the latest tokens (B,) to the next ones' logits."""

    def forward(self, source: Tensor, source_mask: Tensor, target_in: Tensor, attend: bool = False) -> Output:
        return self.decode(self.encode(source, source_mask), target_in, attend)

    def logits(self, output: Output) -> Tensor:
        """(B, T, V), or logarithms of the mixture's probabilities, which serve as well."""
        if output.mixture is None:
            return self.output(output.hidden)
        return mixed(self.output(output.hidden), output.mixture)

    @property
    def attends(self) -> bool:
        """Whether there are attention weights to look at."""
        return True

    @property
    def fixed_context(self) -> int | None:
        """How many numbers the decoder sees of a source of any length; None where it sees all states."""
        return None

    def blocks(self) -> Iterable[nn.Module]:
        """Large parts that are used by calling them, one after the other: each may be whole only while it works."""
        return ()

    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def device(self) -> torch.device:
        return self.output.weight.device
