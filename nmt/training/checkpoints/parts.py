"""A checkpoint in parts: a folder with one file of each process, which any number of processes can read.

The files say where their rows belong as those of torch.distributed.checkpoint do, whose HuggingFaceStorageReader reads
them, too.
"""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nmt.errors import Damaged, not_read
from nmt.training.checkpoints.file import load_file, opened, read_counters, read_origin
from nmt.training.checkpoints.names import names_in
from nmt.training.checkpoints.origin import Origin
from nmt.training.checkpoints.state import Counters, Tensors, TrainState
from nmt.training.sharding import rows_of

_PART = re.compile(r"[0-9]{5}-of-([0-9]{5})\.safetensors")


def load_state(path: Path, number: int = 0, count: int = 1) -> TrainState:
    """Reads a checkpoint: a file, or of a folder of parts the rows of process ``number`` among ``count``.

    Raises Absent, Unreadable, Damaged (cut short or altered) or Newer.
    """
    if is_folder(path):
        return _load_parts(path, number, count)
    return load_file(path)


def load_origin(path: Path) -> Origin | None:
    """Reads the origin of a checkpoint, a file or a folder of parts; None where it keeps none.

    Raises Absent, Unreadable, Damaged or Newer.
    """
    return read_origin(_first_file(path))


def load_counters(path: Path) -> Counters:
    """Reads how far the run of a checkpoint, a file or a folder of parts, has come.

    Raises Absent, Unreadable, Damaged or Newer.
    """
    return read_counters(_first_file(path))


def _first_file(path: Path) -> Path:
    return part_paths(path)[0] if is_folder(path) else path


def is_folder(path: Path) -> bool:
    """Whether a checkpoint is a folder of parts. Raises Absent or Unreadable where nobody can tell."""
    try:
        is_directory = stat.S_ISDIR(os.stat(path).st_mode)
    except OSError as error:
        raise not_read(error, path) from None
    return is_directory and path.suffix != ".safetensors"  # a folder in the place of a file can't be read as one


def part_path(folder: Path, number: int, count: int) -> Path:
    """Where process ``number`` of ``count`` keeps its part."""
    return folder / f"{number + 1:05d}-of-{count:05d}.safetensors"


def part_paths(folder: Path) -> list[Path]:
    """Returns all parts of a checkpoint, in order. Raises Unreadable, and Damaged where one is missing."""
    names = names_in(folder)
    matches = list(filter(None, map(_PART.fullmatch, names)))
    if not matches:
        raise Damaged(f"{folder}: no checkpoint in this folder")
    count = int(matches[-1][1])
    paths = [part_path(folder, number, count) for number in range(count)]
    for path in paths:
        if path.name not in names:
            raise Damaged(f"{path}: this part is missing, and the checkpoint damaged without it")
    return paths


@dataclass(frozen=True)
class Header:
    """What the head of a part says, for which its tensors need not be read."""

    path: Path
    step: int
    rows: dict[str, range]  # which rows the part has of each sharded tensor
    origin: str  # as it stands there


def _load_parts(folder: Path, number: int, count: int) -> TrainState:
    """Reads the files that hold rows of this process, and one in so many besides, so that together all are checked."""
    headers = [_read_header(path) for path in part_paths(folder)]
    _check_same_checkpoint(headers)
    wanted: dict[str, range] = {}  # the rows of this process
    pieces: dict[str, list[Tensor]] = {}  # of them, what each file has
    whole: Tensors = {}  # what is not sharded
    for name in headers[0].rows:
        length = max(header.rows[name].stop for header in headers)
        wanted[name] = rows_of(length, number, count)
        pieces[name] = []
    for place, header in enumerate(headers):
        holds_mine = any(_common(header.rows[name], rows) for name, rows in wanted.items())
        checked_here = place % count == number % len(headers)  # together, the processes check every file
        if not (holds_mine or checked_here):
            continue
        state = load_file(header.path)
        for name, tensor in state.tensors.items():
            if name in wanted:
                piece = _cut(tensor, header.rows[name], wanted[name])
                pieces[name].append(piece)
            else:
                whole[name] = tensor
    joined = {name: torch.cat(tensors) for name, tensors in pieces.items()}
    return TrainState(state.progress, whole | joined, origin=state.origin)


def _read_header(path: Path) -> Header:
    rows = {}
    with opened(path) as file:
        metadata = file.metadata()
        for name, first in json.loads(metadata["first_rows"]).items():
            length = file.get_slice(name).get_shape()[0]
            rows[name] = range(first, first + length)
        step = json.loads(metadata["progress"])["step"]
        origin = metadata.get("origin", "")
    return Header(path, step, rows, origin)


def _check_same_checkpoint(headers: list[Header]) -> None:
    """Raises Damaged where the parts are of several steps, or of several models."""
    first = headers[0]
    for header in headers:
        is_same = header.rows.keys() == first.rows.keys() and header.origin == first.origin
        if header.step != first.step or not is_same:
            raise Damaged(
                f"{header.path}: of another checkpoint (step {header.step}) than {first.path.name} (step {first.step})"
            )


def _cut(tensor: Tensor, rows: range, wanted: range) -> Tensor:
    """A copy of those wanted rows that a part has; ``rows`` are the part's."""
    common = _common(rows, wanted)
    first = common.start - rows.start
    return tensor[first : first + len(common)].clone()


def _common(first: range, second: range) -> range:
    """The numbers that two ranges share."""
    start = max(first.start, second.start)
    stop = min(first.stop, second.stop)
    return range(start, max(start, stop))
