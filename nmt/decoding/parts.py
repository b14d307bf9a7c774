"""The folder in which the shards of an output lie until they are joined, and a note of what made the output."""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from contextlib import suppress
from pathlib import Path

from nmt.digests import bytes_digest, file_digest
from nmt.errors import UserError, not_read, not_written
from nmt.locks import if_free

CLAIM = "work.json"  # whose the parts are
CLAIMING = r"work\.[0-9a-f]{32}\.partial|\.(\d{8}\.txt|join|work\.json)\.lock"  # what may lie there before the claim
OWN = rf"{CLAIMING}|work\.json|\d{{8}}\.(txt|json|partial)"
NOTE = "user.nmt.made"  # the attribute of an output that tells what made it
MOMENT = 0.5  # seconds that another process may need between making the folder and the first file in it

ELSEWHERE = "name another output, or move it away"


def claim(parts: Path, record: str) -> None:
    """Notes whose the parts are: of several processes that come at once, the first.

    Raises UserError where the folder holds parts of other work, or is not one that this function made.
    """
    path = parts / CLAIM
    try:
        parts.mkdir(parents=True)
    except FileExistsError:
        _check_ours(parts)
    except OSError as error:
        raise not_written(error, parts) from None
    if not path.exists():
        aside = parts / f"work.{uuid.uuid4().hex}.partial"
        aside.write_text(record)
        put_if_absent(aside, path)
    try:
        claimed = path.read_text()
    except OSError as error:
        raise not_read(error, path) from None
    if claimed != record:
        raise UserError(f"{parts}: parts of other work (see {path}); {ELSEWHERE}")


def _check_ours(parts: Path) -> None:
    """Raises UserError for a folder that no process has claimed or is about to claim."""
    if not parts.is_dir():
        raise UserError(f"{parts}: a file, where a folder for the parts is needed; {ELSEWHERE}")
    deadline = time.monotonic() + MOMENT
    names = _names(parts)
    while not names and time.monotonic() < deadline:
        time.sleep(MOMENT / 20)
        names = _names(parts)
    is_claimed = (parts / CLAIM).exists()
    about_to_be = bool(names) and all(re.fullmatch(CLAIMING, name) for name in names)
    if not (is_claimed or about_to_be):
        raise UserError(f"{parts}: parts of other work, or a folder of yours ({CLAIM} is absent); {ELSEWHERE}")


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as error:
        raise not_read(error, folder) from None


def clear(parts: Path) -> None:
    """Removes the parts, and their folder where nothing else lies in it."""
    with suppress(OSError):
        for name in os.listdir(parts):
            if re.fullmatch(OWN, name):
                (parts / name).unlink(missing_ok=True)
        parts.rmdir()


def put_if_absent(aside: Path, path: Path) -> None:
    """Gives a file its name unless another has it: one of several processes succeeds, and nobody sees half a file."""
    try:
        os.link(aside, path)
    except FileExistsError:
        pass
    except (OSError, AttributeError):  # a file system, or a system, without links
        with if_free(path) as mine:
            if mine and not path.exists():
                os.replace(aside, path)
    aside.unlink(missing_ok=True)


def note_made(made: Path, target: Path, record: str) -> None:
    """Notes what made a file that will be called ``target``: as an attribute of the file, or else beside ``target``.

    Where neither can be written, the output is done as well.
    """
    note = {"work": bytes_digest(record.encode()), "digest": file_digest(made)}
    text = json.dumps(note)
    try:
        os.setxattr(made, NOTE, text.encode())
    except (AttributeError, OSError):  # of Linux alone, and not of every file system
        place = _beside(target)
        if _note_beside(target) or not os.path.lexists(place):
            with suppress(OSError):
                place.write_text(text)


def is_made(target: Path, record: str) -> bool:
    """Whether an output is whole, and made by this very work."""
    try:
        text = os.getxattr(target, NOTE).decode()
    except (AttributeError, OSError, ValueError):
        text = ""
    note = _note_in(text) or _note_beside(target)
    if note.get("work") != bytes_digest(record.encode()):
        return False
    return file_digest(target) == note["digest"]


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.made.json")


def _note_beside(target: Path) -> dict[str, str]:
    """Returns the note beside an output; nothing where there is none."""
    try:
        return _note_in(_beside(target).read_text())
    except (OSError, ValueError):
        return {}


def _note_in(text: str) -> dict[str, str]:
    """Returns the note that a text holds; nothing where it holds none."""
    try:
        note: dict[str, str] = json.loads(text)
        return {"work": note["work"], "digest": note["digest"]}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
