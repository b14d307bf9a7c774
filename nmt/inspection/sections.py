"""What a look into a corpus shows, part by part, as tables of text: the same in a terminal and on the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from nmt.corpus.text.writing import SCRIPTS, isolated
from nmt.inspection.results import BOTH, Inspection, Lines, Shared, Side, Split, Unseen

NOTHING = "–"
FEW = 0.0005  # share of the letters, below which a script is not named


@dataclass(frozen=True)
class Table:
    """A header and rows as long as it. The last column may be running text, which a narrow terminal breaks."""

    header: list[str]
    rows: list[list[str]]
    ends_in_text: bool = False

    def is_numeric(self, column: int) -> bool:
        """Whether a column is set to the right."""
        if self.ends_in_text and column == len(self.header) - 1:
            return False
        cells = [row[column] for row in self.rows]
        return column > 0 and all(cell == NOTHING or cell[:1].isdigit() for cell in cells)


@dataclass(frozen=True)
class Section:
    """One part of what is shown."""

    anchor: str
    title: str
    table: Table | None = None
    lines: list[str] = field(default_factory=list)
    shows_lengths: bool = False  # whether pictures of lengths belong here


def sections(inspection: Inspection) -> list[Section]:
    """Returns all parts but the warnings, in the order in which they are shown."""
    parts = [
        _text(inspection),
        _lengths(inspection),
        _shared(inspection),
        _unseen(inspection),
        _odd(inspection),
        _scripts(inspection),
        _cleaning(inspection),
    ]
    return [part for part in parts if part is not None]


def advice_section(inspection: Inspection) -> Section | None:
    """Returns what to choose before training; None where there is nothing."""
    if not inspection.advice:
        return None
    rows = [[advice.title, advice.text, advice.option] for advice in inspection.advice]
    table = Table(["", "", "to type"], rows, ends_in_text=True)
    return Section("advice", "What to choose", table)


def notes_section(inspection: Inspection) -> Section:
    """Returns how it was counted."""
    return Section("notes", "How it was counted", lines=inspection.notes)


def _text(inspection: Inspection) -> Section:
    splits = inspection.splits
    source = inspection.source_language
    target = inspection.target_language
    rows = [_row("pairs", splits, lambda split: f"{split.pairs:,}")]
    rows += _rows_of_side(f"{source} (source)", [split.source for split in splits], splits)
    rows += _rows_of_side(f"{target} (target)", [split.target for split in splits], splits)
    rows.append(_row("target/source length, median", splits, lambda split: _ratio(split, "median")))
    rows.append(_row("  1st percentile", splits, lambda split: _ratio(split, "low")))
    rows.append(_row("  99th percentile", splits, lambda split: _ratio(split, "high")))
    rows.append(_row("pairs that came before", splits, lambda split: f"{split.duplicates.count:,}"))
    rows.append(_row("sources with several targets", splits, lambda split: f"{split.several_targets:,}"))
    table = Table(["", *(split.name for split in splits)], rows)
    lines = []
    for split in splits:
        if split.duplicates.count:
            lines.append(f"{split.name}: pairs that came before: {split.duplicates}")
        for place, first in split.places.items():
            if place:
                lines.append(f"{split.name}: place {place + 1} of corpus.{split.name} begins at line {first:,}")
    return Section("text", "The text", table, lines)


def _row(title: str, splits: Sequence[Split], cell: Callable[[Split], str]) -> list[str]:
    return [title, *map(cell, splits)]


def _rows_of_side(title: str, sides: Sequence[Side], splits: Sequence[Split]) -> list[list[str]]:
    unit = sides[0].unit
    means = []
    for side, split in zip(sides, splits, strict=True):
        means.append(f"{side.words / split.pairs:.1f}" if split.pairs else NOTHING)
    return [
        [f"{title}: {unit}", *(f"{side.words:,}" for side in sides)],
        [f"  {unit} a sentence", *means],
        [f"  {unit} of the longest", *(f"{side.longest:,}" for side in sides)],
        ["  its line", *(f"{side.longest_line:,}" for side in sides)],
    ]


def _ratio(split: Split, name: str) -> str:
    return NOTHING if split.ratio is None else f"{getattr(split.ratio, name):.2f}"


def _lengths(inspection: Inspection) -> Section:
    splits = inspection.splits
    unit = splits[0].source.unit
    rows = []
    for number, bucket in enumerate(splits[0].buckets):
        of_number = [split.buckets[number] for split in splits]
        if not any(of_split.sentences for of_split in of_number):
            continue
        cells = [bucket.label]
        for of_split in of_number:
            cells.append(f"{of_split.sentences:,} {percent(of_split.share):>7}")
        rows.append(cells)
    table = Table([f"source {unit}", *(split.name for split in splits)], rows)
    return Section("lengths", f"Sentences by source length in {unit}", table, shows_lengths=True)


def _shared(inspection: Inspection) -> Section | None:
    if len(inspection.splits) < 2:
        return None
    if not inspection.shared:
        return Section("shared", "In several splits", lines=["No sentence of a split is in another one."])
    header = ["", "is also in", "sources", "", "pairs", "", "first lines"]
    rows = [_row_of_shared(shared) for shared in inspection.shared]
    return Section("shared", "In several splits", Table(header, rows, ends_in_text=True))


def _row_of_shared(shared: Shared) -> list[str]:
    first = shared.pairs if shared.pairs.count else shared.sources
    return [
        shared.split,
        shared.other,
        f"{shared.sources.count:,}",
        percent(shared.sources.count / max(1, shared.of)),
        f"{shared.pairs.count:,}",
        percent(shared.pairs.count / max(1, shared.of)),
        numbers(first),
    ]


def _unseen(inspection: Inspection) -> Section | None:
    rows = []
    for split in inspection.splits:
        for unseen in split.unseen:
            rows.append([split.name, unseen.side, *_cells_of_unseen(unseen)])
    if not rows:
        return None
    header = ["", "side", "of running", "", "of distinct", "", "most often"]
    return Section("unseen", "Words never seen in training", Table(header, rows, ends_in_text=True))


def _cells_of_unseen(unseen: Unseen) -> list[str]:
    frequent = [f"{isolated(printable(word))} ({count:,})" for word, count in unseen.frequent]
    return [
        f"{unseen.running_unseen:,}",
        percent(unseen.share),
        f"{unseen.distinct_unseen:,}",
        percent(unseen.distinct_share),
        ", ".join(frequent),
    ]


def _odd(inspection: Inspection) -> Section:
    rows = []
    for split in inspection.splits:
        for odd in split.odd:
            side = "" if odd.side == BOTH else odd.side
            rows.append([split.name, f"{odd.lines.count:,}", side, odd.title, numbers(odd.lines)])
    if not rows:
        return Section("odd", "Odd lines", lines=["None."])
    return Section("odd", "Odd lines", Table(["", "lines", "side", "what", "first lines"], rows, ends_in_text=True))


def _scripts(inspection: Inspection) -> Section:
    rows = []
    for split in inspection.splits:
        for name in ("source", "target"):
            side: Side = getattr(split, name)
            rows.append([split.name, f"{side.language} ({name})", _shares(side.scripts)])
    return Section("scripts", "Letters by script", Table(["", "side", "share"], rows, ends_in_text=True))


def _shares(scripts: dict[str, float]) -> str:
    """Returns the scripts that have some share, and the others together."""
    named = {script: share for script, share in scripts.items() if share >= FEW and script in SCRIPTS}
    words = [f"{script} {percent(share)}" for script, share in named.items()]
    if not words:
        return "no letters"
    others = sorted(script for script in scripts if script in SCRIPTS and script not in named)
    if others:
        words.append(f"hardly any: {', '.join(others)}")
    return ", ".join(words)


def _cleaning(inspection: Inspection) -> Section | None:
    rows = []
    for split in inspection.splits:
        if split.kept is None:
            continue
        rows.append([split.name, f"{split.kept:,}", percent(split.kept / max(1, split.pairs)), "kept", ""])
        for left_out in split.left_out:
            count = left_out.lines.count
            share = percent(count / split.pairs)
            rows.append([split.name, f"{count:,}", share, f"left out: {left_out.title}", numbers(left_out.lines)])
    if not rows:
        return None
    table = Table(["", "pairs", "", "what becomes of them", "first lines"], rows, ends_in_text=True)
    return Section("cleaning", "What cleaning leaves out", table)


def numbers(lines: Lines) -> str:
    """Returns line numbers without the word."""
    return str(lines).partition(" ")[2]


def percent(share: float) -> str:
    """Returns a share as people read it; one that is not 0 or 1 is not shown as one that is."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %"


def printable(text: str) -> str:
    """Returns a text in which what can't be seen stands as its code."""
    return "".join(character if character.isprintable() else f"U+{ord(character):04X}" for character in text)
