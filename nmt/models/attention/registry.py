"""The scores, scopes and reads by name. A class registers itself when its file is imported."""

from __future__ import annotations

from typing import Any

SCORES: dict[str, Any] = {}  # subclasses of Score
SCOPES: dict[str, Any] = {}  # subclasses of Scope
READS: dict[str, Any] = {}  # subclasses of Read
