"""The options of search, and the length penalty that they name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nmt.errors import UserError, nearest

PENALTIES = ("none", "average", "gnmt")
PRECISIONS = ("fp32", "tf32", "bf16")
MOST = {"max_length_factor": 1000, "max_length_offset": 100_000, "min_length": 100_000}  # more would overflow


@dataclass
class DecodingOptions:
    """Search."""

    beam_size: int = 5  # 1 is greedy
    batch_size: int = 64  # sentences at a time; changes speed, never the output
    length_penalty: str = "average"  # none, average (divide by the length) or gnmt (Wu 2016, equation 14)
    length_penalty_alpha: float = 1.0  # exponent of either; 0 is none
    max_length_factor: float = 2.0  # at most this times the source tokens,
    max_length_offset: int = 10  # and so many more
    min_length: int = 0  # tokens before the end
    max_source_tokens: int = 2000  # a longer source is cut there, and the line named
    precision: str = (
        "fp32"  # or bf16: faster where the device has it, to about three digits of every product; tf32 on a GPU
    )
    temperature: float = 0.0  # above 0: one sampled path instead of search
    seed: int = 1  # of sampling

    ONLY_SPEED: ClassVar[frozenset[str]] = frozenset({"batch_size"})  # all else decides what search finds

    def __post_init__(self) -> None:
        if self.length_penalty not in PENALTIES:
            raise UserError(f"decoding.length_penalty={self.length_penalty}: {nearest(self.length_penalty, PENALTIES)}")
        if self.precision not in PRECISIONS:
            raise UserError(f"decoding.precision={self.precision}: {nearest(self.precision, PRECISIONS)}")
        if not 0 <= self.length_penalty_alpha <= 10:
            raise UserError(f"decoding.length_penalty_alpha={self.length_penalty_alpha}: must be 0 to 10")
        for name in ("beam_size", "batch_size", "max_source_tokens"):
            if getattr(self, name) < 1:
                raise UserError(f"decoding.{name}={getattr(self, name)}: must be 1 or more")
        for name in ("max_length_factor", "max_length_offset", "min_length", "temperature"):
            if getattr(self, name) < 0:
                raise UserError(f"decoding.{name}={getattr(self, name)}: must not be negative")
        for name, most in MOST.items():
            if getattr(self, name) > most:
                raise UserError(f"decoding.{name}={getattr(self, name)}: must be {most:,} or less")


def length_limit(source_tokens: int, options: DecodingOptions) -> int:
    """Returns how many tokens a translation may have at most, END included; ``source_tokens`` has its END, too."""
    limit = int(source_tokens * options.max_length_factor) + options.max_length_offset
    return max(limit, 1)


def penalty(length: int, options: DecodingOptions) -> float:
    """What the log-probability of ``length`` tokens is divided by."""
    if options.length_penalty == "none":
        return 1.0
    base = length if options.length_penalty == "average" else (5 + length) / 6
    return float(base**options.length_penalty_alpha)
