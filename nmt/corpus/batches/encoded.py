"""Pairs as ids in flat arrays, in memory or memory-mapped from files."""

from __future__ import annotations

import itertools
import logging
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nmt.corpus.pair import Pair, texts_to_encode
from nmt.corpus.subwords.tokenizer import Tokenizer
from nmt.corpus.text.cleaning import CleaningReport
from nmt.corpus.text.lines import chunks
from nmt.corpus.text.links import UNKNOWN_PIECE, Words, links_between, words_of
from nmt.tokens import UNKNOWN

log = logging.getLogger("nmt")

CHUNK = 5000  # pairs that are encoded together: enough for all cores
IDS_IN_MEMORY = 1 << 20  # before they are written to a file
FEW_UNKNOWN = 0.001  # of the tokens: a share that nobody need be told of

Ids = list[list[int]]


@dataclass(frozen=True)
class Ragged:
    """Rows of ids of different lengths in one flat array."""

    ids: np.ndarray  # (tokens,) uint16 or int32
    offsets: np.ndarray  # (rows + 1,) int64

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        return self.ids[self.offsets[row] : self.offsets[row + 1]]

    def rows(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the ids of these rows one after the other (tokens,) int64, and their lengths (B,)."""
        starts = self.offsets[numbers]  # (B,)
        lengths = self.offsets[numbers + 1] - starts  # (B,)
        ends = np.cumsum(lengths)
        shifts = starts - (ends - lengths)  # from a place in the result to one in ``ids``
        places = np.arange(lengths.sum()) + np.repeat(shifts, lengths)  # (tokens,)
        return np.asarray(self.ids[places], dtype=np.int64), np.asarray(lengths)

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)

    @classmethod
    def load(cls, stem: Path) -> Ragged:
        return cls(np.load(f"{stem}.ids.npy", mmap_mode="r"), np.load(f"{stem}.offsets.npy", mmap_mode="r"))


class RaggedBuilder:
    """Rows appended to one compact array; with ``stem`` to files, so that a corpus of any size takes no memory."""

    def __init__(self, vocabulary_size: int, stem: Path | None = None):
        typecode = "H" if vocabulary_size <= 1 << 16 else "i"
        self._ids = array(typecode)
        self._offsets = array("q", [0])
        self._end = 0
        self._stem = stem
        self._files: list[_GrowingArray] = []
        if stem:
            self._files = [_GrowingArray(Path(f"{stem}.{name}.npy")) for name in ("ids", "offsets")]

    def append(self, row: Sequence[int]) -> None:
        self._ids.extend(row)
        self._end += len(row)
        self._offsets.append(self._end)
        if self._files and len(self._ids) > IDS_IN_MEMORY:
            self._flush()

    def made(self) -> Ragged:
        """Returns all rows; no more can be appended."""
        if self._stem is None:
            return Ragged(np.asarray(self._ids), np.asarray(self._offsets))
        self._flush()
        for file in self._files:
            file.close()
        return Ragged.load(self._stem)

    def _flush(self) -> None:
        ids, offsets = self._files
        ids.write(np.asarray(self._ids))
        offsets.write(np.asarray(self._offsets))
        self._ids = array(self._ids.typecode)
        self._offsets = array("q")


class _GrowingArray:
    """A .npy file of one dimension that is written piece by piece. NumPy leaves room in the header for its length."""

    def __init__(self, path: Path):
        self._file = open(path, "wb")  # noqa: SIM115, closed by close()
        self._length = 0

    def write(self, values: np.ndarray) -> None:
        if self._length == 0:
            self._kind = values.dtype
            self._write_header()
        self._file.write(values.tobytes())
        self._length += len(values)

    def close(self) -> None:
        self._file.seek(0)
        self._write_header()
        self._file.close()

    def _write_header(self) -> None:
        descr = np.lib.format.dtype_to_descr(self._kind)
        header = {"descr": descr, "fortran_order": False, "shape": (self._length,)}
        np.lib.format.write_array_header_1_0(self._file, header)


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
    folder: Path | None = None,
) -> EncodedPairs:
    """Encodes pairs on all cores, in memory or into ``folder``; those with more than ``max_tokens`` on a side are left
    out and counted in ``report``.
    """

    def builder(name: str, size: int) -> RaggedBuilder:
        stem = folder / name if folder else None
        return RaggedBuilder(size, stem)

    sources = builder("source", tokenizer.source_size)
    targets = builder("target", tokenizer.target_size)
    links = builder("links", max_tokens + 1) if with_links else None
    for chunk in chunks(pairs, CHUNK):
        source_ids, target_ids = encoded(chunk, tokenizer)
        for pair, source, target in fitting(chunk, source_ids, target_ids, report, max_tokens):
            sources.append(source)
            targets.append(target)
            if links is not None:
                linked = _linked_pieces(pair, source, target, tokenizer)
                report.unlinked += bool(pair.links and not linked)
                links.append(linked)
    rows_of_links = None if links is None else links.made()
    return EncodedPairs(sources.made(), targets.made(), report, rows_of_links)


def fitting(
    pairs: Sequence[Pair], sources: Ids, targets: Ids, report: CleaningReport, max_tokens: int
) -> Iterator[tuple[Pair, list[int], list[int]]]:
    """Yields pairs with their ids, but for those with more than ``max_tokens`` on a side.

    ``report`` counts these, and the tokens of the others.
    """
    for pair, source, target in zip(pairs, sources, targets, strict=True):
        if max(len(source), len(target)) <= max_tokens:
            report.tokens += len(source) + len(target)
            report.unknown += source.count(UNKNOWN) + target.count(UNKNOWN)
            yield pair, source, target
        elif pair.joined:
            report.joined -= 1
        else:
            report.kept -= 1
            report.leave_out("too_long")


def warn_of_unknown(split: str, report: CleaningReport) -> None:
    """Logs one line where more than a few tokens of a split are unknown to the tokenizer."""
    share = report.unknown_share
    if share > FEW_UNKNOWN:
        log.warning(
            "corpus.%s: %.1f %% of the tokens are unknown to the tokenizer, which learns nothing of them; raise "
            "tokenizer.vocabulary_size, or take kind=bpe with byte_fallback, which spells them; a vocabulary kept from "
            "finetuning.run needs finetuning.vocabulary=extend",
            split,
            100 * share,
        )


def encoded(chunk: Sequence[Pair], tokenizer: Tokenizer) -> tuple[Ids, Ids]:
    """Returns the ids of both sides, made on all cores."""
    sources, targets = texts_to_encode(chunk)
    return tokenizer.encode_sources(sources), tokenizer.encode_targets(targets)


def _linked_pieces(pair: Pair, source: list[int], target: list[int], tokenizer: Tokenizer) -> list[int]:
    """Returns source piece and target piece of every link in turn; none where a link does not fit the words."""
    source_pieces = tokenizer.source_pieces(source)
    if UNKNOWN_PIECE in source_pieces:  # which may stand for several words, or for a space
        source_pieces = tokenizer.spelt_source(pair.encoder_input)
    target_pieces = tokenizer.target_pieces(target)
    if UNKNOWN_PIECE in target_pieces:
        target_pieces = tokenizer.spelt_target(pair.target)
    source_words = words_of(source_pieces, pair.tag)
    target_words = words_of(target_pieces)
    if not (_same_words(pair.source, source_words) and _same_words(pair.target, target_words)):
        return []
    if any(s > _last(source_words) or t > _last(target_words) for s, t in pair.links):
        return []
    return list(itertools.chain.from_iterable(links_between(pair.links, source_words, target_words)))


def _same_words(text: str, words: Words) -> bool:
    """Whether pieces hold as many words as the text: not where it has the mark that stands for a space in pieces."""
    return _last(words) + 1 == len(text.split())


def _last(words: Words) -> int:
    """Returns the number of the last word that pieces hold; -1 where they hold none."""
    return max(itertools.chain.from_iterable(words), default=-1)
