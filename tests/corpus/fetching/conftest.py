"""The toy corpora, and the server that has them; the public hosts are out of reach."""

from __future__ import annotations

import pytest

from nmt.corpus.fetching import addresses
from nmt.corpus.recipes.recipe import RECIPES
from tests.corpora_server import serving
from tests.toy_corpus import REPOSITORIES, TOY_ARCHIVE, TOY_FILES


@pytest.fixture(autouse=True)
def toys(monkeypatch, tmp_path):
    for toy in (TOY_FILES, TOY_ARCHIVE):
        monkeypatch.setitem(RECIPES, toy.folder, toy)
    monkeypatch.setenv("NMT_DATA", str(tmp_path / "corpora"))
    monkeypatch.delenv("NMT_MIRROR", raising=False)
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    monkeypatch.setattr(addresses, "PUBLIC_FILES", ())
    monkeypatch.setattr(addresses, "PUBLIC_ARCHIVES", ())


@pytest.fixture
def server(monkeypatch):
    with serving(REPOSITORIES) as first:
        monkeypatch.setenv("NMT_MIRROR", first.url)
        yield first


@pytest.fixture
def second(server, monkeypatch):
    """Another mirror, which is asked where the first has failed."""
    with serving(REPOSITORIES) as other:
        monkeypatch.setenv("NMT_MIRROR", f"{server.url} {other.url}/")
        yield other
