"""Where the files of a need lie: in a clone, or in a folder. What is downloaded becomes one of these, too."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from nmt.corpus.recipes.recipe import Archive, Files, Need, Source
from nmt.errors import Absent, UserError


class FolderSource(Source):
    """Files as they lie in a folder, such as an unpacked archive."""

    def __init__(self, folder: Path, need: Need):
        self.folder = folder
        self.need = need

    def read(self, path: str) -> bytes:
        place = self.folder / f"{self.need.prefix}{path}"
        if not place.is_file():
            raise Absent(f"{place}: no such file; source= must be {self.need.repository} at {self.need.commit}")
        return place.read_bytes()

    def files(self) -> Iterator[tuple[str, bytes]]:
        for path in _wanted(self.need, self._paths()):
            yield path, self.read(path)

    def _paths(self) -> Iterator[str]:
        for place in self.folder.rglob("*"):
            if place.is_file():
                yield place.relative_to(self.folder).as_posix()


class CloneSource(Source):
    """Files of a commit in a clone, with or without a work tree."""

    def __init__(self, folder: Path, need: Need):
        """Raises UserError for a clone that does not have the commit."""
        self.git = ["git", f"--git-dir={git_folder(folder)}", "-c", "core.quotepath=off"]
        self.folder = folder
        self.need = need
        if self._answer("cat-file", "-e", f"{need.commit}^{{commit}}") is None:
            raise UserError(f"source={folder}: has not the commit {need.commit} of {need.repository}; fetch it there")

    def read(self, path: str) -> bytes:
        content = self._answer("cat-file", "blob", f"{self.need.commit}:{self.need.prefix}{path}")
        if content is None:
            raise Absent(f"source={self.folder}: no file {self.need.prefix}{path} in {self.need.commit}")
        return content

    def files(self) -> Iterator[tuple[str, bytes]]:
        listed = self._answer("ls-tree", "-r", "-z", "--name-only", self.need.commit) or b""
        names = [name.decode() for name in listed.split(b"\0") if name]
        paths = _wanted(self.need, names)
        command = [*self.git, "cat-file", "--batch"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as git:
            assert git.stdin and git.stdout
            for path in paths:
                git.stdin.write(f"{self.need.commit}:{self.need.prefix}{path}\n".encode())
                git.stdin.flush()
                *_, size = git.stdout.readline().split()
                if not size.isdigit():
                    raise Absent(f"source={self.folder}: no file {self.need.prefix}{path} in {self.need.commit}")
                content = git.stdout.read(int(size))
                git.stdout.read(1)  # the line end after it
                yield path, content

    def _answer(self, *arguments: str) -> bytes | None:
        """Returns what git writes; None where it fails."""
        done = subprocess.run([*self.git, *arguments], capture_output=True)
        return done.stdout if done.returncode == 0 else None


def git_folder(folder: Path) -> Path | None:
    """Returns the git directory of a clone with or without a work tree; None for another folder."""
    for place in (folder / ".git", folder):
        if (place / "HEAD").is_file() and (place / "objects").is_dir():
            return place
    return None


def _wanted(need: Need, paths: Iterator[str] | list[str]) -> list[str]:
    """Returns the paths after the prefix of a need's files among those of its repository, in order."""
    below = sorted((path for path in paths if path.startswith(need.prefix)), key=str.encode)
    wanted = [path.removeprefix(need.prefix) for path in below]
    if isinstance(need, Archive):
        return wanted
    assert isinstance(need, Files)
    return [path for path in wanted if path in need.digests]
