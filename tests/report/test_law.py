"""A law: the report names no measure. What it says of one, it was told by the comparison."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import nmt.report
from nmt.evaluation.measures.measure import MEASURES

FOLDER = Path(nmt.report.__file__).parent
FILES = sorted(path for path in FOLDER.rglob("*") if path.suffix in (".py", ".js", ".css", ".jinja"))
# Words that stand for a measure without being its whole name or label. "attention" and "gradient" are none of them: the
# report draws both as maps, from data that belong to no measure.
NICKNAMES = ["recall", "repetition", "brevity", "entropy", "search error", "alignment error", "exact"]


def words_of(text: str) -> str:
    """The words of a text, one space between them: those of camelCase, snake_case and kebab-case, too."""
    parted = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text)
    return " ".join(re.findall(r"[a-z0-9]+", parted.lower()))


def forbidden() -> list[str]:
    """Each measure's name and label as words, and what else stands for one."""
    names = [name for measure in MEASURES.values() for name in (measure.name, measure.label)]
    return sorted({words_of(name) for name in [*names, *NICKNAMES]})


def named(text: str) -> list[str]:
    """The measures that a text names, in the singular or plural."""
    words = f" {words_of(text)} "
    return [name for name in forbidden() if f" {name} " in words or f" {name}s " in words]


def test_the_law_finds_what_it_forbids():
    for text in ('"bleu"', "drawTer()", "search_error-chart", "<h2>Source words translated</h2>", "#recall-part"):
        assert named(text), text
    for text in ("after", "the gradient of output words", "attention maps", "exactly", "Chrome"):
        assert not named(text), text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_report_names_no_measure(path):
    assert not named(path.read_text(encoding="utf-8"))


def test_every_kind_of_file_is_looked_at():
    assert {path.suffix for path in FILES} == {".py", ".js", ".css", ".jinja"}
    others = {path.suffix for path in FOLDER.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert others == {path.suffix for path in FILES}
