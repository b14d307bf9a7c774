"""What a recurrent decoder's attention is made of: score, scope and read, each by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class AttentionOptions:
    """Attention = score x scope x read."""

    score: str = "additive"  # additive, dot, general, concat, location, scaled_dot; fixed: cosine, diagonal, uniform
    scope: str = "global"  # global, local_m or local_p (Luong 2015, section 3.2)
    read: str = "soft"  # soft (softmax), sparse (sparsemax), hard_sample (REINFORCE) or hard_marginal (summed over)
    size: int = 256  # of the space where additive, concat and scaled_dot compare
    heads: int = 1  # several read in parallel, each with its own score, scope and share of the states
    normed: bool = False  # additive only: its vector has a learnt length, its sum an offset (Salimans 2016)
    max_positions: int = 256  # location only: source positions with a weight of their own; later ones share the last
    window: int = 10  # local scopes: so many positions on either side (Luong's D)
    sharpness: float = 8.0  # cosine only: what the cosine is multiplied with
    entropy_weight: float = 0.01  # hard_sample only: keeps it from settling too early
    query: str = "previous"  # ask with the state before the step (Bahdanau 2015) or after it (Luong 2015)
    place: str = (
        "top"  # which decoder layer asks: top, first (for all above it: Wu 2016, section 3) or each; current only
    )
    coverage: bool = False  # how much each position has been looked at enters its key (Tu 2016, section 3.1.1)
    input_feeding: bool = False  # current query only: the last attentional vector enters the next step (Luong, 3.3)
