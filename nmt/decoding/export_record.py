"""What an export says of itself in export.json: what it was made of, and digests of its files and of this record."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nmt.digests import file_digest, record_digest
from nmt.errors import Damaged, not_read

log = logging.getLogger("nmt")

MADE = "export.json"  # it tells an export from any other folder
FILES = {  # all else that an export may hold
    *("model.bin", "config.json", "shared_vocabulary.json", "source_vocabulary.json", "target_vocabulary.json"),
    *("tokenizer/source.model", "tokenizer/target.model"),
}
OWN = {MADE, "tokenizer", *FILES}


def write_record(folder: Path, made_of: Mapping[str, Any], quantization: str) -> None:
    """Writes export.json into a new export, when its other files are there."""
    record = {**made_of, "quantization": quantization, "files": file_digests(folder)}
    record["digest"] = record_digest(record)
    (folder / MADE).write_text(json.dumps(record), encoding="utf-8")


def read_record(folder: Path) -> dict[str, Any]:
    """Returns what export.json holds. Raises FileNotFoundError without one, Unreadable or Damaged."""
    try:
        record = json.loads((folder / MADE).read_text(encoding="utf-8"))
        if not isinstance(record, dict) or not isinstance(record.get("files", {}), dict):
            raise ValueError("of another form")
        rest = {name: value for name, value in record.items() if name != "digest"}
        if "files" in record and record.get("digest") != record_digest(rest):
            raise ValueError("its digest differs")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise not_read(error, folder / MADE) from None
    except ValueError as error:
        raise Damaged(f"{folder / MADE}: damaged ({error}); export the run again") from None
    return record


def file_digests(folder: Path) -> dict[str, str]:
    """Returns the digest of each file of an export, besides export.json."""
    names = sorted(name for name in FILES if (folder / name).is_file())
    return {name: file_digest(folder / name) for name in names}


def checked_files(folder: Path) -> dict[str, str]:
    """Returns `file_digests`. Raises Damaged where a file is not as it was exported, and names it.

    Of an export that is older than these digests a line says that they can't be checked.
    """
    recorded = read_record(folder).get("files")
    digests = file_digests(folder)
    if recorded is None:
        log.warning(
            "%s: exported before digests were kept: whether its files are whole, and of the run as it is now, "
            "can't be checked; export the run again",
            folder,
        )
        return digests
    different = sorted(name for name, _ in digests.items() ^ recorded.items())
    if different:
        raise Damaged(f"{folder / different[0]}: not as it was exported (its digest differs); export the run again")
    return digests


def stamps(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Returns what a change of an export's files is noticed by, within a process: number, bytes and time of change."""
    states = {}
    for name in sorted({MADE, *FILES}):
        path = folder / name
        if path.is_file():
            stat = path.stat()
            states[name] = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
    return states
