"""What docs/extending.md says works as written, with a small repository that stands in for the one it names."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from nmt.corpus.recipes.recipe import RECIPES, Archive, Files, Recipe
from tests.conftest import ROOT
from tests.processes import door_in_process

PAGE = (ROOT / "docs/extending.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
RECIPE, DIGESTS = (text for kind, text in BLOCKS if kind == "python")
[CONFIGURATION] = (text for kind, text in BLOCKS if kind == "yaml")
FETCH, SHOW = ([line for line in text.splitlines() if line] for kind, text in BLOCKS if kind == "bash")

ENGLISH = """A friend in need is a friend indeed.
All good things come in threes.
Better late than never.
Early to bed and early to rise.
Every beginning is hard.
Practice makes perfect.
Still waters run deep.
Time heals all wounds.
"""
GERMAN = """In der Not erkennt man den Freund.
Aller guten Dinge sind drei.
Besser spät als nie.
Morgenstund hat Gold im Mund.
Aller Anfang ist schwer.
Übung macht den Meister.
Stille Wasser sind tief.
Die Zeit heilt alle Wunden.
"""


def make_clone(folder: Path) -> None:
    """Commits the two texts at a set time by a set person, so that the commit has the name that the page gives."""
    (folder / "text").mkdir(parents=True)
    (folder / "text/en.txt").write_bytes(ENGLISH.encode())
    (folder / "text/de.txt").write_bytes(GERMAN.encode())
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    for role in ("AUTHOR", "COMMITTER"):
        environment[f"GIT_{role}_NAME"] = "Someone"
        environment[f"GIT_{role}_EMAIL"] = "someone@example.org"
        environment[f"GIT_{role}_DATE"] = "2026-01-01T00:00:00+0000"
    for command in ("init -q -b main", "add -A", "commit -q -m Proverbs"):
        subprocess.run(["git", *command.split()], cwd=folder, env=environment, check=True)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with the files that the page tells to write, and the clone that it tells to make."""
    folder = tmp_path_factory.mktemp("extending")
    (folder / "my_proverbs.py").write_text(RECIPE)
    (folder / "my_configs/corpus").mkdir(parents=True)
    (folder / "my_configs/corpus/proverbs_en_de.yaml").write_text(CONFIGURATION)
    assert FETCH[0].split()[:2] == ["git", "clone"]
    make_clone(folder / FETCH[0].split()[-1])
    return folder


@pytest.fixture
def own_module(place, monkeypatch):
    """The module can be imported, and is forgotten afterwards."""
    monkeypatch.syspath_prepend(place)
    monkeypatch.chdir(place)
    monkeypatch.delenv("NMT_DATA", raising=False)
    yield
    sys.modules.pop("my_proverbs", None)
    RECIPES.pop("proverbs", None)


def test_the_corpus_of_the_page_is_made_and_listed(place, own_module, monkeypatch):
    for command in FETCH[1:]:
        variable, python, _, module, *arguments = shlex.split(command)
        assert (variable, python) == ("NMT_PLUGINS=my_proverbs", "python")
        monkeypatch.setenv(*variable.split("="))
        done = door_in_process(module.removeprefix("nmt."), *arguments, folder=place)
        assert done.returncode == 0, done.stderr.decode()
    assert b"proverbs_en_de" in done.stdout
    folder = place / "data/corpora/proverbs"
    assert {path.name for path in folder.iterdir()} >= RECIPES["proverbs"].digests.keys()
    assert (folder / "train.de").read_text() == "".join(GERMAN.splitlines(keepends=True)[:6])


def test_the_digests_are_found_as_the_page_says(place, own_module):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(DIGESTS, {})
    lines = printed.getvalue().splitlines()
    assert lines == [line.strip() for line in RECIPE.splitlines() if re.match(r' +"\w+\.(en|de)":', line)]
    for command in SHOW:
        done = subprocess.run(command, shell=True, cwd=place, capture_output=True, check=True, text=True)
        name = command.split(" | ")[0].rpartition("/")[2]
        assert f'"{name}": "{done.stdout.split()[0]}"' in RECIPE


@pytest.mark.parametrize("kind", [Recipe, Files, Archive])
def test_the_page_explains_every_field(kind):
    for field in fields(kind):
        assert re.search(rf"^\| `{field.name}` \|", PAGE, re.MULTILINE), f"{kind.__name__}.{field.name}"
