"""Which pairs are worth training on; every one that is left out is counted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace

from nmt.corpus.pair import Pair
from nmt.corpus.text.lines import is_blank
from nmt.corpus.text.writing import ALIKE, SCRIPTS, TOGETHER, Proportions, script_of
from nmt.errors import UserError, nearest

DUPLICATES = ("keep", "drop")
REASONS = ("empty", "too_long", "odd_ratio", "other_script", "duplicate")  # why a pair is left out, as it is counted
MUCH = 0.1  # of the pairs, left out by one limit: worth a warning


@dataclass
class CleaningOptions:
    """Which training and validation pairs are left out. Test sets are never cleaned."""

    max_words: int = 200  # on either side; characters on a side whose script has no spaces, such as Chinese
    train_words: int = 0  # train on pairs of at most so many words; the tokenizer sees the others too; 0: no limit
    max_tokens: int = 1000  # on either side, once encoded
    # Characters of the longer side over the shorter, where the longer has 20 or more. Where targets have under half or
    # over twice the characters of their sources (English-Chinese), as many times longer or shorter than the mean.
    max_ratio: float = 4.0
    source_script: str = ""  # LATIN, CYRILLIC, JAPANESE ...: at least half of the letters; "": any
    target_script: str = ""
    duplicates: str = "keep"  # or drop: of equal pairs all but the first, for about 100 bytes of memory a pair

    def __post_init__(self) -> None:
        if self.duplicates not in DUPLICATES:
            raise UserError(f"cleaning.duplicates={self.duplicates}: {nearest(self.duplicates, DUPLICATES)}")
        for name in ("max_words", "train_words", "max_tokens", "max_ratio"):
            if getattr(self, name) < 0:
                raise UserError(f"cleaning.{name}={getattr(self, name)}: must not be negative")
        for name in ("source_script", "target_script"):
            script = getattr(self, name)
            known = [*SCRIPTS, *TOGETHER]
            if script and script not in known:
                raise UserError(f"cleaning.{name}={script}: {nearest(script, known)}")

    def for_training(self) -> CleaningOptions:
        """Returns what training pairs are held to, where the tokenizer sees longer ones."""
        limit = self.train_words or self.max_words
        return replace(self, train_words=0, max_words=min(self.max_words, limit))


@dataclass
class CleaningReport:
    """How many pairs were read and kept, and why the rest were not."""

    read: int = 0
    kept: int = 0
    empty: int = 0
    too_long: int = 0
    odd_ratio: int = 0
    other_script: int = 0
    duplicate: int = 0
    joined: int = 0  # added to those kept
    unlinked: int = 0  # of those kept and joined: their links do not fit their words, and teach nothing
    linkless: int = 0  # the same, where links are asked for: they have none, and teach no alignment
    with_nul: int = 0  # of those kept: hold U+0000, which is no text
    tokens: int = 0  # of the pairs kept, once encoded
    unknown: int = 0  # of those tokens, that the tokenizer has no piece for

    @property
    def unknown_share(self) -> float:
        """Share of the tokens that the tokenizer has no piece for."""
        return self.unknown / max(1, self.tokens)

    def leave_out(self, reason: str) -> None:
        """Counts a pair for the field that ``reason`` names."""
        setattr(self, reason, getattr(self, reason) + 1)

    def advice(self, options: CleaningOptions) -> str:
        """Names the limits that leave out more than a tenth of the pairs, and counts those that are hardly text; empty
        where there is nothing to say.

        ``train_words`` is there to leave out long pairs: where it is set, they are as expected.
        """
        limits = []
        if self.odd_ratio > MUCH * self.read:
            limits.append(f"{self.odd_ratio / self.read:.0%} as odd ratio (cleaning.max_ratio={options.max_ratio:g})")
        if self.too_long > MUCH * self.read and not options.train_words:
            option = f"cleaning.max_words={options.max_words}, max_tokens={options.max_tokens}"
            limits.append(f"{self.too_long / self.read:.0%} as too long ({option})")
        advice = []
        if limits:
            advice.append(f"left out {' and '.join(limits)}; raise that if these pairs are good")
        if self.with_nul:
            advice.append(f"{self.with_nul:,} pairs hold NUL characters, which no text has: is the file UTF-8?")
        return "; ".join(advice)

    def __str__(self) -> str:
        reasons = []
        for name, count in asdict(self).items():
            if count and name in REASONS:
                reasons.append(f"{count:,} {name.replace('_', ' ')}")
        text = f"{self.kept:,} of {self.read:,} pairs kept"
        if reasons:
            text += f" (left out: {', '.join(reasons)})"
        if self.joined:
            text += f", {self.joined:,} joined ones added"
        if self.unlinked:
            text += f", links of {self.unlinked:,} pairs do not fit and teach nothing"
        if self.linkless:
            text += f", {self.linkless:,} pairs have no links"
        if self.with_nul:
            text += f", {self.with_nul:,} hold NUL characters"
        return text


def clean(
    pairs: Iterable[Pair],
    options: CleaningOptions,
    report: CleaningReport,
    proportions: Proportions = ALIKE,
) -> Iterator[Pair]:
    """Yields the pairs worth training on; ``report`` counts all. ``proportions`` are those of the training text."""
    seen: set[bytes] = set()
    for pair in pairs:
        report.read += 1
        reason = _unfit(pair, options, proportions)
        if not reason and options.duplicates == "drop":
            digest = hashlib.blake2b(f"{pair.encoder_input}\n{pair.target}".encode(), digest_size=12).digest()
            reason = "duplicate" if digest in seen else ""
            seen.add(digest)
        if reason:
            report.leave_out(reason)
        else:
            report.kept += 1
            report.with_nul += "\0" in pair.source or "\0" in pair.target
            yield pair


def _unfit(pair: Pair, options: CleaningOptions, proportions: Proportions) -> str:
    """Returns the count of the report that a pair belongs to; empty for a pair worth training on."""
    source, target, *_ = pair
    if is_blank(source) or is_blank(target):
        return "empty"
    length = max(proportions.source.length(source), proportions.target.length(target))
    if length > options.max_words:
        return "too_long"
    expected = proportions.expected * len(source)  # characters of the target
    shorter, longer = sorted((expected, len(target)))
    if max(len(source), len(target)) >= 20 and longer > options.max_ratio * shorter:
        return "odd_ratio"
    if not _is_written_in(options.source_script, source) or not _is_written_in(options.target_script, target):
        return "other_script"
    return ""


def _is_written_in(script: str, text: str) -> bool:
    """Whether at least half of the letters are of this script, or of those of JAPANESE; any script will do for none."""
    if not script:
        return True
    scripts = [script_of(character) for character in text]
    letters = len(scripts) - scripts.count("")
    wanted = sum(scripts.count(one) for one in TOGETHER.get(script, (script,)))
    return 2 * wanted >= letters
