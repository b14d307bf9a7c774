"""Standard error that may go away, and ``messages.txt``, which keeps what was written to it."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from nmt.streams import or_nowhere

FILE = "messages.txt"
HELD = 10_000  # lines that are held until a folder is known, the last ones where there are more
_LINE_UP = "\x1b[A"  # how a bar below another one moves the cursor


class Messages:
    """Lines of standard error, each with the time: in memory until `keep` names a folder, then also in its file.

    Every line is on its way to the disk when `add` returns, so it outlives a killed process. A file that can't be
    written is given up, and costs nothing else.
    """

    def __init__(self) -> None:
        self._started = _now()
        self._part = ""  # of a line that has not ended
        self._held: deque[str] = deque(maxlen=HELD)  # lines that no file has
        self._files: dict[Path, BinaryIO] = {}
        self._thread = threading.local()  # has ``is_passing`` while what a thread writes is not kept
        self._lock = threading.RLock()  # a signal's handler may write while the same thread does

    def add(self, text: str) -> list[str]:
        """Keeps the lines that end in ``text``, without progress bars. Returns what to tell of files that were lost."""
        is_bar = text.startswith("\r") and "\n" not in text
        if is_bar or getattr(self._thread, "is_passing", False):
            return []
        with self._lock:
            *lines, self._part = (self._part + text).split("\n")
            lost: list[str] = []
            for line in lines:
                words = line.replace(_LINE_UP, "").rpartition("\r")[2].rstrip()
                if words:
                    lost += self._write(f"{_now()} {words}\n")
            return lost

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Keeps nothing of what this thread writes within the block."""
        self._thread.is_passing = True
        try:
            yield
        finally:
            self._thread.is_passing = False

    def keep(self, folder: Path) -> list[str]:
        """Keeps messages in a folder from now on, and those that no other folder has. Returns as `add`."""
        with self._lock:
            if folder in self._files:
                return []
            lines = [f"{self._started} started as: {_command()}\n", *self._held]
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self._files[folder] = _opened(folder / FILE)
                self._files[folder].write(_encoded("".join(lines)))
            except OSError as error:
                return [self._given_up(folder, error)]
            self._held.clear()
            return []

    def leave(self, folder: Path) -> None:
        """Keeps no more messages in a folder."""
        with self._lock:
            file = self._files.pop(folder, None)
            if file is not None:
                with contextlib.suppress(OSError):
                    file.close()

    def leave_all(self) -> None:
        """Keeps messages in no folder: those that come are held for the next one."""
        for folder in list(self._files):
            self.leave(folder)

    def _write(self, line: str) -> list[str]:
        if not self._files:
            self._held.append(line)
        lost = []
        for folder, file in list(self._files.items()):
            try:
                file.write(_encoded(line))
            except OSError as error:
                lost.append(self._given_up(folder, error))
        return lost

    def _given_up(self, folder: Path, error: OSError) -> str:
        self.leave(folder)
        return f"{folder / FILE}: cannot be written ({error.strerror or error}); messages are not kept from here on"


class StandardError:
    """Takes the place of ``sys.stderr``: passes all on, keeps it in ``messages``, and never fails.

    After a lost connection (SIGHUP), or on a full disk, standard error can't be written; neither may cost a checkpoint.
    """

    def __init__(self, stream: TextIO | None):
        self.stream = or_nowhere(stream)
        self.messages = Messages()
        self.is_lost = False
        self.last_written = time.monotonic()

    def write(self, text: str) -> int:
        self.last_written = time.monotonic()
        self._pass_on(text)
        for line in self.messages.add(text):
            self._pass_on(f"{line}\n")
        return len(text)

    def tell(self, lines: list[str]) -> None:
        """Writes lines about the messages themselves."""
        for line in lines:
            self._pass_on(f"{line}\n")

    def flush(self) -> None:
        try:
            self.stream.flush()
        except (OSError, ValueError):
            self.is_lost = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def _pass_on(self, text: str) -> None:
        try:
            self.stream.write(text)
        except (OSError, ValueError, RuntimeError):  # gone, closed, or in a signal's handler within another write
            self.is_lost = True


def watch_standard_error() -> None:
    """Puts `StandardError` in the place of ``sys.stderr``, unless it is there."""
    if not isinstance(sys.stderr, StandardError):
        sys.stderr = cast(TextIO, StandardError(sys.stderr))


@contextmanager
def standard_error_watched() -> Iterator[None]:
    """Watches standard error within the block; beyond it, too, where it was lost: Python writes to it at its end."""
    before = sys.stderr
    watch_standard_error()
    try:
        yield
    finally:
        if isinstance(sys.stderr, StandardError):
            sys.stderr.messages.leave_all()
            if not sys.stderr.is_lost and before is not None:
                sys.stderr = before


def keep_messages(folder: Path) -> None:
    """Keeps what is written to standard error in ``messages.txt`` of a folder from now on.

    What came since the process began goes there first. Without a door, as in a notebook, nothing is kept.
    """
    if isinstance(sys.stderr, StandardError):
        sys.stderr.tell(sys.stderr.messages.keep(folder.absolute()))


def leave_messages(folder: Path | None = None) -> None:
    """Keeps messages no more in a folder; in none where none is named."""
    if not isinstance(sys.stderr, StandardError):
        return
    if folder is None:
        sys.stderr.messages.leave_all()
    else:
        sys.stderr.messages.leave(folder.absolute())


@contextmanager
def not_kept() -> Iterator[None]:
    """Within the block messages only go to standard error: progress is not worth keeping."""
    if not isinstance(sys.stderr, StandardError):
        yield
        return
    with sys.stderr.messages.passing():
        yield


def silent_since() -> float:
    """Returns when standard error was last written, by `time.monotonic`; now where nobody watches it."""
    if isinstance(sys.stderr, StandardError):
        return sys.stderr.last_written
    return time.monotonic()


def _opened(path: Path) -> BinaryIO:
    """Opens a file to append to, without waiting where it is a pipe, and without a buffer."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)
    return cast(BinaryIO, open(os.open(path, flags, 0o666), "ab", buffering=0))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _command() -> str:
    import shlex  # late: it costs every start

    program, *arguments = sys.argv
    name = Path(program).stem
    return shlex.join([name, *arguments])
