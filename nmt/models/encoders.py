"""The recurrent encoder, and the bridge from its last state to the decoder's first."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nmt.errors import UserError
from nmt.models.cells import CELLS, CellState, flip, make_layer
from nmt.models.embedding import Dropout
from nmt.models.recurrent_options import RecurrentOptions


class RecurrentEncoder(nn.Module):
    """Layers in one or two directions. Leaves the states of the last layer and the final state of every one."""

    def __init__(self, options: RecurrentOptions):
        super().__init__()
        self.options = options
        directions = 2 if options.bidirectional else 1
        self.size = options.encoder_size * directions
        self.layers = nn.ModuleList()
        input_size = options.embedding_size
        for _ in range(options.encoder_layers):
            layer = [make_layer(options.cell, input_size, options.encoder_size) for _ in range(directions)]
            self.layers.append(nn.ModuleList(layer))
            input_size = self.size
        self.dropout = Dropout(options.dropout)

    def forward(self, embedded: Tensor, mask: Tensor) -> tuple[Tensor, list[CellState]]:
        """(B, S, E) to states (B, S, D), zero at padding, and per layer the final state of width D."""
        lengths = mask.sum(dim=1)  # (B,)
        if self.options.reverse_source:
            embedded = flip(embedded, lengths)
        outputs = embedded
        finals = []
        for number, directions in enumerate(self.layers):
            inputs = outputs if number == 0 else self.dropout(outputs)
            outputs, final = _run(directions, inputs, lengths)
            if self.options.residual and number > 0:
                outputs = outputs + inputs
            finals.append(final)
        if self.options.reverse_source:
            outputs = flip(outputs, lengths)  # state i belongs to token i again
        return outputs * mask[..., None].to(outputs.dtype), finals


def _run(directions: nn.ModuleList, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, CellState]:
    """One layer over inputs (B, S, D): its directions side by side."""
    forward, final = directions[0].run(inputs, lengths)
    if len(directions) == 1:
        return forward, final
    backward, backward_final = directions[1].run(flip(inputs, lengths), lengths)
    outputs = torch.cat((forward, flip(backward, lengths)), dim=-1)  # (B, S, D)
    both = zip(final, backward_final, strict=True)
    return outputs, tuple(torch.cat(parts, dim=-1) for parts in both)


class Bridge(nn.Module):
    """From the summary to the decoder's first state: as it is where the sizes agree, else one linear map."""

    def __init__(self, encoder: RecurrentEncoder, options: RecurrentOptions):
        super().__init__()
        widths = CELLS[options.cell]  # of the tensors in a state
        size = options.decoder_size
        self.layers = options.decoder_layers
        self.widths = [width * size for width in widths]
        self.summary_size = options.encoder_layers * sum(widths) * encoder.size
        self.map = None
        if (options.encoder_layers, encoder.size) == (self.layers, size):
            return
        state_size = self.layers * sum(self.widths)
        if max(widths) > 1:
            raise UserError(
                f"model.cell={options.cell}: from {options.encoder_layers} layers of {encoder.size} to {self.layers} "
                f"of {size} would take {self.summary_size * state_size:,} weights; make them the "
                "same (model.encoder_size counts one direction)"
            )
        self.map = nn.Linear(self.summary_size, state_size)

    def forward(self, summary: Tensor) -> list[CellState]:
        """(B, Z) to per layer the parts of its state, the first of them (B, H)."""
        if self.map is not None:
            summary = torch.tanh(self.map(summary))
        of_layers = summary.chunk(self.layers, dim=-1)
        return [of_layer.split(self.widths, dim=-1) for of_layer in of_layers]
