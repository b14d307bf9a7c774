"""Which pairs are worth training on; every one that is left out is counted."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache

from nmt.corpus.kinds.files import Pair
from nmt.errors import UserError, nearest


@dataclass
class CleaningOptions:
    """Which training and validation pairs are left out. Test sets are never cleaned."""

    max_words: int = 200  # on either side
    train_words: int = 0  # train on pairs of at most so many words; the tokenizer sees the others too; 0: no limit
    max_tokens: int = 1000  # on either side, once encoded: text without spaces is one word, however long
    max_ratio: float = 4.0  # characters of the longer side over the shorter, where the longer has 20 or more
    source_script: str = ""  # LATIN, CYRILLIC, HAN ...: at least half of the letters; "": any
    target_script: str = ""
    duplicates: str = "keep"  # or drop: of equal pairs all but the first, for about 100 bytes of memory a pair


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

    def __str__(self) -> str:
        reasons = {
            name.replace("_", " "): count
            for name, count in asdict(self).items()
            if name not in ("read", "kept", "joined")
        }
        told = ", ".join(f"{count:,} {name}" for name, count in reasons.items() if count)
        kept = f"{self.kept:,} of {self.read:,} pairs kept" + (f" (left out: {told})" if told else "")
        return kept + (f", {self.joined:,} joined ones added" if self.joined else "")


def clean(pairs: Iterable[Pair], options: CleaningOptions, report: CleaningReport) -> Iterator[Pair]:
    """The pairs worth training on; ``report`` counts all. Raises UserError for options without meaning."""
    check_cleaning(options)
    seen: set[bytes] = set()
    for pair in pairs:
        report.read += 1
        reason = _unfit(pair, options)
        if not reason and options.duplicates == "drop":
            digest = hashlib.blake2b(f"{pair.source}\n{pair.target}".encode(), digest_size=12).digest()
            reason = "duplicate" if digest in seen else ""
            seen.add(digest)
        if reason:
            setattr(report, reason, getattr(report, reason) + 1)
        else:
            report.kept += 1
            yield pair


def for_training(options: CleaningOptions) -> CleaningOptions:
    """What training pairs are held to, where the tokenizer sees longer ones."""
    limit = options.train_words or options.max_words
    return replace(options, train_words=0, max_words=min(options.max_words, limit))


def _unfit(pair: Pair, options: CleaningOptions) -> str:
    """Which count of the report it belongs to; empty for a pair worth training on."""
    source, target = pair.source, pair.target
    shorter, longer = sorted((len(source), len(target)))
    if not source.strip() or not target.strip():
        return "empty"
    if len(source.split()) > options.max_words or len(target.split()) > options.max_words:
        return "too_long"
    if longer >= 20 and longer > options.max_ratio * shorter:
        return "odd_ratio"
    for text, script in ((source, options.source_script), (target, options.target_script)):
        if script and 2 * sum(script_of(c) == script for c in text) < sum(script_of(c) != "" for c in text):
            return "other_script"
    return ""


@cache
def script_of(character: str) -> str:
    """LATIN of a Latin letter, and so on: the first word of its name in Unicode. Empty for what is no letter."""
    name = unicodedata.name(character, "") if character.isalpha() else ""
    return "HAN" if name.startswith("CJK") else name.partition(" ")[0]


def check_cleaning(options: CleaningOptions) -> None:
    if options.duplicates not in ("keep", "drop"):
        raise UserError(f"cleaning.duplicates={options.duplicates}: {nearest(options.duplicates, ('keep', 'drop'))}")
    for name in ("source_script", "target_script"):
        script = getattr(options, name)
        if script and script not in SCRIPTS:
            raise UserError(f"cleaning.{name}={script}: {nearest(script, SCRIPTS)}")


SCRIPTS = (
    *("LATIN", "CYRILLIC", "GREEK", "ARABIC", "HEBREW", "DEVANAGARI", "BENGALI", "TAMIL", "THAI", "GEORGIAN"),
    *("ARMENIAN", "ETHIOPIC", "KHMER", "MYANMAR", "HANGUL", "HIRAGANA", "KATAKANA", "HAN"),
)
