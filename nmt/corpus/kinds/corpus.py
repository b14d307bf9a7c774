"""Sentence pairs of every kind of corpus: generated, from files, from `datasets`."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from nmt.corpus.kinds import grammar as builtin
from nmt.corpus.kinds import tasks
from nmt.corpus.kinds.files import (
    DatasetsOptions,
    FilesOptions,
    Pair,
    existing,
    expanded,
    load_datasets,
    paths_of,
    read_datasets,
    read_place,
)
from nmt.corpus.kinds.generated import AlignedPair
from nmt.corpus.kinds.grammar import GrammarOptions
from nmt.corpus.kinds.tasks import TaskOptions
from nmt.corpus.subwords.tokenizer import Tokenizer
from nmt.corpus.text.links import Link, read_links
from nmt.errors import UserError, check_name, nearest

FIRST_VERSION = 1  # of a generated text
GeneratedOptions = GrammarOptions | TaskOptions
CorpusOptions = GeneratedOptions | FilesOptions | DatasetsOptions
CORPUS_OPTIONS: dict[str, type] = {
    "grammar": GrammarOptions,
    "task": TaskOptions,
    "files": FilesOptions,
    "datasets": DatasetsOptions,
}


def test_names(options: CorpusOptions) -> list[str]:
    """Raises UserError for a name that could not name a folder."""
    names = ["test"] if isinstance(options, GeneratedOptions) else list(options.tests)
    for name in names:
        check_name(name, "corpus.tests")
    return names


def knows_links(options: CorpusOptions, split: str) -> bool:
    """Whether the pairs of a split come with their word links."""
    return isinstance(options, GeneratedOptions) or (
        isinstance(options, FilesOptions) and split == "train" and bool(options.links)
    )


def known_links(options: CorpusOptions, split: str) -> list[tuple[Link, ...]] | None:
    """The word links (source, target, from 0) of every pair, where the corpus knows them; None elsewhere."""
    return [pair.links for pair in read_pairs(options, split)] if knows_links(options, split) else None


def _generate(options: GeneratedOptions, split: str) -> Iterable[AlignedPair]:
    if split not in ("train", "valid", "test"):
        raise UserError(f"corpus: no test set '{split}'; a generated corpus has only 'test'")
    if isinstance(options, TaskOptions):
        return tasks.generate(options, split)
    return builtin.generate(options, split)


def read_pairs(options: CorpusOptions, split: str) -> Iterator[Pair]:
    """The pairs of ``train``, ``valid`` or a named test set, in their order.

    Raises UserError for a split that is not there, a file that is absent, not UTF-8, or not as long as its pair.
    """
    if isinstance(options, GeneratedOptions):
        yield from (Pair(pair.source, pair.target, pair.links) for pair in _generate(options, split))
        return
    if isinstance(options, FilesOptions) and knows_links(options, split):
        yield from _with_links(options)
        return
    yield from _read_places(options, split)


def _with_links(options: FilesOptions) -> Iterator[Pair]:
    path = existing(options.links)
    links = read_links(path)
    count = -1
    for count, pair in enumerate(_read_places(options, "train")):
        own = next(links, None)
        if own is None:
            raise UserError(f"{path}: ends after {count:,} lines; line i must hold the links of training pair i")
        check_links(own.possible, pair, f"{path}, line {count + 1}")
        yield pair._replace(links=own.possible)
    if next(links, None) is not None:
        raise UserError(f"{path}: more lines than the {count + 1:,} training pairs; line i must hold those of pair i")


def check_links(links: Sequence[Link], pair: Pair, place: str) -> None:
    """Raises UserError for a link to a word that is not there."""
    sides = len(pair.source.split()), len(pair.target.split())
    for s, t in links:
        if s >= sides[0] or t >= sides[1]:
            raise UserError(f"{place}: link {s}-{t}, but the pair has {sides[0]} and {sides[1]} words; count from 0")


def _read_places(options: FilesOptions | DatasetsOptions, split: str) -> Iterator[Pair]:
    for group in range(len(_places(options, split))):
        yield from read_group(options, split, group)


def read_group(options: FilesOptions | DatasetsOptions, split: str, group: int, first: int = 0) -> Iterator[Pair]:
    """The pairs of one of the places that the user named, from the ``first`` on."""
    place = _places(options, split)[group]
    if isinstance(options, DatasetsOptions):
        yield from read_datasets(place, options, first)
        return
    tag = options.tags[group] if split == "train" and options.tags else ""
    pairs = itertools.chain.from_iterable(read_place(name, options) for name in expanded(place, options))
    for pair in itertools.islice(pairs, first, None):
        yield pair._replace(source=f"{tag} {pair.source}") if tag and pair.source.strip() else pair


def read_train(options: CorpusOptions, first: int) -> Iterator[Pair]:
    """The training pairs from the ``first`` on."""
    if isinstance(options, DatasetsOptions):
        yield from read_group(options, "train", 0, first)
    else:
        yield from itertools.islice(read_pairs(options, "train"), first, None)


def weights_of_places(options: CorpusOptions) -> list[float]:
    """Empty where the places of the training text are read one after the other."""
    return list(options.weights) if isinstance(options, FilesOptions) else []


def check_symbols(options: CorpusOptions, symbols: Sequence[str]) -> None:
    """Raises UserError for a tag that a tokenizer with these symbols would split."""
    for tag in options.tags if isinstance(options, FilesOptions) else ():
        if tag and tag not in symbols:
            raise UserError(f"corpus.tags: '{tag}' would be split; say \"tokenizer.symbols=['{tag}']\"")


def check_tags(options: CorpusOptions, tokenizer: Tokenizer) -> None:
    """Raises UserError for a tag that the tokenizer splits."""
    for tag in options.tags if isinstance(options, FilesOptions) else ():
        if tag and tag not in tokenizer.source_pieces(tokenizer.encode_source(tag)):
            raise UserError(
                f"corpus.tags: the tokenizer splits '{tag}'; with finetuning.run, say finetuning.vocabulary=extend "
                f"\"tokenizer.symbols=['{tag}']\""
            )


def fingerprint(options: CorpusOptions, split: str) -> str:
    """What stands for the split's content: a hash of the files' bytes, the version and options of a generated text, the
    data set's own fingerprint.

    Of a file of more than a gigabyte, its size, beginning and end stand for all of it.
    """
    if isinstance(options, GeneratedOptions):
        made = tasks.fingerprint(options) if isinstance(options, TaskOptions) else builtin.fingerprint(options)
        return f"{made}-{split}"
    digest = hashlib.sha256(f"{options.source_language}-{options.target_language}".encode())
    if isinstance(options, FilesOptions) and split == "train" and (any(options.tags) or options.weights):
        digest.update(json.dumps([options.tags, options.weights]).encode())
    for place in _places(options, split):
        if isinstance(options, FilesOptions):
            paths = [path for name in expanded(place, options) for path in paths_of(name, options)]
            if knows_links(options, split):
                paths.append(existing(options.links))
            for path in paths:
                digest.update(_digest(path))
        else:
            loaded = load_datasets(place, options)
            told = f"{options.path} {options.name} {place} {loaded.info.version}"
            digest.update((told if options.streaming else loaded._fingerprint).encode())
    return digest.hexdigest()[:16]


def counts_as(recorded: str, options: CorpusOptions, split: str) -> bool:
    """Whether a record made by an older version of nmt, a bare hash of code and options, may be of this text.

    Generated corpora had no version before version 1, so its number is what such a record stands for; whether the
    options were the same, the caller must know.
    """
    bare = re.fullmatch("[0-9a-f]{16}", recorded) is not None
    return bare and isinstance(options, GeneratedOptions) and f"-{FIRST_VERSION}-" in fingerprint(options, split)


def _digest(path: Path) -> bytes:
    size, end = path.stat().st_size, 1 << 20
    with open(path, "rb") as file:
        if size <= 1 << 30:
            return hashlib.file_digest(file, "sha256").digest()
        first = file.read(end)
        file.seek(size - end)
        return hashlib.sha256(first + file.read() + str(size).encode()).digest()


def _places(options: FilesOptions | DatasetsOptions, split: str) -> list[str]:
    if split in ("train", "valid"):
        places = getattr(options, split)
    elif split in options.tests:
        places = options.tests[split]
    else:
        raise UserError(f"corpus.tests: no test set '{split}'; {nearest(split, options.tests)}")
    places = [places] if isinstance(places, str) else list(places)
    if isinstance(options, FilesOptions) and split == "train":
        for name in ("weights", "tags"):
            count = len(getattr(options, name))
            if count not in (0, len(places)):
                raise UserError(f"corpus.{name}: {count} for the {len(places)} places of corpus.train; one each")
        if options.links and any(options.tags):
            raise UserError("corpus.tags moves the words that corpus.links counts; put the tags into the files")
        if not all(weight > 0 for weight in options.weights):
            raise UserError(f"corpus.weights={options.weights}: each must be above 0")
    if not places or not all(places):
        raise UserError(
            f"corpus.{split}: no place is given; name a file (with {{language}} in it) or a data set's split"
        )
    return places
