"""Sentence pairs as they lie in files and in `datasets`."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from nmt.corpus.text.lines import lines_of
from nmt.corpus.text.links import Link
from nmt.errors import UserError, nearest


class Pair(NamedTuple):
    source: str
    target: str
    links: tuple[Link, ...] = ()  # between their words, where they are known
    joined: bool = False  # made of several


@dataclass
class FilesOptions:
    """Parallel files: a path with ``{language}`` in it, or one .tsv, .jsonl or .parquet; each may be .gz, and ``*`` in
    its name stands for any number of files, read in the order of their names.
    """

    kind: str = "files"
    source_language: str = "en"
    target_language: str = "de"
    train: list[str] = field(default_factory=list)
    valid: str = ""
    tests: dict[str, str] = field(default_factory=dict)
    links: str = ""  # of the training pairs: a line each, i-j for source word i and target word j, from 0
    weights: list[float] = field(default_factory=list)  # of each place of train: how much of it is read, by the others
    tags: list[str] = field(default_factory=list)  # for each place of train: before every source sentence; "": none


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
    streaming: bool = False  # read from where it lies, without a copy on disk; goes with batching.stream=true


def paths_of(place: str, options: FilesOptions) -> list[Path]:
    """One file, or one of each language. Raises UserError for one that is absent."""
    names = [place]
    if "{language}" in place:
        names = [
            place.replace("{language}", language) for language in (options.source_language, options.target_language)
        ]
    return [existing(name) for name in names]


def existing(name: str) -> Path:
    """Raises UserError where there is no such file."""
    path = Path(name).expanduser()
    if not path.is_file():
        raise UserError(
            f"{path}: no such file; check the corpus paths, or set NMT_DATA to the folder that holds the data"
        )
    return path


def expanded(place: str, options: FilesOptions) -> list[str]:
    """The places that ``*`` stands for, by name. Raises UserError where there is none."""
    if "*" not in place:
        return [place]
    here = Path(place).expanduser()
    first = str(here).replace("{language}", options.source_language)
    found = sorted(glob.glob(first))
    if not found:
        raise UserError(f"{first}: no such files; check the corpus paths, or set NMT_DATA to the folder of the data")
    if "{language}" not in place:
        return found
    before, after = (re.escape(part) for part in first.rsplit("*", 1)) if first.count("*") == 1 else ("", "")
    if not before:
        raise UserError(f"{place}: one * is possible where {{language}} stands")
    stars = [re.fullmatch(f"{before}(.*){after}", name, re.DOTALL) for name in found]
    return [str(here).replace("*", star.group(1)) for star in stars if star]


def read_place(place: str, options: FilesOptions) -> Iterator[Pair]:
    """The pairs of a file, or of two parallel ones."""
    paths = paths_of(place, options)
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


def load_datasets(split: str, options: DatasetsOptions) -> Any:
    """Raises UserError where there is no such data set or split."""
    import datasets

    folder = Path(options.path).expanduser()
    try:
        if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
            loaded = datasets.load_from_disk(str(folder))
            return loaded[split] if isinstance(loaded, dict) else loaded
        path = str(folder) if folder.is_dir() else options.path
        return datasets.load_dataset(path, options.name or None, split=split, streaming=options.streaming)
    except KeyError:
        raise UserError(f"corpus.path={options.path}: no split '{split}'; {nearest(split, loaded)}") from None
    except Exception as error:  # the library raises many kinds, each for a wrong name or an absent network
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"corpus.path={options.path}, split '{split}': cannot be loaded ({reason})") from None


def read_datasets(split: str, options: DatasetsOptions, first: int = 0) -> Iterator[Pair]:
    """The pairs of a split from the ``first`` on."""
    loaded = load_datasets(split, options)
    if bool(options.source_column) != bool(options.target_column):
        raise UserError("corpus: give both source_column and target_column, or neither")
    columns = (options.source_column, options.target_column) if options.source_column else ("translation",)
    for column in columns:
        known = loaded.column_names or [column]  # a stream may not know them beforehand
        if column not in known:
            raise UserError(f"corpus.path={options.path}: no column '{column}'; {nearest(column, known)}")
    for number, record in enumerate(loaded.skip(first), first):
        place = f"corpus.path={options.path}, split '{split}', record {number}"
        if options.source_column:
            yield _pair(record[options.source_column], record[options.target_column], place)
            continue
        texts = record["translation"]
        for language in (options.source_language, options.target_language):
            if language not in texts:
                raise UserError(f"corpus.path={options.path}: no language '{language}'; {nearest(language, texts)}")
        yield _pair(texts[options.source_language], texts[options.target_language], place)
