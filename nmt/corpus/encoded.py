"""Pairs as ids on disk, memory-mapped: encoded once for each content and tokenizer, so the second start is instant."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from array import array
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from nmt.corpus.joining import JoiningOptions, join
from nmt.corpus.links import piece_links, words_of
from nmt.corpus.pairs import CleaningOptions, CleaningReport, CorpusOptions, Pair, clean, fingerprint, read_pairs
from nmt.corpus.tokenizer import NotForThisText, Tokenizer, TokenizerOptions, train_tokenizer
from nmt.errors import UserError
from nmt.progress import counted

log = logging.getLogger("nmt")

TOKENIZER_FORMAT = 2  # raised when the same text and options make another tokenizer


@dataclass(frozen=True)
class Ragged:
    """Rows of ids of different lengths in one flat array."""

    ids: np.ndarray  # (tokens,) uint16 or int32
    offsets: np.ndarray  # (rows + 1,) int64

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        return self.ids[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)

    def save(self, stem: Path) -> None:
        np.save(f"{stem}.ids.npy", self.ids)
        np.save(f"{stem}.offsets.npy", self.offsets)

    @classmethod
    def load(cls, stem: Path) -> Ragged:
        return cls(np.load(f"{stem}.ids.npy", mmap_mode="r"), np.load(f"{stem}.offsets.npy"))


class RaggedBuilder:
    """Rows appended to one compact array: a corpus of 10^7 pairs takes two bytes a token while it is made."""

    def __init__(self, vocabulary_size: int):
        self._ids = array("H" if vocabulary_size <= 1 << 16 else "i")
        self._offsets = array("q", [0])

    def append(self, row: list[int]) -> None:
        self._ids.extend(row)
        self._offsets.append(len(self._ids))

    def made(self) -> Ragged:
        return Ragged(np.asarray(self._ids), np.asarray(self._offsets))


@dataclass(frozen=True)
class EncodedPairs:
    """A corpus as ids, with the count of what was cleaned away."""

    source: Ragged  # each row ends with END
    target: Ragged  # without START and END
    report: CleaningReport
    links: Ragged | None = None  # of each pair, source piece and target piece in turn; where they were asked for

    def __len__(self) -> int:
        return len(self.source)


def encode_pairs(
    pairs: Iterable[Pair],
    tokenizer: Tokenizer,
    report: CleaningReport,
    max_tokens: int = 1000,
    with_links: bool = False,
) -> EncodedPairs:
    """Pairs as ids; those with more than ``max_tokens`` on a side are left out and counted in ``report``."""
    sources, targets = RaggedBuilder(tokenizer.source_size), RaggedBuilder(tokenizer.target_size)
    links = RaggedBuilder(max_tokens + 1)
    for pair in pairs:
        source, target = tokenizer.encode_source(pair.source), tokenizer.encode_target(pair.target)
        if max(len(source), len(target)) > max_tokens:
            if pair.joined:
                report.joined -= 1
            else:
                report.kept, report.too_long = report.kept - 1, report.too_long + 1
            continue
        sources.append(source)
        targets.append(target)
        if with_links:
            pieces = tokenizer.source_pieces(source), tokenizer.target_pieces(target)
            known = pair.links if _same_words(pair, *pieces) else ()
            links.append([place for link in piece_links(known, *pieces) for place in link])
    return EncodedPairs(sources.made(), targets.made(), report, links.made() if with_links else None)


def _same_words(pair: Pair, source_pieces: list[str], target_pieces: list[str]) -> bool:
    """Whether pieces begin words where white space parts the text: not at a tab or a no-break space."""
    found = [max(words_of(pieces), default=-1) + 1 for pieces in (source_pieces, target_pieces)]
    return found == [len(pair.source.split()), len(pair.target.split())]


def cached_tokenizer(
    corpus: CorpusOptions, cleaning: CleaningOptions, options: TokenizerOptions, cache: Path
) -> Tokenizer:
    """The tokenizer of this training text and these options, trained where the cache has none."""
    key = _key(
        TOKENIZER_FORMAT, fingerprint(corpus, "train"), asdict(replace(cleaning, train_words=0)), asdict(options)
    )
    folder = cache / f"tokenizer-{key}"
    if folder.is_dir():
        return Tokenizer.load(folder)
    log.info(
        "training the tokenizer: %s, vocabulary %d, %s",
        options.kind,
        options.vocabulary_size,
        "joint" if options.joint else "separate",
    )

    report = CleaningReport()

    def read() -> Iterable[Pair]:
        return clean(read_pairs(corpus, "train"), cleaning, report)

    try:
        return train_tokenizer(read, options, folder)
    except NotForThisText:
        if not report.kept:
            raise _nothing_left("train", report) from None
        raise


def cached_pairs(
    corpus: CorpusOptions,
    split: str,
    cleaning: CleaningOptions,
    tokenizer: Tokenizer,
    cache: Path,
    joining: JoiningOptions | None = None,
    with_links: bool = False,
) -> EncodedPairs:
    """The pairs of ``train`` or ``valid``, cleaned, as memory-mapped ids; encoded where the cache has none.

    Raises UserError when no pair is left.
    """
    joining = joining if joining and joining.share else None
    limit = cleaning.train_words if split == "train" else 0
    cleaning = replace(cleaning, train_words=0, max_words=min(cleaning.max_words, limit or cleaning.max_words))
    more = [asdict(joining)] if joining else []
    more += [{"links": True}] if with_links else []
    key = _key(fingerprint(corpus, split), asdict(cleaning), tokenizer.digest, *more)
    folder = cache / f"pairs-{key}"
    if not folder.is_dir():
        report = CleaningReport()
        pairs = clean(read_pairs(corpus, split), cleaning, report)
        if joining:
            pairs = join(pairs, joining, report)
        shown = counted(pairs, f"encoding {split}", "pairs")
        encoded = encode_pairs(shown, tokenizer, report, cleaning.max_tokens, with_links)
        if not len(encoded):
            raise _nothing_left(split, report)
        _save(encoded, folder)
    try:
        report = CleaningReport(**json.loads((folder / "report.json").read_text()))
        links = Ragged.load(folder / "links") if with_links else None
        return EncodedPairs(Ragged.load(folder / "source"), Ragged.load(folder / "target"), report, links)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{folder}: damaged cache ({error}); delete this folder and start again") from None


def _nothing_left(split: str, report: CleaningReport) -> UserError:
    return UserError(f"corpus.{split}: no usable pair ({report}); at least one is needed")


def _save(encoded: EncodedPairs, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        encoded.source.save(work / "source")
        encoded.target.save(work / "target")
        if encoded.links is not None:
            encoded.links.save(work / "links")
        (work / "report.json").write_text(json.dumps(asdict(encoded.report)))
        if not folder.exists():
            os.replace(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _key(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
