"""What a look into a corpus shows, part by part, as tables of text: the same in a terminal and on the page."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from nmt.corpus.text.writing import SCRIPTS, isolated
from nmt.inspection.results import BOTH, Inspection, LeftOut, OddLines, Ratio, Shared, Side, Split, Unseen

NOTHING = "–"
NUMBER = re.compile(r"([<>] )?[\d,.]+( %)?")  # as `thousands` and `percent` write it
FEW = 0.0005  # share of the letters, below which a script is named without it


@dataclass(frozen=True)
class Table:
    """A header and rows as long as it. The last column may be running text, which a narrow terminal breaks."""

    header: list[str]
    rows: list[list[str]]
    ends_in_text: bool = False

    def is_numeric(self, column: int) -> bool:
        """Whether a column is set to the right."""
        last = len(self.header) - 1
        if column == 0:
            return False
        if self.ends_in_text and column == last:
            return False
        return all(_is_number(row[column]) for row in self.rows)


def _is_number(cell: str) -> bool:
    """Whether a cell is a number alone; a sentence may begin with one."""
    return cell == NOTHING or NUMBER.fullmatch(cell) is not None


@dataclass(frozen=True)
class Section:
    """One part of what is shown."""

    anchor: str
    title: str
    table: Table | None = None
    lines: list[str] = field(default_factory=list)
    shows_lengths: bool = False  # whether pictures of lengths belong here


def sections(inspection: Inspection) -> list[Section]:
    """Returns all parts but warnings, advice and notes, in the order in which they are shown."""
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
    rows = []
    for advice in inspection.advice:
        cells = [advice.title, advice.text, advice.option]
        rows.append(cells)
    table = Table(["", "", "to type"], rows, ends_in_text=True)
    return Section("advice", "What to choose", table)


def notes_section(inspection: Inspection) -> Section:
    """Returns how it was counted."""
    return Section("notes", "How it was counted", lines=inspection.notes)


def _text(inspection: Inspection) -> Section:
    splits = inspection.splits
    columns = [_column(split) for split in splits]
    header = ["", *(split.name for split in splits)]
    source = f"{inspection.source_language} (source): {splits[0].source.unit}"
    target = f"{inspection.target_language} (target): {splits[0].target.unit}"
    titles = [
        "pairs",
        source,
        "  in a sentence",
        "  in the longest",
        "  which is line",
        target,
        "  in a sentence",
        "  in the longest",
        "  which is line",
        "target/source length, median",
        "  1st percentile",
        "  99th percentile",
        "pairs that repeat an earlier one",
        "sources with several targets",
    ]
    rows = []
    for row in zip(titles, *columns, strict=True):
        rows.append(list(row))
    lines = []
    for split in splits:
        lines += _lines_of(split)
    return Section("text", "The text", Table(header, rows), lines)


def _column(split: Split) -> list[str]:
    """Returns the numbers of one split, from top to bottom."""
    return [
        thousands(split.pairs),
        *_cells_of_side(split.source, split.pairs),
        *_cells_of_side(split.target, split.pairs),
        *_cells_of_ratio(split.ratio),
        thousands(split.duplicates.count),
        thousands(split.several_targets),
    ]


def _cells_of_side(side: Side, pairs: int) -> list[str]:
    mean = NOTHING
    if pairs:
        mean = f"{side.words / pairs:,.1f}"
    return [
        thousands(side.words),
        mean,
        thousands(side.longest),
        thousands(side.longest_line),
    ]


def _cells_of_ratio(ratio: Ratio | None) -> list[str]:
    if ratio is None:
        return [NOTHING, NOTHING, NOTHING]
    return [
        f"{ratio.median:.2f}",
        f"{ratio.low:.2f}",
        f"{ratio.high:.2f}",
    ]


def _lines_of(split: Split) -> list[str]:
    """Says which pairs came before, and where each place of a split begins."""
    lines = []
    if split.duplicates.count:
        line = f"{split.name}: pairs that repeat an earlier one: {split.duplicates}"
        lines.append(line)
    for place, first in split.places.items():
        if place == 0:
            continue
        line = f"{split.name}: place {place + 1} of corpus.{split.name} begins at line {first:,}"
        lines.append(line)
    return lines


def _lengths(inspection: Inspection) -> Section:
    splits = inspection.splits
    unit = splits[0].source.unit
    header = [f"source {unit}"]
    for split in splits:
        header += [split.name, ""]
    rows = []
    for row in zip(*(split.buckets for split in splits), strict=True):
        if not any(bucket.sentences for bucket in row):
            continue
        cells = [row[0].label]
        for bucket in row:
            cells.append(thousands(bucket.sentences))
            cells.append(percent(bucket.share))
        rows.append(cells)
    table = None
    if rows:
        table = Table(header, rows)
    return Section(
        "lengths",
        f"Sentences by source length in {unit}",
        table,
        shows_lengths=table is not None,
    )


def _shared(inspection: Inspection) -> Section | None:
    if len(inspection.splits) < 2:
        return None
    anchor = "shared"
    title = "In several splits"
    if not inspection.shared:
        return Section(anchor, title, lines=["No sentence of a split is in another one."])
    header = ["", "is also in", "sources", "", "pairs", "", "first lines"]
    rows = [_cells_of_shared(shared) for shared in inspection.shared]
    return Section(anchor, title, Table(header, rows, ends_in_text=True))


def _cells_of_shared(shared: Shared) -> list[str]:
    first = shared.sources
    if shared.pairs.count:
        first = shared.pairs
    return [
        shared.split,
        shared.other,
        thousands(shared.sources.count),
        percent_of(shared.sources.count, shared.of),
        thousands(shared.pairs.count),
        percent_of(shared.pairs.count, shared.of),
        first.numbers,
    ]


def _unseen(inspection: Inspection) -> Section | None:
    rows = []
    for split in inspection.splits:
        for unseen in split.unseen:
            cells = _cells_of_unseen(unseen)
            rows.append([split.name, *cells])
    if not rows:
        return None
    header = ["", "side", "of running", "", "of distinct", "", "most often"]
    table = Table(header, rows, ends_in_text=True)
    return Section("unseen", "Words never seen in training", table)


def _cells_of_unseen(unseen: Unseen) -> list[str]:
    frequent = []
    for word, count in unseen.frequent:
        shown = isolated(printable(word))
        frequent.append(f"{shown} ({count:,})")
    return [
        unseen.side,
        thousands(unseen.running_unseen),
        percent(unseen.share),
        thousands(unseen.distinct_unseen),
        percent(unseen.distinct_share),
        ", ".join(frequent),
    ]


def _odd(inspection: Inspection) -> Section:
    rows = []
    for split in inspection.splits:
        for odd in split.odd:
            cells = _cells_of_odd(odd)
            rows.append([split.name, *cells])
    if not rows:
        return Section("odd", "Odd lines", lines=["None."])
    header = ["", "lines", "side", "what", "first lines"]
    table = Table(header, rows, ends_in_text=True)
    return Section("odd", "Odd lines", table)


def _cells_of_odd(odd: OddLines) -> list[str]:
    side = odd.side
    if side == BOTH:
        side = ""
    return [
        thousands(odd.lines.count),
        side,
        odd.title,
        odd.lines.numbers,
    ]


def _scripts(inspection: Inspection) -> Section:
    rows = []
    for split in inspection.splits:
        source = split.source
        target = split.target
        rows.append([split.name, "source", source.language, _shares(source.scripts)])
        rows.append([split.name, "target", target.language, _shares(target.scripts)])
    header = ["", "side", "language", "share"]
    table = Table(header, rows, ends_in_text=True)
    return Section("scripts", "Letters by script", table)


def _shares(scripts: dict[str, float]) -> str:
    """Returns the scripts with their shares; what are hardly any letters stands without."""
    words = []
    hardly = []
    for script, share in scripts.items():
        if script not in SCRIPTS:
            continue
        if share < FEW:
            hardly.append(script)
        else:
            words.append(f"{script} {percent(share)}")
    if hardly:
        names = ", ".join(sorted(hardly))
        words.append(f"hardly any: {names}")
    return ", ".join(words) or "no letters"


def _cleaning(inspection: Inspection) -> Section | None:
    rows = []
    for split in inspection.splits:
        if split.kept is None:
            continue
        share = percent_of(split.kept, split.pairs)
        rows.append([split.name, thousands(split.kept), share, "kept", ""])
        for left_out in split.left_out:
            cells = _cells_of_left_out(left_out, split.pairs)
            rows.append([split.name, *cells])
    if not rows:
        return None
    header = ["", "pairs", "", "what becomes of them", "first lines"]
    table = Table(header, rows, ends_in_text=True)
    return Section("cleaning", "What cleaning leaves out", table)


def _cells_of_left_out(left_out: LeftOut, pairs: int) -> list[str]:
    return [
        thousands(left_out.lines.count),
        percent_of(left_out.lines.count, pairs),
        f"left out: {left_out.title}",
        left_out.lines.numbers,
    ]


def thousands(number: int) -> str:
    """Returns a number as people read it."""
    return f"{number:,}"


def percent_of(part: int, whole: int) -> str:
    """Returns the share of a part as people read it; of nothing there is none."""
    if not whole:
        return NOTHING
    return percent(part / whole)


def percent(share: float) -> str:
    """Returns a share as people read it; one that is not 0 or 1 is not shown as one that is."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %"


def printable(text: str) -> str:
    """Returns a text in which what can't be seen stands as its code."""
    shown = ""
    for character in text:
        if character.isprintable():
            shown += character
        else:
            shown += f"U+{ord(character):04X}"
    return shown
