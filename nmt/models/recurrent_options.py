"""How a recurrent model is built: its encoder, its decoder, and the path of the context between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from nmt.errors import UserError
from nmt.models.attention.options import AttentionOptions
from nmt.models.cells import CELLS
from nmt.models.checks import check_dropout, check_known, check_positive
from nmt.models.embedding import TYING

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

    # What a model that begins with the weights of another may have otherwise.
    ONLY_IN_TRAINING: ClassVar[frozenset[str]] = frozenset({"dropout", "attention.entropy_weight"})

    def __post_init__(self) -> None:
        """Raises UserError for what makes no sense."""
        check_known("model.context", self.context, CONTEXTS)
        check_known("model.cell", self.cell, CELLS)
        check_known("model.tie_embeddings", self.tie_embeddings, TYING)
        check_positive(
            "model", self, ("embedding_size", "encoder_size", "encoder_layers", "decoder_size", "decoder_layers")
        )
        check_dropout("model.dropout", self.dropout)
        if self.context == "attention":
            self.attention.check_together()
        if self.feed_context and self.context == "attention":
            raise UserError(
                "model.feed_context=true is for model.context=fixed; attention has its own context at every step"
            )
