"""A Transformer's weights as CTranslate2 wants them. Nothing of the live model is changed: every array is a copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from nmt.errors import UserError
from nmt.models.embedding import AbsolutePositions, TokenEmbedding, sinusoids
from nmt.models.interface import Model
from nmt.models.transformer import FeedForward, MultiHead, Residual, TransformerModel, TransformerOptions

if TYPE_CHECKING:
    from ctranslate2.specs import TransformerSpec

POSITIONS = 4096  # of the sinusoids that go along; CTranslate2 takes no longer sentences
TRANSLATED = ("sinusoidal", "learned", "rotary", "none")  # ALiBi is in its decoders only


def ctranslate2_spec(model: Model) -> TransformerSpec:
    """Raises UserError for a model that CTranslate2 has no layers for."""
    if not isinstance(model, TransformerModel):
        raise UserError("format=ctranslate2 takes Transformers; CTranslate2 has no recurrent encoders and decoders")
    options = model.options
    if options.score != "scaled_dot":
        raise UserError(f"format=ctranslate2 knows scaled dot attention only, not model.score={options.score}")
    if options.positions not in TRANSLATED:
        raise UserError(f"format=ctranslate2 has no model.positions={options.positions} in its encoder")
    spec = _empty(options)
    for layer, block in zip(spec.encoder.layer, model.encoder, strict=True):
        _self_attention(layer.self_attention, block.attention, block.attention_residual)
        _feed_forward(layer.ffn, block.feed_forward, block.feed_forward_residual)
    for layer, block in zip(spec.decoder.layer, model.decoder, strict=True):
        _self_attention(layer.self_attention, block.self_attention, block.self_residual)
        _cross_attention(layer.attention, block.cross_attention, block.cross_residual)
        _feed_forward(layer.ffn, block.feed_forward, block.feed_forward_residual)
    _embeddings(spec.encoder, spec.encoder.embeddings[0], model.source_embedding)
    _embeddings(spec.decoder, spec.decoder.embeddings, model.target_embedding)
    _positions(spec.encoder, model.source_positions, options)
    _positions(spec.decoder, model.target_positions, options)
    if options.pre_norm:
        _norm(spec.encoder.layer_norm, model.encoder_norm)
        _norm(spec.decoder.layer_norm, model.decoder_norm)
    _linear(spec.decoder.projection, model.output.weight, model.output.bias)
    spec.config.layer_norm_epsilon = _epsilon(options)
    return spec


def _embeddings(side: Any, spec: Any, embedding: TokenEmbedding) -> None:
    spec.weight = _array(embedding.weight)
    side.scale_embeddings = np.float32(embedding.scale)


def _positions(side: Any, positions: AbsolutePositions, options: TransformerOptions) -> None:
    if options.positions == "sinusoidal":
        side.position_encodings.encodings = _array(sinusoids(POSITIONS, options.size))
    elif options.positions == "learned":
        assert positions.table is not None
        table = positions.table.weight  # past its end the last row is repeated
        missing = max(0, POSITIONS - len(table))
        more = table[-1:].expand(missing, -1)
        side.position_encodings.encodings = _array(torch.cat((table, more)))
    elif options.positions == "none":  # left out, they would be sinusoids
        side.position_encodings.encodings = np.zeros((POSITIONS, options.size), dtype=np.float32)


def _empty(options: TransformerOptions) -> TransformerSpec:
    from ctranslate2.specs import TransformerDecoderSpec, TransformerEncoderSpec, TransformerSpec, common_spec

    activations = {
        "relu": common_spec.Activation.RELU,
        "gelu": common_spec.Activation.GELU,
        "swiglu": common_spec.Activation.SWISH,
    }
    shared: dict[str, Any] = {
        "num_heads": options.heads,
        "pre_norm": options.pre_norm,
        "activation": activations[options.activation],
        "ffn_glu": options.activation == "swiglu",
        "rms_norm": options.norm == "rms",
    }
    if options.positions == "rotary":
        shared |= {"rotary_dim": options.size // options.heads, "rotary_interleave": False}
    encoder = TransformerEncoderSpec(options.encoder_layers, **shared)
    decoder = TransformerDecoderSpec(options.decoder_layers, **shared)
    if options.positions == "rotary":
        del encoder.position_encodings  # the decoder has none then
    return TransformerSpec(encoder, decoder)


def _self_attention(spec: Any, attention: MultiHead, residual: Residual) -> None:
    query = attention.query
    assert query is not None
    key_value = attention.key_value
    weight = torch.cat((query.weight, key_value.weight))
    bias = torch.cat((query.bias, key_value.bias))
    _linear(spec.linear[0], weight, bias)
    _linear(spec.linear[1], attention.output.weight, attention.output.bias)
    _norm(spec.layer_norm, residual.norm)


def _cross_attention(spec: Any, attention: MultiHead, residual: Residual) -> None:
    assert attention.query is not None
    layers = (attention.query, attention.key_value, attention.output)
    for of_layer, layer in zip(spec.linear, layers, strict=True):
        _linear(of_layer, layer.weight, layer.bias)
    _norm(spec.layer_norm, residual.norm)


def _feed_forward(spec: Any, layer: FeedForward, residual: Residual) -> None:
    if layer.activation == "swiglu":
        gate, wide = layer.widen.weight.chunk(2)
        gate_bias, wide_bias = layer.widen.bias.chunk(2)
        _linear(spec.linear_0, gate, gate_bias)
        _linear(spec.linear_0_noact, wide, wide_bias)
    else:
        _linear(spec.linear_0, layer.widen.weight, layer.widen.bias)
    _linear(spec.linear_1, layer.narrow.weight, layer.narrow.bias)
    _norm(spec.layer_norm, residual.norm)


def _linear(spec: Any, weight: Tensor, bias: Tensor) -> None:
    spec.weight = _array(weight)
    spec.bias = _array(bias)


def _norm(spec: Any, norm: nn.Module) -> None:
    spec.gamma = _array(norm.weight)
    if isinstance(norm, nn.LayerNorm):
        spec.beta = _array(norm.bias)


def _epsilon(options: TransformerOptions) -> float:
    """As the library's norms have it."""
    if options.norm == "layer":
        return 1e-5
    return float(torch.finfo(torch.float32).eps)


def _array(tensor: Tensor) -> np.ndarray:
    return np.array(tensor.detach().float().cpu().numpy())
