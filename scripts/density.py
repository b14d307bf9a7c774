"""How dense the code is, file by file: what a reader has to take in at once.

  python scripts/density.py [FOLDER ...]

A code line is one that is not blank, not a comment and not part of a docstring. Its density is the number of nodes of
the syntax tree for each such line. Beside it stand the comprehensions and the longest function of each file, in lines.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# Tokens that make no line a line of code.
SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


@dataclass(frozen=True)
class Density:
    """What was counted in one file, or in several together."""

    lines: int  # all of them
    code_lines: int
    nodes: int
    comprehensions: int
    longest_function: int  # in lines, docstring included

    @property
    def nodes_a_line(self) -> float:
        return self.nodes / max(self.code_lines, 1)


def measure(text: str) -> Density:
    """Counts the source text of one file."""
    tree = ast.parse(text)
    docstrings = list(_docstrings(tree))
    nodes = list(ast.walk(tree))
    functions = [node for node in nodes if isinstance(node, FUNCTIONS)]
    lengths = [_last_line(function) - function.lineno + 1 for function in functions]
    return Density(
        lines=len(text.splitlines()),
        code_lines=len(_code_lines(text, docstrings)),
        nodes=len(nodes) - 2 * len(docstrings),  # a docstring is an expression and a constant
        comprehensions=sum(isinstance(node, COMPREHENSIONS) for node in nodes),
        longest_function=max(lengths, default=0),
    )


def together(files: list[Density]) -> Density:
    """Adds up the counts of several files; the longest function is the longest of all."""
    return Density(
        lines=sum(file.lines for file in files),
        code_lines=sum(file.code_lines for file in files),
        nodes=sum(file.nodes for file in files),
        comprehensions=sum(file.comprehensions for file in files),
        longest_function=max((file.longest_function for file in files), default=0),
    )


def _docstrings(tree: ast.Module) -> Iterator[ast.Expr]:
    for node in ast.walk(tree):
        if (
            isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS))
            and ast.get_docstring(node, clean=False) is not None
        ):
            yield node.body[0]  # type: ignore[misc]


def _code_lines(text: str, docstrings: list[ast.Expr]) -> set[int]:
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in SILENT:
            lines.update(range(token.start[0], token.end[0] + 1))
    for docstring in docstrings:
        lines.difference_update(range(docstring.lineno, _last_line(docstring) + 1))
    return lines


def _last_line(node: ast.stmt) -> int:
    assert node.end_lineno is not None
    return node.end_lineno


def main() -> None:
    folders = [Path(argument) for argument in sys.argv[1:]] or [ROOT / "nmt"]
    paths = sorted(path for folder in folders for path in folder.rglob("*.py"))
    rows = [(str(path), measure(path.read_text(encoding="utf-8"))) for path in paths]
    rows.sort(key=lambda row: -row[1].nodes_a_line)
    rows.append(("all", together([density for _, density in rows])))
    print(f"{'nodes a line':>12}  {'comprehensions':>14}  {'longest function':>16}  {'lines':>6}  file")
    for name, density in rows:
        numbers = f"{density.nodes_a_line:12.1f}  {density.comprehensions:14}  {density.longest_function:16}"
        print(f"{numbers}  {density.lines:6}  {name.removeprefix(f'{ROOT}/')}")


if __name__ == "__main__":
    main()
