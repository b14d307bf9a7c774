"""Fonts of this machine for letters that matplotlib's own font lacks, and one line where there is none."""

from __future__ import annotations

import logging
import re
import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

log = logging.getLogger("nmt")

FAMILY = "DejaVu Sans"  # comes with matplotlib: Latin, Greek, Cyrillic, Hebrew, Arabic and more
FIRST = ("NotoSansCJK", "NotoSans", "Noto")  # beginnings of the names of files that are tried before all others
PLAIN = ("Regular", "Book", "Roman", "Normal")
MISSING = re.compile(r"Glyph (\d+) .*missing from")  # what matplotlib warns of, once for each letter
CJK = "CJK (Han, Kana, Hangul)"
OF_CJK = ("Han", "Hiragana", "Katakana", "Hangul", "Bopomofo")  # one font has them all
SYMBOLS = "emoji and symbols"
SUGGESTED = {CJK: "Noto Sans CJK (Debian: fonts-noto-cjk)", SYMBOLS: "Noto Emoji"}


def families(texts: Iterable[str]) -> list[str]:
    """Returns the font families to draw these texts with, the first that has a letter draws it."""
    own = FT2Font(font_manager.findfont(FAMILY))
    wanted: dict[str, str] = {}  # a letter of each script that the first font lacks
    for text in texts:
        for character in text:
            if not own.get_char_index(ord(character)):
                wanted.setdefault(_script(character), character)
    others = [_family_for(script, character) for script, character in wanted.items()]
    return list(dict.fromkeys([FAMILY, *filter(None, others)]))


@contextmanager
def missing_told() -> Iterator[None]:
    """Says in one line which scripts no font has, where matplotlib warns of each letter."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        missing = MISSING.match(str(warning.message))
        if missing is None:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
            continue
        script = _script(chr(int(missing[1])))
        if script in OF_CJK:
            script = CJK
        _tell(script)


@cache  # once is enough: attention is drawn at every validation
def _tell(script: str) -> None:
    suggested = SUGGESTED.get(script, f"Noto Sans {script} (Debian: fonts-noto-core)")
    log.warning("figures: no font on this machine draws %s: boxes instead; install one, such as %s", script, suggested)


@cache
def _family_for(script: str, character: str) -> str:
    """Returns the family of the first font that has the character, made known to matplotlib; empty where none has it.

    matplotlib keeps a list of fonts, which may be older than the font: so the machine is asked.
    """
    for path in sorted(font_manager.findSystemFonts(), key=_rank):
        try:
            font = FT2Font(path)
            has = font.get_char_index(ord(character))
        except (RuntimeError, OSError):  # a kind of font that matplotlib can't open
            continue
        is_plain = font.style_name in PLAIN
        is_drawn = "color" not in font.family_name.lower()  # pictures instead of outlines
        if has and is_plain and is_drawn:
            font_manager.fontManager.addfont(path)
            return font.family_name
    return ""


def _rank(path: str) -> tuple[int, str]:
    """Sorts files of fonts: well-known ones first, then by name."""
    name = re.split(r"[/\\]", path)[-1]
    for place, beginning in enumerate(FIRST):
        if name.startswith(beginning):
            return place, name
    return len(FIRST), name


def _script(character: str) -> str:
    """Returns the script of a character by its name in Unicode, such as Thai."""
    if unicodedata.category(character)[0] not in "LM":
        return SYMBOLS
    first = unicodedata.name(character, SYMBOLS).partition(" ")[0]
    return "Han" if first == "CJK" else first.capitalize()
