"""One checkpoint file in safetensors: written aside, renamed, checked by a digest. No code in it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import stat
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
from nmt.errors import Absent, Damaged, Newer, UserError, not_read
from nmt.training.checkpoints.origin import Origin
from nmt.training.checkpoints.state import Counters, Tensors, TrainState
from nmt.training.terms import Part

VERSION = 5
_FIRST_ATTENTION = re.compile(r"^(\w+)\.attention\.")
_DAMAGES = (KeyError, ValueError, TypeError, AttributeError, RecursionError, safetensors.SafetensorError)


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
        mode = _usual_mode(aside)
        save_file(tensors, aside, metadata)
        os.chmod(aside, mode)
        with open(aside, "rb") as file:
            os.fsync(file.fileno())
        os.replace(aside, path)
    except (OSError, safetensors.SafetensorError) as error:
        aside.unlink(missing_ok=True)
        raise UserError(
            f"{path}: cannot be written ({error}); earlier checkpoints are untouched, free space and go on"
        ) from None


def _usual_mode(path: Path) -> int:
    """Returns the mode of a new file at ``path``: what the umask leaves of rw-rw-rw-.

    safetensors makes its files for their owner alone, and nobody else could use a run that is shared.
    """
    path.unlink(missing_ok=True)
    path.touch()
    return stat.S_IMODE(path.stat().st_mode)


def load_file(path: Path) -> TrainState:
    """Reads a state, or one process's part of it.

    Raises Absent, Unreadable, Damaged (cut short or altered) or Newer.
    """
    with opened(path) as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a dict
        version = int(metadata["version"])
        digest = metadata["digest"]
        first_rows = json.loads(metadata.get("first_rows", "{}"))
        origin = _origin(metadata)
        counters = _counters(metadata, path)
    if _digest(tensors, metadata) != digest:
        raise _damaged("its digest differs", path)
    return TrainState(counters, _upgraded(tensors, version), first_rows=first_rows, origin=origin)


def read_origin(path: Path) -> Origin | None:
    """Reads the origin of a state, or of one process's part of it, from the file's head; None where it keeps none.

    Raises Absent, Unreadable, Damaged or Newer.
    """
    with opened(path) as file:
        return _origin(file.metadata() or {})


def _origin(metadata: Mapping[str, str]) -> Origin | None:
    return Origin.from_json(metadata["origin"]) if "origin" in metadata else None


def read_counters(path: Path) -> Counters:
    """Reads how far the run of a checkpoint file has come, not its tensors.

    Raises Absent, Unreadable, Damaged or Newer.
    """
    with opened(path) as file:
        return _counters(file.metadata() or {}, path)


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Opens a safetensors file. Raises Absent, Unreadable, Newer, or Damaged as far as it is read."""
    try:
        with open(path, "rb") as probe:  # safetensors takes a file that may not be read for one that is absent
            probe.read(1)
        with safetensors.safe_open(path, "pt") as file:
            _check_version(file.metadata() or {}, path)
            yield file
    except OSError as error:
        fault = not_read(error, path)
        if isinstance(fault, Absent):
            fault = Absent(f"{path}: no such checkpoint")
        raise fault from None
    except _DAMAGES as error:
        raise _damaged(error, path) from None


def _check_version(metadata: Mapping[str, str], path: Path) -> None:
    """Raises Newer for a format of a later version, of which nothing else can be understood."""
    version = int(metadata["version"])
    if version > VERSION:
        raise Newer(f"{path}: written in format {version}, this nmt reads up to {VERSION}; update nmt")


def _damaged(reason: object, path: Path) -> Damaged:
    return Damaged(f"{path}: damaged checkpoint ({reason}); the others of its run may be whole")


def _counters(metadata: Mapping[str, str], path: Path) -> Counters:
    """Returns the counters that a file keeps. Raises Newer for one that this version doesn't know."""
    fields = json.loads(metadata["progress"])
    position = Position.from_dict(fields.pop("position"))
    parts = tuple(Part(**part) for part in fields.pop("parts", ()))
    unknown = sorted(fields.keys() - {field.name for field in dataclasses.fields(Counters)})
    if unknown:
        raise Newer(f"{path}: written by another version of nmt, which counts '{unknown[0]}'; use that one")
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
