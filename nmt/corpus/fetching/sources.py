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
# Where an object is missing, git would fetch it by a program that the clone's own configuration may name.
NOTHING_RUNS = {"GIT_ALLOW_PROTOCOL": "", "GIT_NO_LAZY_FETCH": "1", "GIT_NO_REPLACE_OBJECTS": "1"}

MOST_OF_PATH = 8192  # bytes of the path of a git directory, as a work tree names it


class FolderSource(Source):
    """Files as they lie in a folder, such as an unpacked archive, with or without the top folder that GitHub adds."""

    def __init__(self, folder: Path, need: Need):
        self.folder = top_folder(folder, need)
        self.need = need

    def read(self, path: str) -> bytes:
        need = self.need
        place = self.folder / f"{need.prefix}{path}"
        if not place.is_file():
            raise Absent(f"{place}: no such file; source= must be {need.repository} at {need.commit}")
        try:
            content = place.read_bytes()
        except OSError as error:
            raise not_read(error, place) from None
        return checked(content, path, need, place)

    def files(self) -> Iterator[tuple[str, bytes]]:
        for path in wanted_paths(self.need, self._paths()):
            yield path, self.read(path)

    def _paths(self) -> Iterator[str]:
        inner, _, _ = self.need.prefix.rpartition("/")
        below = self.folder / inner
        for place in below.rglob("*"):
            if place.is_file():
                path = place.relative_to(self.folder)
                yield path.as_posix()


class CloneSource(Source):
    """Files of a commit in a clone, with or without a work tree. Nothing is fetched, and none of its programs run."""

    def __init__(self, folder: Path, need: Need):
        """Raises UserError for a clone that does not have the commit."""
        self.git = ["git", f"--git-dir={git_folder(folder)}"]
        self.environment = {**os.environ, **NOTHING_RUNS}
        self.folder = folder
        self.need = need
        commit = f"{need.commit}^{{commit}}"
        if self._answer("cat-file", "-e", commit) is None:
            raise UserError(f"source={folder}: has not the commit {need.commit} of {need.repository}; fetch it there")

    def read(self, path: str) -> bytes:
        content = self._answer("cat-file", "blob", self._name_of(path))
        if content is None:
            raise self._lacks(path)
        return content

    def files(self) -> Iterator[tuple[str, bytes]]:
        paths = wanted_paths(self.need, self._paths())
        command = [*self.git, "cat-file", "--batch"]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self.environment,
        ) as git:
            requests = git.stdin
            answers = git.stdout
            assert requests and answers
            for path in paths:
                request = f"{self._name_of(path)}\n"
                requests.write(os.fsencode(request))
                requests.flush()
                header = answers.readline().decode()
                _, _, size = header.strip().rpartition(" ")
                if not size.isdigit():
                    raise self._lacks(path)
                content = answers.read(int(size))
                if answers.read(1) != b"\n":  # git ends where an object is damaged
                    raise self._lacks(path)
                yield path, content

    def _paths(self) -> Iterator[str]:
        listed = self._answer("ls-tree", "-r", "-z", self.need.commit)
        if listed is None:
            raise self._lacks("")
        for line in listed.split(b"\0"):
            facts, _, path = os.fsdecode(line).partition("\t")
            if facts.startswith(REGULAR):
                yield path

    def _name_of(self, path: str) -> str:
        """Returns what git calls a file of the commit."""
        return f"{self.need.commit}:{self.need.prefix}{path}"

    def _lacks(self, path: str) -> Absent:
        name = self._name_of(path)
        return Absent(
            f"source={self.folder}: has not {name}, or it is damaged; a whole clone is needed (without --filter or "
            "--depth)"
        )

    def _answer(self, *arguments: str) -> bytes | None:
        """Returns what git writes; None where it fails. Raises UserError where there is no git."""
        try:
            done = subprocess.run([*self.git, *arguments], capture_output=True, env=self.environment)
        except FileNotFoundError:
            raise UserError(f"source={self.folder}: a clone is read by git, which is not installed") from None
        if done.returncode:
            return None
        return done.stdout


def git_folder(folder: Path) -> Path | None:
    """Returns the git directory of a clone with or without a work tree; None for another folder."""
    for place in (_led_to(folder / ".git"), folder):
        head = place / "HEAD"
        objects = place / "objects"
        common = place / "commondir"  # where the objects of a further work tree are
        if head.is_file() and (objects.is_dir() or common.is_file()):
            return place
    return None


def _led_to(place: Path) -> Path:
    """Returns the git directory that a file of a work tree leads to: one that "git worktree" or a submodule made."""
    if not place.is_file():
        return place
    with open(place, "rb") as file:
        line = file.readline(MOST_OF_PATH)
    key, _, path = line.partition(b": ")
    if key != b"gitdir":
        return place
    return place.parent / os.fsdecode(path.rstrip(b"\n"))


def top_folder(folder: Path, need: Need) -> Path:
    """Returns the folder in which the paths of a need begin: ``folder``, or the one in it that GitHub adds."""
    try:
        places = sorted(folder.iterdir())
    except OSError as error:
        raise not_read(error, folder) from None
    inner = [place for place in places if place.is_dir()]
    marks = _landmarks(need)
    for place in (folder, *inner):
        for mark in marks:
            if (place / mark).exists():
                return place
    if not marks and len(inner) == 1:
        return inner[0]
    return folder


def _landmarks(need: Need) -> list[str]:
    """Returns paths of a repository by one of which its top is known."""
    if isinstance(need, Files):
        return [f"{need.prefix}{path}" for path in need.digests]
    below, _, _ = need.prefix.rpartition("/")
    if not below:
        return []
    return [below]


def wanted_paths(need: Need, paths: Iterable[str]) -> list[str]:
    """Returns the paths after the prefix of a need's files among those of its repository, in order."""
    wanted = []
    for whole_path in paths:
        if not whole_path.startswith(need.prefix):
            continue
        path = whole_path.removeprefix(need.prefix)
        if isinstance(need, Files) and path not in need.digests:
            continue
        wanted.append(path)
    return sorted(wanted, key=os.fsencode)


def checked(content: bytes, path: str, need: Need, place: Path | str) -> bytes:
    """Returns the content of a file. Raises Damaged where a need knows it by another digest; ``place`` names it."""
    if isinstance(need, Archive) or path not in need.digests:
        return content
    digest = hashlib.sha256(content).hexdigest()
    known = need.digests[path]
    if digest != known:
        origin = f"{need.repository} at {need.commit}"
        raise Damaged(f"{place}: not the file of {origin} (SHA-256 {digest}, not {known})")
    return content
