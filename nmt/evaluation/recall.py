"""What became of each source word: the share whose translation appears, by its place in the sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from nmt.corpus.text.links import Link

PARTS = 10  # of a sentence, by source words


def recalled(reference: str, hypothesis: str, links: Sequence[Link]) -> dict[int, bool]:
    """For each source word with a translation in the reference: whether the output holds that translation.

    A word of the output serves one word of the reference (as in BLEU's clipped counts), the earlier first. A source
    word with several target words counts as translated if any of them is there.
    """
    target = reference.split()
    left = Counter(hypothesis.split())
    there = []
    for word in target:
        there.append(left[word] > 0)
        left[word] -= 1
    found: dict[int, bool] = {}
    for s, t in links:
        found[s] = found.get(s, False) or there[t]
    return found


def by_part(
    sources: Sequence[str], references: Sequence[str], hypotheses: Sequence[str], links: Sequence[Sequence[Link]]
) -> np.ndarray:
    """Words translated and words in all, in each tenth of each source sentence: (sentences, PARTS, 2)."""
    counts = np.zeros((len(sources), PARTS, 2))
    for row, (source, reference, hypothesis, known) in enumerate(
        zip(sources, references, hypotheses, links, strict=True)
    ):
        length = len(source.split())
        for s, hit in recalled(reference, hypothesis, known).items():
            part = min(s * PARTS // length, PARTS - 1)
            counts[row, part] += (hit, 1)
    return counts
