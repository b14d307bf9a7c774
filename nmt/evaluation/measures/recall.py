"""What became of each source word: the share whose translation appears, over all and by its place in the sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from nmt.corpus.text.links import Link
from nmt.evaluation.measures.groups import WORDS
from nmt.evaluation.measures.measure import Need, Ratio
from nmt.evaluation.translations import Evaluation

PARTS = 10  # of a sentence, by source words
FEWEST = 20  # source words of a part: the share of fewer is no point of a curve


class Recall(Ratio):
    """Source words whose translation appears."""

    name = "recall"
    label = "source words translated"
    unit = "%"
    needs = frozenset({Need.KNOWN_LINKS})
    rank = 14
    group = WORDS
    about = "the share of source words whose translation, by the known word links, appears in the output."
    in_console = True
    in_summary = True

    def part_and_whole(self, evaluation: Evaluation, row: int) -> tuple[float, float]:
        links = evaluation.links_known_of(row)
        hits = recalled(evaluation.references[row], evaluation.hypotheses[row], links).values()
        return sum(hits), len(hits)


def recalled(reference: str, hypothesis: str, links: Sequence[Link]) -> dict[int, bool]:
    """For each source word with a translation in the reference: whether the output holds that translation.

    A word of the output serves one word of the reference (as in BLEU's clipped counts), the earlier first. A source
    word with several target words counts as translated if any of them is there.
    """
    left = Counter(hypothesis.split())
    appears = []  # for each target word
    for word in reference.split():
        appears.append(left[word] > 0)
        left[word] -= 1
    translated: dict[int, bool] = {}
    for source, target in links:
        translated[source] = translated.get(source, False) or appears[target]
    return translated


def counts_by_part(evaluation: Evaluation) -> np.ndarray:
    """Words translated and words in all, in each tenth of each source sentence: (N, PARTS, 2)."""
    counts = np.zeros((len(evaluation.sources), PARTS, 2))
    for row, source in enumerate(evaluation.sources):
        length = len(source.split())
        links = evaluation.links_known_of(row)
        translated = recalled(evaluation.references[row], evaluation.hypotheses[row], links)
        for word, hit in translated.items():
            part = word * PARTS // length
            counts[row, part] += (hit, 1)
    return counts
