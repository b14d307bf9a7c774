"""The corpora that can be had by name, as a table in plain text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from nmt.config import CONFIG_FOLDER
from nmt.corpus.fetching.absent import megabytes
from nmt.corpus.fetching.place import corpora_folder, is_here
from nmt.corpus.recipes.recipe import RECIPES
from nmt.verbatim import read_yaml

WIDTH = 120  # columns of the table, at most
GAP = "  "  # between columns
UNKNOWN = "-"
HEADER = ["corpus", "languages", "pairs", "download", "here", "licence"]
TO_THE_RIGHT = (2, 3)  # columns of numbers
BY_LIBRARY = "`datasets`"
BY_INDEX = "`mtdata`"
NOTES = f"""\
{BY_LIBRARY}: the library of that name downloads the corpus, here or when it is first read.
{BY_INDEX}: any parallel corpus of OPUS and WMT, as corpus.train=[ID]; it needs pip install mtdata."""

Row = list[str]  # a cell for each column of HEADER


def list_corpora() -> str:
    """Returns where corpora lie, a row for each that can be had by name, and notes on those without a recipe."""
    folder = corpora_folder()
    lines = [f"In {folder}/ (the environment variable NMT_DATA names another folder):", ""]
    rows = [HEADER]
    rows.extend(_rows_of_recipes())
    rows.extend(_rows_of_libraries())
    lines.extend(_aligned(rows))
    lines += ["", NOTES]
    return "\n".join(lines)


def _rows_of_recipes() -> Iterator[Row]:
    """Yields a row for each recipe; of further configurations that read its corpus, rows with a name alone."""
    folder = corpora_folder()
    for recipe in RECIPES.values():
        first, *others = recipe.corpora
        languages = " ".join(recipe.languages)
        pairs = f"{recipe.pairs:,}"
        if not recipe.pairs:
            pairs = UNKNOWN
        here = "no"
        if is_here(recipe, folder):
            here = "yes"
        yield [first, languages, pairs, megabytes(recipe.size), here, recipe.licence]
        for name in others:
            yield [name, "", "", "", here, f"comes with {first}"]


def _rows_of_libraries() -> Iterator[Row]:
    """Yields a row for each configuration whose corpus a library brings."""
    unknown = [UNKNOWN, UNKNOWN, UNKNOWN]
    folder = CONFIG_FOLDER / "corpus"
    for path in sorted(folder.glob("*.yaml")):
        options = read_yaml(path.read_text(encoding="utf-8"))
        schemas = options["defaults"]
        languages = "any"
        if "source_language" in options:
            languages = f"{options['source_language']} {options['target_language']}"
        if "datasets_schema" in schemas and "path" in options:
            yield [path.stem, languages, *unknown, f"see {options['path']}; {BY_LIBRARY}"]
        elif "mtdata_schema" in schemas:
            yield [path.stem, languages, *unknown, f"of each; {BY_INDEX}"]


def _aligned(rows: Sequence[Row]) -> Iterator[str]:
    """Yields the rows in columns; what is too long for the last one is cut."""
    widths = []
    for column in zip(*rows, strict=True):
        widths.append(max(map(len, column)))
    gaps = len(GAP) * (len(widths) - 1)
    widths[-1] = WIDTH - gaps - sum(widths[:-1])
    for row in rows:
        cells = []
        for number, cell in enumerate(row):
            width = widths[number]
            text = textwrap.shorten(cell, width, placeholder=" ...")
            align = str.rjust if number in TO_THE_RIGHT else str.ljust
            cells.append(align(text, width))
        yield GAP.join(cells).rstrip()
