"""What a run wrote down of its training text when it began, and whether the text of today is still that one."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nmt.corpus.kinds.corpus import Corpus
from nmt.corpus.text.writing import ALIKE, Proportions
from nmt.errors import Unreadable, not_read

log = logging.getLogger("nmt")

RECORD = "provenance.json"
OF_PACKED = "if an earlier version of nmt wrote it, it is of .gz files as they were packed: put those very files back"


@dataclass(frozen=True)
class OtherText:
    """A split whose text is another one than the run was trained on."""

    split: str
    recorded: str  # its fingerprint then
    current: str
    advice: str  # in brackets, or empty


def record_of(folder: Path) -> dict[str, Any] | None:
    """Returns what a run recorded when it began; None where that is absent or damaged. Raises Unreadable."""
    path = folder / RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        fault = not_read(error, path)
        if isinstance(fault, Unreadable):
            raise fault from None
        return None
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def recorded_proportions(folder: Path) -> Proportions | None:
    """Returns what a run recorded of its training text; None where it has no record that can be read.

    A record from before has nothing of it: text was then cleaned in words on both sides, whatever its script.
    Raises Unreadable.
    """
    record = record_of(folder)
    if record is None:
        return None
    if "proportions" not in record:
        return ALIKE
    try:
        return Proportions.from_dict(record["proportions"])
    except (ValueError, KeyError, TypeError):
        return None


def other_text(
    folder: Path, before: Corpus, corpus: Corpus, text: dict[str, str], trained_on: dict[str, str]
) -> OtherText | None:
    """Returns the split whose text has changed: where the text lies may change, so its hashes are compared.

    ``before`` is the corpus that the run was given when it began, and ``corpus`` that of today. ``text`` has the hashes
    of today; ``trained_on`` has those that the newest checkpoint keeps, where it keeps any.
    """
    records = [record for record in (trained_on, _recorded_text(folder)) if record.keys() >= text.keys()]
    is_checked = True
    for record in records:
        for split, current in text.items():
            recorded = record[split]
            if recorded == current or corpus.was_recorded_as(recorded, split):
                continue
            is_checked = False
            if trained_on.get(split) == current and before.may_be_of_packed(recorded, split):
                continue  # its first record is of files that were packed anew since
            may_be_same = corpus.counts_as(recorded, split) and type(before) is type(corpus)
            if may_be_same and before.fingerprint(split) == current:
                continue
            advice = f" ({OF_PACKED})" if before.may_be_of_packed(recorded, split) else ""
            return OtherText(split, recorded, current, advice)
    if not records:
        log.info("%s: neither checkpoints nor %s tell its text: the text itself can't be checked", folder, RECORD)
    elif not is_checked:  # what the run began with, though a later part may be known
        log.info("%s: its record is of an earlier version of nmt: the text itself can't be checked", folder)
    return None


def _recorded_text(folder: Path) -> dict[str, Any]:
    """Returns the fingerprints in the record of a run; none where it is absent or damaged. Raises Unreadable."""
    record = record_of(folder) or {}
    data = record.get("data")
    if not isinstance(data, dict) or not data.keys() >= {"train", "valid"}:
        return {}
    return {split: data[split] for split in ("train", "valid")}
