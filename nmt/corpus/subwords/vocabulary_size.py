"""A vocabulary size for a text: as many pieces as the text has enough examples of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import sentencepiece

from nmt.corpus.subwords.model_file import merges_of, shortened
from nmt.corpus.subwords.tokenizer import NotForThisText, Tokenizer, TokenizerOptions, cores, train_tokenizer

EXAMPLES = 100  # occurrences from which on a piece is well known
SHARE = 0.95  # of the pieces, that must be
SIZES = (300, 400, 500, 600, 800, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 12_000, 16_000, 24_000, 32_000)
ATTEMPTS = 3  # at a size that fits: the text of each side may ask for another

Text = Callable[[], Iterable[Sequence[str]]]


def fitting_tokenizer(read: Text, options: TokenizerOptions, folder: Path) -> Tokenizer:
    """Trains a tokenizer as `train_tokenizer` does, of the nearest size where the text does not fit that asked for.

    Raises UserError where no size is known to fit.
    """
    for _ in range(ATTEMPTS):
        try:
            return train_tokenizer(read, options, folder)
        except NotForThisText as refusal:
            if refusal.fitting is None:
                raise
            fitting = refusal.fitting
        options = replace(options, vocabulary_size=fitting)
    return train_tokenizer(read, options, folder)


def advised_size(read: Text, options: TokenizerOptions, times: float, folder: Path) -> int:
    """Returns the largest of `SIZES` at which 95 % of the pieces occur at least 100 times in a text ``times`` as long
    as what ``read()`` yields: (source, target, ...). It trains in ``folder``.

    The rule is that of Gowda and May 2020, "Finding the Optimal Vocabulary Size for Neural Machine Translation", where
    it came out near the best of each amount of text; Ding, Renduchintala and Duh 2019, "A Call for Prudent Choice of
    Subword Merge Operations in Neural Machine Translation", find the same of little text: few merges are better there.
    Counted are the pieces that BPE merged, since characters are pieces at every size: of both languages together, or of
    the target alone where it has a model of its own. The model of each size is cut from the largest, whose first merges
    it would have.

    Where no size has so many examples, the smallest that holds the characters of the text is returned. Unigram models
    are taken to need as many pieces as BPE. Raises UserError as `fitting_tokenizer` does.
    """
    words: Counter[str] = Counter()

    def texts() -> Iterator[tuple[str, str]]:
        words.clear()  # it may be read again
        for source, target, *_ in read():
            if not options.joint:
                source = ""
            words.update(source.split())
            words.update(target.split())
            yield source, target

    largest = replace(
        options,
        kind="bpe",
        joint=True,
        vocabulary_size=max(SIZES[-1], options.least_pieces),
    )
    tokenizer = fitting_tokenizer(texts, largest, folder)
    most = tokenizer.target_size
    model = tokenizer.source_path.read_bytes()
    fixed = most - len(merges_of(model))  # symbols, bytes and characters
    sizes = [size for size in SIZES if fixed < size <= most]
    for size in reversed(sizes):
        shorter = shortened(model, size - fixed)
        counts = _counts_of_merges(shorter, words)
        is_known = counts * times >= EXAMPLES  # (merges,)
        if is_known.mean() >= SHARE:
            return size
    return min(sizes, default=most)


def _counts_of_merges(model: bytes, words: Counter[str]) -> np.ndarray:
    """Counts each piece that BPE has merged (merges,) in a text of these words, none of whose pieces cross a space."""
    processor = sentencepiece.SentencePieceProcessor()
    processor.load_from_serialized_proto(model)
    counts = np.zeros(processor.get_piece_size(), dtype=np.int64)
    rows = processor.encode(
        list(words),
        num_threads=cores(),
    )
    for ids, occurrences in zip(rows, words.values(), strict=True):
        for piece in ids:
            counts[piece] += occurrences
    return counts[merges_of(model)]
