"""Parallel corpora of OPUS and WMT, by their ids in the index of the library `mtdata`.

They are fetched once, by ``python -m nmt.data``, and lie as two parallel texts each. Reading needs neither the library
nor a network.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from nmt.corpus.fetching.place import MEND, corpora_folder, file_of
from nmt.corpus.kinds.files import FIRST, read_parallel
from nmt.corpus.kinds.mtdata_index import Asked, file_names, known_sets
from nmt.corpus.kinds.mtdata_texts import write_set
from nmt.corpus.kinds.places import PlacedCorpus, text_digest_of
from nmt.corpus.kinds.sacrebleu_sets import fetch_set, files_of_set, is_set
from nmt.corpus.pair import Pair
from nmt.errors import Absent, UserError, check_name, typed_as
from nmt.locks import one_at_a_time

log = logging.getLogger("nmt")

FOLDER = "mtdata"  # below the folder of all corpora


@dataclass
class MtdataOptions(PlacedCorpus):
    """Corpora by their ids, such as Statmt-europarl-10-fra-eng, in either direction: pairs are turned where needed.

    ``valid`` and ``tests`` may be test sets by sacreBLEU's names, too, such as sacrebleu:wmt14.
    """

    kind: str = "mtdata"
    train: list[str] = field(default_factory=list)
    valid: str = ""
    tests: dict[str, str] = field(default_factory=dict)

    OF_TESTS: ClassVar[frozenset[str]] = frozenset({"tests"})

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name(self.source_language, "corpus.source_language")
        check_name(self.target_language, "corpus.target_language")
        if self.source_language == self.target_language:
            language = self.target_language
            raise UserError(f"corpus.target_language={language}: is the source's, too; name two languages")
        for name in filter(is_set, self.train):
            raise UserError(f"corpus.train: {name} is a test set, which nothing may be trained on")
        for name, option in self._named().items():
            if not is_set(name):
                check_name(name, option)

    def read(self, split: str, first: int = 0) -> Iterator[Pair]:
        pairs = self._read_sets(split)
        yield from itertools.islice(pairs, first, None)

    def look_into(self, split: str) -> None:
        for name in self.places(split):
            source, target = self._texts(name)
            pairs = read_parallel(source, target)
            for _ in itertools.islice(pairs, FIRST):
                pass

    def fingerprint(self, split: str) -> str:
        """Returns a hash of the texts that `fetch` has written, whether they are gzipped or not."""
        languages = f"{self.source_language}-{self.target_language}"
        digest = hashlib.sha256(languages.encode())
        for name in self.places(split):
            source, target = self._texts(name)
            digest.update(text_digest_of(source))
            digest.update(text_digest_of(target))
        return digest.hexdigest()[:16]

    def fetch(self) -> list[str]:
        """Fetches every set that is named and not here yet; returns a line for each that is here now.

        Raises UserError where none is named, where mtdata is not installed, for an id that it does not know, and for a
        set that can't be fetched.
        """
        named = self._named()
        if not named:
            raise UserError(f"corpus.train: names no set to fetch; {self._list_command()} shows them")
        lines = []
        for name, option in named.items():
            if is_set(name):
                lines.append(fetch_set(name, self.source_language, self.target_language))
                continue
            folder = self._folder(name)
            if not self._is_here(name):
                with one_at_a_time(folder, MEND):
                    self._fetch_set(name, option)
            lines.append(f"{folder}: is here")
        return lines

    def catalogue(self) -> list[str]:
        """Returns id, version and address of each set that mtdata knows of these languages, in either direction."""
        known = known_sets(self.source_language, self.target_language)
        return [f"{one.name}  {one.version}  {one.address}" for one in known]

    def _fetch_set(self, name: str, option: str) -> None:
        if self._is_here(name):  # another process has brought it meanwhile
            return
        log.info("%s: fetching it", name)
        asked = Asked(name, option, self.source_language, self.target_language, self._list_command())
        count = write_set(asked, self._folder(name))
        log.info("%s: %s pairs", name, f"{count:,}")

    def _is_here(self, name: str) -> bool:
        folder = self._folder(name)
        return all(file_of(folder, text) for text in self._file_names())

    def _file_names(self) -> list[str]:
        return file_names(self.source_language, self.target_language)

    def _named(self) -> dict[str, str]:
        """Returns the ids that the options name, each once, and the option that names each first."""
        named = dict.fromkeys(self.train, "corpus.train")
        if self.valid:
            named.setdefault(self.valid, "corpus.valid")
        for test_set, name in self.tests.items():
            named.setdefault(name, f"corpus.tests.{test_set}")
        return named

    def _read_sets(self, split: str) -> Iterator[Pair]:
        for number, name in enumerate(self.places(split)):
            source, target = self._texts(name)
            for pair in read_parallel(source, target):
                yield pair._replace(place=number) if number else pair

    def _folder(self, name: str) -> Path:
        return corpora_folder() / FOLDER / name

    def _texts(self, name: str) -> list[Path]:
        """Returns the two texts of a set, source and target. Raises Absent where it was not fetched yet."""
        if is_set(name):
            return files_of_set(name, self.source_language, self.target_language)
        folder = self._folder(name)
        paths = []
        for text in self._file_names():
            path = file_of(folder, text)
            if path is None:
                command = f"{self._command()} {typed_as('corpus.train', name)}"
                raise Absent(f"{folder / text}: not there; {command} fetches it")
            paths.append(path)
        return paths

    def _command(self) -> str:
        source = typed_as("corpus.source_language", self.source_language)
        target = typed_as("corpus.target_language", self.target_language)
        return f"python -m nmt.data corpus=mtdata {source} {target}"

    def _list_command(self) -> str:
        return f"{self._command()} do=list"
