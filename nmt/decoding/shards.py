"""A large file translated piece by piece, by one process or many: what was made is kept, and joined in order."""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nmt.corpus.text.lines import lines_of
from nmt.decoding.hypothesis import Translates, Translation
from nmt.errors import UserError
from nmt.locks import if_free
from nmt.progress import Progress

log = logging.getLogger("nmt")

LINES_AT_ONCE = 4096  # sorted by length and translated together
POLL = 0.5  # seconds between looks at what other processes still work on


def in_blocks(engine: Translates, lines: Sequence[str], first_line: int) -> Iterator[Translation]:
    for start in range(0, len(lines), LINES_AT_ONCE):
        yield from engine.translate(lines[start : start + LINES_AT_ONCE], first_line=first_line + start)


def translate_file(engine: Translates, source: Path, target: Path, shard_lines: int, identity: dict[str, Any]) -> None:
    """Line i of ``target`` is that of ``source``. Every process that is given the same work takes shards that no other
    has; whichever ends last joins them. Until then they lie in ``<target>.parts``, and the same command goes on.

    Raises UserError where the parts are of other work, as ``identity`` tells.
    """
    if target.exists():
        raise UserError(f"{target}: exists; delete it to translate again, or name another output")
    if not source.is_file():
        raise UserError(f"{source}: no file; a pipe can be read once only, so give it as standard input")
    known, count = stamp(source), _shards(source, shard_lines)
    parts = Path(f"{target}.parts")
    _claim(parts, {**identity, "lines": shard_lines, "source": known})
    with Progress(f"translating {source}", "shards", count) as progress:
        while missing := [number for number in range(count) if not _part(parts, number).exists()]:
            progress.update(count - len(missing))
            if target.exists():  # joined by another process
                shutil.rmtree(parts, ignore_errors=True)
                return
            _check_same(source, known)
            free = {number for number in missing if _is_free(_part(parts, number))}
            if free:
                _translate_free(engine, source, target, shard_lines, free)
            else:
                time.sleep(POLL)
    with if_free(parts / "join") as mine:
        if mine and not target.exists():
            _check_same(source, known)
            _join(parts, count, target)


def _is_free(path: Path) -> bool:
    with if_free(path) as mine:
        return mine


def _translate_free(engine: Translates, source: Path, target: Path, shard_lines: int, free: set[int]) -> None:
    """Those of these shards that nobody has taken meanwhile."""
    parts = Path(f"{target}.parts")
    for number, lines in enumerate(_blocks(source, shard_lines)):
        path = _part(parts, number)
        if number not in free or path.exists():
            continue
        with if_free(path) as mine:
            if not mine or path.exists() or target.exists():
                continue
            made = in_blocks(engine, lines, number * shard_lines + 1)
            aside = path.with_suffix(".partial")
            aside.write_bytes(b"".join(translation.text.encode() + b"\n" for translation in made))
            os.replace(aside, path)


def _join(parts: Path, count: int, target: Path) -> None:
    aside = target.with_name(f".{target.name}.partial")
    with open(aside, "wb") as joined:
        for number in range(count):
            with open(_part(parts, number), "rb") as part:
                shutil.copyfileobj(part, joined)
    os.replace(aside, target)
    shutil.rmtree(parts, ignore_errors=True)


def _claim(parts: Path, identity: dict[str, Any]) -> None:
    told = json.dumps(identity, indent=1, sort_keys=True)
    path = parts / "work.json"
    parts.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        if any(parts.glob("*.txt")):
            raise UserError(f"{parts}: parts of other work; delete the folder, or name another output")
        aside = parts / f"work.{os.getpid()}.partial"
        aside.write_text(told)
        os.replace(aside, path)
    if path.read_text() != told:
        raise UserError(f"{parts}: parts of other work (see {path}); delete the folder, or name another output")


def _part(parts: Path, number: int) -> Path:
    return parts / f"{number:08d}.txt"


def stamp(path: Path) -> list[Any]:
    """What tells that a file is another one. Raises UserError where there is none."""
    try:
        stat = path.stat()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; name a file that is there") from None
    return [str(path), stat.st_size, stat.st_mtime]


def _check_same(source: Path, known: list[Any]) -> None:
    if stamp(source) != known:
        raise UserError(f"{source}: changed while it was translated; start again, with another output")


def _shards(source: Path, shard_lines: int) -> int:
    lines = sum(1 for _ in lines_of(source))
    return -(-lines // shard_lines)


def _blocks(source: Path, size: int) -> Iterator[list[str]]:
    block: list[str] = []
    for line in lines_of(source):
        block.append(line)
        if len(block) == size:
            yield block
            block = []
    if block:
        yield block
