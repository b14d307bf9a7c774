"""Sentences that several test files share."""

from __future__ import annotations

import numpy as np

REFERENCES = [f"the {a} man sees a {b} dog in the {c} house" for a in "abcde" for b in "fghij" for c in "klmn"]


def outputs(errors: float, seed: int) -> list[str]:
    """The references with a share of the words wrong."""
    rng = np.random.default_rng(seed)
    return [" ".join("x" if rng.random() < errors else word for word in line.split()) for line in REFERENCES]
