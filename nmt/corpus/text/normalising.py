"""Text in one Unicode form: e and an accent, or é, are two spellings of one text, of which a model would learn one.

A tokenizer knows its form. Whatever is read for it, or by it, is in that form: to train on, to test, to translate.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache

from nmt.corpus.pair import Pair
from nmt.errors import UserError, nearest

NONE = "none"  # text stays as it is
FORMS = (NONE, "nfc", "nfkc")  # Unicode Standard Annex 15


def check_form(form: str, option: str) -> None:
    """Raises UserError for a form that is not known."""
    if form not in FORMS:
        raise UserError(f"{option}={form}: {nearest(form, FORMS)}")


def normalised(text: str, form: str) -> str:
    """Returns a text in a form of Unicode; its words stay as many.

    By nfkc a few characters, such as U+00B4, would be a space and a mark, which parts a word: they stay as in nfc.
    """
    if form == NONE or text.isascii():
        return text
    composed = unicodedata.normalize("NFC", text)
    if form == "nfc":
        return composed
    parts = _parting().split(composed)
    parts[::2] = [unicodedata.normalize("NFKC", part) for part in parts[::2]]
    return "".join(parts)


@cache
def _parting() -> re.Pattern[str]:
    """Returns what matches a character that is no space, and would by NFKC be one and something else."""
    parting = []
    for character in map(chr, range(sys.maxunicode + 1)):
        becomes = unicodedata.normalize("NFKC", character)
        if not character.isspace() and re.search(r"\s", becomes):
            parting.append(character)
    return re.compile(f"([{''.join(parting)}])")


def normalised_pairs(pairs: Iterable[Pair], form: str) -> Iterator[Pair]:
    """Yields the pairs, with both texts and the tag in a form of Unicode."""
    if form == NONE:
        yield from pairs
        return
    for pair in pairs:
        source = normalised(pair.source, form)
        target = normalised(pair.target, form)
        yield pair._replace(source=source, target=target, tag=normalised(pair.tag, form))
