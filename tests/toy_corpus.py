"""Two small recipes whose repositories the tests serve themselves: one of single files, one of an archive."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from nmt.corpus.recipes.recipe import RECIPES, Archive, Files, Recipe, Source, Split

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "owner/toy"
LANGUAGES = ("en", "de")
LINES = 2000
SPLITS = ("train", "valid")


def _line(language: str, split: str, number: int) -> str:
    digest = hashlib.sha256(f"{language} {split} {number}".encode()).hexdigest()
    words = [digest[start : start + 6] for start in range(0, 60, 6)]
    return " ".join(words[: number % 10 + 1])


def lines_of(language: str, split: str) -> list[str]:
    count = LINES if split == "train" else 10
    return [_line(language, split, number) for number in range(count)]


def _content(language: str, split: str) -> bytes:
    return "".join(f"{line}\n" for line in lines_of(language, split)).encode()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# The repository: texts that do not pack well, beside others that nobody wants.
FILES = {f"data/{split}.{language}": _content(language, split) for split in SPLITS for language in LANGUAGES}
TREE = {**FILES, "README": b"a toy\n", "data.txt": b"not below data/\n", "src/a.py": b"pass\n"}
REPOSITORIES = {REPOSITORY: TREE}
TEXTS = {path.removeprefix("data/"): sha256(content) for path, content in FILES.items()}
LARGEST = len(FILES["data/train.en"])  # bytes


def _splits_of_files(sources: Sequence[Source]) -> Iterator[Split]:
    [source] = sources
    for split in SPLITS:
        texts = {}
        for language in LANGUAGES:
            texts[language] = source.read(f"{split}.{language}").decode().splitlines()
        yield Split(split, texts)


def _splits_of_archive(sources: Sequence[Source]) -> Iterator[Split]:
    [source] = sources
    files = dict(source.files())
    for split in SPLITS:
        texts = {}
        for language in LANGUAGES:
            texts[language] = files[f"{split}.{language}"].decode().splitlines()
        yield Split(split, texts)


NEED_OF_FILES = Files(REPOSITORY, COMMIT, "data/", TEXTS, size=sum(map(len, FILES.values())))
NEED_OF_ARCHIVE = Archive(REPOSITORY, COMMIT, "data/", size=120_000, unpacked=400_000)


def recipe(folder: str, need: Files | Archive) -> Recipe:
    """Returns a recipe that makes the toy corpus of single files or of an archive."""
    splits = _splits_of_archive if isinstance(need, Archive) else _splits_of_files
    return Recipe(
        folder=folder,
        title="A toy | corpus",
        languages=LANGUAGES,
        corpora=("files",),
        pairs=LINES,
        licence="none",
        citation="Nobody 2000",
        treatment="None.",
        needs=(need,),
        digests=TEXTS,
        splits=splits,
    )


TOY_FILES = recipe("toy-files", NEED_OF_FILES)
TOY_ARCHIVE = recipe("toy-archive", NEED_OF_ARCHIVE)


def register() -> None:
    """Makes both known in a process of its own; tests within this one undo it."""
    for toy in (TOY_FILES, TOY_ARCHIVE):
        RECIPES[toy.folder] = toy


def texts_in(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of each text of a folder, unpacked, but for SOURCE.md."""
    digests = {}
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        digests[path.name.removesuffix(".gz")] = sha256(content)
    digests.pop("SOURCE.md", None)
    return digests
