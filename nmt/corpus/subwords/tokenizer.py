"""SentencePiece behind encode and decode: one for both languages, or one for each."""

from __future__ import annotations

import hashlib
import os
import random
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import sentencepiece

from nmt.corpus.subwords.subword_sampling import Segmenter
from nmt.errors import UserError, nearest
from nmt.progress import counted
from nmt.tokens import END, PADDING, START, UNKNOWN

RESERVED = ("<pad>", "<s>", "</s>", "<unk>")
KINDS = ("bpe", "unigram", "char", "word")
# SentencePiece writes spaces as the mark. A model of a text that holds the mark itself knows it by the stand-in.
MARK = "\u2581"
STAND_IN = "\ue581"

T = TypeVar("T")


@dataclass
class TokenizerOptions:
    """Subwords by SentencePiece. Text is never normalised: what is decoded is what was encoded
    (but for U+2581, which a model whose training text had none takes for a space)."""

    kind: str = "bpe"  # bpe, unigram, char or word
    vocabulary_size: int = 8000  # of each model; char and word may end with fewer
    joint: bool = True  # one model for both languages, so that embeddings can be shared
    byte_fallback: bool = True  # bpe and unigram spell unseen characters in bytes, so nothing is lost
    # A new segmentation of the training text at every look, against overfitting to one; needs batching.stream=true.
    # bpe: the share of merges left out, about 0.1 (Provilkov 2020); unigram: the smoothing of the draw (Kudo 2018).
    sampling: float = 0.0
    symbols: list[str] = field(default_factory=list)  # never split, such as <2de> or <bt>
    pairs: int = 1_000_000  # of a larger text so many, drawn evenly, train the model: they are held in memory

    COUNTS: ClassVar[frozenset[str]] = frozenset({"pairs"})

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"tokenizer.kind={self.kind}: {nearest(self.kind, KINDS)}")
        if not 0 <= self.sampling < 1:
            raise UserError(f"tokenizer.sampling={self.sampling}: must be at least 0 and below 1")
        if self.sampling and self.kind not in ("bpe", "unigram"):
            raise UserError(f"tokenizer.sampling: kind={self.kind} knows one segmentation; use bpe or unigram")
        for symbol in self.symbols:
            if not symbol or symbol in RESERVED or self.symbols.count(symbol) > 1 or " " in symbol:
                raise UserError(
                    f"tokenizer.symbols: '{symbol}' can't be one; without spaces, each once, not {RESERVED}"
                )
        if self.pairs < 1:
            raise UserError(f"tokenizer.pairs={self.pairs}: must be 1 or more")


class Sampling:
    """Another segmentation at every look, the same for the same seed and the same texts in the same order."""

    def __init__(self, rate: float, seed: int):
        self.rate = rate
        self.seed = seed
        self._segmenters: dict[sentencepiece.SentencePieceProcessor, Segmenter] = {}

    def segmenter(self, processor: sentencepiece.SentencePieceProcessor) -> Segmenter:
        """Returns the segmenter of a model, always the same one: it caches the words that it has seen."""
        if processor not in self._segmenters:
            seed = self.seed + len(self._segmenters)
            self._segmenters[processor] = Segmenter(processor, self.rate, seed)
        return self._segmenters[processor]


class NotForThisText(UserError):
    """SentencePiece can't make such a model of such a text."""


class Tokenizer:
    """Text to ids and back, for the source and the target language."""

    def __init__(self, source: Path, target: Path | None):
        self.source_path = source
        self.target_path = target
        self._source = _load(source)
        self._target = _load(target) if target else self._source
        self._source_mark = _mark_of(self._source)
        self._target_mark = _mark_of(self._target)

    @property
    def joint(self) -> bool:
        return self.target_path is None

    @property
    def source_size(self) -> int:
        return self._source.get_piece_size()

    @property
    def target_size(self) -> int:
        return self._target.get_piece_size()

    @property
    def digest(self) -> str:
        """Returns a hash of the models' content."""
        digest = hashlib.sha256(self.source_path.read_bytes())
        if self.target_path:
            digest.update(self.target_path.read_bytes())
        return digest.hexdigest()[:16]

    @property
    def digests(self) -> dict[str, str]:
        """Returns a hash of each model's content, by the name that its file has in a run."""
        paths = {"source.model": self.source_path}
        if self.target_path:
            paths["target.model"] = self.target_path
        return {name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for name, path in paths.items()}

    def encode_source(self, text: str) -> list[int]:
        """Returns the ids of a source sentence, ended by END: the encoder sees where the sentence stops."""
        return self.encode_sources([text])[0]

    def encode_target(self, text: str) -> list[int]:
        """Returns the ids of a target sentence, without START and END."""
        return self.encode_targets([text])[0]

    def encode_sources(self, texts: Sequence[str], sampling: Sampling | None = None) -> list[list[int]]:
        """Encodes many source sentences, on all cores where nothing is sampled; END follows each."""
        rows = _encode(self._source, texts, self._source_mark, sampling)
        return [[*ids, END] for ids in rows]

    def encode_targets(self, texts: Sequence[str], sampling: Sampling | None = None) -> list[list[int]]:
        """Encodes many target sentences, on all cores where nothing is sampled, without START and END."""
        return _encode(self._target, texts, self._target_mark, sampling)

    def decode_target(self, ids: Iterable[int]) -> str:
        """Returns the text of ids; PADDING, START and END are no part of it."""
        pieces = [i for i in ids if i not in (PADDING, START, END)]
        text = self._target.decode(pieces)
        return text.replace(self._target_mark, MARK)

    def source_pieces(self, ids: Iterable[int]) -> list[str]:
        return [self._source.id_to_piece(int(i)) for i in ids]

    def target_pieces(self, ids: Iterable[int]) -> list[str]:
        return [self._target.id_to_piece(int(i)) for i in ids]

    def target_ids(self, pieces: Iterable[str]) -> list[int]:
        return [self._target.piece_to_id(piece) for piece in pieces]

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.source_path, folder / "source.model")
        if self.target_path:
            shutil.copyfile(self.target_path, folder / "target.model")

    @classmethod
    def load(cls, folder: Path) -> Tokenizer:
        """Raises UserError when the folder holds no tokenizer or a damaged one."""
        source = folder / "source.model"
        target = folder / "target.model"
        if target.exists():
            return cls(source, target)
        return cls(source, None)


def _load(path: Path) -> sentencepiece.SentencePieceProcessor:
    processor = sentencepiece.SentencePieceProcessor()
    try:
        processor.load(str(path))
    except (OSError, RuntimeError):
        raise UserError(f"{path}: no SentencePiece model, or a damaged one; train the run again") from None
    return processor


def _encode(
    processor: sentencepiece.SentencePieceProcessor, texts: Sequence[str], mark: str, sampling: Sampling | None
) -> list[list[int]]:
    marked = [text.replace(MARK, mark) for text in texts]
    if sampling is None:
        threads = cores() if len(marked) > 1 else 1
        return processor.encode(marked, num_threads=threads)
    segmenter = sampling.segmenter(processor)
    return [segmenter.encode(text) for text in marked]


def cores() -> int:
    """Number of CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _mark_of(processor: sentencepiece.SentencePieceProcessor) -> str:
    """Returns what the mark in a text is to this model."""
    pieces = (processor.id_to_piece(i) for i in range(processor.get_piece_size()))
    knows_stand_in = any(STAND_IN in piece for piece in pieces)
    return STAND_IN if knows_stand_in else MARK


def train_tokenizer(read: Callable[[], Iterable[Sequence[Any]]], options: TokenizerOptions, folder: Path) -> Tokenizer:
    """Trains on what ``read()`` yields (source, target, ...), into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    sides = {"source": (0, 1)} if options.joint else {"source": (0,), "target": (1,)}
    for name, columns in sides.items():
        title = f"reading text for the tokenizer ({options.kind}, {name})"
        pairs = _reservoir(counted(read(), title, "pairs"), options.pairs)
        _train_model(_sentences(pairs, columns), options, folder / f"{name}.model")
    return Tokenizer.load(folder)


def extended(base: Tokenizer, more: Tokenizer, folder: Path) -> Tokenizer:
    """Makes ``base`` with the pieces that only ``more`` has, after its own, whose ids stay.

    Raises UserError where one is joint and the other is not, or they are of different kinds.
    """
    if base.joint != more.joint:
        raise UserError("tokenizer.joint: must be as in the run to begin with, to extend its vocabulary")
    folder.mkdir(parents=True, exist_ok=True)
    paths = [(base.source_path, more.source_path, folder / "source.model")]
    if base.target_path and more.target_path:
        paths.append((base.target_path, more.target_path, folder / "target.model"))
    for first, second, path in paths:
        both = _merged(first.read_bytes(), second.read_bytes())
        path.write_bytes(both)
    return Tokenizer.load(folder)


def _merged(first: bytes, second: bytes) -> bytes:
    """New pieces come after all others in the order in which pieces are merged or preferred."""
    from sentencepiece import sentencepiece_model_pb2

    format: Any = sentencepiece_model_pb2  # its classes are made at run time
    kinds = format.ModelProto.SentencePiece
    model = format.ModelProto.FromString(first)
    other = format.ModelProto.FromString(second)
    if model.trainer_spec.model_type != other.trainer_spec.model_type:
        raise UserError("tokenizer.kind: must be as in the run to begin with, to extend its vocabulary")
    known = {piece.piece for piece in model.pieces}
    least = min(piece.score for piece in model.pieces)
    for piece in other.pieces:
        if piece.piece in known or piece.type == kinds.BYTE:
            continue
        added = model.pieces.add()
        added.CopyFrom(piece)
        if piece.type == kinds.NORMAL:
            added.score = least + min(piece.score, 0.0) - 1.0
    model.trainer_spec.vocab_size = len(model.pieces)
    return model.SerializeToString()


def _reservoir(pairs: Iterable[T], count: int) -> list[T]:
    """Draws ``count`` of the pairs, each as likely as any other, in their order (Vitter 1985, algorithm R); all where
    there are no more.
    """
    rng = random.Random(1)
    held: list[tuple[int, T]] = []
    for number, pair in enumerate(pairs):
        if number < count:
            held.append((number, pair))
            continue
        place = rng.randrange(number + 1)
        if place < count:
            held[place] = (number, pair)
    held.sort(key=lambda entry: entry[0])
    return [pair for _, pair in held]


def _sentences(pairs: Iterable[Sequence[Any]], columns: tuple[int, ...]) -> Iterator[str]:
    for pair in pairs:
        for column in columns:
            yield pair[column].replace("\0", " ").replace(MARK, STAND_IN)


def _train_model(sentences: Iterator[str], options: TokenizerOptions, path: Path) -> None:
    subwords = options.kind in ("bpe", "unigram")
    with open(path, "wb") as file:
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=sentences,
                model_writer=file,
                model_type=options.kind,
                vocab_size=options.vocabulary_size,
                character_coverage=1.0,
                byte_fallback=options.byte_fallback and subwords,
                hard_vocab_limit=options.kind == "bpe",
                normalization_rule_name="identity",
                remove_extra_whitespaces=False,
                max_sentence_length=100_000,
                pad_id=PADDING,
                bos_id=START,
                eos_id=END,
                unk_id=UNKNOWN,
                user_defined_symbols=options.symbols,
                minloglevel=2,
            )
        except RuntimeError as error:
            reason = str(error).replace("\n", " ").rpartition("] ")[2] or str(error)
            most = re.search(r"set it to a value <= (\d+)", reason)
            if most:
                raise NotForThisText(
                    f"tokenizer.vocabulary_size={options.vocabulary_size}: this text has too few different pieces; say "
                    f"tokenizer.vocabulary_size={most[1]} or less"
                ) from None
            raise NotForThisText(
                f"tokenizer.vocabulary_size={options.vocabulary_size}: not for this text ({reason.strip()}); "
                "try another size or tokenizer.kind=char"
            ) from None
