"""The translations of a test set in one folder of the run: texts that people read, and what else an evaluation holds.

`evaluation.json` vouches for the other files by their digests. An evaluation takes the place of the one before as a
whole, with its scores: until they are there it waits in a folder of its own.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nmt.corpus.text.links import Link
from nmt.digests import bytes_digest, file_digest, record_digest
from nmt.errors import Damaged, NotKept, UserError, not_read, not_written
from nmt.evaluation.options import EvaluationOptions
from nmt.evaluation.results import HeatMap, Picture, Row
from nmt.evaluation.translations import Evaluation, KnownLinks
from nmt.swap import put_right, write_aside

log = logging.getLogger("nmt")

RECORD = "evaluation.json"
SOURCE = "source.txt"
REFERENCE = "reference.txt"
HYPOTHESIS = "hypothesis.txt"
SCORES = "scores.json"
UNSCORED = ".unscored"  # the evaluation that takes the place of this one, as soon as it has scores
ATTENTION = "attention.npz"  # one array a sentence: weights.17, and heads.17 of a few
TEXTS = (SOURCE, REFERENCE, HYPOTHESIS)
TRANSLATED = (*TEXTS, ATTENTION, RECORD)
ASKED = "asked"  # of an identity: the checkpoint as the user named it
KEPT = ("shown", "seconds", "scores", "reference_scores", "links", "gradients")  # in evaluation.json as they are
# What a file may do that is cut short, damaged or of an older form; the translations are then made again.
UNREADABLE = (
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error),
    *(ValueError, KeyError, TypeError, AttributeError, RecursionError),  # JSON of another form
    UserError,
)


def write_scores(evaluation: Evaluation, rows: list[Row], options: EvaluationOptions) -> bool:
    """Writes scores.json beside the hypotheses it speaks of: the scores, and what was scored how.

    Translations that waited for them take the place of those before. Returns False, after a line, where nothing can be
    saved since the disk is read-only. Raises UserError where it can't be written for another reason.
    """
    folder = evaluation.folder
    if folder is None:
        return False
    made_by = evaluation.identity
    content = {
        "checkpoint": made_by[ASKED],
        "file": made_by["checkpoint"],
        "weights": made_by["weights"],
        "search": {"precision": "fp32", **made_by["decoding"]},
        "signatures": options.signatures(evaluation.writing),
        "unit": evaluation.source_unit,
        "options": asdict(options),
        "scores": [asdict(row) for row in rows],
    }
    waiting = folder / UNSCORED
    names: tuple[str, ...] = ()
    if _holds(waiting, evaluation.identity):
        names = TRANSLATED

    def write(place: Path) -> None:
        for name in names:
            shutil.copyfile(waiting / name, place / name)
        (place / SCORES).write_text(json.dumps(content, indent=1), encoding="utf-8")

    try:
        _write_aside(folder, write)
    except NotKept as error:
        log.warning("%s; the scores are shown only", error)
        return False
    if names:
        shutil.rmtree(waiting, ignore_errors=True)
    return True


def write_evaluation(folder: Path, evaluation: Evaluation, identity: dict[str, Any]) -> None:
    """Writes translations, whole or not at all. ``identity`` says what made them.

    Where others lie in the folder with their scores, those stay until `write_scores` has the scores of these. Raises
    NotKept on a read-only disk, and another UserError where they can't be written.
    """
    place = folder
    if (folder / SCORES).exists():
        place = folder / UNSCORED

    def write(new: Path) -> None:
        digests = _write_texts(new, evaluation)
        _write_attention(new, evaluation)
        digests[ATTENTION] = file_digest(new / ATTENTION)
        content = _content(evaluation, identity) | {"digests": digests}
        content["digest"] = record_digest(content)
        (new / RECORD).write_text(json.dumps(content), encoding="utf-8")

    _write_aside(place, write)


def _write_aside(folder: Path, write: Callable[[Path], None]) -> None:
    try:
        write_aside(folder, write)
    except OSError as error:
        raise not_written(error, folder) from None


def _holds(folder: Path, identity: Mapping[str, Any]) -> bool:
    """Whether a folder holds a whole evaluation of this identity."""
    if not (folder / RECORD).exists():
        return False
    try:
        return _is_of(read_record(folder / RECORD), identity)
    except Damaged:
        return False


def _write_texts(folder: Path, evaluation: Evaluation) -> dict[str, str]:
    """Writes what people read, and returns the digest of each file."""
    texts = {
        SOURCE: evaluation.sources,
        REFERENCE: evaluation.references,
        HYPOTHESIS: evaluation.hypotheses,
    }
    digests = {}
    for name, lines in texts.items():
        content = "".join(line + "\n" for line in lines).encode()
        (folder / name).write_bytes(content)
        digests[name] = bytes_digest(content)
    return digests


def _write_attention(folder: Path, evaluation: Evaluation) -> None:
    arrays: dict[str, np.ndarray] = {}
    for row, heat_map in evaluation.heat_maps.items():
        arrays[f"weights.{row}"] = heat_map.weights
    for row, picture in evaluation.pictures.items():
        arrays[f"heads.{row}"] = picture.heads
    np.savez_compressed(folder / ATTENTION, **arrays)  # type: ignore[arg-type]


def _content(evaluation: Evaluation, identity: dict[str, Any]) -> dict[str, Any]:
    """What evaluation.json holds, besides digests."""
    content: dict[str, Any] = {
        "identity": identity,
        "pieces": {row: _pieces(heat_map) for row, heat_map in evaluation.heat_maps.items()},
        "pictures": {row: _pieces(picture) for row, picture in evaluation.pictures.items()},
    }
    for name in (*KEPT, "cut"):
        content[name] = getattr(evaluation, name)
    if any(evaluation.tags):  # source.txt has the sentences alone
        content["tags"] = list(evaluation.tags)
    return content


def _pieces(shown: HeatMap | Picture) -> list[list[str]]:
    return [shown.source_pieces, shown.target_pieces]


@dataclass(frozen=True)
class Wanted:
    """The translations that are looked for: of these texts, by this identity, with the attention of these rows."""

    test_set: str
    sources: list[str]
    references: list[str]
    shown: list[int]
    identity: dict[str, Any]
    known_links: KnownLinks | None = None


def read_evaluation(folder: Path, wanted: Wanted) -> Evaluation | None:
    """Reads what `write_evaluation` has written, if it is as it was written, and what is wanted.

    None otherwise: the translations are then made again. A line names the file that was changed or damaged, and another
    an evaluation that is older than digests and believed as it is. Raises UserError for a file that can't be read now.
    """
    for place in (folder / UNSCORED, folder):
        put_right(place)
        if os.path.lexists(place / RECORD):
            evaluation = _read(place, wanted)
            if evaluation is not None:
                return replace(evaluation, folder=folder)
    return None


def _read(folder: Path, wanted: Wanted) -> Evaluation | None:
    try:
        content = read_record(folder / RECORD)
        if not _is_of(content, wanted.identity):
            return None
        texts = {file: read_text(folder / file, content) for file in TEXTS}
        _check_form(folder, content, len(texts[SOURCE]), len(texts[HYPOTHESIS]))
        heat_maps, pictures = _read_attention(folder / ATTENTION, content)
    except Damaged as damaged:
        log.warning("%s; translating again", damaged)
        return None
    same_texts = texts[SOURCE] == wanted.sources and texts[REFERENCE] == wanted.references
    if not same_texts or not set(wanted.shown) <= set(content["shown"]):
        return None
    if "digests" not in content:
        log.warning(
            "%s: made before digests were kept: whether its texts are as they were translated, by the same tokenizer "
            "and model options, and which outputs were cut can't be told; move evaluation.json away to translate again",
            folder,
        )
    links: dict[int, list[Link]] = {}
    for row, of_row in content["links"].items():
        if int(row) in wanted.shown:
            links[int(row)] = [(source, target) for source, target in of_row]
    return Evaluation(
        test_set=wanted.test_set,
        sources=wanted.sources,
        references=wanted.references,
        hypotheses=texts[HYPOTHESIS],
        seconds=content["seconds"],
        shown=wanted.shown,
        heat_maps={row: heat_maps[row] for row in wanted.shown if row in heat_maps},
        scores=content["scores"],
        reference_scores=content["reference_scores"],
        pictures=pictures,
        links=links,
        gradients={int(row): shares for row, shares in content["gradients"].items()},
        known_links=wanted.known_links,
        cut=content.get("cut"),
        identity=wanted.identity,
        folder=folder,
    )


def take_over(earlier: Path, folder: Path, identity: dict[str, Any]) -> Path:
    """Copies the evaluation of this identity from ``earlier``, where versions before kept those of every search.

    Returns the folder to read: ``folder``, or on a read-only disk ``earlier`` itself.
    """
    if (folder / RECORD).exists():
        return folder

    def write(new: Path) -> None:
        for name in TRANSLATED:
            shutil.copyfile(earlier / name, new / name)

    try:
        content = json.loads((earlier / RECORD).read_text(encoding="utf-8"))
        if _is_of(content, identity):
            _write_aside(folder, write)
    except NotKept:
        return earlier
    except UNREADABLE:  # they are made again
        pass
    return folder


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turns what a file raises that is absent, damaged or of another form into Damaged, and into Unreadable what one
    raises that can't be read now.
    """
    try:
        yield
    except OSError as error:
        if error.errno is not None and not isinstance(error, FileNotFoundError):
            raise not_read(error, path) from None
        raise Damaged(f"{path}: not as it was written ({error.strerror or error})") from None
    except UNREADABLE as error:
        reason = str(error).partition("\n")[0]
        raise Damaged(f"{path}: not as it was written ({reason})") from None


def read_record(path: Path) -> dict[str, Any]:
    """Reads evaluation.json. Raises Damaged where it is not as it was written."""
    with _naming(path):
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if "digests" in content:
            rest = {name: value for name, value in content.items() if name != "digest"}
            _check(record_digest(rest) == content["digest"])
        dict(content["identity"])
    return content


def _check_form(folder: Path, content: Mapping[str, Any], count: int, hypotheses: int) -> None:
    """Raises Damaged for an evaluation that is not of ``count`` sentences throughout, as one of before may be."""
    with _naming(folder / HYPOTHESIS):
        if hypotheses != count:
            raise ValueError(f"{hypotheses} lines for {count} sentences")
    with _naming(folder / RECORD):
        for name in ("scores", "reference_scores"):
            numbers = np.array(content[name], dtype=np.float64)  # raises where one is no number
            if numbers.shape != (count,):
                raise ValueError(f"{name}: {len(numbers)} for {count} sentences")
        float(content["seconds"])
        _check_rows(content, count)


def _check_rows(content: Mapping[str, Any], count: int) -> None:
    """Raises ValueError where something is kept of a sentence that is not there, or has another form."""
    rows = [*content["shown"], *(content.get("cut") or [])]
    for name in ("links", "gradients", "pieces", "pictures"):
        rows += [int(row) for row in content[name]]
    if not set(rows) <= set(range(count)):
        raise ValueError(f"more rows than the {count} sentences")
    for of_row in content["links"].values():
        np.array(of_row, dtype=np.int64).reshape(-1, 2)
    for shares in content["gradients"].values():
        if np.array(shares, dtype=np.float64).ndim != 2:
            raise ValueError("gradients of another form")


def _is_of(content: Mapping[str, Any], identity: Mapping[str, Any]) -> bool:
    """Whether the translations were made by this: by all of it, or before digests were kept by what was noted then.

    How the user named the checkpoint does not count: it may be a path, and runs are moved.
    """
    recorded = content["identity"]
    now = json.loads(json.dumps(identity))
    names = (recorded.keys() | now.keys()) - {ASKED}
    if "digests" not in content:
        names = recorded.keys()
    return all(recorded.get(name) == now.get(name) for name in names)


def _check(same: bool) -> None:
    if not same:
        raise ValueError("its digest differs")


def read_text(path: Path, content: Mapping[str, Any]) -> list[str]:
    """Reads the very lines that `_write_texts` wrote, whatever they begin and end with.

    Raises Damaged where the file is not the one that was written.
    """
    with _naming(path):
        written = path.read_bytes()
        if "digests" in content:
            _check(bytes_digest(written) == content["digests"][path.name])
        *lines, _ = written.decode("utf-8").split("\n")
    return lines


def _read_attention(path: Path, content: Mapping[str, Any]) -> tuple[dict[int, HeatMap], dict[int, Picture]]:
    """Raises Damaged where the file is not the one that was written, or an array is not there."""
    heat_maps: dict[int, HeatMap] = {}
    pictures: dict[int, Picture] = {}
    with _naming(path):
        if "digests" in content:
            _check(file_digest(path) == content["digests"][path.name])
        with np.load(path) as arrays:
            for row, (source_pieces, target_pieces) in content["pieces"].items():
                weights = arrays[f"weights.{row}"].reshape(len(target_pieces), len(source_pieces))
                heat_maps[int(row)] = HeatMap(source_pieces, target_pieces, weights)
            for row, (source_pieces, target_pieces) in content["pictures"].items():
                heads = arrays[f"heads.{row}"]
                pictures[int(row)] = Picture(source_pieces, target_pieces, heads)
    return heat_maps, pictures
