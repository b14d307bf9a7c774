"""Tokenizers and encoded pairs, made once for each content and options, checked, and made again where damaged."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

from nmt.corpus.batches.encoded import EncodedPairs, Ragged, encode_pairs
from nmt.corpus.kinds.corpus import Corpus
from nmt.corpus.subwords.tokenizer import NotForThisText, Tokenizer, TokenizerOptions, train_tokenizer
from nmt.corpus.text.cleaning import CleaningOptions, CleaningReport, clean
from nmt.corpus.text.concatenation import ConcatenationOptions, with_joined
from nmt.corpus.text.normalising import NONE, normalised_pairs
from nmt.corpus.text.tags import as_read
from nmt.corpus.text.writing import ALIKE, MEASURED, Proportions
from nmt.errors import UserError
from nmt.locks import one_at_a_time
from nmt.progress import counted

log = logging.getLogger("nmt")

TOKENIZER_FORMAT = 3  # raised when the same text and options make another tokenizer
PAIRS_FORMAT = 3  # raised when the same pairs are written otherwise
PROPORTIONS_FORMAT = 1  # raised when the same pairs are measured otherwise
EPOCH_FORMAT = 1  # raised when the same pairs are counted otherwise
DIGESTS = "digests.json"

T = TypeVar("T")


def made_once(folder: Path, make: Callable[[Path], object], load: Callable[[Path], T]) -> T:
    """Returns what ``load`` reads of a folder that ``make`` fills: by one process, whole or not at all.

    One that is damaged is named and made again. Raises UserError where it can't be written.
    """
    if folder.is_dir() and not _damage(folder):
        return load(folder)
    with one_at_a_time(folder):
        if folder.is_dir():
            damage = _damage(folder)
            if not damage:
                return load(folder)
            log.warning("%s: damaged (%s); made again", folder, damage)
            shutil.rmtree(folder)
        work = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(work, ignore_errors=True)  # of a process that was killed
        work.mkdir(parents=True)
        try:
            make(work)
            _seal(work)
            os.replace(work, folder)
        except OSError as error:
            raise UserError(
                f"{folder}: cannot be written ({error.strerror or error}); free space, or say cache=FOLDER"
            ) from None
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return load(folder)


def _digests(folder: Path) -> dict[str, str]:
    digests = {}
    for path in sorted(folder.iterdir()):
        if path.name != DIGESTS:
            with open(path, "rb") as file:
                digests[path.name] = hashlib.file_digest(file, "blake2b").hexdigest()[:32]
    return digests


def _seal(folder: Path) -> None:
    (folder / DIGESTS).write_text(json.dumps(_digests(folder), indent=1))


def _damage(folder: Path) -> str:
    """Returns what is wrong with a folder; empty if nothing."""
    try:
        known = json.loads((folder / DIGESTS).read_text())
        different = sorted(name for name, digest in (_digests(folder).items() ^ known.items()))
    except (OSError, ValueError, AttributeError) as error:
        return str(error)
    return f"{different[0]} is not what was written" if different else ""


def cached_proportions(corpus: Corpus, cache: Path, form: str = NONE) -> Proportions:
    """Returns what the first pairs of the training text, in a form of Unicode, tell of its writing; measured where the
    cache has nothing.
    """
    fingerprint = corpus.fingerprint("train")
    more = [] if form == NONE else [form]
    key = _key(PROPORTIONS_FORMAT, fingerprint, *more)

    def make(folder: Path) -> None:
        proportions = Proportions.of(normalised_pairs(itertools.islice(corpus.read("train"), MEASURED), form))
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
        count = sum(1 for _ in counted(first.read(0), "counting the pairs of an epoch", "pairs"))
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
        for pair in clean(as_read(corpus.read("train"), options), cleaning, report, proportions):
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
        pairs = clean(as_read(corpus.read(split), tokenizer), cleaning, report, proportions)
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
    if corpus.fingerprint(split) != fingerprint:
        raise UserError(f"corpus.{split}: the text changed while it was read; start again when it stays as it is")


def _nothing_left(split: str, report: CleaningReport, cleaning: CleaningOptions) -> UserError:
    advice = report.advice(cleaning)
    reason = f"{report}: {advice}" if advice else f"{report}"
    return UserError(f"corpus.{split}: no usable pair ({reason}); at least one is needed")


def _key(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
