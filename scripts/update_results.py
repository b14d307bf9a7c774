"""Writes the results of comparisons and benchmarks into the documents, so that nobody types a number.

  python scripts/update_results.py runs/demo runs/multi30k

For each folder, the text between `<!-- NAME -->` and `<!-- /NAME -->` in docs/results.md or docs/speed.md becomes the
comparison's tables, findings, cost and provenance, and its figure is copied to docs/. README.md has a short form of one
comparison, between `<!-- NAME-short -->` and `<!-- /NAME-short -->`.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

from nmt.evaluation.results import Comparison
from nmt.report import tables, words

MANY = 5  # more systems stand one below the other
ROOT = Path(__file__).parent.parent
README = "README.md"
PAGES = ("docs/results.md", "docs/speed.md")


def section(comparison: Comparison) -> str:
    """Markdown of one comparison: all its tables, findings and provenance."""
    parts = []
    for test_set in comparison.test_sets:
        make = tables.system_table if len(comparison.systems) > MANY else tables.comparison_table
        table = make(comparison, test_set, comparison.metrics[0])
        parts += [f"{comparison.chosen()[0].title} on {test_set}:", table.markdown()]
        parts += ["Beside it:", tables.explaining_table(comparison, test_set).markdown()]
    if comparison.capacities:
        parts += ["How many words fit:", tables.capacity_table(comparison).markdown()]
    if comparison.costs:
        parts += ["What length costs:", tables.length_cost_table(comparison).markdown()]
    parts += [
        words.legend(comparison),
        "\n".join(f"- {finding}" for finding in words.findings(comparison)),
        tables.cost_table(comparison).markdown(),
        *_differing(comparison),
        f"Matched: {comparison.matched}. "
        + " ".join(f"{name.capitalize()}: `{value}`." for name, value in comparison.provenance.items())
        + " "
        + " ".join(f"{comparison.measure(n).label}: `{s}`." for n, s in comparison.signatures.items()),
    ]
    return "\n\n".join(parts)


def _differing(comparison: Comparison) -> list[str]:
    table = tables.differing_options(comparison)
    return ["Training options that differ:", table.markdown()] if table.rows else []


def short_section(comparison: Comparison) -> str:
    """Markdown of a comparison's first test set: every second bucket and the row of the whole set."""
    test_set = next(iter(comparison.test_sets))
    table = tables.comparison_table(comparison, test_set, comparison.metrics[0])
    *buckets, whole = table.rows
    return tables.markdown_table(table.header, [*buckets[::2], whole])


def place(name: str, text: str) -> None:
    """Puts ``text`` between the marks of ``name``. Ends the script if no page has them."""
    if not any(_replace(page, name, text) for page in PAGES):
        marks = f"<!-- {name} --> and <!-- /{name} -->"
        sys.exit(f"no page has a place for '{name}': add the lines {marks} to {PAGES[0]}")


def _replace(page: str, name: str, text: str) -> bool:
    """Replaces the text between the marks of ``name``; false if the page has no such marks."""
    path = ROOT / page
    if not path.is_file():
        return False
    old = path.read_text(encoding="utf-8")
    marked = re.search(rf"<!-- {name} -->.*?<!-- /{name} -->", old, re.DOTALL)
    if marked is None:
        return False
    new = f"<!-- {name} -->\n{text}\n<!-- /{name} -->"
    path.write_text(old[: marked.start()] + new + old[marked.end() :], encoding="utf-8")
    return True


def update(folder: Path) -> None:
    """Rewrites the tables of one comparison or benchmark, and copies its figure."""
    (ROOT / "docs").mkdir(exist_ok=True)
    benchmark = folder / "benchmark.md"
    if benchmark.is_file():
        place(folder.name, benchmark.read_text(encoding="utf-8").strip())
        if (folder / "benchmark.png").is_file():
            shutil.copyfile(folder / "benchmark.png", ROOT / "docs" / f"{folder.name}.png")
        return
    comparison = Comparison.from_json(json.loads((folder / "report/report.json").read_text(encoding="utf-8")))
    name = comparison.name
    place(name, section(comparison))
    _replace(README, f"{name}-short", short_section(comparison))
    shutil.copyfile(folder / f"report/{comparison.metrics[0]}_by_length.png", ROOT / "docs" / f"{name}.png")
    if name == "demo":  # the pictures of docs/bottleneck.md
        for picture in (folder / "report").glob("attention_*.png"):
            shutil.copyfile(picture, ROOT / "docs" / f"{name}_{picture.name}")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        update(Path(name))
