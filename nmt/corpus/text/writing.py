"""How a language is written: whether spaces part its words, and by which of sacreBLEU's tokenizers BLEU counts it."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

AUTO = "auto"  # the tokenizer follows the script
KANA = ("HIRAGANA", "KATAKANA")
# Scripts whose words no space parts. Hangul is written both ways: see `Writing.of`.
UNSPACED = ("HAN", *KANA, "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")
STRAY = 0.01  # of the letters: a Chinese text may quote a little Kana
LONG_WORD = 10  # letters of a Hangul word on average, from which on the text is written without spaces; with: about 3


class Unit(StrEnum):
    """What a text's length is counted in."""

    WORDS = "words"
    CHARACTERS = "characters"

    def of(self, line: str) -> list[str]:
        """Returns the words of a line, or its characters; white space belongs to neither."""
        words = line.split()
        return words if self is Unit.WORDS else list("".join(words))

    def length(self, line: str) -> int:
        """Counts the words of a line, or its characters without white space."""
        words = line.split()
        return len(words) if self is Unit.WORDS else sum(map(len, words))

    @property
    def joint(self) -> str:
        """What stands between two sentences."""
        return " " if self is Unit.WORDS else ""


@dataclass(frozen=True)
class Writing:
    """How the texts of one side of a corpus are written."""

    unit: Unit = Unit.WORDS
    tokenize: str = "13a"  # sacreBLEU's name

    @classmethod
    def of(cls, texts: Iterable[str]) -> Writing:
        """Tells the writing of texts by their letters, whatever their language is called.

        Most letters Han and hardly any Kana: ``zh``. Most of another script without spaces, or of Hangul that is
        written without them: ``char``. Else ``13a``, in words.
        """
        scripts: Counter[str] = Counter()
        words = 0
        for chunk in texts:
            words += len(chunk.split())
            scripts.update(chunk)
        letters = _by_script(scripts)
        total = letters.total()
        unspaced = sum(letters[script] for script in UNSPACED)
        if letters["HANGUL"] > LONG_WORD * words:
            unspaced += letters["HANGUL"]
        if 2 * unspaced <= total:
            return cls()
        kana = sum(letters[script] for script in KANA)
        is_chinese = 2 * letters["HAN"] > total and kana <= STRAY * total
        tokenize = "zh" if is_chinese else "char"
        return cls(Unit.CHARACTERS, tokenize)


def _by_script(characters: Counter[str]) -> Counter[str]:
    """Adds up the counts of letters by their script."""
    letters: Counter[str] = Counter()
    for character, count in characters.items():
        script = script_of(character)
        if script:
            letters[script] += count
    return letters


@cache
def script_of(character: str) -> str:
    """Returns LATIN for a Latin letter, and so on, by its name in Unicode; empty for what is no letter."""
    if not character.isalpha():
        return ""
    name = unicodedata.name(character, "").removeprefix("FULLWIDTH ").removeprefix("HALFWIDTH ")
    if name.startswith(("CJK", "IDEOGRAPHIC")):
        return "HAN"
    if name.startswith("KATAKANA"):  # its prolonged sound mark is KATAKANA-HIRAGANA
        return "KATAKANA"
    return name.partition(" ")[0]
