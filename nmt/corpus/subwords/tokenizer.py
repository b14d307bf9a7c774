"""SentencePiece behind encode and decode: one for both languages, or one for each."""

from __future__ import annotations

import hashlib
import os
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import sentencepiece

from nmt.corpus.subwords.model_file import form_of, keep_form, load_model, merged, symbols_of
from nmt.corpus.subwords.stand_ins import MARK, AllStandIns, StandIns, stand_ins_of
from nmt.corpus.subwords.subword_sampling import Segmenter
from nmt.corpus.text.normalising import NONE, check_form, normalised
from nmt.errors import UserError, nearest
from nmt.progress import counted
from nmt.swap import copy_whole
from nmt.tokens import END, PADDING, START, UNKNOWN

RESERVED = ("<pad>", "<s>", "</s>", "<unk>")
KINDS = ("bpe", "unigram", "char", "word")
BYTES = 256  # pieces for what is spelled in bytes
LEAST_COVERAGE = 0.98  # of the characters, as SentencePiece allows
LONGEST = 100_000  # bytes of a training sentence: SentencePiece skips longer ones

T = TypeVar("T")


@dataclass
class TokenizerOptions:
    """Subwords by SentencePiece. Unless ``normalise`` says otherwise, what is decoded is what was encoded
    (but for U+2581, which a model takes for a space if its training text had nothing of the kind, see stand_ins.py)."""

    kind: str = "bpe"  # bpe, unigram, char or word
    vocabulary_size: int = 8000  # of each model; char and word may end with fewer
    joint: bool = True  # one model for both languages, so that embeddings can be shared
    byte_fallback: bool = True  # bpe and unigram spell unseen characters in bytes, so nothing is lost
    # A new segmentation of the training text at every look, against overfitting to one; needs batching.stream=true.
    # bpe: the share of merges left out, about 0.1 (Provilkov 2020); unigram: the smoothing of the draw (Kudo 2018).
    sampling: float = 0.0
    symbols: list[str] = field(default_factory=list)  # never split, such as <2de> or <bt>
    pairs: int = 1_000_000  # of a larger text so many, drawn evenly, train the model: they are held in memory
    # Share of the text's characters that have pieces; the rarest others are spelt in bytes, or are unknown.
    character_coverage: float = 1.0
    # All text, of training, tests and translation, in one Unicode form: nfc (e and an accent are é) or nfkc (ﬁ is fi).
    normalise: str = "none"

    COUNTS: ClassVar[frozenset[str]] = frozenset({"pairs"})
    # Options that came later: a cache's name tells them only where they are not at their defaults.
    LATER: ClassVar[dict[str, object]] = {"character_coverage": 1.0, "normalise": NONE}

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
        if not LEAST_COVERAGE <= self.character_coverage <= 1:
            raise UserError(
                f"tokenizer.character_coverage={self.character_coverage:g}: must be {LEAST_COVERAGE} to 1 (all of them)"
            )
        check_form(self.normalise, "tokenizer.normalise")
        for symbol in self.symbols:
            if normalised(symbol, self.normalise) != symbol:
                raise UserError(f"tokenizer.symbols: '{symbol}' is none in normalise={self.normalise}; write it so")
        if self.vocabulary_size < self.least_pieces:
            with_symbols = f" and {len(self.symbols)} symbols" if self.symbols else ""
            raise UserError(
                f"tokenizer.vocabulary_size={self.vocabulary_size}: must be {self.least_pieces} or more for "
                f"kind={self.kind}{with_symbols}"
            )
        if self.pairs < 1:
            raise UserError(f"tokenizer.pairs={self.pairs}: must be 1 or more")

    def for_key(self) -> dict[str, object]:
        """Returns what the name of a cache tells of these options: sampling makes no other tokenizer."""
        values = asdict(self) | {"sampling": 0.0}
        for name, default in self.LATER.items():
            if values[name] == default:
                del values[name]
        return values

    @property
    def least_pieces(self) -> int:
        """Number of pieces of the smallest model: what it has whatever the text is, and one of the text."""
        count = len(RESERVED) + len(self.symbols) + 1
        if self.kind == "word":
            count += len(self.symbols)  # each once more, with the mark of a space before it
        if self.byte_fallback and self.kind in ("bpe", "unigram"):
            count += BYTES
        return count


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
    """SentencePiece can't make such a model of such a text.

    ``fitting`` is the nearest vocabulary size that it can make one of; None where it names none.
    """

    def __init__(self, message: str, fitting: int | None = None):
        super().__init__(message)
        self.fitting = fitting


class Tokenizer:
    """Text to ids and back, for the source and the target language."""

    def __init__(self, source: Path, target: Path | None):
        self.source_path = source
        self.target_path = target
        self._source = load_model(source)
        self._target = load_model(target) if target else self._source
        self.normalise = form_of(self._source)  # of all text that is encoded
        self._source_stand_ins = _stand_ins_of(self._source)
        self._target_stand_ins = _stand_ins_of(self._target)

    @property
    def joint(self) -> bool:
        return self.target_path is None

    @property
    def source_size(self) -> int:
        return self._source.get_piece_size()

    @property
    def target_size(self) -> int:
        return self._target.get_piece_size()

    @cached_property
    def symbols(self) -> list[str]:
        """The pieces of the source side that are never split, such as <2de>."""
        symbols = symbols_of(self._source)
        return [symbol for symbol in symbols if not symbol.startswith(MARK)]  # kind=word has each with the mark, too

    def keeps_whole(self, word: str) -> bool:
        """Whether a word of a source is one piece."""
        pieces = self.source_pieces(self.encode_source(word))
        return any(piece.lstrip(MARK) == word for piece in pieces)

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
        rows = _encode(self._source, self._readable(texts, self._source_stand_ins), sampling)
        return [[*ids, END] for ids in rows]

    def encode_targets(self, texts: Sequence[str], sampling: Sampling | None = None) -> list[list[int]]:
        """Encodes many target sentences, on all cores where nothing is sampled, without START and END."""
        return _encode(self._target, self._readable(texts, self._target_stand_ins), sampling)

    def _readable(self, texts: Sequence[str], stand_ins: StandIns) -> list[str]:
        """Returns what a model reads of texts: normalised where it was trained so, with its stand-ins."""
        return [stand_ins.put(normalised(text, self.normalise)) for text in texts]

    def decode_target(self, ids: Iterable[int]) -> str:
        """Returns the text of ids; PADDING, START and END are no part of it."""
        pieces = [i for i in ids if i not in (PADDING, START, END)]
        return self._target_stand_ins.undo(self._target.decode(pieces))

    def source_pieces(self, ids: Iterable[int]) -> list[str]:
        return [self._source.id_to_piece(int(i)) for i in ids]

    def target_pieces(self, ids: Iterable[int]) -> list[str]:
        return [self._target.id_to_piece(int(i)) for i in ids]

    def spelt_source(self, text: str) -> list[str]:
        """Returns the pieces of a source sentence, END too; one that is unknown as the text that it stands for."""
        [readable] = self._readable([text], self._source_stand_ins)
        pieces = self._source.encode(readable, out_type=str)
        return [*pieces, *self.source_pieces([END])]

    def spelt_target(self, text: str) -> list[str]:
        """Returns the pieces of a target sentence; one that is unknown as the text that it stands for."""
        [readable] = self._readable([text], self._target_stand_ins)
        return self._target.encode(readable, out_type=str)

    def target_ids(self, pieces: Iterable[str]) -> list[int]:
        return [self._target.piece_to_id(piece) for piece in pieces]

    def save(self, folder: Path) -> None:
        """Writes the models into a folder, each aside and then in its place; other files there stay as they are.

        Raises UserError where another tokenizer's target model would be taken for one of this.
        """
        target = folder / "target.model"
        if self.target_path is None and os.path.lexists(target):
            raise UserError(f"{target}: of another tokenizer; move it away")
        folder.mkdir(parents=True, exist_ok=True)
        copy_whole(self.source_path, folder / "source.model")
        if self.target_path:
            copy_whole(self.target_path, target)

    @classmethod
    def load(cls, folder: Path) -> Tokenizer:
        """Raises Absent, Unreadable or Damaged where the folder holds no tokenizer, or one that can't be used."""
        source = folder / "source.model"
        target = folder / "target.model"
        if os.path.lexists(target):
            return cls(source, target)
        return cls(source, None)


def _encode(
    processor: sentencepiece.SentencePieceProcessor, readable: list[str], sampling: Sampling | None
) -> list[list[int]]:
    if sampling is None:
        threads = cores() if len(readable) > 1 else 1
        return processor.encode(readable, num_threads=threads)
    segmenter = sampling.segmenter(processor)
    return [segmenter.encode(text) for text in readable]


def cores() -> int:
    """Number of CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _stand_ins_of(processor: sentencepiece.SentencePieceProcessor) -> StandIns:
    pieces = [processor.id_to_piece(i) for i in range(processor.get_piece_size())]
    return stand_ins_of(pieces, partial(symbols_of, processor))


def train_tokenizer(read: Callable[[], Iterable[Sequence[Any]]], options: TokenizerOptions, folder: Path) -> Tokenizer:
    """Trains on what ``read()`` yields (source, target, ...), into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    sides = {"source": (0, 1)} if options.joint else {"source": (0,), "target": (1,)}
    for name, columns in sides.items():
        title = f"reading text for the tokenizer ({options.kind}, {name})"
        pairs = _reservoir(counted(read(), title, "pairs"), options.pairs)
        sentences = _sentences(pairs, columns, AllStandIns(options.symbols), options.normalise)
        model = folder / f"{name}.model"
        _train_model(sentences, options, model)
        if options.normalise != NONE:
            keep_form(model, options.normalise)
    return Tokenizer.load(folder)


def extended(base: Tokenizer, more: Tokenizer, folder: Path) -> Tokenizer:
    """Makes ``base`` with the pieces that only ``more`` has, after its own, whose ids stay.

    Raises UserError where one is joint and the other is not, or they are of different kinds.
    """
    if base.joint != more.joint:
        raise UserError("tokenizer.joint: must be as in the run to begin with, to extend its vocabulary")
    if base.normalise != more.normalise:
        raise UserError(
            f"tokenizer.normalise={more.normalise}: must be as in the run to begin with ({base.normalise}), to extend "
            "its vocabulary"
        )
    folder.mkdir(parents=True, exist_ok=True)
    paths = [(base.source_path, more.source_path, folder / "source.model")]
    if base.target_path and more.target_path:
        paths.append((base.target_path, more.target_path, folder / "target.model"))
    for first, second, path in paths:
        both = merged(first.read_bytes(), second.read_bytes())
        path.write_bytes(both)
    return Tokenizer.load(folder)


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


def _sentences(
    pairs: Iterable[Sequence[Any]], columns: tuple[int, ...], stand_ins: StandIns, form: str
) -> Iterator[str]:
    for pair in pairs:
        for column in columns:
            yield from _short_enough(stand_ins.put(normalised(pair[column], form)))


def _short_enough(sentence: str) -> Iterator[str]:
    """Yields a sentence, in parts where SentencePiece would skip it: cut at a space, if there is one."""
    if len(sentence.encode()) <= LONGEST:
        yield sentence
        return
    start = 0
    while start < len(sentence):
        end = start + LONGEST // 4  # characters, of up to four bytes
        space = sentence.rfind(" ", start, end)
        if space > start and end < len(sentence):
            end = space
        yield sentence[start:end]
        start = end + int(sentence.startswith(" ", end))


def _train_model(sentences: Iterator[str], options: TokenizerOptions, path: Path) -> None:
    subwords = options.kind in ("bpe", "unigram")
    with open(path, "wb") as file:
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=sentences,
                model_writer=file,
                model_type=options.kind,
                vocab_size=options.vocabulary_size,
                character_coverage=options.character_coverage,
                byte_fallback=options.byte_fallback and subwords,
                hard_vocab_limit=options.kind == "bpe",
                normalization_rule_name="identity",
                remove_extra_whitespaces=False,
                max_sentence_length=LONGEST,
                pad_id=PADDING,
                bos_id=START,
                eos_id=END,
                unk_id=UNKNOWN,
                user_defined_symbols=options.symbols,
                minloglevel=2,
            )
        except RuntimeError as error:
            raise _refusal(error, options) from None


def _refusal(error: RuntimeError, options: TokenizerOptions) -> NotForThisText:
    """Returns what SentencePiece says of a size that does not fit the text, with the size that does."""
    reason = str(error).replace("\n", " ").rpartition("] ")[2] or str(error)
    most = re.search(r"set it to a value <= (\d+)", reason)
    least = re.search(r"smaller than required_chars\. \d+ vs (\d+)", reason)
    limit = most or least
    fitting = int(limit[1]) if limit else None
    if most:
        mend = f"this text has too few different pieces; say tokenizer.vocabulary_size={most[1]} or less"
    elif least:
        bytes_would_do = options.byte_fallback and options.character_coverage == 1
        spelt = " (a tokenizer.character_coverage below 1 spells the rarest in bytes)" if bytes_would_do else ""
        mend = f"this text has more characters{spelt}; say tokenizer.vocabulary_size={least[1]} or more"
    else:
        mend = f"not for this text ({reason.strip()}); try another size or tokenizer.kind=char"
    return NotForThisText(f"tokenizer.vocabulary_size={options.vocabulary_size}: {mend}", fitting)
