"""SOURCE.md beside the texts of a corpus: where they come from, and how long their sentences are."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from nmt.corpus.fetching.addresses import page_of
from nmt.corpus.recipes.recipe import Archive, Need, Recipe, Split

# Longest source, in white-space words, of each bucket but the last.
BOUNDS = (10, 20, 30, 40, 50, 60, 80)
BUCKETS = ("1-10", "11-20", "21-30", "31-40", "41-50", "51-60", "61-80", "81+")


@dataclass(frozen=True)
class Lengths:
    """How long the lines of a split are."""

    split: str
    pairs: int
    tokens: dict[str, int]  # white-space words of each text, by what follows the split's name
    buckets: tuple[int, ...]  # lines of the measured text, by its words; a line without words is in the first
    longest: int  # words


def lengths_of(split: Split, measured: str) -> Lengths:
    """Counts the words of a split; buckets are those of ``measured``, or of its first text where it has none such."""
    tokens = {}
    for ending, lines in split.texts.items():
        tokens[ending] = sum(_words(lines))
    if measured not in split.texts:
        measured = next(iter(split.texts))
    words = _words(split.texts[measured])
    buckets = [0] * len(BUCKETS)
    for count in words:
        buckets[bisect_left(BOUNDS, count)] += 1
    return Lengths(split.name, len(words), tokens, tuple(buckets), max(words, default=0))


def source_md(recipe: Recipe, lengths: Sequence[Lengths]) -> str:
    """Returns the content of SOURCE.md."""
    lines = [f"# {recipe.title}", ""]
    for need in recipe.needs:
        lines.append(f"- Repository: <{page_of(need.repository)}>, commit {need.commit}; {_files_of(need)}")
    lines += [
        f"- Licence: {recipe.licence}",
        f"- Citation: {recipe.citation}",
        f"- Treatment: {recipe.treatment}",
        "",
        f"Lengths are counted in white-space words; the columns by length, of {recipe.measured}.",
        "",
        *_table_of_lengths(lengths),
        "",
        "SHA-256 of each text, without the packing of those that end in .gz:",
        "",
    ]
    digests = sorted(recipe.digests.items())
    lines += _table(["text", "SHA-256"], [[f"`{name}`", f"`{digest}`"] for name, digest in digests])
    return "\n".join(lines) + "\n"


def _files_of(need: Need) -> str:
    if isinstance(need, Archive):
        return f"all files of `{need.prefix or '/'}`"
    paths = [f"`{need.prefix}{path}`" for path in need.digests]
    return ", ".join(paths)


def _table_of_lengths(lengths: Sequence[Lengths]) -> list[str]:
    endings: dict[str, None] = {}  # in order, each once
    for split in lengths:
        endings |= dict.fromkeys(split.tokens)
    rows = []
    for split in lengths:
        tokens = [str(split.tokens.get(ending, "-")) for ending in endings]
        counts = [str(count) for count in split.buckets]
        rows.append([split.split, str(split.pairs), *tokens, *counts, str(split.longest)])
    titles = [f"tokens {ending}" for ending in endings]
    return _table(["split", "pairs", *titles, *BUCKETS, "max"], rows)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [_row(titles), "|---" * len(titles) + "|"]
    lines += [_row(row) for row in rows]
    return lines


def _row(cells: Sequence[str]) -> str:
    escaped = [cell.replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"


def _words(lines: Sequence[str]) -> list[int]:
    return [len(line.split()) for line in lines]
