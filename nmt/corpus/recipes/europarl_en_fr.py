"""Europarl, English-French, 2004 to 2011 (Koehn 2005), from the files of Europarl ConcoDisco (Laali and Kosseim 2017).

The test sets are of other months than the training text. One of them has about as many pairs of every length.
"""

from __future__ import annotations

import random
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

from nmt.corpus.recipes.recipe import Archive, Recipe, Source, Split, register
from nmt.corpus.recipes.rows import SentencePair, apart_from, split_of_rows
from nmt.corpus.recipes.text import one_line
from nmt.errors import Damaged

LANGUAGES = ("en", "fr")
SEED = 20240
# The source lost every "œ" of the sessions before the middle of 2003.
FIRST_YEAR = "04"
LAST_YEAR = "11"
TEST_MONTHS = ("10-10", "10-11", "10-12")
VALID_MONTHS = ("10-07", "10-09")

TRAIN = 200_000  # pairs of train and of train-more
TRAIN_LONG = 30_000
LONG = 51  # English words of a pair of train-long, at least
VALID = 2000
TEST = 3000
BUCKET_BOUNDS = (10, 20, 30, 40, 50, 60, 80)  # English words of the buckets of test-by-length, at most; a last is open
OF_BUCKET = 300  # pairs of test-by-length, at most

LETTER = re.compile(r"[^\W\d_]")
MOST_ENGLISH_WORDS = 250
MOST_FRENCH_WORDS = 300
SHORT = 20  # characters below which both sides may differ in length as they like
LEAST_RATIO = 0.4  # of French to English characters
MOST_RATIO = 2.6


def _splits(sources: Sequence[Source]) -> Iterator[Split]:
    [proceedings] = sources
    train, valid, test = _pairs_by_date(proceedings)
    train = apart_from(train, [*valid, *test])
    test = apart_from(test, valid)
    # One generator for all, in this order: another order would draw other sets.
    draw = random.Random(SEED)
    for pairs in (test, valid, train):
        draw.shuffle(pairs)

    rest = train[2 * TRAIN :]
    long = [pair for pair in rest if _english_words(pair) >= LONG]
    yield split_of_rows("train", LANGUAGES, train[:TRAIN])
    yield split_of_rows("train-more", LANGUAGES, train[TRAIN : 2 * TRAIN])
    yield split_of_rows("train-long", LANGUAGES, long[:TRAIN_LONG])
    yield split_of_rows("valid", LANGUAGES, valid[:VALID])
    yield split_of_rows("test", LANGUAGES, test[:TEST])
    yield split_of_rows("test-by-length", LANGUAGES, _by_length(test[TEST:]))


def _pairs_by_date(proceedings: Source) -> tuple[list[SentencePair], list[SentencePair], list[SentencePair]]:
    """Returns the good pairs, each once, of the sessions to train on, of those to validate on, and of those to test on.

    There are a million; with the set that knows which were seen they take 0.8 GB.
    """
    train: list[SentencePair] = []
    valid: list[SentencePair] = []
    test: list[SentencePair] = []
    seen: set[SentencePair] = set()
    for path, content in proceedings.files():
        # A name begins with the date, as in 10-07-05-003.xml.
        month = path[:5]
        if not FIRST_YEAR <= month[:2] <= LAST_YEAR:
            continue
        pairs = train
        if month in TEST_MONTHS:
            pairs = test
        elif month in VALID_MONTHS:
            pairs = valid
        for pair in _pairs_of_document(content, proceedings.place(path)):
            if _is_good(*pair) and pair not in seen:
                seen.add(pair)
                pairs.append(pair)
    return train, valid, test


def _pairs_of_document(content: bytes, place: str) -> Iterator[SentencePair]:
    """Yields the aligned texts of one file. Raises Damaged for one that is not XML."""
    try:
        document = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        line, _ = error.position
        reason = str(error).partition(":")[0]
        raise Damaged(f"{place}, line {line}: not valid XML ({reason})") from None
    for chunk in document.iter("ParallelChunk"):
        english = chunk.find("en")
        french = chunk.find("fr")
        # Some chunks hold a full stop and no text.
        if english is not None and french is not None:
            yield one_line(_text_of(english)), one_line(_text_of(french))


def _text_of(element: ElementTree.Element) -> str:
    """Returns the text of an element without the marks of discourse connectives in it.

    White space inside a mark, before and after its words, is that of the file's indentation.
    """
    parts = [element.text or ""]
    for mark in element:
        parts.append(_text_of(mark).strip())
        parts.append(mark.tail or "")
    return "".join(parts)


def _is_good(english: str, french: str) -> bool:
    """Whether two texts look like translations of each other, of a length that can be trained on."""
    if not english or not french or english == french:
        return False
    both = english + french
    if "\ufffd" in both or "<" in both or ">" in both:
        return False
    # Quotes that lost what stood in them, a defect of Europarl.
    if "«»" in french or "‘’" in english:
        return False
    if not LETTER.search(english) or not LETTER.search(french):
        return False
    if len(english.split()) > MOST_ENGLISH_WORDS or len(french.split()) > MOST_FRENCH_WORDS:
        return False
    if len(english) < SHORT and len(french) < SHORT:
        return True
    return LEAST_RATIO <= len(french) / len(english) <= MOST_RATIO


def _by_length(pairs: Sequence[SentencePair]) -> list[SentencePair]:
    """Returns up to OF_BUCKET pairs of each bucket of source length, shorter ones first."""
    buckets: list[list[SentencePair]] = [[] for _ in range(len(BUCKET_BOUNDS) + 1)]
    for pair in pairs:
        number = bisect_left(BUCKET_BOUNDS, _english_words(pair))
        buckets[number].append(pair)
    chosen: list[SentencePair] = []
    for bucket in buckets:
        chosen += sorted(bucket[:OF_BUCKET], key=_english_words)
    return chosen


def _english_words(pair: SentencePair) -> int:
    english, _ = pair
    return len(english.split())


PROCEEDINGS = Archive(
    repository="mjlaali/Europarl-ConcoDisco",
    commit="1a18432425a6ace708e96220b4fd1d4efd678ad0",
    prefix="xml-files/ep-",
    size=345_000_000,
    unpacked=1_600_000_000,
)

register(
    Recipe(
        folder="europarl-en-fr",
        title="Europarl, English-French, 2004 to 2011",
        languages=("en", "fr"),
        corpora=("europarl_en_fr",),
        pairs=430_000,
        licence=(
            "not stated in the repository; the text is the European Parliament's proceedings as in Europarl v7 "
            "(statmt.org/europarl)"
        ),
        citation=(
            "Koehn 2005: Europarl: A Parallel Corpus for Statistical Machine Translation (MT Summit X); Laali and "
            "Kosseim 2017: Improving Discourse Relation Projection to Build Discourse Annotated Corpora (RANLP), the "
            "Europarl ConcoDisco corpus"
        ),
        treatment=(
            "Marks of discourse connectives taken out; each line NFC, without control characters, white space "
            "runs one space. Dropped: exact duplicates, pairs with an empty side, U+FFFD, < or >, emptied quotes, "
            "equal sides, a side without a letter, more than 250 English or 300 French words, a ratio of French "
            "to English characters outside 0.4 to 2.6 where a side has 20 characters or more. test and test-by-"
            "length are of October to December 2010, valid of July and September 2010, train, train-more and "
            "train-long the rest of 2004 to 2011, without pairs of which a side, whatever its case, is one of "
            "valid, test or the pool that test-by-length is drawn from. train-long has only sources of 51 words "
            "and more; test-by-length up to 300 pairs of each bucket of English words, none of them in test."
        ),
        needs=(PROCEEDINGS,),
        digests={
            "test-by-length.en": "d3fc4fbb2a73daeb8ab334eedda9d0c697b20e08a3718645a41cf8cc98bec873",
            "test-by-length.fr": "81093c1400796a79e61d4bd71b9b78e1865ff84af18623f0df984e518553c3fe",
            "test.en": "d6f5aeeba84a1e194082008ce4466f3fb736049aea6ca3b6afd0d42ccf92c1c5",
            "test.fr": "20d7589b61eee36b8250cb5400a156bc328e2e974a0fad600bcf87130d0a0188",
            "train-long.en": "eb995c7a163bdd9f5067fefb71d008489904eec72ba47b6bbb1a88244cfcc1ac",
            "train-long.fr": "b04c0e663c3fad6c60c7ca729d7b5ff3a11380596cecf644e38065be0805fbe0",
            "train-more.en": "0e1c69b7651b7a045e98f66db3433e0ea6f8785222b16dca071054a9976fa04a",
            "train-more.fr": "7b2f292b4a8f037adcc18721bc514bac099fe39e2c2a866ce4d1b7aaab27deed",
            "train.en": "583af0bafbcadd5edeb8af067edcbe6ad20bea12a1e6dbe48d17fc775a19b8f3",
            "train.fr": "5bac4942831181f12bfdeeafb65615786eef0ddec4691961007ff02fbf897a51",
            "valid.en": "593b7f4f8ba8d815e3f081dee431eac188c504869a2a28c3851c083c2b5a71ae",
            "valid.fr": "579f884808698855500e9b3663b91f9772a5ce42ecbb9abb2abdb2bf8767cbce",
        },
        splits=_splits,
    )
)
