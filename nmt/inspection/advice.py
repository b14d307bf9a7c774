"""What a look into a corpus means: what to mend before training, and what to choose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nmt.corpus.text.cleaning import MUCH, CleaningOptions
from nmt.inspection.look import TRAIN, VALID
from nmt.inspection.results import Advice, OddLines, Shared, Side, Split

LEAST = 100  # sentences of a bucket
STEPS = (10, 5, 2, 1)  # by which bounds may rise; the first that gives enough buckets is taken
ENOUGH = 4  # buckets
WARNED = ("nul", "replacement", "byte_order_mark")  # kinds that show how a file was written wrongly
MANY_UNSEEN = 0.05  # of the running words
FEW_LETTERS = 0.5  # of the main script of training


def bucket_bounds(lengths: Sequence[int]) -> list[int]:
    """Returns bounds of length between which at least 100 sentences lie each, and beyond the last; [] for too few.

    ``lengths`` are numbers of sentences by their length from 0 on.
    """
    best: list[int] = []
    for step in STEPS:
        bounds = _bounds_by(step, lengths)
        if len(bounds) > len(best):
            best = bounds
        if len(best) + 1 >= ENOUGH:
            break
    return best


def _bounds_by(step: int, lengths: Sequence[int]) -> list[int]:
    """Returns bounds that are multiples of a step."""
    total = np.cumsum(lengths)
    bounds: list[int] = []
    before = 0  # sentences up to the last bound
    for bound in range(step, len(lengths) - 1, step):
        is_enough = total[bound] - before >= LEAST
        leaves_enough = total[-1] - total[bound] >= LEAST
        if is_enough and leaves_enough:
            bounds.append(bound)
            before = int(total[bound])
    return bounds


def advice_of_buckets(test: Split) -> Advice:
    """Says in which buckets a report has enough sentences of a test set."""
    bounds = bucket_bounds(test.source.histogram)
    title = f"buckets of {test.name}"
    if not bounds:
        return Advice(title, f"{test.pairs:,} sentences are too few for two buckets of {LEAST}")
    option = f"evaluation.bucket_bounds=[{','.join(map(str, bounds))}]"
    return Advice(title, f"{len(bounds) + 1} buckets of at least {LEAST} sentences each", option)


def warnings_of(splits: Sequence[Split], shared: Sequence[Shared], cleaning: CleaningOptions) -> list[str]:
    """Returns what to mend or to know before training, the gravest first."""
    warnings = []
    for split in splits:
        if not split.pairs:
            warnings.append(f"{split.name}: no pairs; the file is empty")
    warnings += map(_of_shared, sorted(shared, key=_gravity))
    for split in splits:
        warnings += _of_odd(split)
        warnings += _of_cleaning(split, cleaning)
        warnings += _of_unseen(split)
    warnings += _of_scripts(splits)
    return warnings


def _gravity(shared: Shared) -> int:
    """Sorts what test sets share with training before all else."""
    if shared.other != TRAIN:
        return 2
    return int(shared.split == VALID)


def _of_shared(shared: Shared) -> str:
    other = place_of(shared.other)
    if shared.is_same_text:
        return f"{shared.split}: all of its {shared.of:,} pairs are in {other}, too: it can't show what was learned"
    pairs = ""
    if shared.pairs.count:
        pairs = f"{shared.pairs.count:,} with the same target ({shared.pairs})"
    count = shared.sources.count
    verb = "is" if count == 1 else "are"
    found = f"{count:,} of {shared.of:,} sentences of {shared.split} {verb} in {other}"
    return f"{found}: {shared.sources}" + (f"; {pairs}" if pairs else "; none with the same target")


def place_of(name: str) -> str:
    """Returns what a split is called within a sentence."""
    return {TRAIN: "the training text", VALID: "the validation set"}.get(name, name)


def _of_odd(split: Split) -> list[str]:
    return [f"{split.name}, {in_words(odd)}" for odd in split.odd if odd.kind in WARNED]


def in_words(odd: OddLines) -> str:
    """Returns one kind of odd lines as ``source: 3 with NUL characters, lines 1, 2, 3``."""
    return f"{odd.side}: {odd.lines.count:,} with {odd.title}: {odd.lines}"


def _of_cleaning(split: Split, cleaning: CleaningOptions) -> list[str]:
    if not split.pairs or split.kept is None:
        return []
    if not split.kept:
        return [f"{split.name}: cleaning leaves no pair"]
    limits = []
    for left_out in split.left_out:
        is_meant = left_out.reason == "duplicate" or (left_out.reason == "too_long" and cleaning.train_words)
        if left_out.lines.count > MUCH * split.pairs and not is_meant:
            share = left_out.lines.count / split.pairs
            limits.append(f"{split.name}: cleaning leaves out {share:.0%}: {left_out.title}; are these pairs good?")
    return limits


def _of_unseen(split: Split) -> list[str]:
    warnings = []
    for unseen in split.unseen:
        if unseen.share > MANY_UNSEEN:
            what = f"{unseen.share:.0%} of the {unseen.unit} on its {unseen.side} side"
            warnings.append(f"{split.name}: {what} are never in the training text; is it of another kind?")
    return warnings


def _of_scripts(splits: Sequence[Split]) -> list[str]:
    """Names splits that are written otherwise than the first: files may have been swapped."""
    warnings = []
    for split in splits[1:]:
        for side in ("source", "target"):
            first: Side = getattr(splits[0], side)
            other: Side = getattr(split, side)
            main = next(iter(first.scripts), "")
            if not main or not other.scripts or other.scripts.get(main, 0.0) >= FEW_LETTERS:
                continue
            if next(iter(other.scripts)) != main:
                script = next(iter(other.scripts))
                warnings.append(f"{split.name}: its {side} side is in {script}, that of {splits[0].name} in {main}")
    return warnings
