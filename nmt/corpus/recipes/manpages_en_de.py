"""Manual pages, English-German: the translated entries of manpages-l10n.

A line is a paragraph, so lengths spread well past 80 words.
"""

from __future__ import annotations

import io
import itertools
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from nmt.corpus.recipes.recipe import Archive, Recipe, Source, Split, register
from nmt.corpus.recipes.rows import SentencePair, apart_from, split_of_rows
from nmt.corpus.recipes.text import one_line
from nmt.corpus.text.lines import lines_of_stream
from nmt.errors import Damaged

LANGUAGES = ("en", "de")
SEED = 11
TEST = 2500  # pairs that are wanted; the last page of each is taken whole
VALID = 1500
# A translated page, or the entries that many pages share.
PAGE = re.compile(r"(man\d|common)/.*\.po")
SHARED = "common/"

WORD = re.compile(r"[^\W\d_]{2,}")
FEWEST_WORDS = 3
MOST_ENGLISH_WORDS = 300
MOST_GERMAN_WORDS = 400
LEAST_LETTERS = 0.7  # of the characters of an English text
LEAST_RATIO = 0.5  # of German to English characters, five more of each
MOST_RATIO = 2.2


def _splits(sources: Sequence[Source]) -> Iterator[Split]:
    [translations] = sources
    pages = _pages_of_pairs(translations)
    pairs_of_page: dict[str, list[SentencePair]] = {}
    for pair, page in pages.items():
        pairs_of_page.setdefault(page, []).append(pair)
    # One generator for all, in this order: another order would draw other sets.
    draw = random.Random(SEED)
    order = sorted(pairs_of_page)
    draw.shuffle(order)

    test: list[SentencePair] = []
    valid: list[SentencePair] = []
    held_out: set[str] = set()  # pages
    for page in order:
        if page.startswith(SHARED):
            continue
        if len(test) < TEST:
            test += pairs_of_page[page]
        elif len(valid) < VALID:
            valid += pairs_of_page[page]
        else:
            break
        held_out.add(page)

    train = [pair for pair, page in pages.items() if page not in held_out]
    train = apart_from(train, [*test, *valid])
    english_of_valid = {english.lower() for english, _ in valid}
    test = [pair for pair in test if pair[0].lower() not in english_of_valid]
    for name, pairs in (("train", train), ("test", test), ("valid", valid)):
        draw.shuffle(pairs)
        yield split_of_rows(name, LANGUAGES, pairs)


def _pages_of_pairs(translations: Source) -> dict[SentencePair, str]:
    """Returns the good pairs, in their order, and the first page that each is on."""
    pages: dict[SentencePair, str] = {}
    for path, content in translations.files():
        if not PAGE.fullmatch(path):
            continue
        for entry in _entries_of_file(content, translations.place(path)):
            pair = _pair_of_entry(entry)
            if pair:
                pages.setdefault(pair, path)
    return pages


# Entries, as GNU gettext keeps them in a PO file:
# https://www.gnu.org/software/gettext/manual/html_node/PO-Files.html

ESCAPE = re.compile(r"\\(.)")
ESCAPED = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}
FIELD = re.compile(r'(msgid|msgstr|msgctxt|msgid_plural|msgstr\[\d+\])? *"(.*)"')


@dataclass
class _Entry:
    """What stands between two blank lines of a PO file."""

    flags: set[str] = field(default_factory=set)  # such as "fuzzy", "no-wrap"
    texts: dict[str, str] = field(default_factory=dict)  # by keyword: "msgid" is the English one, "msgstr" the German
    keyword: str = ""  # of the text that may go on in the next line
    is_obsolete: bool = False

    def add(self, line: str, place: str) -> None:
        """Takes the next line. Raises Damaged with ``place`` for one that is neither a comment nor a text in quotes."""
        if line.startswith("#,"):
            self.flags |= {flag.strip() for flag in line[2:].split(",")}
        elif line.startswith("#~"):
            self.is_obsolete = True
        elif not line.startswith("#"):
            match = FIELD.fullmatch(line.strip())
            if match is None or not (match[1] or self.keyword):
                raise Damaged(f"{place}: neither a comment nor a text in quotes after a keyword, as PO files have")
            self.keyword = match[1] or self.keyword
            text = ESCAPE.sub(_unescaped, match[2])
            self.texts[self.keyword] = self.texts.get(self.keyword, "") + text

    @property
    def is_translated(self) -> bool:
        """Whether a person has translated the text, and it has one form. The entry with the file's head has no text."""
        if self.is_obsolete or "fuzzy" in self.flags or "msgid_plural" in self.texts:
            return False
        return bool(self.texts.get("msgid") and self.texts.get("msgstr"))


def _unescaped(match: re.Match[str]) -> str:
    return ESCAPED.get(match[1], match[0])


def _entries_of_file(content: bytes, place: str) -> Iterator[_Entry]:
    """Yields the translated entries. Raises UserError for a line that is not UTF-8, or not of a PO file."""
    entry = _Entry()
    # A file need not end with a blank line, which ends an entry.
    closed = itertools.chain(io.BytesIO(content), [b"\n"])
    for number, line in enumerate(lines_of_stream(closed, place), 1):
        if line.strip():
            entry.add(line, f"{place}, line {number}")
            continue
        if entry.is_translated:
            yield entry
        entry = _Entry()


# Mark-up: what groff and po4a write in a text. See groff_char(7), groff(7) and perlpod(1).

NO_WIDTH = re.compile(r"\\[&/,|^:%]")  # joints and hair spaces
FONT_OR_SIZE = re.compile(r"\\f(\[[A-Z]*\]|\([A-Z]{2}|[A-Z0-9])|\\s[-+]?\d")
FORMATTED = re.compile(r"[BICFLXS]<([^<>]*)>")  # B<bold>; one may hold another
MOST_NESTED = 4
NAMED = {"E<lt>": "<", "E<gt>": ">", "E<verbar>": "|", "E<sol>": "/"}
ROFF_CHARACTERS = {
    "aq": "'",
    "cq": "’",
    "oq": "‘",
    "lq": "“",
    "rq": "”",
    "dq": '"',
    "bu": "•",
    "em": "—",
    "en": "–",
    "co": "©",
    "rg": "®",
    "ha": "^",
    "ti": "~",
    "ga": "`",
    "rs": "\\",
}
# Some characters are taken in one spelling only, \(xx or \[xx]. An entry with the other one is left out.
ROUND = {
    **ROFF_CHARACTERS,
    "mu": "×",
    "pl": "+",
    "mi": "-",
    "->": "→",
    ">=": "≥",
    "<=": "≤",
    "at": "@",
    "sq": "□",
}
SQUARE = {**ROFF_CHARACTERS, "mc": "µ", "u00A0": " "}
ROUND_NAME = re.compile(r"\\\((..)")
SQUARE_NAME = re.compile(r"\\\[(\w+)\]")
SINGLE = {"-": "-", " ": " ", "~": " ", "0": " ", "'": "'", "`": "`", ".": ".", "e": "\\"}
SINGLE_NAME = re.compile(r"\\(.)", re.DOTALL)
NO_SPACE = "\\c"  # the line goes on in the next one
REQUEST = re.compile(r"(^|\s)\.[A-Z][A-Za-z]\b")  # such as .TP


def _pair_of_entry(entry: _Entry) -> SentencePair | None:
    """Returns the texts of an entry without their mark-up; None for one that is no prose, or keeps some mark-up."""
    original = entry.texts["msgid"]
    is_literal = "no-wrap" in entry.flags and "\n" in original.strip()
    if is_literal:
        return None
    english = _without_mark_up(original)
    german = _without_mark_up(entry.texts["msgstr"])
    if "\\" in english + german or "E<" in english or REQUEST.search(english):
        return None
    if not _is_good(english, german):
        return None
    return english, german


def _without_mark_up(text: str) -> str:
    text = NO_WIDTH.sub("", text)
    text = FONT_OR_SIZE.sub("", text)
    for _ in range(MOST_NESTED):
        text = FORMATTED.sub(r"\1", text)
    for name, character in NAMED.items():
        text = text.replace(name, character)
    text = ROUND_NAME.sub(lambda match: ROUND.get(match[1], match[0]), text)
    text = SQUARE_NAME.sub(lambda match: SQUARE.get(match[1], match[0]), text)
    text = SINGLE_NAME.sub(lambda match: SINGLE.get(match[1], match[0]), text)
    # After the characters: in one entry this takes a printed backslash and the c of a word, and so it is in our text.
    text = text.replace(NO_SPACE, "")
    return one_line(text)


def _is_good(english: str, german: str) -> bool:
    """Whether two texts look like prose, and like translations of each other."""
    if not english or not german or english == german:
        return False
    english_words = len(english.split())
    if english_words < FEWEST_WORDS or len(WORD.findall(english)) < FEWEST_WORDS:
        return False
    if english_words > MOST_ENGLISH_WORDS or len(german.split()) > MOST_GERMAN_WORDS:
        return False
    letters = sum(character.isalpha() or character == " " for character in english)
    if letters < LEAST_LETTERS * len(english):
        return False
    ratio = (len(german) + 5) / (len(english) + 5)
    return LEAST_RATIO <= ratio <= MOST_RATIO


TRANSLATIONS = Archive(
    repository="deepin-community/manpages-l10n",
    commit="7f68cf0e5be850c0122fcc6568e89d843451b77c",
    prefix="po/de/",
    size=92_400_000,
    unpacked=45_000_000,
)

register(
    Recipe(
        folder="manpages-en-de",
        title="Manual pages, English-German",
        languages=LANGUAGES,
        corpora=("manpages_en_de",),
        pairs=32_716,
        licence="translations: GPL version 3 or later; English pages: many licences (COPYRIGHT.md of the repository)",
        citation="manpages-l10n: Translation of man pages (manpages-l10n-team.pages.debian.net/manpages-l10n)",
        treatment=(
            "Only entries that are translated and not fuzzy; mark-up of po4a and roff taken out, entries where some "
            "was left dropped, and literal blocks; each line NFC, without control characters, white space runs one "
            "space. Dropped: exact duplicates, under 3 or over 300 English words, over 400 German words, equal sides, "
            "under 70 % letters, a ratio of German to English characters outside 0.5 to 2.2. test and valid are whole "
            "pages; a training pair that shares a side, whatever its case, with them is dropped. Near duplicates "
            "between pages remain."
        ),
        needs=(TRANSLATIONS,),
        digests={
            "test.de": "8b2fae7dbc07b9da0f4a1e0c429a8e3e5c11528eff2be77bf740bf84e8e9b8e0",
            "test.en": "fdfcd1da3650b2f2fea3de974ae0b431caff4e7c938ee53bc43ffde04c9bfa41",
            "train.de": "618acdf003694d003126832cd5aee5dc9bb9b2105b006a4cfb292362c7451b30",
            "train.en": "b3a27a8fffdb8ad2440b824733643db5cf8ddd5a842675dce8c4e563c43c034e",
            "valid.de": "1c1b9aec788ce07dd386421226f8384818eae245d17d968341af6f484b2703d7",
            "valid.en": "a7fcf8196b7b8f0cb028d59bd1a3c2bfcd11c187ac70bb03efbd226399231d53",
        },
        splits=_splits,
    )
)
