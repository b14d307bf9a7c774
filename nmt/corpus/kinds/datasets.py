"""Sentence pairs of the `datasets` library: from the hub, or from a folder."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from nmt.corpus.kinds.generated import BARE_HASH
from nmt.corpus.kinds.places import PlacedCorpus, digest_of, pair_of_texts
from nmt.corpus.pair import Pair
from nmt.errors import Absent, UserError, nearest

VERSION = 2  # raised when the same data set and options give other pairs


@dataclass
class DatasetsOptions(PlacedCorpus):
    """A `datasets` data set: with the ``translation`` feature of WMT and IWSLT, or two named columns."""

    kind: str = "datasets"
    path: str = ""  # hub name or local folder
    name: str = ""  # configuration of the data set, "" for its only one
    revision: str = ""  # of a data set of the hub: a branch, a tag or a commit; "" is what its main branch holds now
    data_dir: str = ""  # folder within it that holds the files of its splits, "" for where the data set itself says
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
        if loaded.column_names:  # what the others hold may be what Python can't
            loaded = loaded.select_columns(list(dict.fromkeys(self._columns)))
        if hasattr(loaded, "__len__") and first >= len(loaded):  # skip() takes only the number of a record
            return
        for number, record in self._records(loaded, place, first):
            where = f"corpus.path={self.path}, split '{place}', record {number}"
            if self.source_column:
                yield pair_of_texts(record, self.source_column, self.target_column, where)
            else:
                yield self._translation(record["translation"], where)

    def fingerprint(self, split: str) -> str:
        """Returns the version of how text is read, and a hash of the options that choose it and of what it lies in: the
        bytes of local files, the revision of a data set of the hub.
        """
        chosen = asdict(self)
        for name in ("train", "valid", "tests", "streaming"):  # ``places`` says which of them matters
            del chosen[name]
        for name in ("revision", "data_dir"):  # older versions did not have them
            if not chosen[name]:
                del chosen[name]
        if self._folder.is_dir():
            del chosen["path"]  # the same files are the same text elsewhere
        places = self.places(split)
        content = [self._content(place) for place in places]
        whole = json.dumps([chosen, places, content], sort_keys=True)
        return f"{self.kind}-{VERSION}-{hashlib.sha256(whole.encode()).hexdigest()[:16]}"

    def counts_as(self, recorded: str, split: str) -> bool:
        """A bare hash knew neither columns nor the content of a stream; which text it was of can't be told."""
        return re.fullmatch(BARE_HASH, str(recorded)) is not None

    def fetch(self) -> list[str]:
        """Loads every split once, so that the library's own cache holds it; returns a line for each.

        Raises UserError for a split that is not there, or can't be loaded.
        """
        if self.streaming:
            return [f"corpus.path={self.path}: corpus.streaming=true reads it from where it lies; nothing is fetched"]
        lines = []
        for split in ("train", "valid", *self.tests):
            [place] = self.places(split)
            count = len(self._loaded(place))
            lines.append(f"corpus.path={self.path}, split '{place}': {count:,} records are here")
        return list(dict.fromkeys(lines))

    @property
    def _folder(self) -> Path:
        return Path(self.path)

    @property
    def _columns(self) -> list[str]:
        if not self.source_column:
            return ["translation"]
        return [self.source_column, self.target_column]

    def _loaded(self, place: str) -> Any:
        """Returns the data set of a split, perhaps a slice of it. Raises UserError where there is none."""
        if not self.path:
            raise UserError("corpus.path: no data set is named; name one of the hub, or a folder of files")
        import datasets

        with self._problems_of(place):
            saved = self._saved(place)
            if saved:
                return datasets.load_from_disk(str(saved))
            builder = self._builder()
            options = self._reading_options(builder)
            if self._folder.is_dir() and not self.streaming:
                # The library knows a file by its time; so its own copy of the text is made anew where the bytes differ.
                options["description"] = " ".join(_digests_of(builder, list(builder.config.data_files or {})))
            return datasets.load_dataset(
                self._found_at,
                self.name or None,
                data_dir=self.data_dir or None,
                revision=self.revision or None,
                split=place,
                streaming=self.streaming,
                **options,
            )

    def _saved(self, place: str) -> Path | None:
        """Returns the folder of a split that save_to_disk has written; None where it has written nothing.

        Raises UserError where it has written other splits.
        """
        if (self._folder / "state.json").is_file():
            return self._folder
        record = self._folder / "dataset_dict.json"
        if not record.is_file():
            return None
        splits = json.loads(record.read_text(encoding="utf-8"))["splits"]
        if place not in splits:
            raise UserError(f"corpus.path={self.path}: no split '{place}'; {nearest(place, splits)}")
        return self._folder / place

    @property
    def _found_at(self) -> str:
        return str(self._folder) if self._folder.is_dir() else self.path

    def _builder(self) -> Any:
        import datasets

        place = str(self._folder.resolve())
        if self._folder.is_dir() and re.search(r"[*?\[\]]", place):
            raise UserError(
                f"corpus.path={place}: to the `datasets` library * ? [ ] in a folder's name are wildcards; rename the "
                "folder, or read its files with corpus=files"
            )
        return datasets.load_dataset_builder(
            self._found_at,
            self.name or None,
            data_dir=self.data_dir or None,
            revision=self.revision or None,
        )

    def _reading_options(self, builder: Any) -> dict[str, Any]:
        """Returns options by which the library reads .csv and .tsv as the text that stands there.

        By itself it takes "null" and "N/A" for nothing, and "007" for 7. In a .tsv a quote is no special character.
        """
        from datasets.packaged_modules.csv.csv import CsvConfig

        if not isinstance(builder.config, CsvConfig):
            return {}
        options = {"keep_default_na": False, "na_filter": False, "converters": dict.fromkeys(self._columns, str)}
        if builder.config.sep == "\t":
            options["quoting"] = csv.QUOTE_NONE
        return options

    def _content(self, place: str) -> list[str]:
        """Returns what changes whenever the text of a split does: hashes of local files, else the hub's revision."""
        with self._problems_of(place):
            saved = self._saved(place)
            if saved:
                return _digests_of_saved(saved)
            builder = self._builder()
            if not self._folder.is_dir():
                return [str(builder.hash)]
            splits = re.findall(r"\w+", place)
            return [*_digests_of(builder, splits), *_settings_of(builder.config)]

    def _records(self, loaded: Any, place: str, first: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yields records with their numbers. A stream is read, and may fail, only here."""
        with self._problems_of(place):
            yield from enumerate(loaded.skip(first), first)

    @contextmanager
    def _problems_of(self, place: str) -> Iterator[None]:
        """Makes one line of whatever the library raises: for a wrong name, an absent network or a damaged file."""
        try:
            yield
        except (UserError, MemoryError):
            raise
        except Exception as error:
            cause = error.__cause__ or error  # what a general error is raised from says more
            reason = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
            is_absent = isinstance(error, FileNotFoundError | ConnectionError)
            kind = Absent if is_absent else UserError
            mend = ""
            if is_absent and not self._folder.is_dir():
                mend = "; check the name and the network, or name a folder that has the data set"
            raise kind(f"corpus.path={self.path}, split '{place}': cannot be loaded ({reason}){mend}") from None

    def _check_columns(self, known: list[str] | None) -> None:
        """``known``: the columns of the data set; a stream may not know them beforehand."""
        for column in self._columns:
            if known and column not in known:
                raise UserError(f"corpus.path={self.path}: no column '{column}'; {nearest(column, known)}")

    def _translation(self, texts: Any, where: str) -> Pair:
        if texts is None:
            return Pair("", "")
        if not isinstance(texts, dict):
            raise UserError(f"{where}: 'translation' holds no texts by language; name source_column and target_column")
        for language in (self.source_language, self.target_language):
            if language not in texts:
                raise UserError(f"{where}: no language '{language}'; {nearest(language, texts)}")
        return pair_of_texts(texts, self.source_language, self.target_language, where)


def _digests_of_saved(folder: Path) -> list[str]:
    """Returns hashes of the files that save_to_disk has written for one data set, in their order."""
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    return [digest_of(folder / file["filename"]).hex() for file in state["_data_files"]]


def _digests_of(builder: Any, splits: list[str]) -> list[str]:
    """Returns hashes of the local files of splits; of files that are not here, where they lie."""
    digests: list[str] = []
    for split, files in sorted((builder.config.data_files or {}).items()):
        if str(split) not in splits:
            continue
        for file in files:
            path = Path(file)
            if path.is_file():
                digests.append(digest_of(path).hex())
            else:
                digests.append(str(file))
    return digests


def _settings_of(config: Any) -> list[str]:
    """Returns how the folder itself says that it is to be read, where that is not as usual."""
    usual = type(config)()
    settings: list[str] = []
    for name, value in sorted(vars(config).items()):
        if name not in ("name", "data_files", "data_dir", "version") and value != getattr(usual, name, None):
            settings.append(f"{name}={value}")
    return settings
