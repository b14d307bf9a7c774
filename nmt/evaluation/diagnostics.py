"""What is wrong with translations, beside their score: too short, or going round in circles."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Texts = Sequence[str]
REPEATED_WORDS = 4  # in a row


def length_ratio(hypotheses: Texts, references: Texts) -> float:
    """Output words over reference words: below 1, things are left out."""
    return _words(hypotheses) / max(_words(references), 1)


def brevity_penalty(hypotheses: Texts, references: Texts) -> float:
    """What brevity alone multiplies BLEU with (Papineni 2002, section 2.3), over words."""
    ratio = length_ratio(hypotheses, references)
    return 1.0 if ratio >= 1 else math.exp(1 - 1 / ratio) if ratio > 0 else 0.0


def repetition(hypotheses: Texts, references: Texts) -> float:
    """Percent of the 4-grams of an output that stood in it before (Welleck 2020, section 6.1: seq-rep-4)."""
    grams = repeated = 0
    for hypothesis in hypotheses:
        words = hypothesis.split()
        seen = {tuple(words[i : i + REPEATED_WORDS]) for i in range(len(words) - REPEATED_WORDS + 1)}
        count = max(len(words) - REPEATED_WORDS + 1, 0)
        grams, repeated = grams + count, repeated + count - len(seen)
    return 100 * repeated / max(grams, 1)


def _words(texts: Texts) -> int:
    return sum(len(text.split()) for text in texts)


DIAGNOSES: dict[str, Callable[[Texts, Texts], float]] = {
    "length_ratio": length_ratio,
    "brevity_penalty": brevity_penalty,
    "repetition": repetition,
}
