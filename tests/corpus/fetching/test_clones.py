"""Clones that are given: all are read alike, and nothing that one of them names is run."""

from __future__ import annotations

import subprocess

import pytest

from nmt.corpus.fetching.given import given_sources
from nmt.corpus.recipes.recipe import Archive, Files
from nmt.errors import Absent
from tests.toy_corpus import FILES, TEXTS, TREE


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def clone(tmp_path):
    folder = tmp_path / "a clone"
    for path, content in TREE.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "a")
    return folder


def needs_of(clone):
    commit = git(clone, "rev-parse", "HEAD")
    return Files("owner/toy", commit, "data/", TEXTS, 1), Archive("owner/toy", commit, "data/", 1, 400_000)


def object_of(clone, name):
    digest = git(clone, "rev-parse", name)
    return clone / ".git/objects" / digest[:2] / digest[2:]


def test_a_program_that_the_configuration_of_a_clone_names_is_not_run(clone, tmp_path):
    ran = tmp_path / "ran"
    needs = needs_of(clone)
    object_of(clone, "HEAD:data/train.en").unlink()
    git(clone, "config", "core.repositoryFormatVersion", "1")
    git(clone, "config", "extensions.partialClone", "origin")
    git(clone, "config", "remote.origin.promisor", "true")
    git(clone, "config", "remote.origin.url", f"ext::touch {ran}")
    git(clone, "config", "protocol.ext.allow", "always")
    for source in given_sources(clone, needs):
        with pytest.raises(Absent, match=r"has not [0-9a-f]{40}:data/train\.en"):
            source.read("train.en")
        with pytest.raises(Absent, match=r"has not [0-9a-f]{40}:data/train\.en"):
            dict(source.files())
    assert not ran.exists()


def test_a_further_work_tree_is_read_by_its_commit(clone, tmp_path):
    tree = tmp_path / "tree"
    git(clone, "worktree", "add", "-q", "--detach", str(tree))
    (tree / "data/train.en").write_text("changed\n")
    for source in given_sources(tree, needs_of(clone)):
        assert source.read("train.en") == FILES["data/train.en"]


@pytest.mark.parametrize("harm", ["damaged", "no list"])
def test_a_clone_that_is_not_whole_is_named(clone, harm):
    _, need = needs_of(clone)
    if harm == "damaged":
        place = object_of(clone, "HEAD:data/train.en")
        content = place.read_bytes()
        place.chmod(0o644)
        place.write_bytes(content[:1000])
    else:
        object_of(clone, "HEAD:data").unlink()
    [source] = given_sources(clone, [need])
    with pytest.raises(Absent, match="or it is damaged"):
        dict(source.files())
