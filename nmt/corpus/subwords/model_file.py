"""What stands in the file of a SentencePiece model besides its way to segment: symbols, form of Unicode, pieces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sentencepiece

from nmt.corpus.text.normalising import NONE
from nmt.errors import Damaged, UserError, not_read

NORMALISER = "nmt:"  # before the form


def load_model(path: Path) -> sentencepiece.SentencePieceProcessor:
    """Raises Absent, Unreadable or Damaged."""
    processor = sentencepiece.SentencePieceProcessor()
    try:
        model = path.read_bytes()
        processor.load_from_serialized_proto(model)
    except OSError as error:
        raise not_read(error, path) from None
    except RuntimeError:
        raise Damaged(f"{path}: no SentencePiece model, or a damaged one; put a copy of it back") from None
    return processor


def symbols_of(processor: sentencepiece.SentencePieceProcessor) -> list[str]:
    """Returns the pieces that are the user's own, never split."""
    format = _model_format()
    model = format.ModelProto.FromString(processor.serialized_model_proto())
    user_defined = format.ModelProto.SentencePiece.USER_DEFINED
    return [piece.piece for piece in model.pieces if piece.type == user_defined]


def form_of(processor: sentencepiece.SentencePieceProcessor) -> str:
    """Returns the form that a model's text is normalised to: its file tells it, as the name of its normaliser."""
    content = processor.serialized_model_proto()
    if NORMALISER.encode() not in content:
        return NONE
    name = _model_format().ModelProto.FromString(content).normalizer_spec.name
    return name.removeprefix(NORMALISER) if name.startswith(NORMALISER) else NONE


def keep_form(path: Path, form: str) -> None:
    """Writes into a model's file how its text is normalised. SentencePiece itself leaves the text as it is."""
    model = _model_format().ModelProto.FromString(path.read_bytes())
    model.normalizer_spec.name = NORMALISER + form
    path.write_bytes(model.SerializeToString())


def merged(first: bytes, second: bytes) -> bytes:
    """Returns the first model with the pieces that only the second has.

    New pieces come after all others in the order in which pieces are merged or preferred.
    """
    format = _model_format()
    kinds = format.ModelProto.SentencePiece
    model = format.ModelProto.FromString(first)
    other = format.ModelProto.FromString(second)
    if model.trainer_spec.model_type != other.trainer_spec.model_type:
        raise UserError("tokenizer.kind: must be as in the run to begin with, to extend its vocabulary")
    known = {piece.piece for piece in model.pieces}
    least = min(piece.score for piece in model.pieces)
    for piece in other.pieces:
        if piece.piece in known or piece.type == kinds.BYTE:
            continue
        added = model.pieces.add()
        added.CopyFrom(piece)
        if piece.type == kinds.NORMAL:
            added.score = least + min(piece.score, 0.0) - 1.0
    model.trainer_spec.vocab_size = len(model.pieces)
    return model.SerializeToString()


def merges_of(model: bytes) -> list[int]:
    """Returns the ids of the pieces that BPE has merged, in the order in which it merged them."""
    format = _model_format()
    normal = format.ModelProto.SentencePiece.NORMAL
    pieces = format.ModelProto.FromString(model).pieces
    merges = []
    for number, piece in enumerate(pieces):
        is_single = len(piece.piece) == 1  # a character, which BPE begins with
        if piece.type == normal and not is_single:
            merges.append(number)
    return merges


def shortened(model: bytes, count: int) -> bytes:
    """Returns a model of BPE with its first ``count`` merges alone: as if it had been trained so small."""
    merges = merges_of(model)
    shorter = _model_format().ModelProto.FromString(model)
    for number in reversed(merges[count:]):  # from the end: what comes before keeps its number
        del shorter.pieces[number]
    shorter.trainer_spec.vocab_size = len(shorter.pieces)
    return shorter.SerializeToString()


def _model_format() -> Any:
    from sentencepiece import sentencepiece_model_pb2

    return sentencepiece_model_pb2  # its classes are made at run time
