"""Writes results into README.md and docs/results.md: no number there is typed.

  python scripts/update_readme.py runs/demo runs/multi30k

For the folder of each comparison or benchmark, what lies between `<!-- NAME -->` and `<!-- /NAME -->` becomes its
findings, table, cost and how it was made, and its figure is copied to docs/.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from nmt.evaluation.results import Comparison
from nmt.report import tables, words

MANY = 5  # more systems stand one below the other
ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/results.md")


def section(comparison: Comparison, page: str) -> str:
    """Markdown of one comparison; docs/results.md has room for more than README.md."""
    parts = []
    for test_set in comparison.test_sets:
        make = tables.system_table if len(comparison.systems) > MANY else tables.comparison_table
        table = make(comparison, test_set, comparison.metrics[0])
        parts += [f"{comparison.chosen()[0].title} on {test_set}:", table.markdown()]
        if page != "README.md":
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


def place(name: str, make: Callable[[str], str]) -> None:
    """Puts what is made for a page between the marks of ``name``. Stops where no page has them."""
    for page in filter(Path.is_file, (ROOT / page for page in PAGES)):
        text = page.read_text(encoding="utf-8")
        found = re.search(rf"<!-- {name} -->.*?<!-- /{name} -->", text, re.DOTALL)
        if found:
            made = f"<!-- {name} -->\n{make(page.name)}\n<!-- /{name} -->"
            page.write_text(text[: found.start()] + made + text[found.end() :], encoding="utf-8")
            return
    sys.exit(f"no page has a place for '{name}': add the lines <!-- {name} --> and <!-- /{name} --> to README.md")


def update(folder: Path) -> None:
    """Rewrites one comparison's or benchmark's part of its page, and its figure."""
    (ROOT / "docs").mkdir(exist_ok=True)
    benchmark = folder / "benchmark.md"
    if benchmark.is_file():
        place(folder.name, lambda _: benchmark.read_text(encoding="utf-8").strip())
        if (folder / "benchmark.png").is_file():
            shutil.copyfile(folder / "benchmark.png", ROOT / "docs" / f"{folder.name}.png")
        return
    comparison = Comparison.from_json(json.loads((folder / "report/report.json").read_text(encoding="utf-8")))
    name = comparison.name
    place(name, lambda page: section(comparison, page))
    shutil.copyfile(folder / f"report/{comparison.metrics[0]}_by_length.png", ROOT / "docs" / f"{name}.png")
    if name == "demo":  # the pictures of docs/bottleneck.md
        for picture in (folder / "report").glob("attention_*.png"):
            shutil.copyfile(picture, ROOT / "docs" / f"{name}_{picture.name}")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        update(Path(name))
