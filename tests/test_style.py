"""How our lines read: one action a line, files and functions that fit into a head."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "nmt"
SCRIPTS = sorted([*ROOT.glob("scripts/gpu*.py"), ROOT / "scripts/density.py"])
MOST_LINES = 400
MOST_LINES_OF_FUNCTION = 60
MOST_NODES_A_LINE = 9.4  # over all; it may only fall
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def files() -> list[str]:
    return sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))


def breaches(tree: ast.AST) -> Iterator[str]:
    """Where a line does two things at once."""
    for node in ast.walk(tree):
        if isinstance(node, COMPREHENSIONS):
            inner = [child for child in ast.walk(node) if isinstance(child, COMPREHENSIONS) and child is not node]
            if inner:
                yield f"line {node.lineno}: a comprehension inside a comprehension"
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
            for target in node.targets:
                if isinstance(target, ast.Tuple) and not _is_swap(target, node.value):
                    yield f"line {node.lineno}: two assignments in one line"
        if isinstance(node, ast.Call):
            arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
            if any(isinstance(argument, ast.IfExp) for argument in arguments):
                yield f"line {node.lineno}: a conditional expression among arguments"


def _is_swap(target: ast.Tuple, value: ast.Tuple) -> bool:
    """``a, b = b, a`` is one thought."""
    names = [ast.unparse(item) for item in target.elts]
    return sorted(names) == sorted(ast.unparse(item) for item in value.elts)


def test_the_rules_find_what_they_forbid():
    found = [
        list(breaches(ast.parse(line)))
        for line in (
            "[[x for x in y] for y in z]",
            "a, b = c, len(d)",
            "f(1 if x else 2)",
            "a, b = b, a",
            "low, high = bounds",
            "[x for x in y]",
        )
    ]
    assert [len(breach) for breach in found] == [1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize("name", files())
def test_a_line_does_one_thing(name):
    found = list(breaches(ast.parse((PACKAGE / name).read_text())))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_line_of_a_script_does_one_thing(path):
    found = list(breaches(ast.parse(path.read_text())))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", files())
def test_files_and_functions_fit_into_a_head(name):
    density = load_density().measure((PACKAGE / name).read_text())
    assert density.lines <= MOST_LINES
    assert density.longest_function <= MOST_LINES_OF_FUNCTION


def test_the_code_is_not_too_dense_over_all():
    density = load_density()
    whole = density.together([density.measure((PACKAGE / name).read_text()) for name in files()])
    assert whole.nodes_a_line < MOST_NODES_A_LINE


def load_density():
    spec = importlib.util.spec_from_file_location("density", ROOT / "scripts" / "density.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["density"] = module  # its dataclass looks itself up
    spec.loader.exec_module(module)
    return module
