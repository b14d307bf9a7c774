"""The text of a test set as evaluations of a run hold it, for when its files are not here."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from nmt.corpus.pair import Pair
from nmt.digests import record_digest
from nmt.errors import Damaged, UserError, not_read
from nmt.evaluation.translations_folder import RECORD, REFERENCE, SOURCE, read_record, read_text

log = logging.getLogger("nmt")


def held_pairs(folder: Path) -> tuple[list[Pair], Path] | None:
    """Returns the sentence pairs of a test set, and the folder of the evaluation that they are from.

    ``folder`` is the test set's; the evaluation by the usual search comes first, then those of others, which lie below
    it. One that is damaged is named and passed over. None where no evaluation has the text. Raises Unreadable.
    """
    for place in _places(folder):
        if not (place / RECORD).exists():
            continue
        try:
            return _checked_pairs(place), place
        except Damaged as damaged:
            log.warning("%s; its text is not used", damaged)
    return None


def is_of_one_text(folder: Path, pairs: Sequence[Pair]) -> bool | None:
    """Whether all evaluations of a test set are of these very pairs, their tags too; None where there is none.

    Texts are compared byte by byte, so what is damaged is no text of these pairs.
    """
    sources = _as_written([pair.source for pair in pairs])
    references = _as_written([pair.target for pair in pairs])
    tags = _digest_of_tags([pair.tag for pair in pairs])
    answer = None
    for place in _places(folder):
        if not (place / SOURCE).exists():
            continue
        same = _holds(place / SOURCE, sources) and _holds(place / REFERENCE, references)
        if not same or _recorded_tags(place) not in (tags, None):
            return False
        answer = True
    return answer


def _places(folder: Path) -> list[Path]:
    """Returns the folders that may hold an evaluation of a test set."""
    if not folder.is_dir():
        return []
    below = [place for place in folder.iterdir() if place.is_dir()]
    return [folder, *sorted(below)]


def _checked_pairs(folder: Path) -> list[Pair]:
    """Reads the pairs of one evaluation. Raises Damaged where they are not as they were written."""
    record = read_record(folder / RECORD)
    sources = read_text(folder / SOURCE, record)
    references = read_text(folder / REFERENCE, record)
    tags = record.get("tags") or [""] * len(sources)
    if record["identity"].get("tags", "") != _digest_of_tags(tags):
        raise Damaged(f"{folder / RECORD}: holds not the tags that its sources were read with")
    if not len(sources) == len(references) == len(tags):
        raise Damaged(f"{folder}: {len(sources)} sources for {len(references)} references")
    if "digests" not in record:
        log.warning("%s: made before digests were kept: whether its texts are as they were can't be told", folder)
    rows = zip(sources, references, tags, strict=True)
    return [Pair(source, reference, tag=tag) for source, reference, tag in rows]


def _recorded_tags(folder: Path) -> str | None:
    """Returns the digest of the tags that an evaluation was made with, "" for none; None where it can't tell."""
    try:
        return str(read_record(folder / RECORD)["identity"].get("tags", ""))
    except UserError:
        return None


def _holds(path: Path, content: bytes) -> bool:
    """Whether a file has this content. Raises Unreadable."""
    try:
        return path.read_bytes() == content
    except FileNotFoundError:
        return False
    except OSError as error:
        raise not_read(error, path) from None


def _as_written(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _digest_of_tags(tags: Sequence[str]) -> str:
    return record_digest(list(tags)) if any(tags) else ""
