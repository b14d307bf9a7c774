"""A large file translated piece by piece, by one process or many: what was made is kept, and joined in order."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nmt.corpus.text.lines import lines_of
from nmt.decoding.hypothesis import Translates, Translation
from nmt.errors import UserError
from nmt.locks import if_free
from nmt.progress import Progress

LINES_AT_ONCE = 4096  # sorted by length and translated together
POLL = 0.5  # seconds between looks at what other processes still work on


def in_blocks(engine: Translates, lines: Sequence[str], first_line: int) -> Iterator[Translation]:
    """Translates a long text, LINES_AT_ONCE at a time."""
    for start in range(0, len(lines), LINES_AT_ONCE):
        yield from engine.translate(lines[start : start + LINES_AT_ONCE], first_line=first_line + start)


@dataclass(frozen=True)
class _Work:
    """A file to translate, and where its shards lie until they are joined."""

    source: Path
    target: Path
    shard_lines: int
    stamp: list[Any]  # of the source when the work began
    count: int  # of shards

    @property
    def parts(self) -> Path:
        return Path(f"{self.target}.parts")

    def part(self, number: int) -> Path:
        return self.parts / f"{number:08d}.txt"

    def missing(self) -> list[int]:
        """Numbers of the shards that nobody has translated yet."""
        return [number for number in range(self.count) if not self.part(number).exists()]

    def check_source(self) -> None:
        """Raises UserError where the source is another than when the work began."""
        if stamp(self.source) != self.stamp:
            raise UserError(f"{self.source}: changed while it was translated; start again, with another output")


def translate_file(engine: Translates, source: Path, target: Path, shard_lines: int, identity: dict[str, Any]) -> None:
    """Translates ``source`` into ``target`` line by line, in shards.

    Processes that are given the same work share the shards, and the last to finish joins them. Until then they lie in
    ``<target>.parts``, so the same command goes on.

    Raises UserError where the parts are of other work, as ``identity`` tells.
    """
    if target.exists():
        raise UserError(f"{target}: exists; delete it to translate again, or name another output")
    if not source.is_file():
        raise UserError(f"{source}: no file; a pipe can be read once only, so give it as standard input")
    work = _Work(source, target, shard_lines, stamp(source), _shards(source, shard_lines))
    _claim(work.parts, {**identity, "lines": shard_lines, "source": work.stamp})
    with Progress(f"translating {source}", "shards", work.count) as progress:
        while missing := work.missing():
            progress.update(work.count - len(missing))
            if target.exists():  # joined by another process
                shutil.rmtree(work.parts, ignore_errors=True)
                return
            work.check_source()
            free = {number for number in missing if _is_free(work.part(number))}
            if free:
                _translate_free(engine, work, free)
            else:
                time.sleep(POLL)
    with if_free(work.parts / "join") as mine:
        if mine and not target.exists():
            work.check_source()
            _join(work)


def _is_free(path: Path) -> bool:
    with if_free(path) as mine:
        return mine


def _translate_free(engine: Translates, work: _Work, free: set[int]) -> None:
    """Translates those of these shards that nobody has taken meanwhile."""
    for number, lines in enumerate(_blocks(work.source, work.shard_lines)):
        path = work.part(number)
        if number not in free or path.exists():
            continue
        with if_free(path) as mine:
            taken = path.exists() or work.target.exists()
            if mine and not taken:
                translations = in_blocks(engine, lines, number * work.shard_lines + 1)
                text = b"".join(translation.text.encode() + b"\n" for translation in translations)
                aside = path.with_suffix(".partial")
                aside.write_bytes(text)
                os.replace(aside, path)


def _join(work: _Work) -> None:
    aside = work.target.with_name(f".{work.target.name}.partial")
    with open(aside, "wb") as joined:
        for number in range(work.count):
            with open(work.part(number), "rb") as part:
                shutil.copyfileobj(part, joined)
    os.replace(aside, work.target)
    shutil.rmtree(work.parts, ignore_errors=True)


def _claim(parts: Path, identity: dict[str, Any]) -> None:
    """Notes whose the parts are. Raises UserError where they are of other work."""
    record = json.dumps(identity, indent=1, sort_keys=True)
    path = parts / "work.json"
    parts.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        if any(parts.glob("*.txt")):
            raise UserError(f"{parts}: parts of other work; delete the folder, or name another output")
        aside = parts / f"work.{os.getpid()}.partial"
        aside.write_text(record)
        os.replace(aside, path)
    if path.read_text() != record:
        raise UserError(f"{parts}: parts of other work (see {path}); delete the folder, or name another output")


def stamp(path: Path) -> list[Any]:
    """What a changed file is known by: place, bytes, time of change. Raises UserError where there is none."""
    try:
        stat = path.stat()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; name a file that is there") from None
    return [str(path), stat.st_size, stat.st_mtime]


def _shards(source: Path, shard_lines: int) -> int:
    """How many shards the file has; the last may be shorter."""
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
