"""Tokenizers and encoded pairs, made once for each content and options, checked, and made again where damaged."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

from nmt.corpus.batches.encoded import EncodedPairs, Ragged, encode_pairs
from nmt.corpus.kinds.corpus import Corpus
from nmt.corpus.pair import Pair
from nmt.corpus.subwords.tokenizer import NotForThisText, Tokenizer, TokenizerOptions, train_tokenizer
from nmt.corpus.text.cleaning import CleaningOptions, CleaningReport, clean
from nmt.corpus.text.concatenation import ConcatenationOptions, with_joined
from nmt.corpus.text.normalising import NONE, normalised_pairs
from nmt.corpus.text.tags import as_read
from nmt.corpus.text.writing import ALIKE, MEASURED, Proportions
from nmt.errors import Unreadable, UserError, not_read, not_written
from nmt.locks import one_at_a_time
from nmt.progress import counted

log = logging.getLogger("nmt")

TOKENIZER_FORMAT = 3  # raised when the same text and options make another tokenizer
PAIRS_FORMAT = 3  # raised when the same pairs are written otherwise
PROPORTIONS_FORMAT = 1  # raised when the same pairs are measured otherwise
EPOCH_FORMAT = 1  # raised when the same pairs are counted otherwise
DIGESTS = "digests.json"
MEND = "say cache=FOLDER"  # one that can be read and written

T = TypeVar("T")


def made_once(folder: Path, make: Callable[[Path], object], load: Callable[[Path], T]) -> T:
    """Returns what ``load`` reads of a folder that ``make`` fills: by one process, whole or not at all.

    One that is damaged is named and made again; of a link the link alone gives way, and files that were not made here
    stay. Raises UserError where the folder can't be read now, which nothing touches, or can't be written.
    """
    if _damage(folder) == "":
        return load(folder)
    with one_at_a_time(folder, MEND):
        damage = _damage(folder)
        if damage == "":
            return load(folder)
        if damage:
            log.warning("%s: damaged (%s); made again", folder, damage)
        try:
            _make(folder, make)
        except OSError as error:
            raise not_written(error, folder, MEND) from None
    return load(folder)


def _make(folder: Path, make: Callable[[Path], object]) -> None:
    """Fills a folder aside, and puts it in its place when it is whole. Raises OSError where it can't be written."""
    work = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(work, ignore_errors=True)  # of a process that was killed
    try:
        work.mkdir(parents=True)
        make(work)
        _seal(work)
        if folder.is_symlink():
            folder.unlink()
        if not folder.exists():
            os.replace(work, folder)
            return
        for path in sorted(work.iterdir(), key=lambda path: path.name == DIGESTS):  # what vouches for them comes last
            os.replace(path, folder / path.name)
    except OSError as error:
        place = error.filename
        if isinstance(place, str) and not Path(place).is_relative_to(folder.parent):  # something that is read for it
            raise not_read(error, place) from None
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Returns the digests of those of these files that are there."""
    digests = {}
    for name in sorted(names):
        with suppress(FileNotFoundError), open(folder / name, "rb") as file:
            digests[name] = hashlib.file_digest(file, "blake2b").hexdigest()[:32]
    return digests


def _seal(folder: Path) -> None:
    digests = _digests(folder, os.listdir(folder))
    (folder / DIGESTS).write_text(json.dumps(digests, indent=1))


def _damage(folder: Path) -> str | None:
    """Returns what is wrong with a folder: empty if nothing, None if there is none.

    Other files in it do not count. Raises UserError where it, or a file of it, can't be read now.
    """
    if not os.path.lexists(folder):
        return None
    try:
        os.listdir(folder)
        known = json.loads((folder / DIGESTS).read_text())
        if not isinstance(known, dict) or not known:
            raise ValueError(f"{DIGESTS} names no file")
        names = [os.path.basename(name) for name in known]
        different = sorted(name for name, _ in _digests(folder, names).items() ^ known.items())
    except NotADirectoryError:
        raise UserError(f"{folder}: no folder, where one is needed; move it away, or {MEND}") from None
    except (FileNotFoundError, IsADirectoryError, ValueError) as error:
        return str(error)
    except OSError as error:
        reason = not_read(error, error.filename or folder)
        raise Unreadable(f"{reason}; to do without it, {MEND}") from None
    return f"{different[0]} is not what was written" if different else ""


@contextmanager
def _reading(split: str) -> Iterator[None]:
    """Names what of the corpus can't be read, which is no fault of the cache's disk."""
    try:
        yield
    except OSError as error:
        raise not_read(error, error.filename or f"corpus.{split}") from None


def _read(pairs: Iterable[Pair], split: str) -> Iterator[Pair]:
    """Yields the pairs of a split. Raises UserError where they can't be read."""
    with _reading(split):
        yield from pairs


def cached_proportions(corpus: Corpus, cache: Path, form: str = NONE) -> Proportions:
    """Returns what the first pairs of the training text, in a form of Unicode, tell of its writing; measured where the
    cache has nothing.
    """
    fingerprint = corpus.fingerprint("train")
    more = [] if form == NONE else [form]
    key = _key(PROPORTIONS_FORMAT, fingerprint, *more)

    def make(folder: Path) -> None:
        first = itertools.islice(_read(corpus.read("train"), "train"), MEASURED)
        proportions = Proportions.of(normalised_pairs(first, form))
        _check_unchanged(corpus, "train", fingerprint)
        (folder / "proportions.json").write_text(json.dumps(asdict(proportions)))

    def load(folder: Path) -> Proportions:
        return Proportions.from_dict(json.loads((folder / "proportions.json").read_text()))

    return made_once(cache / f"proportions-{key}", make, load)


def cached_epoch(corpus: Corpus, cache: Path) -> int:
    """Returns the number of pairs that are an epoch of a stream, counted where the cache has nothing."""
    fingerprint = corpus.fingerprint("train")

    def make(folder: Path) -> None:
        [first, *_] = corpus.mixture()
        count = sum(1 for _ in counted(_read(first.read(0), "train"), "counting the pairs of an epoch", "pairs"))
        _check_unchanged(corpus, "train", fingerprint)
        (folder / "epoch.json").write_text(json.dumps({"pairs": count}))

    def load(folder: Path) -> int:
        return int(json.loads((folder / "epoch.json").read_text())["pairs"])

    return made_once(cache / f"epoch-{_key(EPOCH_FORMAT, fingerprint)}", make, load)


def cached_tokenizer(
    corpus: Corpus,
    cleaning: CleaningOptions,
    options: TokenizerOptions,
    cache: Path,
    proportions: Proportions = ALIKE,
) -> Tokenizer:
    """Returns the tokenizer of this training text and these options, trained where the cache has none."""
    read_as = replace(cleaning, train_words=0)  # which leaves the tokenizer as it is
    more = proportions.for_key()
    fingerprint = corpus.fingerprint("train")
    key = _key(TOKENIZER_FORMAT, fingerprint, asdict(read_as), options.for_key(), *more)
    report = CleaningReport()

    def read() -> Iterator[tuple[str, str]]:
        pairs = as_read(_read(corpus.read("train"), "train"), options)
        for pair in clean(pairs, cleaning, report, proportions):
            yield pair.encoder_input, pair.target

    def make(folder: Path) -> None:
        joint = "joint" if options.joint else "separate"
        log.info("training the tokenizer: %s, vocabulary %d, %s", options.kind, options.vocabulary_size, joint)
        try:
            train_tokenizer(read, options, folder)
        except NotForThisText:
            if not report.kept:
                raise _nothing_left("train", report, cleaning) from None
            raise
        _check_unchanged(corpus, "train", fingerprint)

    return made_once(cache / f"tokenizer-{key}", make, Tokenizer.load)


def cached_pairs(
    corpus: Corpus,
    split: str,
    cleaning: CleaningOptions,
    tokenizer: Tokenizer,
    cache: Path,
    joining: ConcatenationOptions | None = None,
    with_links: bool = False,
    proportions: Proportions = ALIKE,
) -> EncodedPairs:
    """Returns the pairs of ``train`` or ``valid``, cleaned, as memory-mapped ids; encoded where the cache has none.

    ``proportions`` are those of the training text. Raises UserError when no pair is left.
    """
    if joining is not None and not joining.share:
        joining = None
    cleaning = cleaning.for_training() if split == "train" else replace(cleaning, train_words=0)
    more = proportions.for_key()  # what came later counts where it is used
    if joining is not None:
        more.append(asdict(joining))
    if with_links:
        more.append({"links": True})
    fingerprint = corpus.fingerprint(split)
    key = _key(PAIRS_FORMAT, fingerprint, asdict(cleaning), tokenizer.digest, *more)

    def make(folder: Path) -> None:
        report = CleaningReport()
        whole = as_read(_read(corpus.read(split), split), tokenizer)
        pairs = clean(whole, cleaning, report, proportions)
        if joining is not None:
            pairs = with_joined(pairs, joining, report, proportions)
        shown = counted(pairs, f"encoding {split}", "pairs")
        encoded = encode_pairs(shown, tokenizer, report, cleaning.max_tokens, with_links, folder)
        if not len(encoded):
            raise _nothing_left(split, report, cleaning)
        _check_unchanged(corpus, split, fingerprint)
        if encoded.links is not None and not len(encoded.links.ids):
            raise UserError(
                f"corpus.{split}: no word link fits the words of its pair ({report}); count words from 0, at every "
                "white space"
            )
        (folder / "report.json").write_text(json.dumps(asdict(report)))

    def load(folder: Path) -> EncodedPairs:
        report = CleaningReport(**json.loads((folder / "report.json").read_text()))
        links = Ragged.load(folder / "links") if with_links else None
        return EncodedPairs(Ragged.load(folder / "source"), Ragged.load(folder / "target"), report, links)

    return made_once(cache / f"pairs-{key}", make, load)


def _check_unchanged(corpus: Corpus, split: str, fingerprint: str) -> None:
    """Raises UserError where the text is another one than before it was read: what was read may be half of each."""
    with _reading(split):
        now = corpus.fingerprint(split)
    if now != fingerprint:
        raise UserError(f"corpus.{split}: the text changed while it was read; start again when it stays as it is")


def _nothing_left(split: str, report: CleaningReport, cleaning: CleaningOptions) -> UserError:
    advice = report.advice(cleaning)
    reason = f"{report}: {advice}" if advice else f"{report}"
    return UserError(f"corpus.{split}: no usable pair ({reason}); at least one is needed")


def _key(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
