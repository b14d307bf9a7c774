"""A local server of small public repositories, which stands in for their hosts: NMT_MIRROR names it.

It can do what real hosts do on a bad day: cut a connection, be slow, answer with an error, lead elsewhere, send other
bytes, or an archive that holds what none should hold.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

BLOCK = 1 << 16

Repositories = Mapping[str, Mapping[str, bytes]]  # content by path, by owner/name


@dataclass
class Mood:
    """How the server answers. Bytes are counted from the first of the file, not of the answer."""

    only: str = ""  # paths that hold this; all others are answered as they should be
    times: int | None = None  # answers of this kind, after which it is in the next mood; None: all
    then: Mood | None = None  # the next mood; None: it is well again
    holds: threading.Event | None = None  # which is waited for before an answer
    status: int = 0  # instead of the file
    leads_to: str = ""  # a redirect to this address; {path} stands for the path asked for
    cut_at: int | None = None  # the connection is closed there
    stalls_at: int | None = None  # nothing more comes
    seconds_a_block: float = 0.0  # before each block of `block` bytes
    block: int = BLOCK
    ranges: bool = True  # whether it can go on in the middle
    etags: bool = True
    length: bool = True  # whether it tells Content-Length
    content: bytes | None = None  # instead of the file's
    reason: str | None = None  # beside `status`
    body: bytes = b""  # of a redirect
    headers: Mapping[str, str] = field(default_factory=dict)  # instead of those that it would send
    if_range: bool = True  # whether it heeds If-Range
    members: list[tuple[tarfile.TarInfo, bytes]] = field(default_factory=list)  # of archives, after the repository's
    archive_size: int | None = None  # bytes of the whole archive, to which it is cut before it is served


class CorporaServer:
    """Serves repositories as a mirror does: URL/OWNER/NAME/COMMIT/PATH and URL/OWNER/NAME/COMMIT.tar.gz."""

    def __init__(self, repositories: Repositories):
        self.repositories = repositories
        self.mood = Mood()
        self.asked: list[tuple[str, str]] = []  # path and Range header of every request
        self.sent = 0  # bytes of content
        self.ended = threading.Event()  # wakes what stalls
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self.server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def mood_for(self, path: str) -> Mood:
        """Returns how to answer this request, and counts it."""
        with self.lock:
            mood = self.mood
            if mood.only not in path:
                return Mood()
            if mood.times == 0:
                return mood.then or Mood()
            if mood.times is not None:
                mood.times -= 1
            return mood

    def content_of(self, path: str, mood: Mood) -> bytes | None:
        if mood.content is not None:
            return mood.content
        owner, name, rest = path.strip("/").split("/", 2)
        files = self.repositories.get(f"{owner}/{name}")
        if files is None:
            return None
        commit, _, inner = rest.partition("/")
        if inner:
            return files.get(inner)
        if not commit.endswith(".tar.gz"):
            return None
        archive = packed(name, commit.removesuffix(".tar.gz"), files, mood.members)
        return archive[: mood.archive_size]


@contextmanager
def serving(repositories: Repositories) -> Iterator[CorporaServer]:
    """Serves repositories within the block."""
    server = CorporaServer(repositories)
    thread = threading.Thread(target=server.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.server.shutdown()
        server.server.server_close()


def packed(
    name: str, commit: str, files: Mapping[str, bytes], more: list[tuple[tarfile.TarInfo, bytes]] | None = None
) -> bytes:
    """Packs a repository as GitHub does: the commit in a global header, one top folder, files in the order of git."""
    buffer = io.BytesIO()
    top = f"{name}-{commit}"
    headers = {"comment": commit}
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0, compresslevel=1) as packing,
        tarfile.open(fileobj=packing, mode="w", format=tarfile.PAX_FORMAT, pax_headers=headers) as tar,
    ):
        folder = tarfile.TarInfo(top)
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for path in sorted(files, key=str.encode):
            tar.addfile(member(f"{top}/{path}", len(files[path])), io.BytesIO(files[path]))
        for info, content in more or []:
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def member(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """Returns a member of an archive, such as one that leads out of it."""
    info = tarfile.TarInfo(name)
    info.size = size
    info.type = kind
    info.linkname = link
    return info


def _handler_of(server: CorporaServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = unquote(self.path)
            wanted = self.headers.get("Range", "")
            server.asked.append((path, wanted))
            mood = server.mood_for(path)
            if mood.holds is not None:
                mood.holds.wait()
            if mood.status:
                self._answer(mood.status, {"Content-Length": "0"}, mood.reason)
                return
            if mood.leads_to:
                place = mood.leads_to.replace("{path}", self.path)
                self._answer(302, {"Content-Length": str(len(mood.body)), "Location": place})
                self._write(mood.body, 0, mood)
                return
            content = server.content_of(path, mood)
            if content is None:
                self._answer(404, {"Content-Length": "0"})
                return
            self._send(content, mood, wanted)

        def _send(self, content: bytes, mood: Mood, wanted: str) -> None:
            tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            headers = {}
            if mood.etags:
                headers["ETag"] = tag
            first = 0
            status = 200
            vouched = self.headers.get("If-Range", tag) if mood.if_range else tag
            if wanted and mood.ranges and vouched == tag:
                first = int(wanted.removeprefix("bytes=").rstrip("-"))
                status = 206
                headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
            if first and first >= len(content):
                self._answer(416, {"Content-Length": "0", "Content-Range": f"bytes */{len(content)}"})
                return
            if mood.length:
                headers["Content-Length"] = str(len(content) - first)
            else:
                headers["Connection"] = "close"
                self.close_connection = True
            self._answer(status, {**headers, **mood.headers})
            self._write(content, first, mood)
            if mood.headers:
                self.close_connection = True

        def _write(self, content: bytes, first: int, mood: Mood) -> None:
            ends = [end for end in (mood.cut_at, mood.stalls_at) if end is not None]
            last = min([len(content), *ends])
            for start in range(first, last, mood.block):
                if mood.seconds_a_block:
                    time.sleep(mood.seconds_a_block)
                block = content[start : min(start + mood.block, last)]
                try:
                    self.wfile.write(block)
                except OSError:  # whoever asked has gone
                    self.close_connection = True
                    return
                server.sent += len(block)
            if last < len(content):
                self.close_connection = True
            if mood.stalls_at is not None:
                self.wfile.flush()
                server.ended.wait()

        def _answer(self, status: int, headers: Mapping[str, str], reason: str | None = None) -> None:
            self.send_response(status, reason)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    return Handler
