"""Sentence pairs as they lie in files."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

from nmt.corpus.kinds.corpus import Place
from nmt.corpus.kinds.generated import BARE_HASH
from nmt.corpus.kinds.parquet import parquet_records
from nmt.corpus.kinds.places import PlacedCorpus, digest_of, pair_of_texts, paths_of, text_digest_of
from nmt.corpus.kinds.sacrebleu_sets import fetch_set, files_of_set, is_set
from nmt.corpus.pair import Pair
from nmt.corpus.text.lines import MARK, is_blank, lines_of
from nmt.corpus.text.links import (
    ENOUGH,
    at_any_white_space,
    check_links,
    count_spaces_alone,
    read_links,
    tell_from_one,
    tell_spaces_alone,
)
from nmt.errors import Absent, UserError, nearest

LONG = 1000  # digits of a number

FIRST = 100  # pairs of each file, which are read before anything is made of it


@dataclass
class FilesOptions(PlacedCorpus):
    """Parallel files: a path with ``{language}`` in it, or one .tsv, .jsonl or .parquet; each may be .gz, and ``*`` in
    its name stands for any number of files, read in the order of their names. ``valid`` and ``tests`` may be test sets
    by sacreBLEU's names, as sacrebleu:wmt14.
    """

    kind: str = "files"
    train: list[str] = field(default_factory=list)
    valid: str = ""
    tests: dict[str, str] = field(default_factory=dict)
    links: str = ""  # of the training pairs: a line each, i-j for source word i and target word j, from 0
    weights: list[float] = field(default_factory=list)  # of each place of train: how much of it is read, by the others
    # Before every source sentence, as <2de>: of each place of train, of valid, and of test sets by name; "": none.
    tags: list[str] = field(default_factory=list)
    valid_tag: str = ""
    test_tags: dict[str, str] = field(default_factory=dict)

    PATHS: ClassVar[frozenset[str]] = frozenset({"train", "valid", "tests", "links"})
    OF_TESTS: ClassVar[frozenset[str]] = frozenset({"tests", "test_tags"})

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("weights", "tags"):
            count = len(getattr(self, name))
            if count not in (0, len(self.train)):
                raise UserError(f"corpus.{name}: {count} for the {len(self.train)} places of corpus.train; one each")
        for name in self.test_tags:
            if name not in self.tests:
                raise UserError(f"corpus.test_tags: no test set '{name}'; {nearest(name, self.tests)}")
        for place in filter(is_set, self.train):
            raise UserError(
                f"corpus.train: {place} is a test set, which nothing may be trained on; name it in corpus.tests or "
                "corpus.valid"
            )
        if not all(weight > 0 for weight in self.weights):
            raise UserError(f"corpus.weights={self.weights}: each must be above 0")

    def read(self, split: str, first: int = 0) -> Iterator[Pair]:
        pairs = self._read_linked() if self.knows_links(split) else self._read_places(split)
        yield from itertools.islice(pairs, first, None)

    def look_into(self, split: str) -> None:
        for place in self.places(split):
            for name in self._expanded(place):
                for _ in itertools.islice(self.read_file(name), FIRST):
                    pass
        if self.knows_links(split):
            for _ in itertools.islice(read_links(existing(self.links)), FIRST):
                pass

    def knows_links(self, split: str) -> bool:
        return split == "train" and bool(self.links)

    def fingerprint(self, split: str) -> str:
        """Returns a hash of the files' text, which is the same for .gz files and for unpacked ones. Of a file of more
        than a gigabyte on the disk, its size, beginning and end stand for all of it.

        Raises UserError for a file that is absent, and for a .gz file that is damaged.
        """
        return self._hash(split, text_digest_of)

    def was_recorded_as(self, recorded: str, split: str) -> bool:
        """Whether a hash is of the files' bytes, as .gz files were hashed before their text was."""
        return recorded == self._hash(split, digest_of)

    def may_be_of_packed(self, recorded: str, split: str) -> bool:
        names = self.places(split)
        if self.knows_links(split):
            names.append(self.links)
        is_packed = any(name.lower().endswith(".gz") for name in names)
        return is_packed and re.fullmatch(BARE_HASH, str(recorded)) is not None

    def _hash(self, split: str, digest_of_file: Callable[[Path], bytes]) -> str:
        """Returns a hash of all that makes the pairs of a split."""
        digest = hashlib.sha256(f"{self.source_language}-{self.target_language}".encode())
        if split == "train" and (any(self.tags) or self.weights):
            digest.update(json.dumps([self.tags, self.weights]).encode())
        if split != "train" and self._tag(split):
            digest.update(json.dumps(self._tag(split)).encode())
        for place in self.places(split):
            for name in self._expanded(place):
                for path in self._paths(name):
                    digest.update(digest_of_file(path))
            if self.knows_links(split):
                digest.update(digest_of_file(existing(self.links)))
        return digest.hexdigest()[:16]

    def files_of(self, split: str) -> list[Path]:
        """Returns the files of all places, and of the word links. What ``*`` stands for is not known, and left out."""
        try:
            places = self.places(split)
        except UserError:  # a split without a place, which whoever reads it tells
            return []
        if self.knows_links(split):
            places.append(self.links)
        files: dict[Path, None] = {}  # in order, each once
        for place in places:
            if is_set(place) or "*" in place:
                continue
            for language in (self.source_language, self.target_language):
                files[Path(place.replace("{language}", language))] = None
        return list(files)

    def fetch(self) -> list[str]:
        """Fetches the test sets by sacreBLEU's names."""
        sets = dict.fromkeys(filter(is_set, [self.valid, *self.tests.values()]))
        return [fetch_set(place, self.source_language, self.target_language) for place in sets]

    @property
    def needs_stream(self) -> bool:
        return bool(self.weights)

    def mixture(self) -> list[Place]:
        if not self.weights:
            return super().mixture()
        return [Place(weight, partial(self._read_place, "train", number)) for number, weight in enumerate(self.weights)]

    def words_kept_whole(self) -> list[str]:
        words: dict[str, None] = {}  # in order, each once
        for tag in (*self.tags, self.valid_tag, *self.test_tags.values()):
            words |= dict.fromkeys(tag.split())
        return list(words)

    @property
    def is_tagged(self) -> bool:
        return bool(self.tags) and all(self.tags)

    @cached_property
    def _links_count_spaces_alone(self) -> bool:
        path = existing(self.links)
        first = [line.possible for line in itertools.islice(read_links(path), ENOUGH)]
        tell_from_one(first, f"corpus.links={self.links}")
        lines = (line.possible for line in read_links(path))
        spaces_alone = count_spaces_alone(zip(self._read_places("train"), lines, strict=False))
        if spaces_alone:
            tell_spaces_alone(f"corpus.links={self.links}")
        return spaces_alone

    def read_file(self, place: str) -> Iterator[Pair]:
        """Yields the pairs of one file, or of two parallel ones. Raises UserError for a file of no known form."""
        paths = self._paths(place)
        if len(paths) == 2:
            return read_parallel(*paths)
        [path] = paths
        form = path.name.lower().removesuffix(".gz").rpartition(".")[2]
        if form == "tsv":
            return _read_tsv(path)
        if form == "jsonl":
            return self._read_jsonl(path)
        if form == "parquet":
            return self._read_parquet(path)
        raise UserError(
            f"{path}: put {{language}} where the language stands in the name, or use .tsv, .jsonl or .parquet"
        )

    def _read_linked(self) -> Iterator[Pair]:
        path = existing(self.links)
        lines = read_links(path)
        spaces_alone = self._links_count_spaces_alone
        count = 0
        for pair in self._read_places("train"):
            line = next(lines, None)
            if line is None:
                raise UserError(f"{path}: ends after {count:,} lines; line i must hold the links of training pair i")
            count += 1
            links = line.possible
            check_links(links, pair, f"{path}, line {count}", spaces_alone)
            if spaces_alone:
                links = at_any_white_space(links, pair)
            yield pair._replace(links=links)
        if next(lines, None) is not None:
            raise UserError(f"{path}: more lines than the {count:,} training pairs; line i must hold those of pair i")

    def _read_places(self, split: str) -> Iterator[Pair]:
        for number in range(len(self.places(split))):
            yield from self._read_place(split, number)

    def _read_place(self, split: str, number: int, first: int = 0) -> Iterator[Pair]:
        """Yields the pairs of one of the places that the user named, from number ``first`` on."""
        place = self.places(split)[number]
        tag = self._tag(split, number)
        files = (self.read_file(name) for name in self._expanded(place))
        for pair in itertools.islice(itertools.chain.from_iterable(files), first, None):
            own_tag = f"{tag} " if tag and not is_blank(pair.source) else ""
            yield pair._replace(tag=own_tag, place=number) if own_tag or number else pair

    def _tag(self, split: str, number: int = 0) -> str:
        """Returns the tag of a split; for the training text, that of one of its places."""
        if split == "train":
            return self.tags[number] if self.tags else ""
        return self.valid_tag if split == "valid" else self.test_tags.get(split, "")

    def _paths(self, place: str) -> list[Path]:
        """Returns one file, or one of each language. Raises UserError for one that is absent."""
        if is_set(place):
            return files_of_set(place, self.source_language, self.target_language)
        if "{language}" not in place:
            return [existing(place)]
        languages = (self.source_language, self.target_language)
        return [existing(place.replace("{language}", language), languages) for language in languages]

    def _expanded(self, place: str) -> list[str]:
        """Returns the places that ``*`` stands for, by name. Raises UserError where there is none."""
        if "*" not in place:
            return [place]
        pattern = str(Path(place))
        of_source = pattern.replace("{language}", self.source_language)
        names = paths_of(of_source)
        if not names:
            raise _absent(Path(of_source), (self.source_language, self.target_language))
        if "{language}" not in place:
            return names
        if of_source.count("*") > 1:
            raise UserError(f"{place}: one * is possible where {{language}} stands")
        before, _, after = map(re.escape, of_source.partition("*"))
        stars = [re.fullmatch(f"{before}(.*){after}", name, re.DOTALL) for name in names]
        return [pattern.replace("*", star.group(1)) for star in stars if star]

    def _read_jsonl(self, path: Path) -> Iterator[Pair]:
        for number, line in enumerate(lines_of(path), 1):
            if is_blank(line):
                yield Pair("", "")
                continue
            place = f"{path}, line {number}"
            try:
                record = json.loads(line, parse_int=_whole)
            except json.JSONDecodeError as error:
                raise UserError(f"{place}: not valid JSON ({error.msg})") from None
            except RecursionError:
                raise UserError(f"{place}: brackets within brackets, too many to read; leave out the field") from None
            yield self._pair_of(record, place)

    def _read_parquet(self, path: Path) -> Iterator[Pair]:
        for number, record in enumerate(parquet_records(path, self._names), 1):
            yield self._pair_of(record, f"{path}, row {number}")

    @property
    def _names(self) -> list[tuple[str, str]]:
        """The names under which a record may hold both texts: the first ones that it has are taken."""
        return [(self.source_language, self.target_language), ("source", "target")]

    def _pair_of(self, record: Any, place: str) -> Pair:
        """``{"translation": {"en": .., "de": ..}}``, ``{"en": .., "de": ..}`` or ``{"source": .., "target": ..}``."""
        languages = (self.source_language, self.target_language)
        if record is None:
            return Pair("", "")
        if isinstance(record, dict):
            translation = record.get("translation", record)
            texts = translation if isinstance(translation, dict) else record
            for source, target in self._names:
                if source in texts and target in texts:
                    return pair_of_texts(texts, source, target, place)
            if translation is None:
                return Pair("", "")
        raise UserError(f"{place}: no text under '{languages[0]}' and '{languages[1]}', or 'source' and 'target'")


def _whole(digits: str) -> int | Decimal:
    """Returns a whole number of any length: Python itself refuses to read a very long one."""
    return int(digits) if len(digits) < LONG else Decimal(digits)


def existing(name: str, languages: Sequence[str] = ()) -> Path:
    """Raises Absent where there is no such file, with the command that fetches it for a corpus of these languages."""
    path = Path(name)
    if not path.is_file():
        raise _absent(path, languages)
    return path


def check_fetched(path: Path) -> None:
    """Raises Absent for a file that is not there and can be fetched, with the command."""
    if os.path.lexists(path):
        return
    from nmt.corpus.fetching.absent import how_to_fetch  # late, as below

    mend = how_to_fetch(path)
    if mend:
        raise Absent(f"{path}: not there; {mend}")


def _absent(path: Path, languages: Sequence[str]) -> Absent:
    from nmt.corpus.fetching.absent import absent  # late: recipes are wanted only where something is missing

    return absent(path, languages)


def read_parallel(source: Path, target: Path) -> Iterator[Pair]:
    """Yields line i of both as pair i. Raises UserError with both counts where one file has more lines."""
    for path in (source, target):
        check_fetched(path)
    sources = lines_of(source)
    targets = lines_of(target)
    count = 0
    for source_line in sources:
        target_line = next(targets, None)
        if target_line is None:
            raise UserError(_unequal(source, count + 1 + _left(sources), target, count))
        yield Pair(source_line, target_line)
        count += 1
    more = _left(targets)
    if more:
        raise UserError(_unequal(source, count, target, count + more))


def _left(lines: Iterator[str]) -> int:
    return sum(1 for _ in lines)


def _unequal(source: Path, source_lines: int, target: Path, target_lines: int) -> str:
    return f"{source} has {source_lines:,} lines and {target} {target_lines:,}; line i of both must be one pair"


def _read_tsv(path: Path) -> Iterator[Pair]:
    for number, line in enumerate(lines_of(path), 1):
        cells = line.split("\t")
        if len(cells) == 1 and is_blank(line):
            cells = ["", ""]
        if len(cells) != 2:
            raise UserError(f"{path}, line {number}: {len(cells)} columns where source, tab, target are expected")
        source, target = cells
        if number == 1:  # two files that were pasted together may each have begun with a byte order mark
            target = target.removeprefix(MARK)
        yield Pair(source, target)
