"""All that a resumed run needs, in safetensors: written aside, renamed, checked by a digest. No code in it.

One file; or, where weights are spread over processes, a folder with one of each process, which any number of them can
read. The files say where their rows belong as those of torch.distributed.checkpoint do, whose HuggingFaceStorageReader
reads them, too.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from nmt.corpus.batches.position import Position
from nmt.errors import UserError
from nmt.training.sharding import own_part, placed, rows_of

VERSION = 5
_FIRST_ATTENTION = re.compile(r"^(\w+)\.attention\.")
Tensors = dict[str, Tensor]


@dataclass
class Progress:
    """The counters of a run."""

    step: int = 0  # optimizer updates
    tokens: int = 0  # real target tokens seen
    seconds: float = 0.0  # spent in training, validation included
    position: Position = field(default_factory=Position)
    best_score: float | None = None  # of the selection metric
    best_step: int = 0
    stale: int = 0  # validations since the best
    reductions: int = 0  # of the learning rate on a plateau
    skipped: int = 0  # updates left out for a gradient that was not finite
    nonfinite: int = 0  # of them in a row, up to now
    rollbacks: int = 0  # times that the run went back to a checkpoint with half the learning rate
    judged: int = 0  # the last step that was validated
    largest_batch: int = 0  # cells that memory holds, once it was short
    finished: bool = False


@dataclass
class TrainState:
    """Progress, and every tensor by name: model., average., optimizer., scaler., random.

    Where weights are spread, ``tensors`` has the rows that lie in this process, and ``first_rows`` the number of the
    first of them, for each tensor that is spread.
    """

    progress: Progress
    tensors: Tensors
    number: int = 0  # of the process whose part this is
    count: int = 1  # of processes that have a part
    first_rows: dict[str, int] = field(default_factory=dict)


def weights_of(model: nn.Module) -> Tensors:
    """Parameters and buffers by name, shared ones once."""
    return {name: parameter.detach() for name, parameter in [*model.named_parameters(), *model.named_buffers()]}


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> Tensors:
    return {
        f"{name}/{key}": value
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state[parameter].items()
    }


def load_optimizer(model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    for name, parameter in model.named_parameters():
        prefix = f"{name}/"
        optimizer.state[parameter] = {
            key.removeprefix(prefix): placed(value, parameter)  # fused: the step count lies on the device too
            for key, value in tensors.items()
            if key.startswith(prefix)
        }


def part(tensors: Tensors, prefix: str) -> Tensors:
    """The tensors under ``prefix.``, without it."""
    return {name[len(prefix) + 1 :]: tensor for name, tensor in tensors.items() if name.startswith(prefix + ".")}


def load_weights(model: nn.Module, weights: Tensors, place: Path) -> None:
    """Raises UserError when the weights are those of another model."""
    own = weights_of(model)
    different = sorted(own.keys() ^ weights.keys()) or [
        name for name, tensor in own.items() if weights[name].shape not in (tensor.shape, own_part(tensor).shape)
    ]
    if different:
        raise UserError(f"{place}: the weights are of another model ('{different[0]}' differs); check model options")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(placed(weights[name], tensor))


def _digest(tensors: Tensors, metadata: Mapping[str, str]) -> str:
    """Of the tensors, and of all that is told beside them."""
    told = sorted(item for item in metadata.items() if item[0] != "digest")
    if int(metadata["version"]) < 5:
        told = [("", metadata["progress"])]
    digest = hashlib.blake2b("".join(map("".join, told)).encode(), digest_size=16)
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def save_state(state: TrainState, path: Path) -> None:
    """Atomic: after a crash ``path`` is whole or absent. Raises UserError on a full or read-only disk."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
    metadata = {"version": str(VERSION), "progress": json.dumps(asdict(state.progress))}
    if state.count > 1:
        metadata["first_rows"] = json.dumps(state.first_rows)
        metadata["DCP_SHARDING_INFO"] = json.dumps(
            {
                name: {"saved_offsets": [state.first_rows.get(name, 0), *[0] * (tensor.dim() - 1)][: tensor.dim()]}
                for name, tensor in tensors.items()
            }
        )
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


def load_state(path: Path, number: int = 0, count: int = 1) -> TrainState:
    """Of a folder of parts, the rows of one process among ``count``.

    Raises UserError for what is absent, cut short, altered, or of a newer version.
    """
    return _load_parts(path, number, count) if path.is_dir() else _load_file(path)


def part_path(folder: Path, number: int, count: int) -> Path:
    """Where a process keeps its part."""
    return folder / f"{number + 1:05d}-of-{count:05d}.safetensors"


def parts_of(folder: Path) -> list[Path]:
    """Raises UserError where one is missing."""
    digits = 5 * "[0-9]"
    found = sorted(folder.glob(f"{digits}-of-{digits}.safetensors"))
    if not found:
        raise UserError(f"{folder}: no checkpoint in this folder")
    count = int(found[-1].stem.rpartition("-")[2])
    paths = [part_path(folder, number, count) for number in range(count)]
    for path in paths:
        if not path.exists():
            raise UserError(f"{path}: this part is missing, and the checkpoint damaged without it")
    return paths


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safetensors.safe_open(path, "pt") as file:
            yield file
    except FileNotFoundError:
        raise UserError(f"{path}: no such checkpoint") from None
    except (OSError, KeyError, ValueError, TypeError, AttributeError, safetensors.SafetensorError) as error:
        raise UserError(f"{path}: damaged checkpoint ({error}); delete it to go on from the one before") from None


def _load_file(path: Path) -> TrainState:
    with _opened(path) as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a dict
        version = int(metadata["version"])
        fields = json.loads(metadata["progress"])
        written = metadata["digest"]
        first_rows = json.loads(metadata.get("first_rows", "{}"))
    if version > VERSION:
        raise UserError(f"{path}: written in format {version}, this nmt reads up to {VERSION}; update nmt")
    if _digest(tensors, metadata) != written:
        raise UserError(f"{path}: damaged checkpoint (its digest differs); delete it to go on from the one before")
    position = Position.from_dict(fields.pop("position"))
    unknown = sorted(fields.keys() - {option.name for option in dataclasses.fields(Progress)})
    if unknown:
        raise UserError(f"{path}: written by another version of nmt, which counts '{unknown[0]}'; use that one")
    fields.setdefault("judged", fields["step"])  # before 4, a checkpoint came after its validation
    progress = Progress(**fields, position=position)
    return TrainState(progress, _upgraded(tensors, version), first_rows=first_rows)


def _load_parts(folder: Path, number: int, count: int) -> TrainState:
    """Reads the files that hold rows of this process, and one in so many besides, so that together all are checked."""
    paths = parts_of(folder)
    held = [_rows_in(path) for path in paths]
    for path, (step, rows) in zip(paths, held, strict=True):
        if (step, rows.keys()) != (held[0][0], held[0][1].keys()):
            raise UserError(f"{path}: of another checkpoint (step {step}) than {paths[0].name} (step {held[0][0]})")
    wanted = {name: rows_of(max(rows[name].stop for _, rows in held), number, count) for name in held[0][1]}
    whole: Tensors = {}
    pieces: dict[str, list[Tensor]] = {name: [] for name in wanted}
    for file, (path, (_, rows)) in enumerate(zip(paths, held, strict=True)):
        if file % count != number % len(paths) and not any(_common(rows[name], own) for name, own in wanted.items()):
            continue
        state = _load_file(path)
        for name, tensor in state.tensors.items():
            if name in pieces:
                own = _common(rows[name], wanted[name])
                first = rows[name].start
                pieces[name].append(tensor[own.start - first : own.stop - first].clone())
            else:
                whole[name] = tensor
    return TrainState(state.progress, whole | {name: torch.cat(found) for name, found in pieces.items()})


def _rows_in(path: Path) -> tuple[int, dict[str, range]]:
    """The step of a part, and which rows it has of each tensor that is spread."""
    with _opened(path) as file:
        metadata = file.metadata()
        rows = {
            name: range(first, first + file.get_slice(name).get_shape()[0])
            for name, first in json.loads(metadata["first_rows"]).items()
        }
        return json.loads(metadata["progress"])["step"], rows


def _common(first: range, second: range) -> range:
    start = max(first.start, second.start)
    return range(start, max(start, min(first.stop, second.stop)))


def _upgraded(tensors: Tensors, version: int) -> Tensors:
    """What older formats named otherwise: before 2, attention had one head without a number; before 3, a recurrent
    decoder had one attention without a number; before 4, there was one process.
    """
    if version < 2:
        tensors = {name.replace("attention.score.", "attention.heads.0.score."): t for name, t in tensors.items()}
    if version < 3:
        tensors = {_FIRST_ATTENTION.sub(r"\1.attentions.0.", name): tensor for name, tensor in tensors.items()}
    if version < 4:
        places = {"random.cpu": "random.0.cpu", "random.cuda:0": "random.0.cuda"}
        tensors = {places.get(name, name): tensor for name, tensor in tensors.items()}
    return tensors
