"""Hints for misspelt names."""

from __future__ import annotations

import logging

import pytest

from nmt.errors import nearest
from tests.processes import door_in_process

KNOWN = ("multi30k_en_de", "multi30k_en_fr", "scan", "wmt14_en_de", "wmt14_en_fr", "max_a", "max_b", "max_c", "max_d")


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("multi30k", "did you mean 'multi30k_en_de' or 'multi30k_en_fr'? (known: "),
        ("Multi30k", "did you mean 'multi30k_en_de' or 'multi30k_en_fr'? (known: "),
        ("wmt14", "did you mean 'wmt14_en_de' or 'wmt14_en_fr'? (known: "),
        ("multi30k_de_en", "did you mean 'multi30k_en_de'? (known: "),
        ("SCAN", "did you mean 'scan'? (known: "),
        ("scn", "did you mean 'scan'? (known: "),
        ("", "known: "),
    ],
)
def test_the_names_that_are_meant_are_given(typed, hint):
    assert nearest(typed, KNOWN).startswith(hint)


def test_many_names_with_one_beginning_are_no_hint():
    assert " or " not in nearest("max", KNOWN)


def test_libraries_that_print_their_lines_do_not_have_them_printed_twice(tmp_path):
    done = door_in_process("data", "do=list", folder=tmp_path)
    assert done.returncode == 0
    for library in ("datasets", "huggingface_hub"):
        assert not logging.getLogger(library).propagate
