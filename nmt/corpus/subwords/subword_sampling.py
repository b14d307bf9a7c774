"""Another segmentation of a word at every look: BPE-dropout (Provilkov 2020) and sampled unigrams (Kudo 2018).

SentencePiece draws them too, but differently in every process whatever the seed, so a run could not be resumed exactly.
"""

from __future__ import annotations

import math
import random
from typing import Any

import sentencepiece

SPACE = "\u2581"
POOL = 8  # segmentations drawn for a word: when it comes more often, it takes one of them,
RENEWAL = 1 / 64  # or, so often, a new one in the place of the oldest
WORDS = 100_000  # whose segmentations are held in memory
LONGEST = 50  # characters that are segmented together: text without spaces is one word, however long
BEST = 64  # of a unigram model's segmentations, what is drawn from
SCORE_OF_OTHERS = -20.0  # of bytes, symbols and what is unknown


class Segmenter:
    """Draws segmentations: for bpe ``rate`` is the share of merges left out, for unigram the power of probabilities.

    Words are what white space parts; no piece reaches over it.
    """

    def __init__(self, processor: sentencepiece.SentencePieceProcessor, rate: float, seed: int):
        from sentencepiece import sentencepiece_model_pb2

        format: Any = sentencepiece_model_pb2  # its classes are made at run time
        model = format.ModelProto.FromString(processor.serialized_model_proto())
        kinds = format.ModelProto.SentencePiece
        self.processor = processor
        self.rate = rate
        self.rng = random.Random(seed)
        self.unigram = model.trainer_spec.model_type == format.TrainerSpec.UNIGRAM
        self.ids: dict[str, int] = {}
        self.scores: dict[str, float] = {}  # of the pieces that are merged or drawn
        self.symbols: list[str] = []
        for number, piece in enumerate(model.pieces):
            self.ids[piece.piece] = number
            if piece.type == kinds.NORMAL:
                self.scores[piece.piece] = piece.score
            elif piece.type == kinds.USER_DEFINED:
                self.symbols.append(piece.piece)
        self.score_of = [self.scores.get(piece.piece, SCORE_OF_OTHERS) for piece in model.pieces]  # by id
        self._pools: dict[str, list[list[int]]] = {}

    def encode(self, text: str) -> list[int]:
        """Draws a segmentation of every word, from its pool where the word has come often."""
        ids: list[int] = []
        if len(self._pools) > WORDS:
            self._pools.clear()
        for word in _words(text):
            pool = self._pools.setdefault(word, [])
            is_renewed = len(pool) < POOL or self.rng.random() < RENEWAL
            if is_renewed:
                pool += self._drawn(word)
                del pool[:-POOL]
                ids += pool[-1]
            else:
                place = int(self.rng.random() * POOL)
                ids += pool[place]
        return ids

    def _drawn(self, word: str) -> list[list[int]]:
        """Draws one more segmentation; or as many as a word has, where they take no longer than one."""
        text = word.removeprefix(SPACE)
        if not text:
            return POOL * [self._ids(SPACE)]
        if any(symbol in word for symbol in self.symbols):
            return POOL * [self.processor.encode(text)]
        if self.unigram:
            return self._unigrams(text)
        step = LONGEST if self.rate else len(word)
        ids: list[int] = []
        for start in range(0, len(word), step):
            ids += self._bpe(word[start : start + step])
        return [ids]

    def _unigrams(self, text: str) -> list[list[int]]:
        """Draws from the best segmentations with probabilities to the power of ``rate``."""
        size = BEST if len(text) <= LONGEST else 1
        segmentations = self.processor.nbest_encode(text, nbest_size=size)
        if not segmentations:
            return POOL * [self.processor.encode(text)]
        score_of = self.score_of.__getitem__
        scores = [sum(map(score_of, ids)) for ids in segmentations]
        best = max(scores)
        weights = [math.exp(self.rate * (score - best)) for score in scores]
        return self.rng.choices(segmentations, weights, k=POOL)

    def _bpe(self, word: str) -> list[int]:
        """Merges the best pair again and again; each is left out of the choice with a probability of ``rate``."""
        parts = list(word)
        while True:
            place = self._best_merge(parts)
            if place < 0:
                break
            parts[place : place + 2] = [parts[place] + parts[place + 1]]
        ids: list[int] = []
        for part in parts:
            ids += self._ids(part)
        return ids

    def _best_merge(self, parts: list[str]) -> int:
        """Returns which part to merge with the one after it; -1 where all that could be are left out."""
        best = -math.inf
        place = -1
        for i in range(len(parts) - 1):
            merged = parts[i] + parts[i + 1]
            score = self.scores.get(merged)
            if score is None or score <= best:
                continue
            if self.rng.random() >= self.rate:
                best = score
                place = i
        return place

    def _ids(self, part: str) -> list[int]:
        """Returns the id of a piece, or those of its bytes; unknown where the model has no bytes."""
        number = self.ids.get(part)
        if number is not None:
            return [number]
        unknown = self.processor.unk_id()
        if "<0x00>" not in self.ids:
            return [unknown]
        return [self.ids.get(f"<0x{byte:02X}>", unknown) for byte in part.encode()]


def _words(text: str) -> list[str]:
    """Splits into words with the mark that begins each, as SentencePiece does: "a  b" is ``_a``, ``_``, ``_b``."""
    if not text:
        return []
    return [SPACE + word for word in text.split(" ")]
