"""Finds the factors of `nmt.kernels.dropout`: multiples of a random word that are dropped as if they were drawn apart.

python scripts/dropout_factors.py
"""

from __future__ import annotations

import torch
from torch import Tensor

BOUND = 1e-4  # of `worst_covariance`
WORDS = 2**16  # the 16-bit words


def worst_covariance(factors: tuple[int, ...]) -> float:
    """Of any two factors and any probability p: by how much P(both multiples of a word are dropped) differs from p².

    Counted over all 16-bit words. 0 would be two words drawn apart.
    """
    worst = 0.0
    for number, factor in enumerate(factors):
        for other in factors[:number]:
            worst = max(worst, _covariance(factor, other))
    return worst


def _covariance(factor: int, other: int) -> float:
    words = torch.arange(WORDS)
    ranks = _rank(words * factor)
    ranks_of_other = _rank(words * other)
    larger = torch.maximum(ranks, ranks_of_other)  # both are below a bound where the larger is
    both_below = torch.bincount(larger, minlength=WORDS).cumsum(0) / WORDS  # (WORDS,), for each bound
    one_below = torch.arange(1, WORDS + 1, dtype=torch.float64) / WORDS
    return (both_below - one_below.square()).abs().max().item()


def _rank(products: Tensor) -> Tensor:
    """Of the low 16 bits as a signed number: 0 for the least."""
    return (products % WORDS) ^ (WORDS // 2)


def find_factors(bound: float, seed: int = 0) -> tuple[int, ...]:
    """Four factors, the first of them 1, whose `worst_covariance` is ``bound`` at most: the search for `FACTORS`.

    Odd factors are drawn one by one, and a factor that goes with all before it is taken.
    """
    generator = torch.Generator().manual_seed(seed)
    factors: tuple[int, ...] = (1,)
    while len(factors) < 4:
        drawn = torch.randint(-WORDS // 4, WORDS // 4, (), generator=generator)
        longer = (*factors, 2 * int(drawn) + 1)
        if worst_covariance(longer) <= bound:
            factors = longer
    return factors


if __name__ == "__main__":
    print(find_factors(BOUND))
