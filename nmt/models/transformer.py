"""Transformer (Vaswani 2017): blocks, norms, feed-forward, key-value cache."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nmt.errors import UserError
from nmt.kernels.attention import attention, weighted_values, where_allowed
from nmt.kernels.process import product_kind
from nmt.kernels.softmax import exact
from nmt.models.attention.options import AttentionOptions
from nmt.models.attention.scores import SCORES
from nmt.models.checks import check_dropout, check_known, check_positive
from nmt.models.embedding import POSITIONS, TYING, AbsolutePositions, Dropout, distance_bias, make_embeddings, rotate
from nmt.models.interface import Memory, Model, Output, State, Step, Vocabulary

NORMS = {"layer": nn.LayerNorm, "rms": nn.RMSNorm}
ACTIVATIONS = ("relu", "gelu", "swiglu")
KeysValues = tuple[Tensor, Tensor]  # (B, H, S, D/H) each


@dataclass
class TransformerOptions:
    """A Transformer."""

    name: str = "transformer"
    size: int = 256
    heads: int = 4
    feed_forward_size: int = 1024
    encoder_layers: int = 3
    decoder_layers: int = 3
    score: str = "scaled_dot"  # or any other of models/attention/scores.py, in every head
    dropout: float = 0.1
    pre_norm: bool = True  # false: after each residual sum, as in the paper
    norm: str = "layer"  # layer or rms
    activation: str = "relu"  # relu, gelu or swiglu
    positions: str = "sinusoidal"  # sinusoidal, learned, rotary, alibi or none (for self-attention all; see embedding)
    max_positions: int = 1024  # of a learned table
    tie_embeddings: str = "all"  # none, target or all

    # What a model that begins with the weights of another may have otherwise.
    ONLY_IN_TRAINING: ClassVar[frozenset[str]] = frozenset({"dropout"})

    def __post_init__(self) -> None:
        """Raises UserError for what makes no sense."""
        check_known("model.score", self.score, SCORES, "; your own by NMT_PLUGINS")
        check_known("model.norm", self.norm, NORMS)
        check_known("model.activation", self.activation, ACTIVATIONS)
        check_known("model.positions", self.positions, POSITIONS)
        check_known("model.tie_embeddings", self.tie_embeddings, TYING)
        check_positive(
            "model", self, ("size", "heads", "feed_forward_size", "encoder_layers", "decoder_layers", "max_positions")
        )
        check_dropout("model.dropout", self.dropout)
        if self.size % self.heads:
            raise UserError(f"model.size={self.size} must be a multiple of model.heads={self.heads}")
        width = self.size // self.heads
        if self.positions == "rotary" and width % 2:
            raise UserError(f"model.positions=rotary needs heads of even width, not {width}")
        if self.positions == "sinusoidal" and self.size % 2:
            raise UserError(f"model.positions=sinusoidal needs an even model.size, not {self.size}")


class MultiHead(nn.Module):
    """Multi-head attention. Keys and values come from `keys_values`, so that they may be cached."""

    def __init__(self, options: TransformerOptions, positions: str = ""):
        super().__init__()
        self.heads = options.heads
        self.rotary = positions == "rotary"
        self.biased = positions == "alibi"
        self.query: nn.Linear | None = nn.Linear(options.size, options.size)
        self.key_value = nn.Linear(options.size, 2 * options.size)
        self.output = nn.Linear(options.size, options.size)
        for layer in (self.query, self.key_value, self.output):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.score = None  # scaled dot has kernels of its own
        if options.score != "scaled_dot":
            width = options.size // options.heads
            attention_options = AttentionOptions(score=options.score, size=width)
            self.score = SCORES[options.score](width, width, attention_options)
            if not self.score.uses_query:
                self.query = None

    def keys_values(self, states: Tensor, first: int = 0) -> KeysValues:
        """(B, S, D) to keys and values (B, H, S, D/H); ``first`` is the position of the first state."""
        both = self.key_value(states).unflatten(-1, (2, self.heads, -1))  # (B, S, 2, H, D/H)
        key, value = both.transpose(1, 3).unbind(dim=2)  # (B, H, S, D/H) each
        if self.rotary:
            key = rotate(key, first)
        return key, value

    def forward(
        self,
        inputs: Tensor,
        key: Tensor,
        value: Tensor,
        allowed: Tensor | None,
        first: int = 0,
        want_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """(B, T, D) to (B, T, D), and the weights of every head (B, H, T, S) if wanted.

        ``allowed`` broadcasts to (B, H, T, S); None allows all. Keys and values may be of fewer rows, each for k
        neighbouring rows of one step (T = 1), which ask as one row.
        """
        rows = len(inputs)
        sources = len(key)
        positions = torch.arange(first, first + inputs.shape[1], device=inputs.device)  # (T,)
        if sources < rows:
            inputs = inputs.reshape(sources, rows // sources, -1)  # (B, k, D)
            positions = positions.expand(inputs.shape[1])
        query = inputs if self.query is None else self.query(inputs)
        query = query.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, H, T, D/H)
        if self.rotary:
            query = rotate(query, first)
        if self.biased:
            bias = distance_bias(self.heads, query.shape[2], first, key.shape[2], query.device)  # (H, T, S)
            allowed = bias if allowed is None else bias.masked_fill(~allowed, float("-inf"))
        if self.score is None:
            context, weights = attention(query, key, value, allowed, want_weights)  # (B, H, T, D/H)
        else:
            scores = self._scores(query, key, positions)
            context, weights = weighted_values(scores, value, allowed)
        joined = context.transpose(1, 2).flatten(2)  # (B, T, D)
        if sources < rows:
            joined = joined.flatten(0, 1)[:, None]  # (B * k, 1, D)
            if weights is not None:
                weights = weights.transpose(1, 2).flatten(0, 1)[:, :, None]  # (B * k, H, 1, S)
        return self.output(joined), weights

    def _scores(self, query: Tensor, key: Tensor, positions: Tensor) -> Tensor:
        """Any score of the registry, for queries at target ``positions`` (T,): (B, H, T, S).

        The score takes a head for a row, so that heads share its parameters.
        """
        rows, heads, _, _ = query.shape
        keys = self.score.keys(key.flatten(0, 1))  # (B * H, S, K)
        queries = query.flatten(0, 1)  # (B * H, T, D/H)
        positions = positions.expand(rows * heads, -1)
        scores = self.score(queries, keys, positions)  # (B * H, T, S)
        return exact(scores).unflatten(0, (rows, heads))


class FeedForward(nn.Module):
    """Two linear maps with a non-linearity between them; SwiGLU (Shazeer 2020) gates the first."""

    def __init__(self, options: TransformerOptions):
        super().__init__()
        self.activation = options.activation
        wide = options.feed_forward_size
        widened = 2 * wide if self.activation == "swiglu" else wide  # SwiGLU: gates and values
        self.widen = nn.Linear(options.size, widened)
        self.narrow = nn.Linear(wide, options.size)
        self.dropout = Dropout(options.dropout)
        for layer in (self.widen, self.narrow):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, T, D) to (B, T, D)."""
        if self.activation == "relu":
            return self._by_relu(inputs)
        wide = self.widen(inputs)  # (B, T, F)
        if self.activation == "swiglu":
            gate, wide = wide.chunk(2, dim=-1)
            activated = F.silu(gate) * wide
        else:
            activated = F.gelu(wide)
        return self.narrow(self.dropout(activated))

    def _by_relu(self, inputs: Tensor) -> Tensor:
        """The same with ReLU, whose dropout leaves its factor to the narrower output."""
        rows = inputs.flatten(0, 1)  # (B * T, D)
        wide, scale = self.dropout.after_relu(self.widen(rows))  # (B * T, F)
        if scale == 1:
            return self.narrow(wide).view_as(inputs)
        narrow = F.linear(wide, self.narrow.weight)  # (B * T, D)
        bias = self.narrow.bias.to(narrow.dtype)
        return torch.add(bias, narrow, alpha=scale).view_as(inputs)


class Residual(nn.Module):
    """x + f(norm(x)), or norm(x + f(x)): `before` is given to the sublayer, `after` takes its output."""

    def __init__(self, options: TransformerOptions):
        super().__init__()
        self.norm = make_norm(options)
        self.pre_norm = options.pre_norm
        self.dropout = Dropout(options.dropout)

    def before(self, inputs: Tensor) -> Tensor:
        """The sublayer's inputs: under autocast in the format of products, once for all of its maps."""
        if self.pre_norm:
            inputs = self.norm(inputs)
        return inputs.to(product_kind(inputs))

    def after(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """The sum of the sublayer's outputs and what it began with."""
        total = inputs + self.dropout(outputs)
        if self.pre_norm:
            return total
        return self.norm(total)


def make_norm(options: TransformerOptions) -> nn.Module:
    return NORMS[options.norm](options.size)


class EncoderBlock(nn.Module):
    """Self-attention, then the feed-forward layer."""

    def __init__(self, options: TransformerOptions):
        super().__init__()
        self.attention = MultiHead(options, options.positions)
        self.feed_forward = FeedForward(options)
        self.attention_residual = Residual(options)
        self.feed_forward_residual = Residual(options)

    def forward(self, states: Tensor, allowed: Tensor | None) -> Tensor:
        """States (B, S, D) to states; ``allowed`` (B, 1, 1, S), None for all."""
        inputs = self.attention_residual.before(states)
        key, value = self.attention.keys_values(inputs)
        attended, _ = self.attention(inputs, key, value, allowed)
        states = self.attention_residual.after(states, attended)
        inputs = self.feed_forward_residual.before(states)
        return self.feed_forward_residual.after(states, self.feed_forward(inputs))


class DecoderBlock(nn.Module):
    """Self-attention, attention to the source, then the feed-forward layer."""

    def __init__(self, options: TransformerOptions):
        super().__init__()
        self.self_attention = MultiHead(options, options.positions)
        self.cross_attention = MultiHead(options)
        self.feed_forward = FeedForward(options)
        self.self_residual = Residual(options)
        self.cross_residual = Residual(options)
        self.feed_forward_residual = Residual(options)

    def forward(
        self,
        states: Tensor,
        past: KeysValues | None,
        causal: Tensor | None,
        source: KeysValues,
        source_allowed: Tensor | None,
        want_weights: bool,
    ) -> tuple[Tensor, KeysValues, Tensor | None]:
        """New positions (B, T, D) after ``past`` keys and values: states, all keys and values, weights (B, H, T, S)."""
        inputs = self.self_residual.before(states)
        first = 0
        if past is None:
            key, value = self.self_attention.keys_values(inputs)
        else:
            past_key, past_value = past
            first = past_key.shape[2]
            key, value = self.self_attention.keys_values(inputs, first)
            key = torch.cat((past_key, key), dim=2)
            value = torch.cat((past_value, value), dim=2)
        attended, _ = self.self_attention(inputs, key, value, causal, first)
        states = self.self_residual.after(states, attended)

        inputs = self.cross_residual.before(states)
        attended, weights = self.cross_attention(inputs, *source, source_allowed, first, want_weights)
        states = self.cross_residual.after(states, attended)

        inputs = self.feed_forward_residual.before(states)
        states = self.feed_forward_residual.after(states, self.feed_forward(inputs))
        return states, (key, value), weights


class TransformerModel(Model):
    """Attention alone: for the source, for the target, and from the target to the source in every decoder layer."""

    def __init__(self, options: TransformerOptions, vocabulary: Vocabulary):
        super().__init__()
        self.options = options
        self.source_embedding, self.target_embedding, self.output = make_embeddings(
            vocabulary, options.size, options.tie_embeddings, scaled=True
        )
        self.source_positions = AbsolutePositions(options.positions, options.size, options.max_positions)
        self.target_positions = AbsolutePositions(options.positions, options.size, options.max_positions)
        self.encoder = nn.ModuleList(EncoderBlock(options) for _ in range(options.encoder_layers))
        self.decoder = nn.ModuleList(DecoderBlock(options) for _ in range(options.decoder_layers))
        # Pre-norm leaves the last sum unnormalised.
        self.encoder_norm = make_norm(options) if options.pre_norm else nn.Identity()
        self.decoder_norm = make_norm(options) if options.pre_norm else nn.Identity()
        self.dropout = Dropout(options.dropout)

    def blocks(self) -> Iterable[nn.Module]:
        return [*self.encoder, *(block.feed_forward for block in self.decoder)]

    def encode(self, source: Tensor, mask: Tensor) -> Memory:
        embedded = self.source_positions(self.source_embedding(source))  # (B, S, D)
        states = self.dropout(embedded)
        allowed = where_allowed(mask)
        for block in self.encoder:
            states = block(states, allowed)
        states = self.encoder_norm(states)
        return Memory(states * mask[..., None].to(states.dtype), mask)

    def start(self, memory: Memory) -> State:
        of_source = {"mask": memory.mask}
        of_hypothesis: dict[str, Tensor] = {}
        for i, block in enumerate(self.decoder):
            key, value = block.cross_attention.keys_values(memory.states)
            of_source[f"{i}.key"] = key
            of_source[f"{i}.value"] = value
            empty = key[:, :, :0]  # (B, H, 0, D/H)
            of_hypothesis[f"{i}.key"] = empty
            of_hypothesis[f"{i}.value"] = empty
        return State(of_source, of_hypothesis)

    def decode(self, memory: Memory, target_in: Tensor, attend: bool = False, heads: bool = False) -> Output:
        layers = len(self.decoder) if heads else int(attend)
        hidden, _, weights = self._advance(target_in, self.start(memory), layers)
        attention = weights[-1].mean(dim=1) if layers else None  # (B, T, S)
        of_heads = torch.stack(weights, dim=1) if heads else None  # (B, L, H, T, S)
        return Output(hidden, attention, of_heads)

    def step(self, tokens: Tensor, state: State, attend: bool = False) -> Step:
        hidden, state, weights = self._advance(tokens[:, None], state, int(attend))
        logits = self.output(hidden[:, 0])  # (B, V)
        attention = weights[-1].mean(dim=1)[:, 0] if attend else None  # (B, S)
        return Step(logits, state, attention)

    def _advance(self, tokens: Tensor, state: State, layers: int) -> tuple[Tensor, State, list[Tensor]]:
        """New tokens (B, T): hidden (B, T, D), the longer state, and the last so many layers' weights (B, H, T, S)."""
        source = state.of_source
        past = state.of_hypothesis
        first = past["0.key"].shape[2]
        length = tokens.shape[1]
        embedded = self.target_positions(self.target_embedding(tokens), first)  # (B, T, D)
        states = self.dropout(embedded)
        causal = None
        if length > 1:  # position t sees all of the past and up to itself
            seen = torch.ones(length, first + length, dtype=torch.bool, device=tokens.device)
            causal = seen.tril(first)  # (T, past + T)
        source_allowed = where_allowed(source["mask"])
        longer: dict[str, Tensor] = {}
        weights = []
        for i, block in enumerate(self.decoder):
            key = f"{i}.key"
            value = f"{i}.value"
            of_past = (past[key], past[value]) if first else None
            of_source = (source[key], source[value])
            wanted = i + layers >= len(self.decoder)
            states, keys_values, of_layer = block(states, of_past, causal, of_source, source_allowed, wanted)
            longer[key], longer[value] = keys_values
            if wanted and of_layer is not None:
                weights.append(of_layer)
        return self.decoder_norm(states), State(source, longer), weights
