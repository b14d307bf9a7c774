"""Sentence pairs from the built-in grammar, files and `datasets`; cleaned, and every pair left out counted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from nmt.corpus import builtin, tasks
from nmt.corpus.builtin import AlignedPair, GrammarOptions
from nmt.corpus.lines import lines_of
from nmt.corpus.links import Link, read_links
from nmt.corpus.tasks import TaskOptions
from nmt.errors import UserError, check_name, nearest


class Pair(NamedTuple):
    source: str
    target: str
    links: tuple[Link, ...] = ()  # between their words, where they are known
    joined: bool = False  # made of several


@dataclass
class FilesOptions:
    """Parallel files: a path with ``{language}`` in it, or one .tsv, .jsonl or .parquet; each may be .gz."""

    kind: str = "files"
    source_language: str = "en"
    target_language: str = "de"
    train: list[str] = field(default_factory=list)
    valid: str = ""
    tests: dict[str, str] = field(default_factory=dict)
    links: str = ""  # of the training pairs: a line each, i-j for source word i and target word j, from 0


@dataclass
class DatasetsOptions:
    """A `datasets` data set: with the ``translation`` feature of WMT and IWSLT, or two named columns."""

    kind: str = "datasets"
    source_language: str = "en"
    target_language: str = "de"
    path: str = ""  # hub name or local folder
    name: str = ""  # configuration of the data set, "" for its only one
    source_column: str = ""  # "" reads the ``translation`` feature
    target_column: str = ""
    train: str = "train"  # splits, with slices such as train[:10%]
    valid: str = "validation"
    tests: dict[str, str] = field(default_factory=lambda: {"test": "test"})


GeneratedOptions = GrammarOptions | TaskOptions
CorpusOptions = GeneratedOptions | FilesOptions | DatasetsOptions
CORPUS_OPTIONS: dict[str, type] = {
    "grammar": GrammarOptions,
    "task": TaskOptions,
    "files": FilesOptions,
    "datasets": DatasetsOptions,
}


@dataclass
class CleaningOptions:
    """Which training and validation pairs are left out. Test sets are never cleaned."""

    max_words: int = 200  # on either side
    train_words: int = 0  # train on pairs of at most so many words; the tokenizer sees the others too; 0: no limit
    max_tokens: int = 1000  # on either side, once encoded: text without spaces is one word, however long
    max_ratio: float = 4.0  # characters of the longer side over the shorter, where the longer has 20 or more


@dataclass
class CleaningReport:
    """How many pairs were read and kept, and why the rest were not."""

    read: int = 0
    kept: int = 0
    empty: int = 0
    too_long: int = 0
    odd_ratio: int = 0
    joined: int = 0  # added to those kept

    def __str__(self) -> str:
        reasons = {
            name.replace("_", " "): count
            for name, count in asdict(self).items()
            if name not in ("read", "kept", "joined")
        }
        told = ", ".join(f"{count:,} {name}" for name, count in reasons.items() if count)
        kept = f"{self.kept:,} of {self.read:,} pairs kept" + (f" (left out: {told})" if told else "")
        return kept + (f", {self.joined:,} joined ones added" if self.joined else "")


def clean(pairs: Iterable[Pair], options: CleaningOptions, report: CleaningReport) -> Iterator[Pair]:
    """The pairs worth training on; ``report`` counts all."""
    for pair in pairs:
        source, target = pair.source, pair.target
        report.read += 1
        shorter, longer = sorted((len(source), len(target)))
        if not source.strip() or not target.strip():
            report.empty += 1
        elif len(source.split()) > options.max_words or len(target.split()) > options.max_words:
            report.too_long += 1
        elif longer >= 20 and longer > options.max_ratio * shorter:
            report.odd_ratio += 1
        else:
            report.kept += 1
            yield pair


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
    path = _existing(options.links)
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
    for place in _places(options, split):
        if isinstance(options, FilesOptions):
            yield from _read_place(place, options)
        else:
            yield from _read_datasets(place, options)


def fingerprint(options: CorpusOptions, split: str) -> str:
    """A hash of the split's content: of the files' bytes, of the grammar's code, of the data set's own fingerprint."""
    if isinstance(options, GeneratedOptions):
        made = tasks.fingerprint(options) if isinstance(options, TaskOptions) else builtin.fingerprint(options)
        return hashlib.sha256(f"{made}/{split}".encode()).hexdigest()[:16]
    digest = hashlib.sha256(f"{options.source_language}-{options.target_language}".encode())
    for place in _places(options, split):
        if isinstance(options, FilesOptions):
            paths = _paths(place, options)
            if knows_links(options, split):
                paths.append(_existing(options.links))
            for path in paths:
                with open(path, "rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
        else:
            digest.update(_load_datasets(place, options)._fingerprint.encode())
    return digest.hexdigest()[:16]


def _places(options: FilesOptions | DatasetsOptions, split: str) -> list[str]:
    if split in ("train", "valid"):
        places = getattr(options, split)
    elif split in options.tests:
        places = options.tests[split]
    else:
        raise UserError(f"corpus.tests: no test set '{split}'; {nearest(split, options.tests)}")
    places = [places] if isinstance(places, str) else list(places)
    if not places or not all(places):
        raise UserError(
            f"corpus.{split}: no place is given; name a file (with {{language}} in it) or a data set's split"
        )
    return places


def _paths(place: str, options: FilesOptions) -> list[Path]:
    names = [place]
    if "{language}" in place:
        names = [
            place.replace("{language}", language) for language in (options.source_language, options.target_language)
        ]
    return [_existing(name) for name in names]


def _existing(name: str) -> Path:
    path = Path(name).expanduser()
    if not path.is_file():
        raise UserError(
            f"{path}: no such file; check the corpus paths, or set NMT_DATA to the folder that holds the data"
        )
    return path


def _read_place(place: str, options: FilesOptions) -> Iterator[Pair]:
    paths = _paths(place, options)
    if len(paths) == 2:
        yield from read_parallel(*paths)
        return
    path = paths[0]
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    readers = {"tsv": _read_tsv, "jsonl": _read_jsonl, "parquet": _read_parquet}
    if kind not in readers:
        raise UserError(
            f"{path}: put {{language}} where the language stands in the name, or use .tsv, .jsonl or .parquet"
        )
    yield from readers[kind](path, options)


def read_parallel(source: Path, target: Path) -> Iterator[Pair]:
    sources, targets = lines_of(source), lines_of(target)
    for count, source_line in enumerate(sources):
        target_line = next(targets, None)
        if target_line is None:
            raise UserError(_unequal(source, count + 1 + sum(1 for _ in sources), target, count))
        yield Pair(source_line, target_line)
    rest = sum(1 for _ in targets)
    if rest:
        total = sum(1 for _ in lines_of(source))
        raise UserError(_unequal(source, total, target, total + rest))


def _unequal(source: Path, source_lines: int, target: Path, target_lines: int) -> str:
    return f"{source} has {source_lines:,} lines and {target} {target_lines:,}; line i of both must be one pair"


def _read_tsv(path: Path, options: FilesOptions) -> Iterator[Pair]:
    for number, line in enumerate(lines_of(path), 1):
        cells = line.split("\t")
        if len(cells) != 2:
            raise UserError(f"{path}, line {number}: {len(cells)} columns where source, tab, target are expected")
        yield Pair(cells[0], cells[1])


def _read_jsonl(path: Path, options: FilesOptions) -> Iterator[Pair]:
    for number, line in enumerate(lines_of(path), 1):
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{path}, line {number}: not valid JSON ({error.msg})") from None
        yield _pair_of(record, options, f"{path}, line {number}")


def _read_parquet(path: Path, options: FilesOptions) -> Iterator[Pair]:
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
        for batch in file.iter_batches():
            for record in batch.to_pylist():
                yield _pair_of(record, options, str(path))
    except pyarrow.ArrowInvalid as error:
        raise UserError(f"{path}: not a parquet file ({str(error).splitlines()[0]})") from None


def _pair_of(record: Any, options: FilesOptions, place: str) -> Pair:
    """From ``{"translation": {"en": .., "de": ..}}``, ``{"en": .., "de": ..}`` or ``{"source": .., "target": ..}``."""
    if isinstance(record, dict):
        record = record.get("translation", record)
    for keys in ((options.source_language, options.target_language), ("source", "target")):
        if isinstance(record, dict) and all(isinstance(record.get(key), str) for key in keys):
            return _pair(record[keys[0]], record[keys[1]], place)
    wanted = f"'{options.source_language}' and '{options.target_language}', or 'source' and 'target'"
    raise UserError(f"{place}: no text under {wanted}")


def _pair(source: str | None, target: str | None, place: str) -> Pair:
    """One line each: a record, unlike a line of text, may hold line ends and half characters."""
    texts = [(text or "").replace("\r", " ").replace("\n", " ") for text in (source, target)]
    try:
        for text in texts:
            text.encode("utf-8")
    except UnicodeEncodeError:
        raise UserError(f"{place}: half of a surrogate pair, which is no text; mend or leave out the record") from None
    return Pair(texts[0], texts[1])


def _load_datasets(split: str, options: DatasetsOptions) -> Any:
    import datasets

    folder = Path(options.path).expanduser()
    try:
        if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
            loaded = datasets.load_from_disk(str(folder))
            return loaded[split] if isinstance(loaded, dict) else loaded
        path = str(folder) if folder.is_dir() else options.path
        return datasets.load_dataset(path, options.name or None, split=split)
    except KeyError:
        raise UserError(f"corpus.path={options.path}: no split '{split}'; {nearest(split, loaded)}") from None
    except Exception as error:  # the library raises many kinds, each for a wrong name or an absent network
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"corpus.path={options.path}, split '{split}': cannot be loaded ({reason})") from None


def _read_datasets(split: str, options: DatasetsOptions) -> Iterator[Pair]:
    loaded = _load_datasets(split, options)
    if bool(options.source_column) != bool(options.target_column):
        raise UserError("corpus: give both source_column and target_column, or neither")
    columns = (options.source_column, options.target_column) if options.source_column else ("translation",)
    for column in columns:
        if column not in loaded.column_names:
            raise UserError(f"corpus.path={options.path}: no column '{column}'; {nearest(column, loaded.column_names)}")
    for number, record in enumerate(loaded):
        place = f"corpus.path={options.path}, split '{split}', record {number}"
        if options.source_column:
            yield _pair(record[options.source_column], record[options.target_column], place)
            continue
        texts = record["translation"]
        for language in (options.source_language, options.target_language):
            if language not in texts:
                raise UserError(f"corpus.path={options.path}: no language '{language}'; {nearest(language, texts)}")
        yield _pair(texts[options.source_language], texts[options.target_language], place)
