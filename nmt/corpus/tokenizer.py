"""SentencePiece behind encode and decode: one for both languages, or one for each."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sentencepiece

from nmt.errors import UserError, nearest
from nmt.progress import counted

PADDING, START, END, UNKNOWN = 0, 1, 2, 3
KINDS = ("bpe", "unigram", "char", "word")
# SentencePiece writes spaces as the mark. A model of a text that holds the mark itself knows it by the stand-in.
MARK, STAND_IN = "\u2581", "\ue581"


@dataclass
class TokenizerOptions:
    """Subwords by SentencePiece. Text is never normalised: what is decoded is what was encoded
    (but for U+2581, which a model whose training text had none takes for a space)."""

    kind: str = "bpe"  # bpe, unigram, char or word
    vocabulary_size: int = 8000  # of each model; char and word may end with fewer
    joint: bool = True  # one model for both languages, so that embeddings can be shared
    byte_fallback: bool = True  # bpe and unigram spell unseen characters in bytes, so nothing is lost


class NotForThisText(UserError):
    """SentencePiece can't make such a model of such a text."""


class Tokenizer:
    """Text to ids and back, for the source and the target language."""

    def __init__(self, source: Path, target: Path | None):
        self.source_path, self.target_path = source, target
        self._source = _load(source)
        self._target = _load(target) if target else self._source
        self._source_mark, self._target_mark = _mark_of(self._source), _mark_of(self._target)

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
        """A hash of the models' content."""
        digest = hashlib.sha256(self.source_path.read_bytes())
        if self.target_path:
            digest.update(self.target_path.read_bytes())
        return digest.hexdigest()[:16]

    def encode_source(self, text: str) -> list[int]:
        """Ids of a source sentence, ended by END: the encoder sees where the sentence stops."""
        return [*self._source.encode(text.replace(MARK, self._source_mark)), END]

    def encode_target(self, text: str) -> list[int]:
        """Ids of a target sentence, without START and END."""
        return self._target.encode(text.replace(MARK, self._target_mark))

    def decode_target(self, ids: Iterable[int]) -> str:
        text = self._target.decode([i for i in ids if i not in (PADDING, START, END)])
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
        target = folder / "target.model"
        return cls(folder / "source.model", target if target.exists() else None)


def _load(path: Path) -> sentencepiece.SentencePieceProcessor:
    processor = sentencepiece.SentencePieceProcessor()
    try:
        processor.load(str(path))
    except (OSError, RuntimeError):
        raise UserError(f"{path}: no SentencePiece model, or a damaged one; train the run again") from None
    return processor


def _mark_of(processor: sentencepiece.SentencePieceProcessor) -> str:
    """What the mark in a text is to this model."""
    knows = any(STAND_IN in processor.id_to_piece(i) for i in range(processor.get_piece_size()))
    return STAND_IN if knows else MARK


def train_tokenizer(read: Callable[[], Iterable[Sequence[Any]]], options: TokenizerOptions, folder: Path) -> Tokenizer:
    """Trains on what ``read()`` yields (source, target, ...). ``folder`` appears whole or not at all."""
    if options.kind not in KINDS:
        raise UserError(f"tokenizer.kind={options.kind}: {nearest(options.kind, KINDS)}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        work = Path(temporary) / "tokenizer"
        work.mkdir()
        sides = {"source": (0, 1)} if options.joint else {"source": (0,), "target": (1,)}
        for name, columns in sides.items():
            _train_model(
                _sentences(read(), columns, f"tokenizer ({options.kind}, {name})"), options, work / f"{name}.model"
            )
        if folder.exists():
            return Tokenizer.load(folder)  # another process made the same one meanwhile
        os.replace(work, folder)
    return Tokenizer.load(folder)


def _sentences(pairs: Iterable[Sequence[Any]], columns: tuple[int, ...], title: str) -> Iterator[str]:
    for pair in counted(pairs, f"reading text for the {title}", "pairs"):
        for column in columns:
            yield pair[column].replace("\0", " ").replace(MARK, STAND_IN)


def _train_model(sentences: Iterator[str], options: TokenizerOptions, path: Path) -> None:
    subwords = options.kind in ("bpe", "unigram")
    failures: list[Exception] = []

    def guarded() -> Iterator[str]:
        """SentencePiece tells an error of what it reads in words of its own."""
        try:
            yield from sentences
        except Exception as error:
            failures.append(error)

    with open(path, "wb") as file:
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=guarded(),
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
                minloglevel=2,
            )
        except RuntimeError as error:
            if failures:
                raise failures[0] from None
            reason = str(error).replace("\n", " ").rpartition("] ")[2] or str(error)
            raise NotForThisText(
                f"tokenizer.vocabulary_size={options.vocabulary_size}: not for this text ({reason.strip()}); "
                "try another size or tokenizer.kind=char"
            ) from None
    if failures:
        raise failures[0]
