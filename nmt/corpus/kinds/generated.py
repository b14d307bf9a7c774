"""What generated corpora share: pairs that come with their word links, and a version that stands for their text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class AlignedPair:
    """A sentence pair and its word links (source position, target position), both from 0."""

    source: str
    target: str
    links: tuple[tuple[int, int], ...]


def versioned(options: Any, version: int, known: Collection[str]) -> str:
    """The fingerprint of a generated text: its kind, its version and a hash of the options that it depends on.

    ``version`` is raised when the same options give other pairs; a test of their hash says when. ``known`` names the
    options that the version began with. An option that came later counts only where it is not at its default, so that
    a new option does not change the fingerprint of a corpus that does not use it.
    """
    content = {}
    for field in fields(options):
        value = getattr(options, field.name)
        if field.name in known or value != _default(field):
            content[field.name] = value
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    return f"{options.kind}-{version}-{digest}"


def _default(field: Field) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()
