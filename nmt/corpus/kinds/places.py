"""What corpora share whose splits the user names: in files, or in a data set."""

from __future__ import annotations

import glob
import gzip
import hashlib
import time
import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from nmt.corpus.kinds.corpus import Corpus
from nmt.corpus.pair import Pair
from nmt.corpus.text.lines import lines_of
from nmt.errors import UserError, check_name, nearest

GIGABYTE = 1 << 30
MEGABYTE = 1 << 20
SETTLED = 2.0  # seconds since its last change, after which a file's times show the next one


class PlacedCorpus(Corpus):
    """Text that lies where the options say: each split in a place, the training text perhaps in several."""

    train: list[str] | str
    valid: str
    tests: dict[str, str]

    OF_TESTS: ClassVar[frozenset[str]] = frozenset({"tests"})

    def __post_init__(self) -> None:
        for name, place in self.tests.items():
            check_name(name, "corpus.tests")
            self._check_is_no_other_split(name, place)

    def _check_is_no_other_split(self, name: str, place: str) -> None:
        """Raises UserError for a test set named as another split, whose text would be read in its place."""
        splits = {"train": self.train, "valid": self.valid}
        if name in splits and splits[name] not in (place, [place]):
            raise UserError(f"corpus.tests.{name}: {name} names a split already; name the test set otherwise")

    def test_names(self) -> list[str]:
        return list(self.tests)

    def splits(self) -> list[str]:
        """Returns those of training and validation that have a place, and all test sets; each name once."""
        names = []
        if self.train:
            names.append("train")
        if self.valid:
            names.append("valid")
        return list(dict.fromkeys([*names, *self.tests]))

    def places(self, split: str) -> list[str]:
        """Raises UserError for a split that has no place."""
        named = {**self.tests, "train": self.train, "valid": self.valid}
        if split not in named:
            raise UserError(f"corpus.tests: no test set '{split}'; {nearest(split, self.tests)}")
        places = named[split]
        if isinstance(places, str):
            places = [places]
        if not places or not all(places):
            raise UserError(
                f"corpus.{split}: no place is given; name a file (with {{language}} in it) or a data set's split"
            )
        return list(places)


def paths_of(pattern: str) -> list[str]:
    """Returns the paths that a pattern names, sorted: ``*`` stands for any name, and all else for itself."""
    literal_parts = map(glob.escape, pattern.split("*"))
    return sorted(glob.glob("*".join(literal_parts)))


def pair_of_texts(record: Mapping[str, Any], source: str, target: str, place: str) -> Pair:
    """Makes a pair of one line each of the texts under two names: a record, unlike a line, may hold line ends, nothing,
    numbers and half characters.

    Nothing is an empty text. Raises UserError that names ``place`` and the name for what else is no text.
    """
    return Pair(_one_line(record[source], source, place), _one_line(record[target], target, place))


def _one_line(text: Any, name: str, place: str) -> str:
    if text is None:
        return ""
    if not isinstance(text, str):
        kind = type(text).__name__
        raise UserError(f"{place}: '{name}' holds {str(text)[:40]} ({kind}), which is no text; make it text there")
    line = text.replace("\r", " ").replace("\n", " ")
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        raise UserError(f"{place}: half of a surrogate pair, which is no text; mend or leave out the record") from None
    return line


def text_digest_of(path: Path) -> bytes:
    """Returns a hash of what a file says, one for the same text however it is packed: of a .gz file, its content.

    Of .parquet, and of any file of more than a gigabyte on the disk, it is `digest_of`. Raises UserError for a .gz file
    that is damaged.
    """
    name = path.name.lower()
    return _digest_now(path, unpacked=name.endswith(".gz") and not name.endswith(".parquet.gz"))


def digest_of(path: Path) -> bytes:
    """Returns a hash of a file's bytes. Of more than a gigabyte, its size, beginning and end stand for all of it."""
    return _digest_now(path, unpacked=False)


def _digest_now(path: Path, unpacked: bool) -> bytes:
    """Hashes a file as it is now.

    One command asks for it many times; a file is read again only where its times, size or number have changed.
    """
    stat = path.stat()
    if time.time() - stat.st_ctime < SETTLED:
        return _digest(path, stat.st_size, unpacked)
    state = (stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns)  # nobody can set the last
    return _digest_in_state(path, stat.st_size, unpacked, state)


@lru_cache(maxsize=10_000)
def _digest_in_state(path: Path, size: int, unpacked: bool, state: tuple[int, ...]) -> bytes:
    """Hashes a file once for each of its states."""
    return _digest(path, size, unpacked)


def _digest(path: Path, size: int, unpacked: bool) -> bytes:
    if size > GIGABYTE:
        return _digest_of_ends(path, size)
    if unpacked:
        return _digest_of_content(path)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _digest_of_ends(path: Path, size: int) -> bytes:
    with open(path, "rb") as file:
        start = file.read(MEGABYTE)
        file.seek(size - MEGABYTE)
        end = file.read()
    return hashlib.sha256(start + end + str(size).encode()).digest()


def _digest_of_content(path: Path) -> bytes:
    """Hashes what a .gz file holds. Raises UserError where it is damaged, the one that its reader raises."""
    try:
        with gzip.open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        for _ in lines_of(path):  # raises, and names the line
            pass
        raise UserError(f"{path}: cannot be read ({error}); the file is damaged or cut short") from None
