"""A recipe of a user's own: what can't be right is told when its module is imported, and nothing can lead elsewhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nmt.corpus.recipes.recipe import RECIPES, register
from nmt.errors import UserError
from tests.toy_corpus import NEED_OF_FILES, TEXTS, TOY_FILES


@pytest.fixture(autouse=True)
def recipes(monkeypatch):
    for name in list(RECIPES):
        monkeypatch.delitem(RECIPES, name)


def of_need(**options):
    return {"needs": (replace(NEED_OF_FILES, **options),)}


MISTAKES = [
    ({"folder": "../x"}, "'../x' can't name its folder or a text"),
    ({"folder": "/x"}, "'/x' can't name its folder"),
    ({"folder": ".downloads"}, "'.downloads' can't name its folder"),
    ({"digests": {"../x.en": "0" * 64}}, "'../x.en' can't name its folder or a text"),
    ({"digests": {"train.en.gz": "0" * 64}}, "'train.en.gz' can't name"),
    ({"digests": {"SOURCE.md": "0" * 64}}, "'SOURCE.md' can't name"),
    ({"digests": {"train.en": "abc"}}, "'abc' is no SHA-256 of train.en"),
    ({"digests": {}}, "corpora and digests must list"),
    ({"corpora": ()}, "corpora and digests must list"),
    ({"corpora": "files"}, "corpora and digests must list"),
    ({"pairs": None}, "pairs and sizes must be whole numbers"),
    (of_need(size="1 MB"), "pairs and sizes must be whole numbers"),
    (of_need(repository="https://host/owner/toy"), "is no repository; OWNER/NAME"),
    (of_need(commit="main"), "'main' is no commit; all 40 digits"),
    (of_need(prefix="../"), "'../train.en' leads out of owner/toy"),
    (of_need(prefix="", digests={"/etc/x": "0" * 64}), "'/etc/x' leads out of owner/toy"),
]


@pytest.mark.parametrize(("options", "told"), MISTAKES, ids=[told for _, told in MISTAKES])
def test_a_recipe_that_can_not_be_right_is_refused(options, told):
    with pytest.raises(UserError) as raised:
        register(replace(TOY_FILES, **options))
    assert told in str(raised.value)
    assert not RECIPES


def test_a_folder_has_one_recipe():
    register(TOY_FILES)
    with pytest.raises(UserError, match="toy-files: there is a recipe for this folder"):
        register(replace(TOY_FILES, digests={**TEXTS, "more.en": "0" * 64}))
    assert RECIPES["toy-files"] is TOY_FILES
