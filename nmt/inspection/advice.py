"""What a look into a corpus means: what to mend before training, and what to choose."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from nmt.corpus.text.cleaning import MUCH, CleaningOptions
from nmt.inspection.look import TRAIN, VALID
from nmt.inspection.results import Advice, LeftOut, Shared, Side, Split

LEAST = 100  # sentences of a bucket
STEPS = (10, 5, 2, 1)  # by which bounds may rise; the first that gives enough buckets is taken
ENOUGH = 4  # buckets
WARNED = ("nul", "replacement", "byte_order_mark")  # kinds that show that a file was written wrongly
MANY_UNSEEN = 0.05  # of the running words
MANY_REPEATED = 0.1  # of the pairs
IN_WORDS = {TRAIN: "the training text", VALID: "the validation set"}


def bucket_bounds(lengths: Sequence[int]) -> list[int]:
    """Returns bounds of length between which at least 100 sentences lie each, and beyond the last; [] for too few.

    ``lengths`` are numbers of sentences by their length from 0 on.
    """
    best: list[int] = []
    for step in STEPS:
        bounds = _bounds_by(step, lengths)
        if len(bounds) > len(best):
            best = bounds
        buckets = len(best) + 1
        if buckets >= ENOUGH:
            break
    return best


def _bounds_by(step: int, lengths: Sequence[int]) -> list[int]:
    """Returns bounds that are multiples of a step."""
    up_to = list(itertools.accumulate(lengths))
    bounds: list[int] = []
    before = 0  # sentences up to the last bound
    for bound in range(step, len(lengths) - 1, step):
        within = up_to[bound] - before
        beyond = up_to[-1] - up_to[bound]
        if within >= LEAST and beyond >= LEAST:
            bounds.append(bound)
            before = up_to[bound]
    return bounds


def advice_of_buckets(test: Split) -> Advice:
    """Says in which buckets a report has enough sentences of a test set."""
    bounds = bucket_bounds(test.source.histogram)
    title = f"buckets of {test.name}"
    if not bounds:
        return Advice(title, f"{test.pairs:,} sentences are too few for two buckets of {LEAST}")
    listed = ",".join(map(str, bounds))
    text = f"{len(bounds) + 1} of at least {LEAST} sentences each, for evaluate and compare"
    return Advice(title, text, f"evaluation.bucket_bounds=[{listed}]")


def warnings_of(
    splits: Sequence[Split],
    shared: Sequence[Shared],
    cleaning: CleaningOptions,
) -> list[str]:
    """Returns what to mend or to know before training: first what test sets share with the training text."""
    warnings = []
    for split in splits:
        if not split.pairs:
            warnings.append(f"{split.name}: no pairs; the file is empty")
    for both in sorted(shared, key=_rank):
        warnings.append(_of_shared(both))
    for split in splits:
        warnings += _of_odd(split)
        warnings += _of_cleaning(split, cleaning)
        warnings += _of_repeated(split, cleaning)
        warnings += _of_unseen(split)
    for split in splits[1:]:
        warnings += _of_script(split, splits[0], "source")
        warnings += _of_script(split, splits[0], "target")
    return warnings


def _rank(shared: Shared) -> int:
    """Sorts what test sets share with the training text before what validation shares with it, then all else."""
    if shared.other != TRAIN:
        return 2
    return int(shared.split == VALID)


def _of_shared(shared: Shared) -> str:
    other = IN_WORDS.get(shared.other, shared.other)
    if shared.is_same_text:
        means = "it can't show what was learned"
        if shared.other not in IN_WORDS:
            means = f"it shows nothing that {other} doesn't"
        return f"{shared.split}: all of its {shared.of:,} pairs are in {other}, too; {means}"
    count = shared.sources.count
    verb = "are"
    if count == 1:
        verb = "is"
    sentences = f"{count:,} of {shared.of:,} sentences of {shared.split} {verb} in {other}: {shared.sources}"
    pairs = "none with the same target"
    if shared.pairs.count:
        pairs = f"with the same target {shared.pairs.count:,}: {shared.pairs}"
    return f"{sentences}; {pairs}"


def _of_odd(split: Split) -> list[str]:
    warnings = []
    for odd in split.odd:
        if odd.kind in WARNED:
            where = f"{split.name}, {odd.side}"
            warnings.append(f"{where}: {odd.lines.count:,} with {odd.title}: {odd.lines}")
    return warnings


def _of_cleaning(split: Split, cleaning: CleaningOptions) -> list[str]:
    if not split.pairs or split.kept is None:
        return []
    if not split.kept:
        return [f"{split.name}: cleaning leaves no pair"]
    warnings = []
    for left_out in split.left_out:
        share = left_out.lines.count / split.pairs
        if share <= MUCH or _is_meant(left_out, cleaning):
            continue
        warnings.append(f"{split.name}: cleaning leaves out {share:.0%}: {left_out.title}; are these pairs good?")
    return warnings


def _is_meant(left_out: LeftOut, cleaning: CleaningOptions) -> bool:
    """Whether an option is there to leave out many pairs for this reason."""
    if left_out.reason == "too_long":
        return cleaning.train_words > 0
    return left_out.reason == "duplicate"


def _of_repeated(split: Split, cleaning: CleaningOptions) -> list[str]:
    share = split.duplicates.count / max(1, split.pairs)
    if share <= MANY_REPEATED:
        return []
    mend = ""
    if not split.is_test:
        if cleaning.duplicates == "drop":  # which mends it
            return []
        mend = "; cleaning.duplicates=drop leaves one of each"
    return [f"{split.name}: {share:.0%} of its pairs came before{mend}"]


def _of_unseen(split: Split) -> list[str]:
    warnings = []
    for unseen in split.unseen:
        if unseen.share <= MANY_UNSEEN:
            continue
        words = f"{unseen.share:.0%} of the {unseen.unit} on its {unseen.side} side"
        warnings.append(f"{split.name}: {words} are never in the training text; is it of another kind?")
    return warnings


def _of_script(split: Split, first: Split, name: str) -> list[str]:
    """Says that a side is written otherwise than that of the first split: files may have been swapped."""
    side: Side = getattr(split, name)
    of_first: Side = getattr(first, name)
    if not side.scripts or not of_first.scripts:
        return []
    script = next(iter(side.scripts))
    expected = next(iter(of_first.scripts))
    if script == expected or side.scripts.get(expected, 0.0) > side.scripts[script] / 2:
        return []
    return [f"{split.name}: its {name} side is in {script}, that of {first.name} in {expected}"]
