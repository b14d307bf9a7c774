"""Recurrent encoder and decoder. Fixed context or attention: one decoder, only the path of the context differs.

- fixed, not fed (Sutskever 2014): the encoder's last state starts the decoder, which sees nothing else of the source;
- fixed, fed (Cho 2014): the same vector also enters every step and every prediction;
- attention asked with the previous state (Bahdanau 2015): the context enters the cell and the prediction;
- attention asked with the current state (Luong 2015): the context enters the prediction, and with input feeding the
  next step; asked by a lower layer, it also enters the layers above.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nmt.kernels.loop import linear, repeat
from nmt.models.attention.attention import Attention, Reading
from nmt.models.cells import CELLS, CellState, make_layer
from nmt.models.embedding import Dropout, make_embeddings
from nmt.models.encoders import Bridge, RecurrentEncoder
from nmt.models.interface import Choice, Memory, Model, Output, State, Step, Vocabulary, for_each, mixed
from nmt.models.recurrent_options import RecurrentOptions


@dataclass(frozen=True)
class StepWeights:
    """Factors of every step's products, prepared once for all steps."""

    layers: list[tuple[Tensor, ...]]
    readout: Tensor


class RecurrentModel(Model):
    """See the module's head for the paths that the context may take."""

    def __init__(self, options: RecurrentOptions, vocabulary: Vocabulary):
        super().__init__()
        self.options = options
        size = options.decoder_size
        embedding_size = options.embedding_size
        self.source_embedding, self.target_embedding, self.output = make_embeddings(
            vocabulary, embedding_size, options.tie_embeddings, scaled=False
        )
        self.encoder = RecurrentEncoder(options)
        self.bridge = Bridge(self.encoder, options)
        self.asks_at: dict[int, int] = {}  # layer to its attention
        self.attentions = nn.ModuleList()
        if options.context == "attention":
            for number, layer in enumerate(_asking_layers(options)):
                self.asks_at[layer] = number
                self.attentions.append(Attention(options.attention, size, self.encoder.size))
        context_size = 0  # of what enters the prediction
        if self.attends:
            context_size = self.encoder.size
        elif options.feed_context:
            context_size = self.bridge.summary_size
        self.fed_size = context_size  # of what enters the first layer beside the embedding
        if self.input_feeding:
            self.fed_size = embedding_size
        elif self.attends and not self.asks_before:
            self.fed_size = 0
        above_size = size  # of what enters the other layers
        if self.attends and options.attention.place != "top":
            above_size = size + self.encoder.size
        self.layers = nn.ModuleList()
        input_size = embedding_size + self.fed_size
        for _ in range(options.decoder_layers):
            self.layers.append(make_layer(options.cell, input_size, size))
            input_size = above_size
        self.readout = nn.Linear(size + context_size, embedding_size)
        self.dropout = Dropout(options.dropout)

    @property
    def attends(self) -> bool:
        return len(self.attentions) > 0

    @property
    def fixed_context(self) -> int | None:
        return None if self.attends else self.bridge.summary_size

    @property
    def asks_before(self) -> bool:
        """Whether the context is made from the state before the step."""
        return self.attends and self.options.attention.query == "previous"

    @property
    def input_feeding(self) -> bool:
        return self.attends and self.options.attention.input_feeding

    @property
    def covers(self) -> bool:
        """Whether attention is told where it has looked."""
        return self.attends and self.options.attention.coverage

    @property
    def sums(self) -> bool:
        """Whether predictions are summed under the attention weights, not states."""
        return any(attention.read.sums for attention in self.attentions)

    def encode(self, source: Tensor, mask: Tensor) -> Memory:
        embedded = self.dropout(self.source_embedding(source))  # (B, S, E)
        states, finals = self.encoder(embedded, mask)  # (B, S, D)
        summary = torch.cat([part for final in finals for part in final], dim=-1)  # (B, Z)
        return Memory(states, mask, summary)

    def start(self, memory: Memory) -> State:
        of_source: dict[str, Tensor] = {}
        of_hypothesis = _pack(self.bridge(memory.summary))
        if self.attends:
            of_source = {"states": memory.states, "mask": memory.mask}
            for number, attention in enumerate(self.attentions):
                of_source[f"keys.{number}"] = attention.keys(memory.states)
            of_hypothesis["position"] = memory.mask.new_zeros(len(memory.mask), dtype=torch.long)
        elif self.options.feed_context:
            of_source = {"summary": memory.summary}
        if self.covers:
            of_hypothesis["covered"] = memory.states.new_zeros(memory.mask.shape, dtype=torch.float32)
        if self.input_feeding:
            of_hypothesis["fed"] = memory.summary.new_zeros(len(memory.summary), self.fed_size)
        return State(of_source, of_hypothesis)

    def decode(self, memory: Memory, target_in: Tensor, attend: bool = False, heads: bool = False) -> Output:
        embedded = self.dropout(self.target_embedding(target_in))  # (B, T, E)
        state = self.start(memory)
        if self.asks_before or self.input_feeding or self.covers:
            return self._decode_by_steps(embedded, state, attend, heads)
        return self._decode_at_once(embedded, state, attend, heads)

    def _decode_at_once(self, embedded: Tensor, state: State, attend: bool, heads: bool) -> Output:
        """The recurrence does not wait for attention: whole layers, then all contexts in one product."""
        length = embedded.shape[1]
        positions = torch.arange(length, device=embedded.device).expand(len(embedded), -1)  # (B, T)
        context = state.of_source.get("summary")  # (B, Z)
        if context is not None:
            context = context[:, None].expand(-1, length, -1)  # (B, T, Z)
        above = context  # enters the layer; later, what a lower layer has read
        states = embedded
        readings: list[Reading] = []
        cells = self._unpack(state)
        for number, layer in enumerate(self.layers):
            outputs, _ = layer.run(_beside(states, above), None, cells[number])  # (B, T, H)
            states = self._between(number, states, outputs)
            if number in self.asks_at:
                readings.append(self._read(self.asks_at[number], states, state, positions))
                context = readings[-1].context  # (B, T, D)
            above = readings[-1].context if readings else None
        if not readings:
            return Output(self._predict(states, context))
        weights = readings[-1].weights if attend or self.sums else None  # (B, T, S)
        of_heads = None
        if heads:
            of_heads = torch.stack([reading.heads for reading in readings], dim=1)  # (B, L, H, T, S)
        if self.sums:
            return Output(self._predict_each(states, context), weights, of_heads, mixture=weights)
        return Output(self._predict(states, context), weights, of_heads, choice=readings[-1].choice)

    def _decode_by_steps(self, embedded: Tensor, state: State, attend: bool, heads: bool) -> Output:
        """The context of a step depends on the step before; only the embeddings' share of the gates is hoisted."""
        gates = self.layers[0].input_gates(embedded)  # (B, T, G)
        step_weights = self._step_weights()
        of_source = dict(state.of_source)
        for name, tensor in of_source.items():
            if tensor.is_floating_point():
                of_source[name] = repeat(tensor)
        state = State(of_source, state.of_hypothesis)
        hiddens = []  # (B, E) each
        steps = []  # the readings of each
        for of_step in gates.unbind(dim=1):
            hidden, state, readings = self._advance(of_step, state, step_weights)
            hiddens.append(hidden)
            steps.append(readings)
        last = [readings[-1] for readings in steps]
        weights = torch.cat([reading.weights for reading in last], dim=1) if attend else None  # (B, T, S)
        of_heads = _heads(steps) if heads else None  # (B, L, H, T, S)
        choice = _joined([reading.choice for reading in last])
        return Output(torch.stack(hiddens, dim=1), weights, of_heads, choice=choice)

    def step(self, tokens: Tensor, state: State, attend: bool = False) -> Step:
        embedded = self.dropout(self.target_embedding(tokens))  # (B, E)
        gates = self.layers[0].input_gates(embedded)  # (B, G)
        hidden, state, readings = self._advance(gates, state, self._step_weights())
        logits = self.output(hidden)
        if not readings:
            return Step(logits, state)
        weights = readings[-1].weights[:, 0]  # (B, S)
        if self.sums:
            logits = mixed(logits, weights)
        attention = weights if attend else None
        return Step(logits, state, attention)

    def _step_weights(self) -> StepWeights:
        of_layers = []
        fed_size = self.fed_size  # only the first layer is fed
        for layer in self.layers:
            of_layers.append(layer.step_weights(fed_size))
            fed_size = 0
        return StepWeights(of_layers, repeat(self.readout.weight))

    def _advance(self, gates: Tensor, state: State, step_weights: StepWeights) -> tuple[Tensor, State, list[Reading]]:
        """One target position, from the first layer's gates (B, G).

        Returns hidden (B, E), or (B, S, E) from each source position; the next state; what each attention read.
        """
        cells = self._unpack(state)
        context = state.of_source.get("summary")  # (B, Z)
        if context is not None:
            context = for_each(context, len(gates))
        fed = state.of_hypothesis.get("fed", context)  # (B, F), enters the first layer
        readings: list[Reading] = []
        if self.asks_before:
            readings.append(self._ask(0, cells[-1][0], state))
            context = readings[-1].context[:, 0]  # (B, D)
            fed = context
        above = None  # what a lower layer has read
        top = gates
        next_cells: list[CellState] = []
        for number, layer in enumerate(self.layers):
            if number > 0:
                gates = layer.input_gates(_beside(top, above))  # (B, G)
                fed = None
            cell = layer.step(gates, fed, cells[number], step_weights.layers[number])
            next_cells.append(cell)
            top = self._between(number, top, cell[0])  # (B, H)
            if number in self.asks_at and not self.asks_before:
                readings.append(self._ask(self.asks_at[number], top, state))
                context = readings[-1].context[:, 0]  # (B, D)
                above = context
        if self.sums:
            each = self._predict_each(top[:, None], readings[-1].context)  # (B, 1, S, E)
            hidden = each[:, 0]
        else:
            hidden = self._predict(top, context, step_weights.readout)  # (B, E)
        return hidden, self._next_state(state, next_cells, hidden, readings), readings

    def _next_state(self, state: State, cells: list[CellState], hidden: Tensor, readings: list[Reading]) -> State:
        before = state.of_hypothesis
        of_hypothesis = _pack(cells)
        if self.input_feeding:
            of_hypothesis["fed"] = hidden
        if readings:
            of_hypothesis["position"] = before["position"] + 1
        if self.covers:
            looked_at = readings[-1].weights[:, 0].float()  # (B, S)
            of_hypothesis["covered"] = before["covered"] + looked_at
        return State(state.of_source, of_hypothesis)

    def _ask(self, number: int, query: Tensor, state: State) -> Reading:
        """What the attention of this number reads for one step: query (B, Q)."""
        positions = state.of_hypothesis["position"][:, None]  # (B, 1)
        return self._read(number, query[:, None], state, positions)

    def _read(self, number: int, query: Tensor, state: State, positions: Tensor) -> Reading:
        """What the attention of this number reads for queries (B, T, Q) at target positions (B, T)."""
        attention = self.attentions[number]
        keys = state.of_source[f"keys.{number}"]  # (B, S, K)
        states = state.of_source["states"]  # (B, S, D)
        mask = state.of_source["mask"]  # (B, S)
        covered = state.of_hypothesis.get("covered")  # (B, S)
        rows = len(query)
        sources = len(keys)
        if rows > sources and (self.covers or self.sums):  # each hypothesis has keys, or predictions, of its own
            keys = for_each(keys, rows)
            states = for_each(states, rows)
            mask = for_each(mask, rows)
        if rows == len(keys):
            return attention(query, keys, states, mask, positions, covered)
        # One step of k hypotheses of each source: they ask as one row of k.
        query = query.reshape(sources, rows // sources, -1)  # (B, k, Q)
        reading = attention(query, keys, states, mask, positions.reshape(sources, -1))
        heads = reading.heads.transpose(1, 2).flatten(0, 1)[:, :, None]  # (B * k, H, 1, S)
        context = reading.context.flatten(0, 1)[:, None]  # (B * k, 1, D)
        return Reading(context, heads)

    def _between(self, number: int, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Inputs of the layer after ``number``: residual and dropout as in the encoder."""
        if self.options.residual and number > 0:
            outputs = outputs + inputs
        if number + 1 == len(self.layers):
            return outputs
        return self.dropout(outputs)

    def _predict(self, top: Tensor, context: Tensor | None, weight: Tensor | None = None) -> Tensor:
        """tanh(W [state; context]) (Luong 2015, equation 5), ready for the output projection."""
        if weight is None:
            weight = self.readout.weight
        hidden = torch.tanh(linear(_beside(top, context), weight, self.readout.bias))
        return self.dropout(hidden)

    def _predict_each(self, top: Tensor, states: Tensor) -> Tensor:
        """`_predict` with every encoder state as context: (B, T, H) and (B, S, D) to (B, T, S, E)."""
        size = top.shape[-1]
        weight = self.readout.weight
        ours = F.linear(top, weight[:, :size], self.readout.bias)  # (B, T, E)
        theirs = F.linear(states, weight[:, size:])  # (B, S, E)
        hidden = torch.tanh(ours[:, :, None] + theirs[:, None])  # (B, T, S, E)
        return self.dropout(hidden)

    def _unpack(self, state: State) -> list[CellState]:
        cells: list[CellState] = []
        parts = range(len(CELLS[self.options.cell]))
        for layer in range(len(self.layers)):
            tensors = [state.of_hypothesis[f"{layer}.{part}"] for part in parts]
            cells.append(tuple(tensors))
        return cells


def _asking_layers(options: RecurrentOptions) -> list[int]:
    """The decoder layers that ask an attention."""
    layers = list(range(options.decoder_layers))
    if options.attention.place == "each":
        return layers
    return layers[:1] if options.attention.place == "first" else layers[-1:]


def _beside(states: Tensor, context: Tensor | None) -> Tensor:
    return states if context is None else torch.cat((states, context), dim=-1)


def _heads(steps: list[list[Reading]]) -> Tensor:
    """The weights of all heads over all steps: (B, L, H, T, S)."""
    of_layers = []
    for readings in zip(*steps, strict=True):
        heads = [reading.heads for reading in readings]  # (B, H, 1, S) each
        of_layers.append(torch.cat(heads, dim=2))
    return torch.stack(of_layers, dim=1)


def _joined(choices: list[Choice | None]) -> Choice | None:
    """The choices of single steps as one over all."""
    drawn = [choice for choice in choices if choice is not None]
    if not drawn:
        return None
    return replace(
        drawn[0],
        log_probability=torch.cat([choice.log_probability for choice in drawn], dim=1),
        entropy=torch.cat([choice.entropy for choice in drawn], dim=1),
        baseline=torch.cat([choice.baseline for choice in drawn], dim=1),
    )


def _pack(cells: list[CellState]) -> dict[str, Tensor]:
    tensors = {}
    for layer, cell in enumerate(cells):
        for part, tensor in enumerate(cell):
            tensors[f"{layer}.{part}"] = tensor
    return tensors
