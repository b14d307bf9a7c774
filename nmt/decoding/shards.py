"""A large file translated piece by piece, by one process or many: what was made is kept, and joined in order."""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nmt.corpus.text.lines import chunks, lines_of
from nmt.decoding.cuts import Cuts
from nmt.decoding.hypothesis import Translates, Translation
from nmt.decoding.output import is_stream, opened, opened_stream
from nmt.decoding.parts import claim, clear, is_made, note_made, put_if_absent
from nmt.digests import bytes_digest, file_digest
from nmt.environment import rank_and_count
from nmt.errors import Damaged, UserError, not_read, not_written
from nmt.locks import if_free
from nmt.progress import Progress, counted, phase
from nmt.swap import write_whole

log = logging.getLogger("nmt")

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
    record: str  # what translates what, and how: one work is known from another by it

    @property
    def parts(self) -> Path:
        return Path(f"{self.target}.parts")

    @property
    def joined(self) -> Path:
        """The target before it has its name."""
        name = bytes_digest(self.record.encode())
        return self.target.with_name(f".{name}.partial")

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
    ``<target>.parts``, so the same command goes on; once they are joined it has nothing to do. Into a pipe or a device
    the translations are written as they come. Returns what was cut at the length limit in all shards; nothing where
    another process joins them, which tells it.

    Raises UserError where the parts or the target are of other work, as ``identity`` tells: options, and digests of
    what translates.
    """
    into_stream = is_stream(target)
    if not source.is_file():
        raise UserError(f"{source}: no file; a pipe can be read once only, so give it as standard input")
    if into_stream:
        return _translate_through(engine, source, target)
    with phase(f"counting the lines of {source}"):
        stamp = _stamp(source)
        text = [str(source), file_digest(source)]  # after its stamp, by which a change from now on is noticed
        record = json.dumps({**identity, "lines": shard_lines, "source": text}, indent=1, sort_keys=True)
        work = _Work(source, target, shard_lines, stamp, _shards(source, shard_lines), record)
    if _is_done(work):
        log.info("%s: holds the translations of the same command already", target)
        return Cuts()
    try:
        return _share(engine, work)
    except (OSError, UserError):
        if _is_done(work):  # another process has joined the parts, and removes them
            return Cuts()
        raise


def _share(engine: Translates, work: _Work) -> Cuts:
    """Translates what no other process has taken, until all is done; the last one joins the parts."""
    claim(work.parts, work.record)
    with Progress(f"translating {work.source}", "shards", work.count) as progress:
        while missing := work.missing():
            progress.update(work.count - len(missing))
            if _is_done(work):  # joined by another process
                return Cuts()
            work.check_source()
            free = {number for number in missing if _is_free(work.part(number))}
            if free:
                _translate_free(engine, work, free)
            else:
                time.sleep(POLL)
    with if_free(work.parts / "join") as mine:
        if not mine or _is_done(work):
            return Cuts()
        work.check_source()
        cuts = work.cuts()
        _join(work)
    _is_done(work)
    return cuts


def _is_done(work: _Work) -> bool:
    """Whether the target is there, made by this very work; its parts are then removed.

    Raises UserError where it is another file.
    """
    if not work.target.exists():
        return False
    if not is_made(work.target, work.record):
        raise UserError(f"{work.target}: exists, made by other work; name another output, or move it away")
    work.joined.unlink(missing_ok=True)
    clear(work.parts)
    return True


def _translate_through(engine: Translates, source: Path, target: Path) -> Cuts:
    """Writes translations into a pipe or device, block by block; nothing of them is kept."""
    _, processes = rank_and_count()
    if processes > 1:
        raise UserError(f"{target}: no file, which several processes could share; name a file as output")
    cuts = Cuts()
    lines = counted(lines_of(source), f"translating {source}", "lines")
    try:
        with opened_stream(target) as stream:
            for block in chunks(lines, LINES_AT_ONCE):
                first_line = cuts.outputs + 1
                translations = engine.translate(block, first_line=first_line)
                stream.write(_text_of(translations))
                stream.flush()
                cuts.count(translations, first_line)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise not_written(error, target, "name another output") from None
    return cuts


def _text_of(translations: Sequence[Translation]) -> bytes:
    return b"".join(translation.text.encode() + b"\n" for translation in translations)


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
    text = _text_of(translations)
    cuts = Cuts()
    cuts.count(translations, first_line)
    note = {"digest": bytes_digest(text), "cuts": asdict(cuts)}
    _note_of(path).write_text(json.dumps(note))
    write_whole(path, text)


def _note_of(part: Path) -> Path:
    return part.with_suffix(".json")


def _cuts_of(part: Path) -> Cuts:
    """Reads what was cut in a shard. Raises Unreadable, and Damaged where the shard is not as it was."""
    path = _note_of(part)
    if not os.path.lexists(path):
        return Cuts()
    try:
        note = json.loads(path.read_text())
        cuts = Cuts(**note["cuts"])
        is_whole = file_digest(part) == note["digest"]
    except OSError as error:
        raise not_read(error, error.filename or part) from None
    except (ValueError, KeyError, TypeError):
        is_whole = False
    if not is_whole:
        raise Damaged(f"{part}: changed since it was translated; move it away, and the same command makes it again")
    return cuts


def _join(work: _Work) -> None:
    """Gives the target its name when it is whole, unless another file has taken that."""
    with opened(work.joined, work.target.name) as joined:
        for number in range(work.count):
            with open(work.part(number), "rb") as part:
                shutil.copyfileobj(part, joined)
    note_made(work.joined, work.target, work.record)
    put_if_absent(work.joined, work.target)


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
