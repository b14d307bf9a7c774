"""Pairs as ids in flat arrays, in memory or memory-mapped from files."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nmt.corpus.pair import Pair
from nmt.corpus.subwords.tokenizer import Tokenizer
from nmt.corpus.text.cleaning import CleaningReport
from nmt.corpus.text.lines import chunks
from nmt.corpus.text.links import piece_links, words_of

CHUNK = 5000  # pairs that are encoded together: enough for all cores

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

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)

    @classmethod
    def load(cls, stem: Path) -> Ragged:
        return cls(np.load(f"{stem}.ids.npy", mmap_mode="r"), np.load(f"{stem}.offsets.npy", mmap_mode="r"))


class RaggedBuilder:
    """Rows appended to one compact array; with ``stem`` to files, so that a corpus of any size takes no memory."""

    def __init__(self, vocabulary_size: int, stem: Path | None = None):
        self._ids = array("H" if vocabulary_size <= 1 << 16 else "i")
        self._offsets = array("q", [0])
        self._files = [_GrowingArray(Path(f"{stem}.{name}.npy")) for name in ("ids", "offsets")] if stem else []
        self._stem = stem
        self._end = 0

    def append(self, row: Sequence[int]) -> None:
        self._ids.extend(row)
        self._end += len(row)
        self._offsets.append(self._end)
        if self._files and len(self._ids) > 1 << 20:
            self._flush()

    def made(self) -> Ragged:
        if self._stem is None:
            return Ragged(np.asarray(self._ids), np.asarray(self._offsets))
        self._flush()
        for file in self._files:
            file.close()
        return Ragged.load(self._stem)

    def _flush(self) -> None:
        for file, values in zip(self._files, (self._ids, self._offsets), strict=True):
            file.write(np.asarray(values))
        self._ids, self._offsets = array(self._ids.typecode), array("q")


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
        shape = {"descr": np.lib.format.dtype_to_descr(self._kind), "fortran_order": False, "shape": (self._length,)}
        np.lib.format.write_array_header_1_0(self._file, shape)


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
    """Pairs as ids, in memory or in ``folder``, on all cores; those with more than ``max_tokens`` on a side are left
    out and counted in ``report``.
    """
    stems = {name: folder / name if folder else None for name in ("source", "target", "links")}
    sources = RaggedBuilder(tokenizer.source_size, stems["source"])
    targets = RaggedBuilder(tokenizer.target_size, stems["target"])
    links = RaggedBuilder(max_tokens + 1, stems["links"] if with_links else None)
    for chunk in chunks(pairs, CHUNK):
        for pair, source, target in fitting(chunk, *encoded(chunk, tokenizer), report, max_tokens):
            sources.append(source)
            targets.append(target)
            if with_links:
                links.append(_linked_pieces(pair, source, target, tokenizer))
    return EncodedPairs(sources.made(), targets.made(), report, links.made() if with_links else None)


def fitting(
    pairs: Sequence[Pair], sources: Ids, targets: Ids, report: CleaningReport, max_tokens: int
) -> Iterator[tuple[Pair, list[int], list[int]]]:
    """Pairs with their ids, but for those with more than ``max_tokens`` on a side."""
    for pair, source, target in zip(pairs, sources, targets, strict=True):
        if max(len(source), len(target)) <= max_tokens:
            yield pair, source, target
        elif pair.joined:
            report.joined -= 1
        else:
            report.kept, report.too_long = report.kept - 1, report.too_long + 1


def encoded(chunk: Sequence[Pair], tokenizer: Tokenizer) -> tuple[Ids, Ids]:
    """On all cores."""
    return (
        tokenizer.encode_sources([pair.source for pair in chunk]),
        tokenizer.encode_targets([pair.target for pair in chunk]),
    )


def _linked_pieces(pair: Pair, source: list[int], target: list[int], tokenizer: Tokenizer) -> list[int]:
    pieces = tokenizer.source_pieces(source), tokenizer.target_pieces(target)
    known = pair.links if _same_words(pair, *pieces) else ()
    return [place for link in piece_links(known, *pieces) for place in link]


def _same_words(pair: Pair, source_pieces: list[str], target_pieces: list[str]) -> bool:
    """Whether pieces begin words where white space parts the text: not at a tab or a no-break space."""
    found = [max(words_of(pieces), default=-1) + 1 for pieces in (source_pieces, target_pieces)]
    return found == [len(pair.source.split()), len(pair.target.split())]
