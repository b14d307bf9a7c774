"""Another segmentation of a word at every look: BPE-dropout (Provilkov 2020) and sampled unigrams (Kudo 2018).

SentencePiece draws them too, but differently in every process whatever the seed, so a run could not be resumed exactly.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import sentencepiece

SPACE = "\u2581"
POOL = 8  # segmentations drawn for a word: when it comes more often, it takes one of them,
RENEWAL = 1 / 64  # or, so often, a new one in the place of the oldest
WORDS = 100_000  # whose segmentations are held in memory
LONGEST = 50  # characters that are segmented together: text without spaces is one word, however long
BEST = 64  # of a unigram model's segmentations, what is drawn from


class Segmenter:
    """Draws segmentations: for bpe ``rate`` is the share of merges left out, for unigram the power of probabilities.

    Words are what white space parts; no piece reaches over it.
    """

    def __init__(self, processor: sentencepiece.SentencePieceProcessor, rate: float, seed: int):
        from sentencepiece import sentencepiece_model_pb2

        format: Any = sentencepiece_model_pb2  # its classes are made at run time
        model = format.ModelProto.FromString(processor.serialized_model_proto())
        kinds = format.ModelProto.SentencePiece
        self.processor, self.rate, self.rng = processor, rate, random.Random(seed)
        self.ids = {piece.piece: i for i, piece in enumerate(model.pieces)}
        self.scores = {piece.piece: piece.score for piece in model.pieces if piece.type == kinds.NORMAL}
        self.score_of = [self.scores.get(piece.piece, -20.0) for piece in model.pieces]
        self.symbols = [piece.piece for piece in model.pieces if piece.type == kinds.USER_DEFINED]
        self.unigram = model.trainer_spec.model_type == format.TrainerSpec.UNIGRAM
        self._pools: dict[str, list[list[int]]] = {}

    def encode(self, text: str) -> list[int]:
        ids: list[int] = []
        if len(self._pools) > WORDS:
            self._pools.clear()
        for word in _words(text):
            pool = self._pools.setdefault(word, [])
            if len(pool) < POOL or self.rng.random() < RENEWAL:
                pool += self._drawn(word)
                del pool[:-POOL]
                ids += pool[-1]
            else:
                ids += pool[int(self.rng.random() * POOL)]
        return ids

    def _drawn(self, word: str) -> list[list[int]]:
        """One more segmentation; or as many as a word has, where they take no longer than one."""
        text = word.removeprefix(SPACE)
        if not text:
            return POOL * [list(self._ids(SPACE))]
        if any(symbol in word for symbol in self.symbols):
            return POOL * [self.processor.encode(text)]
        if self.unigram:
            return self._unigrams(text)
        step = LONGEST if self.rate else len(word)
        return [[i for start in range(0, len(word), step) for i in self._bpe(word[start : start + step])]]

    def _unigrams(self, text: str) -> list[list[int]]:
        """Drawn from the best segmentations with probabilities to the power of ``rate``."""
        found = self.processor.nbest_encode(text, nbest_size=BEST if len(text) <= LONGEST else 1)
        if not found:
            return POOL * [self.processor.encode(text)]
        scores = [sum(map(self.score_of.__getitem__, ids)) for ids in found]
        best = max(scores)
        return self.rng.choices(found, [math.exp(self.rate * (score - best)) for score in scores], k=POOL)

    def _bpe(self, word: str) -> list[int]:
        """The best pair is merged again and again; each is left out of the choice with a probability of ``rate``."""
        parts = list(word)
        while True:
            best, place = -math.inf, -1
            for i in range(len(parts) - 1):
                score = self.scores.get(parts[i] + parts[i + 1])
                if score is not None and score > best and self.rng.random() >= self.rate:
                    best, place = score, i
            if place < 0:
                return [i for part in parts for i in self._ids(part)]
            parts[place : place + 2] = [parts[place] + parts[place + 1]]

    def _ids(self, part: str) -> Sequence[int]:
        """Of a piece, or of its bytes."""
        found = self.ids.get(part)
        if found is not None:
            return (found,)
        unknown = self.processor.unk_id()
        return (
            [self.ids.get(f"<0x{byte:02X}>", unknown) for byte in part.encode()] if "<0x00>" in self.ids else [unknown]
        )


def _words(text: str) -> list[str]:
    """With the mark that begins each, as SentencePiece writes them: "a  b" is ``_a``, ``_``, ``_b``."""
    return [SPACE + word for word in text.split(" ")] if text else []
