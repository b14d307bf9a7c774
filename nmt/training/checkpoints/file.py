"""One checkpoint file in safetensors: written aside, renamed, checked by a digest. No code in it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor

from nmt.corpus.batches.position import Position
from nmt.errors import UserError
from nmt.training.checkpoints.origin import Origin
from nmt.training.checkpoints.state import Counters, Tensors, TrainState
from nmt.training.terms import Part

VERSION = 5
_FIRST_ATTENTION = re.compile(r"^(\w+)\.attention\.")
_DAMAGES = (OSError, KeyError, ValueError, TypeError, AttributeError, safetensors.SafetensorError)


def save_state(state: TrainState, path: Path) -> None:
    """Writes a state, or one process's part of it: after a crash ``path`` is whole or absent.

    Raises UserError on a full or read-only disk.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
    metadata = {"version": str(VERSION), "progress": json.dumps(asdict(state.progress))}
    if state.origin:
        metadata["origin"] = state.origin.to_json()
    if state.count > 1:
        metadata["first_rows"] = json.dumps(state.first_rows)
        metadata["DCP_SHARDING_INFO"] = json.dumps(_offsets(tensors, state.first_rows))
    metadata["digest"] = _digest(tensors, metadata)
    aside = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, aside, metadata)
        with open(aside, "rb") as file:
            os.fsync(file.fileno())
        os.replace(aside, path)
    except (OSError, safetensors.SafetensorError) as error:
        aside.unlink(missing_ok=True)
        raise UserError(
            f"{path}: cannot be written ({error}); earlier checkpoints are untouched, free space and go on"
        ) from None


def load_file(path: Path) -> TrainState:
    """Reads a state, or one process's part of it.

    Raises UserError for a file that is absent, cut short, altered, or of a newer version.
    """
    with opened(path) as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a dict
        version = int(metadata["version"])
        fields = json.loads(metadata["progress"])
        digest = metadata["digest"]
        first_rows = json.loads(metadata.get("first_rows", "{}"))
        origin = _origin(metadata)
    if version > VERSION:
        raise UserError(f"{path}: written in format {version}, this nmt reads up to {VERSION}; update nmt")
    if _digest(tensors, metadata) != digest:
        raise UserError(f"{path}: damaged checkpoint (its digest differs); delete it to go on from the one before")
    counters = _counters(fields, path)
    return TrainState(counters, _upgraded(tensors, version), first_rows=first_rows, origin=origin)


def read_origin(path: Path) -> Origin | None:
    """Reads the origin of a state, or of one process's part of it, from the file's head; None where it keeps none.

    Raises UserError for a file that is absent or damaged.
    """
    with opened(path) as file:
        return _origin(file.metadata() or {})


def _origin(metadata: Mapping[str, str]) -> Origin | None:
    return Origin.from_json(metadata["origin"]) if "origin" in metadata else None


def read_counters(path: Path) -> Counters:
    """Reads how far the run of a checkpoint file has come, not its tensors. Raises UserError for a damaged file."""
    with opened(path) as file:
        fields = json.loads((file.metadata() or {})["progress"])
        return _counters(fields, path)


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Opens a safetensors file. Raises UserError where it is absent, or damaged as far as it is read."""
    try:
        with safetensors.safe_open(path, "pt") as file:
            yield file
    except FileNotFoundError:
        raise UserError(f"{path}: no such checkpoint") from None
    except _DAMAGES as error:
        raise UserError(f"{path}: damaged checkpoint ({error}); delete it to go on from the one before") from None


def _counters(fields: dict[str, Any], path: Path) -> Counters:
    """Counters from their JSON. Raises UserError for one that this version doesn't know."""
    position = Position.from_dict(fields.pop("position"))
    parts = tuple(Part(**part) for part in fields.pop("parts", ()))
    unknown = sorted(fields.keys() - {field.name for field in dataclasses.fields(Counters)})
    if unknown:
        raise UserError(f"{path}: written by another version of nmt, which counts '{unknown[0]}'; use that one")
    fields.setdefault("judged", fields["step"])  # before 4, a checkpoint came after its validation
    return Counters(**fields, position=position, parts=parts)


def _offsets(tensors: Tensors, first_rows: Mapping[str, int]) -> dict[str, dict[str, list[int]]]:
    """Where each tensor of a part begins in the whole one, as HuggingFaceStorageReader of torch.distributed.checkpoint
    reads it: [first row, 0, 0, ...].
    """
    offsets = {}
    for name, tensor in tensors.items():
        starts = [0] * tensor.dim()
        if starts:
            starts[0] = first_rows.get(name, 0)
        offsets[name] = {"saved_offsets": starts}
    return offsets


def _digest(tensors: Tensors, metadata: Mapping[str, str]) -> str:
    """A hash of the tensors and of the metadata beside them."""
    if int(metadata["version"]) < 5:  # of the counters alone
        texts = [metadata["progress"]]
    else:
        texts = [key + text for key, text in sorted(metadata.items()) if key != "digest"]
    digest = hashlib.blake2b("".join(texts).encode(), digest_size=16)
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(_bytes(tensors[name]))
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> memoryview:
    """The memory of a tensor, not copied."""
    return tensor.contiguous().view(-1).view(torch.uint8).numpy().data


def _upgraded(tensors: Tensors, version: int) -> Tensors:
    """Tensors of an older format under today's names.

    Before 2, an attention had one head without a number; before 3, a recurrent decoder had one attention without a
    number; before 4, there was one process.
    """
    if version < 2:
        tensors = {name.replace("attention.score.", "attention.heads.0.score."): t for name, t in tensors.items()}
    if version < 3:
        tensors = {_FIRST_ATTENTION.sub(r"\1.attentions.0.", name): tensor for name, tensor in tensors.items()}
    if version < 4:
        places = {"random.cpu": "random.0.cpu", "random.cuda:0": "random.0.cuda"}
        tensors = {places.get(name, name): tensor for name, tensor in tensors.items()}
    return tensors
