"""Tatoeba, English-German: short sentences that volunteers translated, as manythings.org/anki selects them."""

from __future__ import annotations

import io
import random
import zipfile
import zlib
from collections.abc import Iterator, Sequence

from nmt.corpus.recipes.recipe import Files, Recipe, Source, Split, register
from nmt.corpus.recipes.rows import SentencePair, split_of_rows
from nmt.corpus.recipes.text import check_unpacked, one_line
from nmt.corpus.text.lines import lines_of_stream
from nmt.errors import Damaged

LANGUAGES = ("en", "de")
ARCHIVE = "deu-eng.zip"
MEMBER = "deu.txt"
SEED = 7
HELD_OUT = 2000  # pairs of the validation and of the test set
SMALL = 3  # pairs of a group, at most, from which one is held out

Group = list[SentencePair]


def _splits(sources: Sequence[Source]) -> Iterator[Split]:
    [repository] = sources
    pairs = _pairs_of_archive(repository)
    groups = _groups_of_shared_sentences(pairs)
    # One generator for all, in this order: another order would draw other sets.
    draw = random.Random(SEED)
    groups.sort(key=lambda group: group[0])
    draw.shuffle(groups)

    train: list[SentencePair] = []
    valid: list[SentencePair] = []
    test: list[SentencePair] = []
    for group in groups:
        is_small = len(group) <= SMALL
        if is_small and len(test) < HELD_OUT:
            test.append(draw.choice(group))
        elif is_small and len(valid) < HELD_OUT:
            valid.append(draw.choice(group))
        else:
            train += group
    draw.shuffle(train)

    yield split_of_rows("train", LANGUAGES, train)
    yield split_of_rows("valid", LANGUAGES, valid)
    yield split_of_rows("test", LANGUAGES, test)


def _pairs_of_archive(repository: Source) -> list[SentencePair]:
    """Returns the pairs of the packed file, each once. Raises Damaged for a file or a line that is not as expected."""
    packed = repository.read(ARCHIVE)
    archive_place = repository.place(ARCHIVE)
    place = f"{archive_place}, {MEMBER}"
    pairs: dict[SentencePair, None] = {}  # in order, each once
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            check_unpacked(archive.getinfo(MEMBER).file_size, place)
            with archive.open(MEMBER) as member:
                for number, line in enumerate(lines_of_stream(member, place), 1):
                    pair = _pair_of_line(line, f"{place}, line {number}")
                    if all(pair):
                        pairs[pair] = None
    except KeyError:
        raise Damaged(f"{archive_place}: has no {MEMBER}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise Damaged(f"{archive_place}: cannot be unpacked ({error})") from None
    return list(pairs)


def _pair_of_line(line: str, place: str) -> SentencePair:
    columns = line.split("\t")
    if len(columns) != 2:
        raise Damaged(f"{place}: {len(columns)} columns where English, tab, German are expected")
    english, german = columns
    return one_line(english), one_line(german)


def _groups_of_shared_sentences(pairs: Sequence[SentencePair]) -> list[Group]:
    """Returns the pairs in groups: those that share a sentence, whatever its case, directly or over other pairs.

    An English sentence often has many translations. Where a whole group is on one side of a split, no sentence of a
    test is in the training text. This is union-find over sentences, with path halving (Tarjan and van Leeuwen 1984).
    """
    parents: dict[tuple[str, str], tuple[str, str]] = {}  # of a sentence with its language

    def root_of(sentence: tuple[str, str]) -> tuple[str, str]:
        while parents[sentence] != sentence:
            grandparent = parents[parents[sentence]]
            parents[sentence] = grandparent
            sentence = grandparent
        return sentence

    for english, german in pairs:
        sentences = [("en", english.lower()), ("de", german.lower())]
        for sentence in sentences:
            parents.setdefault(sentence, sentence)
        english_root, german_root = map(root_of, sentences)
        parents[english_root] = german_root

    groups: dict[tuple[str, str], Group] = {}
    for english, german in pairs:
        root = root_of(("en", english.lower()))
        groups.setdefault(root, []).append((english, german))
    return list(groups.values())


PACKED_PAIRS = Files(
    repository="rioyshky/translation",
    commit="de48b7027f7318d77010a6e08ed928c10748c23d",
    prefix="",
    size=4_012_023,
    digests={
        "deu-eng.zip": "b7688f84f99fa33c17397c14d8bd9cef1fdeb2ee0bf50074767023aee8926e28",
    },
)

register(
    Recipe(
        folder="tatoeba-en-de",
        title="Tatoeba, English-German (the manythings.org/anki file of 2018-05-13)",
        languages=("en", "de"),
        corpora=("tatoeba_en_de",),
        pairs=164_850,
        licence="that of its source, tatoeba.org (CC BY 2.0); attribution: www.manythings.org/anki and tatoeba.org",
        citation=(
            "Tatoeba (tatoeba.org), by way of ManyThings.org's Tab-delimited Bilingual Sentence Pairs "
            "(www.manythings.org/anki)"
        ),
        treatment=(
            "Each line NFC, without control characters, white space runs one space; exact duplicates dropped. "
            "Pairs that share an English or a German sentence, whatever its case, are in one split, so no "
            "sentence of valid or test is in train. valid and test take one pair of each of 2,000 small groups of "
            "such pairs. train is shuffled."
        ),
        needs=(PACKED_PAIRS,),
        digests={
            "test.de": "a5ab05edaf9025648a231c21e98a0dd390a1f8f4a2b0a9b73187ac04bb40841b",
            "test.en": "be60888bbd8168cb74c02a8fbc5b932c6564058c30936f9bd5c0e378e80ea7ed",
            "train.de": "482b7988d01f67b6da6268104797319dea8951188d98b164574fab5b06916d71",
            "train.en": "69efd87475b8689f139f77b8c32ca3b57cf28b00fcdf370a52902085c5a53bd6",
            "valid.de": "9563d7603efb4dac3bc83fa1b6fbdaf00516d326616898f4862a0c874f696211",
            "valid.en": "79e0e990d93cbcdaf7293c76031b937828a67579c6a972df905cc54ac21df7b1",
        },
        splits=_splits,
    )
)
