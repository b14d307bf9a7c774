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
    words = {}
    for ending, lines in split.texts.items():
        words[ending] = [len(line.split()) for line in lines]
    if measured not in words:
        measured = next(iter(words))
    counts = words[measured]
    buckets = [0] * len(BUCKETS)
    for count in counts:
        bucket = bisect_left(BOUNDS, count)
        buckets[bucket] += 1
    return Lengths(
        split=split.name,
        pairs=len(counts),
        tokens={ending: sum(of_text) for ending, of_text in words.items()},
        buckets=tuple(buckets),
        longest=max(counts, default=0),
    )


def source_md(recipe: Recipe, lengths: Sequence[Lengths]) -> str:
    """Returns the content of SOURCE.md."""
    lines = [f"# {recipe.title}", ""]
    for need in recipe.needs:
        place = page_of(need.repository)
        lines.append(f"- Repository: <{place}>, commit {need.commit}; {_files_of(need)}")
    lines += [
        f"- Made by: `python -m nmt.data corpus={recipe.corpora[0]}`; the same text on every machine",
        f"- Licence: {recipe.licence}",
        f"- Citation: {recipe.citation}",
        f"- Treatment: {recipe.treatment}",
        "",
        f"Words are what white space parts. The columns from {BUCKETS[0]} to {BUCKETS[-1]} count pairs by the words of "
        f"their {recipe.measured} side; max is its longest.",
        "",
        *_table_of_lengths(lengths),
        "",
        "SHA-256 of each text, without the packing of those that end in .gz:",
        "",
        *_table_of_digests(recipe),
        "",
    ]
    return "\n".join(lines)


def _files_of(need: Need) -> str:
    if isinstance(need, Archive):
        return f"all files of `{need.prefix or '/'}`"
    paths = [f"`{path}`" for path in need.digests]
    listed = ", ".join(paths)
    if not need.prefix:
        return listed
    return f"of what begins with `{need.prefix}`: {listed}"


def _table_of_digests(recipe: Recipe) -> list[str]:
    rows = []
    for name in sorted(recipe.digests):
        digest = recipe.digests[name]
        rows.append([f"`{name}`", f"`{digest}`"])
    return _table(["text", "SHA-256"], rows)


def _table_of_lengths(lengths: Sequence[Lengths]) -> list[str]:
    endings: dict[str, None] = {}  # in order, each once
    for split in lengths:
        endings |= dict.fromkeys(split.tokens)
    rows = []
    for split in lengths:
        words = [split.tokens.get(ending, "-") for ending in endings]
        row = [split.split, split.pairs, *words, *split.buckets, split.longest]
        rows.append([str(cell) for cell in row])
    titles = [f"words {ending}" for ending in endings]
    return _table(["split", "pairs", *titles, *BUCKETS, "max"], rows)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    rule = "|---" * len(titles) + "|"
    lines = [_row(titles), rule]
    for row in rows:
        lines.append(_row(row))
    return lines


def _row(cells: Sequence[str]) -> str:
    escaped = [cell.replace("|", "\\|") for cell in cells]
    joined = " | ".join(escaped)
    return f"| {joined} |"
