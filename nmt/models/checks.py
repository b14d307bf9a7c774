"""What options of several models must all be."""

from __future__ import annotations

from collections.abc import Iterable

from nmt.errors import UserError, nearest


def check_known(key: str, value: str, known: Iterable[str], hint: str = "") -> None:
    """Raises UserError for a name that is none of those known, with the nearest of them."""
    known = list(known)
    if value not in known:
        raise UserError(f"{key}={value}: {nearest(value, known)}{hint}")


def check_positive(prefix: str, options: object, names: Iterable[str]) -> None:
    """Raises UserError where one of these options is below 1. ``prefix`` is what stands before their names."""
    for name in names:
        value = getattr(options, name)
        if value < 1:
            raise UserError(f"{prefix}.{name}={value}: must be 1 or more")


def check_dropout(key: str, probability: float) -> None:
    """Raises UserError for what is no probability, or drops everything."""
    if not 0 <= probability < 1:
        raise UserError(f"{key}={probability}: must be at least 0 and below 1")
