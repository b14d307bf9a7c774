"""Downloads of one file each: from the first address that has it, checked, and going on where they were cut.

`pooch` looks whether a file is there, checks its SHA-256 and puts it in its place; how bytes are got is said here,
since no downloader of pooch's goes on. They come into ``NAME.partial``, which a cut connection, a full disk or a killed
process leaves, and the next try goes on from its end. Where no digest is known (archives), only bytes that the server
vouches for (ETag, RFC 9110, 13.1.5 If-Range) are joined.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nmt.corpus.fetching.addresses import without_password
from nmt.corpus.fetching.sizes import MEGABYTE, in_bytes
from nmt.errors import UserError
from nmt.progress import Progress

if TYPE_CHECKING:  # imported late: they cost every start
    import requests

log = logging.getLogger("nmt")

CHUNK = 1 << 20  # bytes, at most, that are read before they are written
MOST_REDIRECTS = 10
MOST_DIGITS = 18  # of a length that a server tells
LATER = (429, 500, 502, 503, 504)  # statuses that may pass


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for."""

    connecting: float = 5.0  # seconds at each number of a host; GitHub has up to eight, and a firewall may drop all
    silence: float = 60.0  # seconds without a byte
    tries: int = 4  # in a row at one address that brought little or nothing; a try that is cut late is none of them
    pause: float = 2.0  # seconds before the second try; twice as long before each of the next


@dataclass(frozen=True)
class Wanted:
    """A file to download."""

    place: Path  # where it will lie
    addresses: Sequence[str]  # tried in this order
    digest: str | None  # as sha256:0a1b or md5:0a1b; None where the packer decides
    most: int = sys.maxsize  # bytes: one that is longer is not the file

    @property
    def partial(self) -> Path:
        return self.place.with_name(f"{self.place.name}.partial")

    @property
    def origin(self) -> Path:
        """What the server said of the bytes in `partial`."""
        return self.place.with_name(f"{self.place.name}.origin")


class NotThere(UserError):
    """No address has a file; the message gives the last reason of each."""


class _Failed(Exception):
    """A try that did not bring the file. ``may_pass`` where the same address may have it later."""

    def __init__(self, reason: str, may_pass: bool = False):
        super().__init__(reason)
        self.may_pass = may_pass


class _Wrong(_Failed):
    """A whole file came, and it is another one."""


def download(wanted: Wanted, headers: Mapping[str, str] | None = None) -> None:
    """Brings one file to its place, unless it is there, and shows how much has come.

    Raises NotThere where no address has it, and OSError where it can't be written.
    """
    wanted.place.parent.mkdir(parents=True, exist_ok=True)
    with Progress(f"downloading {wanted.place.name}", "MB") as progress:

        def show(count: int) -> None:
            progress.update(count / MEGABYTE)

        with closing(Downloads(Patience(), show, headers)) as downloads:
            downloads.fetch(wanted)


class Downloads:
    """Downloads files one after the other, over connections that are kept open.

    ``show`` is told, as they come, how many bytes of the current file are there; ``headers`` go with every request.
    """

    def __init__(self, patience: Patience, show: Callable[[int], object], headers: Mapping[str, str] | None = None):
        self.patience = patience
        self.show = show
        self.headers = headers or {}
        self.session: requests.Session | None = None
        self.silent: set[str] = set()  # servers that could not be reached: asked last for the files after

    def fetch(self, wanted: Wanted) -> str:
        """Brings a file to its place, unless it is there; returns the address that it came from, or "".

        Raises NotThere where no address has it, and OSError where it can't be written.
        """
        reasons: list[str] = []
        for address in sorted(wanted.addresses, key=self._is_silent):
            if reasons:
                log.warning("%s; trying %s", reasons[-1], without_password(address))
            try:
                return self._from(address, wanted)
            except _Failed as failure:
                reasons.append(f"{without_password(address)}: {failure}")
        raise NotThere("; ".join(reasons))

    def close(self) -> None:
        if self.session is not None:
            self.session.close()
            self.session = None

    def _from(self, address: str, wanted: Wanted) -> str:
        """Brings a file from one address. Raises _Failed."""
        had = _size(wanted.partial)
        try:
            return self._checked(address, wanted)
        except _Wrong:
            if not had:
                raise
        log.warning("%s: was begun with other bytes; begun anew", without_password(address))
        return self._checked(address, wanted)

    def _checked(self, address: str, wanted: Wanted) -> str:
        """Lets pooch bring a file from one address and check it. Raises _Failed."""
        import pooch

        pooch.get_logger().setLevel(logging.WARNING)
        brought = []

        def bring(url: str, place: str, _: object) -> None:
            self._bring(url, wanted)
            os.replace(wanted.partial, place)
            wanted.origin.unlink(missing_ok=True)
            brought.append(url)

        try:
            pooch.retrieve(address, wanted.digest, wanted.place.name, wanted.place.parent, downloader=bring)
        except ValueError as error:
            if not brought:
                raise
            raise _Wrong("other bytes than are known by their digest") from error
        self.show(_size(wanted.place))
        return "".join(brought)

    def _bring(self, address: str, wanted: Wanted) -> None:
        """Fills the partial file from one address, in as many tries as patience allows. Raises _Failed."""
        tries = 0
        pause = self.patience.pause
        while True:
            before = _size(wanted.partial)
            try:
                self._try(address, wanted)
                return
            except _Failed as failure:
                if not failure.may_pass:
                    raise
                grown = _size(wanted.partial) - before
                tries += 1
                if grown >= CHUNK:  # a connection that is cut again and again gets there in the end
                    tries = 1
                    pause = self.patience.pause
                if tries >= self.patience.tries:
                    raise
                log.warning("%s: %s; trying again", without_password(address), failure)
            time.sleep(pause)
            pause *= 2

    def _try(self, address: str, wanted: Wanted) -> None:
        """Asks once for what is missing. Raises _Failed; OSError where it can't be written."""
        import requests
        from urllib3.exceptions import HTTPError

        first = _first_byte(address, wanted)
        headers = {**self.headers, "Accept-Encoding": "identity"}  # packed on the way, bytes could not be counted
        if first:
            headers["Range"] = f"bytes={first}-"
            if not wanted.digest:
                headers["If-Range"] = _recorded(wanted)["etag"]
        seconds = (self.patience.connecting, self.patience.silence)
        try:
            with self._session().get(address, headers=headers, stream=True, timeout=seconds) as answer:
                self._take(answer, address, wanted, first)
        except (requests.RequestException, HTTPError, ValueError) as error:  # the last two: an address that is none
            if isinstance(error, requests.ConnectionError | requests.Timeout):
                self.silent.add(urlsplit(address).netloc)
            raise _Failed(_in_words(error)) from error

    def _take(self, answer: requests.Response, address: str, wanted: Wanted, first: int) -> None:
        """Writes the body of an answer behind the first bytes that are here, or anew. Raises _Failed."""
        if answer.status_code == 416:  # what is here is longer than the file
            _forget(wanted)
            raise _Failed("has fewer bytes than were here; begun anew", may_pass=True)
        if answer.status_code not in (200, 206):
            reason = _printable(f"answers {answer.status_code} {answer.reason}")
            raise _Failed(reason.strip(), may_pass=answer.status_code in LATER)
        if answer.status_code == 200:
            first = 0
        elif not answer.headers.get("Content-Range", "").startswith(f"bytes {first}-"):
            _forget(wanted)
            raise _Failed("goes on at another byte than asked for; begun anew", may_pass=True)
        elif not wanted.digest and answer.headers.get("ETag", "") != _recorded(wanted)["etag"]:
            _forget(wanted)
            raise _Failed("goes on with another file than was begun; begun anew", may_pass=True)
        length = answer.headers.get("Content-Length", "")
        end = None
        if length.isdecimal() and len(length) <= MOST_DIGITS:
            end = first + int(length)
        if end is not None and end > wanted.most:
            raise _Failed(_too_long(wanted))
        if first:
            log.info("%s: goes on after %s", wanted.place.name, in_bytes(first))
        else:
            origin = {"address": without_password(address), "etag": answer.headers.get("ETag", "")}
            wanted.origin.write_text(json.dumps(origin))
        self._write(answer.raw, wanted, first)
        if end is not None and _size(wanted.partial) < end:
            raise _Failed(f"cut after {in_bytes(_size(wanted.partial))} of {in_bytes(end)}", may_pass=True)

    def _write(self, body: Any, wanted: Wanted, first: int) -> None:
        """Writes what comes, as it comes. Raises _Failed where it is longer than the file can be."""
        from urllib3.exceptions import HTTPError

        read = getattr(body, "read1", body.read)  # before urllib3 2.1: only whole chunks
        mode = "wb"
        if first:
            mode = "ab"
        with open(wanted.partial, mode) as file:
            done = first
            self.show(done)
            try:
                while chunk := read(CHUNK, decode_content=False):
                    done += len(chunk)
                    if done > wanted.most:
                        break
                    file.write(chunk)
                    self.show(done)
            except HTTPError as error:
                reason = f"{_in_words(error)} after {in_bytes(done)}"
                raise _Failed(reason, may_pass=done > first) from error
        if done > wanted.most:
            _forget(wanted)
            raise _Failed(_too_long(wanted))

    def _is_silent(self, address: str) -> bool:
        return urlsplit(address).netloc in self.silent

    def _session(self) -> requests.Session:
        if self.session is None:
            import requests

            self.session = requests.Session()
            self.session.max_redirects = MOST_REDIRECTS  # and to no file://, for which it has no adapter
            self.session.hooks["response"].append(_without_body)
        return self.session


def _without_body(answer: requests.Response, *_: object, **options: object) -> None:
    """Drops the body of an answer that leads on. It may be endless, and the library would read it into memory."""
    if answer.is_redirect:
        answer.close()
        answer.raw = io.BytesIO()


def _too_long(wanted: Wanted) -> str:
    return f"longer than the {in_bytes(wanted.most)} that are allowed"


def _size(path: Path) -> int:
    """Returns the bytes of a file; 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _first_byte(address: str, wanted: Wanted) -> int:
    """Returns where to go on. What comes of it must be checked by its digest, or be vouched for by the same server."""
    size = _size(wanted.partial)
    if wanted.digest:
        return size
    recorded = _recorded(wanted)
    is_strong = recorded["etag"].startswith('"')
    return size if is_strong and recorded["address"] == without_password(address) else 0


def _recorded(wanted: Wanted) -> dict[str, str]:
    """Returns what the server said of the bytes that are here."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        recorded = json.loads(wanted.origin.read_text())
        return {"address": str(recorded["address"]), "etag": str(recorded["etag"])}
    return {"address": "", "etag": ""}


def _forget(wanted: Wanted) -> None:
    """Throws away what has come of a file."""
    for path in (wanted.place, wanted.partial, wanted.origin):
        path.unlink(missing_ok=True)


def _in_words(error: Exception) -> str:
    """Returns why a connection failed, in a few words: libraries put one error into another."""
    import requests
    from urllib3.exceptions import NameResolutionError, ProtocolError, ReadTimeoutError

    reason = error
    while reason.args and isinstance(getattr(reason.args[0], "reason", reason.args[0]), Exception):
        reason = getattr(reason.args[0], "reason", reason.args[0])
    if isinstance(error, requests.TooManyRedirects):
        return f"leads on more than {MOST_REDIRECTS} times"
    if isinstance(error, requests.exceptions.InvalidSchema):
        return _printable(without_password(f"leads to what is not http ({error})"))
    if isinstance(error, requests.ConnectTimeout):
        return "can't be reached in time"
    if isinstance(error, requests.Timeout) or isinstance(reason, ReadTimeoutError | TimeoutError):
        return "silent for too long"
    if isinstance(error, ProtocolError):
        return "cut"
    if isinstance(reason, ProtocolError):
        return "ends the connection, or sends what is not HTTP"
    if isinstance(reason, NameResolutionError):
        return "no such host, or no network"
    words = str(reason).partition("\n")[0]
    _, _, after = words.rpartition(": ")
    bare = after.rstrip("\"')")  # of errors that are printed within errors
    return _printable(without_password(bare[:200])) or type(reason).__name__


def _printable(words: str) -> str:
    """Returns what a server says without what would steer a terminal."""
    return "".join(filter(str.isprintable, words))
