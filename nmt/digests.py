"""Digests: what is read back is known by the hash of all that it depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

BYTES = 16  # of a digest of files and records


def file_digest(path: Path) -> str:
    """Returns a hash of a file's bytes, at about 1 GB a second. Raises OSError where it can't be read."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=BYTES)).hexdigest()


def bytes_digest(content: bytes) -> str:
    """Returns the hash that `file_digest` has of a file with this content."""
    return hashlib.blake2b(content, digest_size=BYTES).hexdigest()


def record_digest(record: Any) -> str:
    """Returns a hash of what JSON can hold; the order of keys does not count, and keys count as texts."""
    as_read_back = json.loads(json.dumps(record))
    text = json.dumps(as_read_back, sort_keys=True)
    return bytes_digest(text.encode())


def weights_digest(model: nn.Module) -> str:
    """Returns a short hash of the weights, to know what they made: translations and exports."""
    digest = hashlib.blake2b(digest_size=8)
    for parameter in model.parameters():
        digest.update(parameter.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """Returns a short hash of named tensors of the processor, whatever their order."""
    digest = hashlib.blake2b(digest_size=8)
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
