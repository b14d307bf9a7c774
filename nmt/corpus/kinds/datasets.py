"""Sentence pairs of the `datasets` library: from the hub, or from a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from nmt.corpus.kinds.places import PlacedCorpus, pair_of_texts
from nmt.corpus.pair import Pair
from nmt.errors import UserError, nearest


@dataclass
class DatasetsOptions(PlacedCorpus):
    """A `datasets` data set: with the ``translation`` feature of WMT and IWSLT, or two named columns."""

    kind: str = "datasets"
    path: str = ""  # hub name or local folder
    name: str = ""  # configuration of the data set, "" for its only one
    source_column: str = ""  # "" reads the ``translation`` feature
    target_column: str = ""
    train: str = "train"  # splits, with slices such as train[:10%]
    valid: str = "validation"
    tests: dict[str, str] = field(default_factory=lambda: {"test": "test"})
    streaming: bool = False  # read from where it lies, without a copy on disk; goes with batching.stream=true

    PATHS: ClassVar[frozenset[str]] = frozenset({"path"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.source_column) != bool(self.target_column):
            raise UserError("corpus: give both source_column and target_column, or neither")

    def read(self, split: str, first: int = 0) -> Iterator[Pair]:
        [place] = self.places(split)
        loaded = self._loaded(place)
        self._check_columns(loaded.column_names)
        if not self.streaming and first >= len(loaded):  # skip() takes only the number of a record
            return
        for number, record in enumerate(loaded.skip(first), first):
            where = f"corpus.path={self.path}, split '{place}', record {number}"
            if self.source_column:
                yield pair_of_texts(record[self.source_column], record[self.target_column], where)
            else:
                yield self._translation(record["translation"], where)

    def fingerprint(self, split: str) -> str:
        """Returns a hash of the data set's own fingerprint; of a stream, which has none, of its name and version."""
        digest = hashlib.sha256(f"{self.source_language}-{self.target_language}".encode())
        for place in self.places(split):
            loaded = self._loaded(place)
            if self.streaming:
                content = f"{self.path} {self.name} {place} {loaded.info.version}"
            else:
                content = loaded._fingerprint
            digest.update(content.encode())
        return digest.hexdigest()[:16]

    def _loaded(self, split: str) -> Any:
        """Raises UserError where there is no such data set or split."""
        import datasets

        folder = Path(self.path)
        was_saved = (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()
        path = str(folder) if folder.is_dir() else self.path
        try:
            if was_saved:
                loaded = datasets.load_from_disk(path)
                return loaded[split] if isinstance(loaded, dict) else loaded
            return datasets.load_dataset(path, self.name or None, split=split, streaming=self.streaming)
        except KeyError:
            raise UserError(f"corpus.path={self.path}: no split '{split}'; {nearest(split, loaded)}") from None
        except Exception as error:  # the library raises many kinds, each for a wrong name or an absent network
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UserError(f"corpus.path={self.path}, split '{split}': cannot be loaded ({reason})") from None

    def _check_columns(self, known: list[str] | None) -> None:
        """``known``: the columns of the data set; a stream may not know them beforehand."""
        columns = [self.source_column, self.target_column] if self.source_column else ["translation"]
        for column in columns:
            if known and column not in known:
                raise UserError(f"corpus.path={self.path}: no column '{column}'; {nearest(column, known)}")

    def _translation(self, texts: dict[str, str], where: str) -> Pair:
        for language in (self.source_language, self.target_language):
            if language not in texts:
                raise UserError(f"corpus.path={self.path}: no language '{language}'; {nearest(language, texts)}")
        return pair_of_texts(texts[self.source_language], texts[self.target_language], where)
