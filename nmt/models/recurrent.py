"""Recurrent encoder and decoder. Fixed context or attention: one decoder, only the path of the context differs.

- fixed, not fed (Sutskever 2014): the encoder's last state starts the decoder, which sees nothing else of the source;
- fixed, fed (Cho 2014): the same vector also enters every step and every prediction;
- attention asked with the previous state (Bahdanau 2015): the context enters the cell and the prediction;
- attention asked with the current state (Luong 2015): the context enters the prediction, and with input feeding the
  next step; asked by a lower layer, it also enters the layers above.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nmt.errors import UserError
from nmt.kernels.loop import linear, repeat
from nmt.models.attention.attention import Attention, Reading
from nmt.models.attention.options import AttentionOptions
from nmt.models.cells import CELLS, CellState, flip, make_layer
from nmt.models.checks import check_dropout, check_known, check_positive
from nmt.models.embedding import TYING, Dropout, make_embeddings
from nmt.models.interface import Choice, Memory, Model, Output, State, Step, Vocabulary, for_each, mixed

CONTEXTS = ("fixed", "attention")


@dataclass
class RecurrentOptions:
    """A recurrent sequence-to-sequence model."""

    name: str = "recurrent"
    cell: str = "lstm"  # lstm, gru, tanh, min_gru, min_lstm or gated_linear
    embedding_size: int = 256
    encoder_size: int = 256  # of one direction
    encoder_layers: int = 1
    bidirectional: bool = True
    decoder_size: int = 256
    decoder_layers: int = 1
    residual: bool = False  # around every layer but the first
    dropout: float = 0.2
    reverse_source: bool = False  # Sutskever 2014, section 3.3
    context: str = "attention"  # fixed or attention
    feed_context: bool = False  # fixed only: also enter every step, as Cho 2014
    attention: AttentionOptions = field(default_factory=AttentionOptions)
    tie_embeddings: str = "none"  # none, target or all

    def __post_init__(self) -> None:
        """Raises UserError for what makes no sense."""
        check_known("model.context", self.context, CONTEXTS)
        check_known("model.cell", self.cell, CELLS)
        check_known("model.tie_embeddings", self.tie_embeddings, TYING)
        check_positive(
            "model", self, ("embedding_size", "encoder_size", "encoder_layers", "decoder_size", "decoder_layers")
        )
        check_dropout("model.dropout", self.dropout)
        if self.feed_context and self.context == "attention":
            raise UserError(
                "model.feed_context=true is for model.context=fixed; attention has its own context at every step"
            )


class RecurrentEncoder(nn.Module):
    """Layers in one or two directions. Leaves the states of the last layer and the final state of every one."""

    def __init__(self, options: RecurrentOptions):
        super().__init__()
        self.options = options
        directions = 2 if options.bidirectional else 1
        self.size = options.encoder_size * directions
        inputs = [options.embedding_size] + [self.size] * (options.encoder_layers - 1)
        self.layers = nn.ModuleList(
            nn.ModuleList(make_layer(options.cell, size, options.encoder_size) for _ in range(directions))
            for size in inputs
        )
        self.dropout = Dropout(options.dropout)

    def forward(self, embedded: Tensor, mask: Tensor) -> tuple[Tensor, list[CellState]]:
        """(B, S, E) to states (B, S, D), zero at padding, and per layer the final state of width D."""
        lengths = mask.sum(dim=1)  # (B,)
        if self.options.reverse_source:
            embedded = flip(embedded, lengths)
        outputs, finals = embedded, []
        for number, directions in enumerate(self.layers):
            inputs = outputs if number == 0 else self.dropout(outputs)
            made = [directions[0].run(inputs, lengths)]
            if len(directions) == 2:
                backward, final = directions[1].run(flip(inputs, lengths), lengths)
                made.append((flip(backward, lengths), final))
            outputs = torch.cat([states for states, _ in made], dim=-1)  # (B, S, D)
            if self.options.residual and number > 0:
                outputs = outputs + inputs
            finals.append(tuple(torch.cat(parts, dim=-1) for parts in zip(*(final for _, final in made), strict=True)))
        if self.options.reverse_source:
            outputs = flip(outputs, lengths)  # state i belongs to token i again
        return outputs * mask[..., None].to(outputs.dtype), finals


class Bridge(nn.Module):
    """From the summary to the decoder's first state: as it is where the sizes agree, else one linear map."""

    def __init__(self, encoder: RecurrentEncoder, options: RecurrentOptions):
        super().__init__()
        widths = CELLS[options.cell]  # of the tensors in a state
        self.layers, size = options.decoder_layers, options.decoder_size
        self.widths = [width * size for width in widths]
        self.summary_size = options.encoder_layers * sum(widths) * encoder.size
        same = (options.encoder_layers, encoder.size) == (self.layers, size)
        if not same and max(widths) > 1:
            raise UserError(
                f"model.cell={options.cell}: from {options.encoder_layers} layers of {encoder.size} to {self.layers} "
                f"of {size} would take {self.summary_size * self.layers * sum(self.widths):,} weights; make them the "
                "same (model.encoder_size counts one direction)"
            )
        self.map = None if same else nn.Linear(self.summary_size, self.layers * sum(self.widths))

    def forward(self, summary: Tensor) -> list[CellState]:
        """(B, Z) to per layer the parts of its state, the first of them (B, H)."""
        if self.map is not None:
            summary = torch.tanh(self.map(summary))
        return [tuple(layer.split(self.widths, dim=-1)) for layer in summary.chunk(self.layers, dim=-1)]


@dataclass(frozen=True)
class StepWeights:
    """What every step multiplies with, prepared once for all of them."""

    layers: list[tuple[Tensor, ...]]
    readout: Tensor


class RecurrentModel(Model):
    """See the module's head for the paths that the context may take."""

    def __init__(self, options: RecurrentOptions, vocabulary: Vocabulary):
        super().__init__()
        self.options = options
        size = options.decoder_size
        self.source_embedding, self.target_embedding, self.output = make_embeddings(
            vocabulary, options.embedding_size, options.tie_embeddings, scaled=False
        )
        self.encoder = RecurrentEncoder(options)
        self.bridge = Bridge(self.encoder, options)
        top = options.decoder_layers - 1
        places = {"top": (top,), "first": (0,), "each": tuple(range(top + 1))}
        self.attentions = nn.ModuleList()
        if options.context == "attention":
            asking = places.get(options.attention.place, (top,))
            self.attentions.extend(Attention(options.attention, size, self.encoder.size) for _ in asking)
            self.asks_at = {layer: number for number, layer in enumerate(asking)}  # layer to its attention
        summary_size = self.bridge.summary_size if options.feed_context else 0
        context_size = self.encoder.size if self.attends else summary_size
        self.fed_size = options.embedding_size if self.input_feeding else context_size
        if self.attends and not (self.asks_before or self.input_feeding):
            self.fed_size = 0
        above = size + self.encoder.size * (options.attention.place != "top" and self.attends)
        inputs = [options.embedding_size + self.fed_size] + [above] * (options.decoder_layers - 1)
        self.layers = nn.ModuleList(make_layer(options.cell, width, size) for width in inputs)
        self.readout = nn.Linear(size + context_size, options.embedding_size)
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
        states, finals = self.encoder(embedded, mask)
        summary = torch.cat([part for final in finals for part in final], dim=-1)  # (B, Z)
        return Memory(states, mask, summary)

    def start(self, memory: Memory) -> State:
        of_source: dict[str, Tensor] = {}
        if self.attends:
            of_source = {"states": memory.states, "mask": memory.mask}
            of_source |= {f"keys.{i}": attention.keys(memory.states) for i, attention in enumerate(self.attentions)}
        elif self.options.feed_context:
            of_source = {"summary": memory.summary}
        of_hypothesis = _pack(self.bridge(memory.summary))
        if self.attends:
            of_hypothesis["position"] = memory.mask.new_zeros(len(memory.mask), dtype=torch.long)
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
        summary = state.of_source.get("summary")
        if summary is not None:
            summary = summary[:, None].expand(-1, length, -1)  # (B, T, Z)
        positions = torch.arange(length, device=embedded.device).expand(len(embedded), -1)  # (B, T)
        states, context = embedded, summary
        readings: list[Reading] = []
        for number, (layer, initial) in enumerate(zip(self.layers, self._unpack(state), strict=True)):
            above = summary if number == 0 else readings[-1].context if readings else None
            outputs, _ = layer.run(_beside(states, above), None, initial)  # (B, T, H)
            states = self._between(number, states, outputs)
            if self.attends and number in self.asks_at:
                readings.append(self._read(self.asks_at[number], states, state, positions))
                context = readings[-1].context
        if not readings:
            return Output(self._predict(states, context))
        weights = readings[-1].weights if attend or self.sums else None
        of_heads = torch.stack([reading.heads for reading in readings], dim=1) if heads else None  # (B, L, H, T, S)
        if self.sums:
            return Output(self._predict_each(states, context), weights, of_heads, mixture=weights)
        return Output(self._predict(states, context), weights, of_heads, choice=readings[-1].choice)

    def _decode_by_steps(self, embedded: Tensor, state: State, attend: bool, heads: bool) -> Output:
        """The context of a step depends on the step before; only the embeddings' share of the gates is hoisted."""
        gates = self.layers[0].input_gates(embedded)  # (B, T, G)
        step_weights = self._step_weights()
        of_source = {name: repeat(part) if part.is_floating_point() else part for name, part in state.of_source.items()}
        state = State(of_source, state.of_hypothesis)
        hiddens, steps = [], []  # of each step: (B, E), and what each attention read
        for of_step in gates.unbind(dim=1):
            hidden, state, readings = self._advance(of_step, state, step_weights)
            hiddens.append(hidden)
            steps.append(readings)
        weights = torch.cat([readings[-1].weights for readings in steps], dim=1) if attend else None  # (B, T, S)
        of_heads = None
        if heads:
            of_layers = [torch.cat([reading.heads for reading in of], dim=2) for of in zip(*steps, strict=True)]
            of_heads = torch.stack(of_layers, dim=1)  # (B, L, H, T, S)
        choice = _joined([readings[-1].choice for readings in steps])
        return Output(torch.stack(hiddens, dim=1), weights, of_heads, choice=choice)

    def step(self, tokens: Tensor, state: State, attend: bool = False) -> Step:
        embedded = self.dropout(self.target_embedding(tokens))  # (B, E)
        hidden, state, readings = self._advance(self.layers[0].input_gates(embedded), state, self._step_weights())
        logits = self.output(hidden)
        if not readings:
            return Step(logits, state)
        weights = readings[-1].weights[:, 0]  # (B, S)
        if self.sums:
            logits = mixed(logits, weights)
        return Step(logits, state, weights if attend else None)

    def _step_weights(self) -> StepWeights:
        of_layers = [
            layer.step_weights(self.fed_size if number == 0 else 0) for number, layer in enumerate(self.layers)
        ]
        return StepWeights(of_layers, repeat(self.readout.weight))

    def _advance(self, gates: Tensor, state: State, step_weights: StepWeights) -> tuple[Tensor, State, list[Reading]]:
        """From the first layer's gates (B, G): hidden (B, E), or (B, S, E) of each position; state; readings."""
        source = state.of_source
        cells = self._unpack(state)
        context = source.get("summary")  # (B, Z)
        if context is not None:
            context = for_each(context, len(gates))
        readings: list[Reading] = []
        fed = state.of_hypothesis.get("fed", context)
        if self.asks_before:
            readings.append(self._ask(0, cells[-1][0], state))
            fed = context = readings[-1].context[:, 0]  # (B, D)
        following, top, above = [], gates, None
        for number, (layer, cell) in enumerate(zip(self.layers, cells, strict=True)):
            layer_gates = gates if number == 0 else layer.input_gates(_beside(top, above))
            following.append(layer.step(layer_gates, fed if number == 0 else None, cell, step_weights.layers[number]))
            top = self._between(number, top, following[-1][0])
            if self.attends and not self.asks_before and number in self.asks_at:
                readings.append(self._ask(self.asks_at[number], top, state))
                above = context = readings[-1].context[:, 0]
        if self.sums:
            hidden = self._predict_each(top[:, None], readings[-1].context)[:, 0]  # (B, S, E)
        else:
            hidden = self._predict(top, context, step_weights.readout)
        of_hypothesis = _pack(following)
        if self.input_feeding:
            of_hypothesis["fed"] = hidden
        if readings:
            of_hypothesis["position"] = state.of_hypothesis["position"] + 1
        if self.covers:
            of_hypothesis["covered"] = state.of_hypothesis["covered"] + readings[-1].weights[:, 0].float()
        return hidden, State(source, of_hypothesis), readings

    def _ask(self, number: int, query: Tensor, state: State) -> Reading:
        """The attention of this number, for one step: query (B, Q)."""
        return self._read(number, query[:, None], state, state.of_hypothesis["position"][:, None])

    def _read(self, number: int, query: Tensor, state: State, positions: Tensor) -> Reading:
        """For queries (B, T, Q) at target positions (B, T)."""
        source, covered = state.of_source, state.of_hypothesis.get("covered")
        keys, states, mask = source[f"keys.{number}"], source["states"], source["mask"]
        rows, sources = len(query), len(keys)
        if rows > sources and (self.covers or self.sums):  # each hypothesis has keys, or predictions, of its own
            keys, states, mask = (for_each(part, rows) for part in (keys, states, mask))
        if rows == len(keys):
            return self.attentions[number](query, keys, states, mask, positions, covered)
        # One step of k hypotheses of each source: they ask as one row of k.
        query, positions = query.reshape(sources, rows // sources, -1), positions.reshape(sources, -1)
        reading = self.attentions[number](query, keys, states, mask, positions)
        heads = reading.heads.transpose(1, 2).flatten(0, 1)[:, :, None]  # (B * k, H, 1, S)
        return Reading(reading.context.flatten(0, 1)[:, None], heads)

    def _between(self, number: int, inputs: Tensor, outputs: Tensor) -> Tensor:
        """What the layer after ``number`` is given: residual and dropout as in the encoder."""
        if self.options.residual and number > 0:
            outputs = outputs + inputs
        return outputs if number + 1 == len(self.layers) else self.dropout(outputs)

    def _predict(self, top: Tensor, context: Tensor | None, weight: Tensor | None = None) -> Tensor:
        """tanh(W [state; context]) (Luong 2015, equation 5), ready for the output projection."""
        weight = self.readout.weight if weight is None else weight
        return self.dropout(torch.tanh(linear(_beside(top, context), weight, self.readout.bias)))

    def _predict_each(self, top: Tensor, states: Tensor) -> Tensor:
        """`_predict` with every encoder state as context: (B, T, H) and (B, S, D) to (B, T, S, E)."""
        weight = self.readout.weight
        ours = F.linear(top, weight[:, : top.shape[-1]], self.readout.bias)  # (B, T, E)
        theirs = F.linear(states, weight[:, top.shape[-1] :])  # (B, S, E)
        return self.dropout(torch.tanh(ours[:, :, None] + theirs[:, None]))

    def _unpack(self, state: State) -> list[CellState]:
        parts = range(len(CELLS[self.options.cell]))
        return [tuple(state.of_hypothesis[f"{i}.{part}"] for part in parts) for i in range(len(self.layers))]


def _beside(states: Tensor, context: Tensor | None) -> Tensor:
    return states if context is None else torch.cat((states, context), dim=-1)


def _joined(choices: list[Choice | None]) -> Choice | None:
    """The choices of single steps as one over all."""
    if not choices or choices[0] is None:
        return None
    tensors = {
        name: torch.cat([getattr(choice, name) for choice in choices], dim=1)
        for name in ("log_probability", "entropy", "baseline")
    }
    return replace(choices[0], **tensors)


def _pack(cells: list[CellState]) -> dict[str, Tensor]:
    return {f"{i}.{part}": tensor for i, cell in enumerate(cells) for part, tensor in enumerate(cell)}
