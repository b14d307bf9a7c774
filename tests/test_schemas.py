"""Options of a door that exist are valid, also where no command line made them."""

from __future__ import annotations

import pytest

from nmt.errors import UserError
from nmt.schemas import AlignConfig, CompareConfig, ExportConfig, SystemOptions, TranslateConfig

SYSTEMS = {"fixed": SystemOptions("demo/fixed"), "attention": SystemOptions("demo/attention")}
COMPARISON = {"name": "trial", "baseline": "fixed", "systems": SYSTEMS}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "a/b"}, "name: 'a/b' names files"),
        ({"systems": {"a/b": SystemOptions("demo/fixed")}}, "systems: 'a/b' names files"),
        ({"baseline": "fixd"}, "baseline=fixd: no such system; did you mean 'fixed'"),
        ({"match": "minute"}, "match=minute: did you mean 'minutes'"),
        ({"match": "steps"}, "budget=0.0: how many steps does each system get"),
        ({"seeds": []}, "one or more are needed"),
        ({"seeds": [1, 1]}, "each once"),
        ({"test_sets": ["test", "test"]}, "each once"),
        ({"checkpoint": "bst"}, "did you mean 'best'"),
    ],
)
def test_a_comparison_that_can_not_be_is_refused_when_it_is_made(change, message):
    CompareConfig(**COMPARISON)
    with pytest.raises(UserError, match=message):
        CompareConfig(**{**COMPARISON, **change})


@pytest.mark.parametrize("options", [{"checkpoint": "12"}, {"match": "steps", "budget": 3.0}])
def test_a_step_number_and_a_budget_are_taken(options):
    CompareConfig(**COMPARISON, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input": "text"}, "input and output: give both"),
        ({"output": "text"}, "input and output: give both"),
        ({"shard_lines": 0}, "shard_lines=0: must be 1 or more"),
        ({"engine": "torch"}, "engine=torch: did you mean 'pytorch'"),
        ({"compute_type": "int8"}, "compute_type=int8 is for engine=ctranslate2"),
    ],
)
def test_a_translation_that_can_not_be_is_refused_when_it_is_made(options, message):
    with pytest.raises(UserError, match=message):
        TranslateConfig(run="run", **options)


def test_other_doors_refuse_what_they_do_not_know():
    with pytest.raises(UserError, match="format=onnx: known: ctranslate2"):
        ExportConfig(run="run", format="onnx")
    with pytest.raises(UserError, match="join=grow"):
        AlignConfig(run="run", source="a", target="b", join="grow")
