"""Every corpus made again from snapshots of its repositories, in the folder that NMT_SNAPSHOTS names.

A snapshot is a clone, with or without a work tree, in OWNER+NAME or OWNER+NAME/repo.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from nmt.config import compose_train
from nmt.corpus.fetching.place import file_of
from nmt.corpus.fetching.sources import CloneSource, git_folder
from nmt.corpus.recipes.digests import digests_of_texts
from nmt.corpus.recipes.recipe import RECIPES, Recipe
from nmt.corpus.text.lines import lines_of
from tests.conftest import DATA
from tests.corpus.recipes import memory  # noqa: F401  registers all of them

pytestmark = pytest.mark.data

SNAPSHOTS = os.environ.get("NMT_SNAPSHOTS", "")


def snapshot_of(repository: str) -> Path:
    name = repository.replace("/", "+")
    for folder in (Path(SNAPSHOTS) / name, Path(SNAPSHOTS) / name / "repo"):
        if git_folder(folder):
            return folder
    return pytest.skip(f"no clone of {repository} in NMT_SNAPSHOTS={SNAPSHOTS}/{name}")


@pytest.fixture(params=sorted(RECIPES))
def recipe(request) -> Recipe:
    return RECIPES[request.param]


@pytest.mark.slow
def test_every_text_is_made_again_from_its_repositories(recipe):
    if not SNAPSHOTS:
        pytest.skip("set NMT_SNAPSHOTS to a folder of clones, each in OWNER+NAME, to make all corpora again")
    sources = [CloneSource(snapshot_of(need.repository), need) for need in recipe.needs]
    assert digests_of_texts(recipe, sources) == recipe.digests


def test_every_text_that_is_here_has_the_digest_of_its_recipe(recipe):
    if not (DATA / recipe.folder).is_dir():
        pytest.skip(f"no {recipe.folder} in {DATA}; set NMT_DATA to the folder of the corpora")
    digests = {}
    for name in recipe.digests:
        path = file_of(DATA / recipe.folder, name)
        assert path, name
        content = "".join(f"{line}\n" for line in lines_of(path, ours=True)).encode()
        digests[name] = hashlib.sha256(content).hexdigest()
    assert digests == recipe.digests


def test_every_file_that_a_configuration_reads_is_here(recipe, monkeypatch):
    if not (DATA / recipe.folder).is_dir():
        pytest.skip(f"no {recipe.folder} in {DATA}; set NMT_DATA to the folder of the corpora")
    monkeypatch.setenv("NMT_DATA", str(DATA))
    for name in recipe.corpora:
        corpus = compose_train([f"corpus={name}"]).corpus
        for split in corpus.tests:
            corpus.look_into(split)
        if corpus.train:
            corpus.look_into("train")
            corpus.look_into("valid")
