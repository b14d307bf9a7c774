"""How a language is written: in which direction, whether spaces part its words, and by which of sacreBLEU's tokenizers
BLEU counts it."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Any

from nmt.corpus.pair import Pair

AUTO = "auto"  # the tokenizer follows the script
SCRIPTS = (
    # What most of today's text is written in (Unicode Standard Annex 31, table 5).
    *("ARABIC", "ARMENIAN", "BENGALI", "BOPOMOFO", "CYRILLIC", "DEVANAGARI", "ETHIOPIC", "GEORGIAN", "GREEK"),
    *("GUJARATI", "GURMUKHI", "HAN", "HANGUL", "HEBREW", "HIRAGANA", "KANNADA", "KATAKANA", "KHMER", "LAO", "LATIN"),
    *("MALAYALAM", "MYANMAR", "ORIYA", "SINHALA", "TAMIL", "TELUGU", "THAANA", "THAI", "TIBETAN"),
    # Living ones of fewer writers (the same, table 7), and Mongolian.
    *("ADLAM", "BALINESE", "BAMUM", "BATAK", "CANADIAN_ABORIGINAL", "CHAKMA", "CHAM", "CHEROKEE", "HANIFI_ROHINGYA"),
    *("JAVANESE", "KAYAH_LI", "LEPCHA", "LIMBU", "LISU", "MANDAIC", "MEETEI_MAYEK", "MIAO", "MONGOLIAN", "NEWA"),
    *("NEW_TAI_LUE", "NKO", "NYIAKENG_PUACHUE_HMONG", "OL_CHIKI", "OSAGE", "SAURASHTRA", "SUNDANESE", "SYLOTI_NAGRI"),
    *("SYRIAC", "TAI_LE", "TAI_THAM", "TAI_VIET", "TIFINAGH", "VAI", "WANCHO", "YI"),
)
TOGETHER = {"JAPANESE": ("HAN", "HIRAGANA", "KATAKANA"), "KOREAN": ("HANGUL", "HAN")}  # scripts of one language
# How the names of letters in Unicode begin where it is not with their script.
OTHER_NAMES = {
    **dict.fromkeys(("CJK", "IDEOGRAPHIC"), "HAN"),
    "HENTAIGANA": "HIRAGANA",
    "KATAKANA-HIRAGANA": "KATAKANA",  # the mark of a long vowel
    "CANADIAN": "CANADIAN_ABORIGINAL",
    **dict.fromkeys(("FEMININE", "MASCULINE"), "LATIN"),  # ordinals
    **dict.fromkeys(("MODIFIER", "MATHEMATICAL"), ""),  # of any script
}
LONG_NAMES = {script.replace("_", " "): script for script in SCRIPTS if "_" in script}

KANA = ("HIRAGANA", "KATAKANA")
# Scripts whose words no space parts. Hangul is written both ways: see `Writing.of`.
UNSPACED = (
    *("HAN", "BOPOMOFO", "YI", *KANA, "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"),
    *("TAI_LE", "NEW_TAI_LUE", "TAI_THAM", "TAI_VIET", "JAVANESE", "BALINESE"),
)
STRAY = 0.01  # of the letters: a Chinese text may quote a little Kana
LONG_WORD = 6  # letters of a Hangul word on average, above which the text is written without spaces; with: about 3

MEASURED = 100_000  # pairs, the first of the training text, that tell how it is written
ORDINARY = (0.5, 2.0)  # target characters for each source character, between languages written alike

# The blocks that Unicode keeps for scripts written from right to left.
RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")
ISOLATE = "\u2068"  # what follows is set in the direction of its first letter
END_OF_ISOLATE = "\u2069"


def isolated(text: str) -> str:
    """Returns a text such that it stands within another in its own direction; without letters from right to left, as it
    is."""
    if not RIGHT_TO_LEFT.search(text):
        return text
    return f"{ISOLATE}{text}{END_OF_ISOLATE}"


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

    def lengths(self, lines: Iterable[str]) -> list[int]:
        """Counts the words or the characters of each line."""
        return [self.length(line) for line in lines]

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
        characters: Counter[str] = Counter()
        words = 0
        for text in texts:
            words += len(text.split())
            whole = unicodedata.normalize("NFC", text)  # a syllable of Hangul may be written as two or three letters
            characters.update(whole)
        letters = _by_script(characters)
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

    def tokenized_by(self, name: str) -> Writing:
        """Returns the same with another of sacreBLEU's tokenizers; ``auto`` leaves that of the script."""
        return self if name == AUTO else replace(self, tokenize=name)


@dataclass(frozen=True)
class Proportions:
    """What the training text's lengths are counted in, and how long its targets are beside their sources.

    Cleaning and joining go by it, of the validation set too. A run keeps what it began with.
    """

    source: Unit = Unit.WORDS
    target: Unit = Unit.WORDS
    ratio: float = 1.0  # target characters for each source character, the geometric mean over pairs

    @classmethod
    def of(cls, pairs: Iterable[Pair]) -> Proportions:
        """Measures pairs. The mean is the geometric one, so that one line of a million characters does not shift it."""
        sources: list[str] = []
        targets: list[str] = []
        logarithms = 0.0
        for source, target, *_ in pairs:
            if source.strip() and target.strip():
                sources.append(source)
                targets.append(target)
                logarithms += math.log(len(target) / len(source))
        ratio = math.exp(logarithms / max(len(sources), 1))
        return cls(Writing.of(sources).unit, Writing.of(targets).unit, ratio)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Proportions:
        """Reads what asdict() wrote, and JSON made of it. Raises KeyError, TypeError or ValueError for all else."""
        return cls(Unit(values["source"]), Unit(values["target"]), float(values["ratio"]))

    @property
    def expected(self) -> float:
        """Target characters that cleaning expects for each source character: 1, unless the mean is far from it."""
        low, high = ORDINARY
        return 1.0 if low <= self.ratio <= high else self.ratio

    def for_key(self) -> list[dict[str, object]]:
        """Returns what the name of a cache must tell of it: nothing where all is as between English and German."""
        telling = replace(self, ratio=self.expected)
        return [] if telling == ALIKE else [asdict(telling)]


SPACED = Writing()  # in words
ALIKE = Proportions()  # both sides in words, and about as long as each other


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
    """Returns LATIN for a Latin letter, and so on, by its name in Unicode; empty for what is no letter of a script."""
    if not character.isalpha():
        return ""
    name = unicodedata.name(character, "").removeprefix("FULLWIDTH ").removeprefix("HALFWIDTH ")
    for beginning, script in LONG_NAMES.items():
        if name.startswith(beginning):
            return script
    first_word = name.partition(" ")[0]
    return OTHER_NAMES.get(first_word, first_word)
