"""A large file translated piece by piece, by one process or many: what was made is kept, and joined in order."""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nmt.corpus.text.lines import lines_of
from nmt.decoding.cuts import Cuts
from nmt.decoding.hypothesis import Translates, Translation
from nmt.decoding.output import opened
from nmt.digests import bytes_digest, file_digest
from nmt.errors import UserError
from nmt.locks import if_free
from nmt.progress import Progress, phase

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

    def cuts(self) -> Cuts:
        """Adds up the outputs of all shards that were cut. Raises UserError where a shard is not as it was written."""
        cuts = Cuts()
        for number in range(self.count):
            cuts.add(_cuts_of(self.part(number)))
        return cuts

    def missing(self) -> list[int]:
        """Numbers of the shards that nobody has translated yet."""
        return [number for number in range(self.count) if not self.part(number).exists()]

    def check_source(self) -> None:
        """Raises UserError where the source is another than when the work began."""
        if _stamp(self.source) != self.stamp:
            raise UserError(f"{self.source}: changed while it was translated; start again, with another output")


def translate_file(engine: Translates, source: Path, target: Path, shard_lines: int, identity: dict[str, Any]) -> Cuts:
    """Translates ``source`` into ``target`` line by line, in shards.

    Processes that are given the same work share the shards, and the last to finish joins them. Until then they lie in
    ``<target>.parts``, so the same command goes on. Returns what was cut at the length limit in all shards; nothing
    where another process joins them, which tells it.

    Raises UserError where the parts are of other work, as ``identity`` tells: options, and digests of what translates.
    """
    if target.exists():
        raise UserError(f"{target}: exists; delete it to translate again, or name another output")
    if not source.is_file():
        raise UserError(f"{source}: no file; a pipe can be read once only, so give it as standard input")
    with phase(f"counting the lines of {source}"):
        work = _Work(source, target, shard_lines, _stamp(source), _shards(source, shard_lines))
        text = [str(source), file_digest(source)]  # after its stamp, by which a change from now on is noticed
    _claim(work.parts, {**identity, "lines": shard_lines, "source": text})
    with Progress(f"translating {source}", "shards", work.count) as progress:
        while missing := work.missing():
            progress.update(work.count - len(missing))
            if target.exists():  # joined by another process
                shutil.rmtree(work.parts, ignore_errors=True)
                return Cuts()
            work.check_source()
            free = {number for number in missing if _is_free(work.part(number))}
            if free:
                _translate_free(engine, work, free)
            else:
                time.sleep(POLL)
    with if_free(work.parts / "join") as mine:
        if not mine or target.exists():
            return Cuts()
        work.check_source()
        cuts = work.cuts()
        _join(work)
    return cuts


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
                _translate_shard(engine, lines, number * work.shard_lines + 1, path)


def _translate_shard(engine: Translates, lines: Sequence[str], first_line: int, path: Path) -> None:
    """Writes the translations of a shard, and first a note beside them: how many were cut, and the text's digest."""
    translations = list(in_blocks(engine, lines, first_line))
    text = b"".join(translation.text.encode() + b"\n" for translation in translations)
    cuts = Cuts()
    cuts.count(translations, first_line)
    note = {"digest": bytes_digest(text), "cuts": asdict(cuts)}
    _note_of(path).write_text(json.dumps(note))
    aside = path.with_suffix(".partial")
    aside.write_bytes(text)
    os.replace(aside, path)


def _note_of(part: Path) -> Path:
    return part.with_suffix(".json")


def _cuts_of(part: Path) -> Cuts:
    """Reads what was cut in a shard. Raises UserError where the shard is not as it was written."""
    path = _note_of(part)
    if not path.exists():
        return Cuts()
    try:
        note = json.loads(path.read_text())
        cuts = Cuts(**note["cuts"])
        is_whole = file_digest(part) == note["digest"]
    except (OSError, ValueError, KeyError, TypeError):
        is_whole = False
    if not is_whole:
        raise UserError(f"{part}: changed since it was translated; delete it, and the same command makes it again")
    return cuts


def _join(work: _Work) -> None:
    aside = work.target.with_name(f".{work.target.name}.partial")
    with opened(aside, work.target.name) as joined:
        for number in range(work.count):
            with open(work.part(number), "rb") as part:
                shutil.copyfileobj(part, joined)
    os.replace(aside, work.target)
    shutil.rmtree(work.parts, ignore_errors=True)


def _claim(parts: Path, identity: dict[str, Any]) -> None:
    """Notes whose the parts are: of several processes that come at once, the first. Raises UserError for other work."""
    record = json.dumps(identity, indent=1, sort_keys=True)
    path = parts / "work.json"
    parts.mkdir(parents=True, exist_ok=True)
    # Whoever made parts had claimed them before: the claim is looked for after them.
    if any(parts.glob("*.txt")) and not path.exists():
        raise UserError(f"{parts}: parts of other work; delete the folder, or name another output")
    aside = parts / f"work.{uuid.uuid4().hex}.partial"
    aside.write_text(record)
    _put_if_absent(aside, path)
    if path.read_text() != record:
        raise UserError(f"{parts}: parts of other work (see {path}); delete the folder, or name another output")


def _put_if_absent(aside: Path, path: Path) -> None:
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


def _stamp(path: Path) -> list[Any]:
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
