"""Where the files of a need lie: in a clone, or in a folder. What is downloaded becomes a folder or an archive."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from nmt.corpus.recipes.recipe import Archive, Files, Need, Source
from nmt.errors import Absent, Damaged, UserError, not_read

REGULAR = ("100644", "100755")  # modes of files in git: no links, no other repositories


class FolderSource(Source):
    """Files as they lie in a folder, such as an unpacked archive, with or without the top folder that GitHub adds."""

    def __init__(self, folder: Path, need: Need):
        self.folder = top_folder(folder, need)
        self.need = need

    def read(self, path: str) -> bytes:
        place = self.folder / f"{self.need.prefix}{path}"
        if not place.is_file():
            raise Absent(f"{place}: no such file; source= must be {self.need.repository} at {self.need.commit}")
        try:
            content = place.read_bytes()
        except OSError as error:
            raise not_read(error, place) from None
        return checked(content, path, self.need, place)

    def files(self) -> Iterator[tuple[str, bytes]]:
        for path in wanted_paths(self.need, self._paths()):
            yield path, self.read(path)

    def _paths(self) -> Iterator[str]:
        below = self.folder / self.need.prefix.rpartition("/")[0]
        for place in below.rglob("*"):
            if place.is_file():
                yield place.relative_to(self.folder).as_posix()


class CloneSource(Source):
    """Files of a commit in a clone, with or without a work tree. Nothing is fetched, and none of its programs run."""

    def __init__(self, folder: Path, need: Need):
        """Raises UserError for a clone that does not have the commit."""
        options = ["-c", "core.quotepath=off", "-c", "protocol.allow=never"]
        self.git = ["git", f"--git-dir={git_folder(folder)}", *options]
        self.folder = folder
        self.need = need
        if self._answer("cat-file", "-e", f"{need.commit}^{{commit}}") is None:
            raise UserError(f"source={folder}: has not the commit {need.commit} of {need.repository}; fetch it there")

    def read(self, path: str) -> bytes:
        content = self._answer("cat-file", "blob", f"{self.need.commit}:{self.need.prefix}{path}")
        if content is None:
            raise self._lacks(path)
        return content

    def files(self) -> Iterator[tuple[str, bytes]]:
        paths = wanted_paths(self.need, self._paths())
        command = [*self.git, "cat-file", "--batch"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as git:
            assert git.stdin and git.stdout
            for path in paths:
                git.stdin.write(f"{self.need.commit}:{self.need.prefix}{path}\n".encode())
                git.stdin.flush()
                answer = git.stdout.readline().split()
                if not answer or not answer[-1].isdigit():
                    raise self._lacks(path)
                content = git.stdout.read(int(answer[-1]))
                git.stdout.read(1)  # the line end after it
                yield path, content

    def _paths(self) -> Iterator[str]:
        listed = self._answer("ls-tree", "-r", "-z", self.need.commit) or b""
        for line in listed.split(b"\0"):
            facts, _, path = line.decode(errors="surrogateescape").partition("\t")
            if facts.startswith(REGULAR):
                yield path

    def _lacks(self, path: str) -> Absent:
        return Absent(
            f"source={self.folder}: no file {self.need.prefix}{path} in {self.need.commit}; a whole clone is needed "
            "(without --filter or --depth)"
        )

    def _answer(self, *arguments: str) -> bytes | None:
        """Returns what git writes; None where it fails. Raises UserError where there is no git."""
        try:
            done = subprocess.run([*self.git, *arguments], capture_output=True)
        except FileNotFoundError:
            raise UserError(f"source={self.folder}: a clone is read by git, which is not installed") from None
        return done.stdout if done.returncode == 0 else None


def git_folder(folder: Path) -> Path | None:
    """Returns the git directory of a clone with or without a work tree; None for another folder."""
    for place in (folder / ".git", folder):
        if (place / "HEAD").is_file() and (place / "objects").is_dir():
            return place
    return None


def top_folder(folder: Path, need: Need) -> Path:
    """Returns the folder in which the paths of a need begin: ``folder``, or the one in it that GitHub adds."""
    try:
        inner = [place for place in sorted(folder.iterdir()) if place.is_dir()]
    except OSError as error:
        raise not_read(error, folder) from None
    marks = _landmarks(need)
    for place in (folder, *inner):
        if any((place / mark).exists() for mark in marks):
            return place
    return inner[0] if len(inner) == 1 and not marks else folder


def _landmarks(need: Need) -> list[str]:
    """Returns paths of a repository by one of which its top is known."""
    if isinstance(need, Files):
        return [f"{need.prefix}{path}" for path in need.digests]
    below = need.prefix.rpartition("/")[0]
    return [below] if below else []


def wanted_paths(need: Need, paths: Iterable[str]) -> list[str]:
    """Returns the paths after the prefix of a need's files among those of its repository, in order."""
    below = sorted((path for path in paths if path.startswith(need.prefix)), key=os.fsencode)
    wanted = [path.removeprefix(need.prefix) for path in below]
    if isinstance(need, Archive):
        return wanted
    return [path for path in wanted if path in need.digests]


def checked(content: bytes, path: str, need: Need, place: Path | str) -> bytes:
    """Returns the content of a file. Raises Damaged where a need knows it by another digest; ``place`` names it."""
    if isinstance(need, Archive) or path not in need.digests:
        return content
    digest = hashlib.sha256(content).hexdigest()
    known = need.digests[path]
    if digest != known:
        raise Damaged(f"{place}: not the file of {need.repository} at {need.commit} (SHA-256 {digest}, not {known})")
    return content
