"""Sentence pairs whose words people have linked, English-French and German-English, to measure alignments by.

The Hansards set is that of Och and Ney 2000, as Mihalcea and Pedersen 2003 shared it; the Europarl set that of Vilar,
Popović and Ney 2006.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterator, Sequence

from nmt.corpus.recipes.recipe import Files, Recipe, Source, Split, register
from nmt.corpus.recipes.rows import SentencePair, check_parallel, split_of_rows
from nmt.corpus.recipes.text import CONTROL, gunzipped
from nmt.errors import Damaged

LINKED_EUROPARL = "DeEnGoldAlignment.tar.gz"
HANSARDS = "enfr"
BETWEEN_SIDES = "|||"
SAMPLE = "hansard.36.1.house.debates"  # pairs without links, to train on beside those with links
SAMPLE_PARTS = ("001", "002", "003")
SEGMENT_TAG = re.compile(r"</?s[^>]*>")
LINK = re.compile(r"(\d+)([-p])(\d+)")  # source word, sure or possible, target word
SURE = "-"


def _splits(sources: Sequence[Source]) -> Iterator[Split]:
    hansards, europarl, sample = sources
    yield _linked_europarl(europarl)
    yield _linked_hansards(hansards)
    yield _sample_of_hansards(sample)


def _linked_europarl(europarl: Source) -> Split:
    place = europarl.place(LINKED_EUROPARL)
    unpacked = gunzipped(europarl.read(LINKED_EUROPARL), place)
    texts = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as archive:
            for name in ("de", "en", "alignmentDeEn.talp"):
                member = archive.extractfile(f"DeEn/{name}")
                if member is None:
                    raise Damaged(f"{place}: DeEn/{name} is no file")
                # Latin-1 maps every byte to a character, so this can't fail.
                lines = member.read().decode("latin-1").split("\n")
                texts[name] = [line for line in lines if line.strip()]
    except KeyError as error:
        raise Damaged(f"{place}: {error.args[0]}") from None
    except tarfile.TarError as error:
        raise Damaged(f"{place}: cannot be unpacked ({error})") from None
    german = [_words(line) for line in texts["de"]]
    english = [_words(line) for line in texts["en"]]
    links = _links(texts["alignmentDeEn.talp"], german, english, f"{place}, DeEn/alignmentDeEn.talp")
    return Split("europarl-de-en", {"de": german, "en": english, "de-en.talp": links})


def _linked_hansards(hansards: Source) -> Split:
    path = f"{HANSARDS}.src-tgt"
    english: list[str] = []
    french: list[str] = []
    for number, line in enumerate(_lines(hansards, path), 1):
        sides = line.split(BETWEEN_SIDES)
        if len(sides) != 2:
            raise Damaged(f"{hansards.place(path)}, line {number}: not English {BETWEEN_SIDES} French")
        english.append(_words(sides[0]))
        french.append(_words(sides[1]))
    gold_path = f"{HANSARDS}.gold"
    links = _links(_lines(hansards, gold_path), english, french, hansards.place(gold_path))
    return Split("hansards-en-fr", {"en": english, "fr": french, "en-fr.talp": links})


def _sample_of_hansards(sample: Source) -> Split:
    pairs: list[SentencePair] = []
    for part in SAMPLE_PARTS:
        paths = [f"{SAMPLE}.{part}.{language}" for language in ("e", "f")]
        texts = [_segments(sample, path) for path in paths]
        places = [sample.place(path) for path in paths]
        check_parallel(texts, places)
        english, french = texts
        pairs += [pair for pair in zip(english, french, strict=True) if all(pair)]
    return split_of_rows("hansards-train-sample", ("en", "fr"), pairs)


def _lines(source: Source, path: str) -> list[str]:
    """Returns the lines of a file in UTF-8 or, as some of these are, in Latin-1."""
    content = source.read(path)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return text.rstrip("\n").split("\n")


def _segments(source: Source, path: str) -> list[str]:
    """Returns the texts of lines such as ``<s snum=1> two words </s>``."""
    return [_words(SEGMENT_TAG.sub("", line)) for line in _lines(source, path)]


def _words(line: str) -> str:
    """Returns the words of a line, a space between them, without control characters, and none of them lost.

    Links count the words, so a word of control characters alone stays. For the same reason this is not `one_line`.
    """
    words = [CONTROL.sub("", word) or word for word in line.split()]
    return " ".join(words)


def _links(lines: Sequence[str], sources: Sequence[str], targets: Sequence[str], place: str) -> list[str]:
    """Returns the links of each pair from word 0 on, where the repositories count from 1.

    A link outside its sentences is dropped; one that is both sure and possible is sure. Raises Damaged for lines that
    are not one for each pair, and for what is no link.
    """
    if not len(lines) == len(sources) == len(targets):
        raise Damaged(f"{place}: {len(lines):,} lines of links for {len(sources):,} and {len(targets):,} sentences")
    written = []
    for number, (line, source, target) in enumerate(zip(lines, sources, targets, strict=True), 1):
        kinds = _kinds_of_links(line, len(source.split()), len(target.split()), f"{place}, line {number}")
        items = [f"{i}{kind}{j}" for (i, j), kind in sorted(kinds.items())]
        written.append(" ".join(items))
    return written


def _kinds_of_links(line: str, source_words: int, target_words: int, place: str) -> dict[tuple[int, int], str]:
    """Returns of each link of a line, between words counted from 0, whether it is sure ("-") or possible ("p")."""
    kinds: dict[tuple[int, int], str] = {}
    for item in line.split():
        match = LINK.fullmatch(item)
        if match is None:
            raise Damaged(f"{place}: '{item}' is no link; i-j (sure) or ipj (possible) are expected")
        source_word = int(match[1]) - 1
        target_word = int(match[3]) - 1
        is_inside = 0 <= source_word < source_words and 0 <= target_word < target_words
        link = (source_word, target_word)
        if is_inside and kinds.get(link) != SURE:
            kinds[link] = match[2]
    return kinds


LINKED_HANSARDS_FILES = Files(
    repository="neulab/awesome-align",
    commit="5f150d45bbe51e167daf0a84abebaeb07c3323d1",
    prefix="examples/",
    size=169_291,
    digests={
        "enfr.src-tgt": "19d56c3de3634ab8420d553df4d9dfd849502b18225f1599382e98a6de9cfc72",
        "enfr.gold": "0a11b51cba8a92a7608fb00884cb3cf50fe0fcc4e4aa92d70624fd11451c4ddd",
    },
)
LINKED_EUROPARL_FILES = Files(
    repository="lalashiwoya/datasets",
    commit="b2efaecf785477707349b787272d5c681d17dd4c",
    prefix="",
    size=82_544,
    digests={LINKED_EUROPARL: "5aea49f44a9da4cf575d2dd303a8e12ebe7ba8b615ede7c28e7f8b0a0eb95793"},
)
SAMPLE_FILES = Files(
    repository="mhajiloo/berkeleyaligner",
    commit="b074394daa36d256ced5edcd30d0850ac0614899",
    prefix="resources/example/train/",
    size=531_069,
    digests={
        "hansard.36.1.house.debates.001.e": "62fd89aa342c3b438809b359881b30dffe74308344b378e6035d8d67137df7bc",
        "hansard.36.1.house.debates.001.f": "3a312352ea9f54976fb56721f229148e1671bdeaf3bc34315cb385966ccefd82",
        "hansard.36.1.house.debates.002.e": "8bc2e12f996b97b93fa607be0abe0bc3ac7f7ccced3448f1c1d1ad9df201a519",
        "hansard.36.1.house.debates.002.f": "d26f86a426043579e99d7e24c8bb0b8e642131a8c1ad4e3c578171b40d4161a9",
        "hansard.36.1.house.debates.003.e": "6fec6a5c05ef4fa19c35b2fa6744ab26881630226f6e9d2fd07081eb4af7054e",
        "hansard.36.1.house.debates.003.f": "8b2eadbdc6c69c79fd8965ad99ddc03b28af5a5357e75569efc420b9b9c638aa",
    },
)

register(
    Recipe(
        folder="word-alignment-gold",
        title="Gold word alignments, English-French and German-English",
        languages=("en", "fr", "de"),
        corpora=("word_alignment_en_fr", "word_alignment_de_en"),
        pairs=0,
        licence="not stated in the repositories for these texts",
        citation=(
            "Och and Ney 2000: Improved Statistical Alignment Models (ACL); Mihalcea and Pedersen 2003: An Evaluation "
            "Exercise for Word Alignment (HLT-NAACL workshop on parallel texts); Vilar, Popović and Ney 2006: AER: Do "
            "we need to 'improve' our alignments? (IWSLT)"
        ),
        treatment=(
            "The sentences as their annotators tokenised them, without control characters, a space between words; "
            "Latin-1 turned to UTF-8. Links count words from 0 (the sources from 1): i-j sure, ipj possible. A link "
            "outside its two sentences would be dropped; there is none. hansards-train-sample has no links, and no "
            "pairs with an empty side."
        ),
        needs=(LINKED_HANSARDS_FILES, LINKED_EUROPARL_FILES, SAMPLE_FILES),
        digests={
            "europarl-de-en.de": "a81f635e593401715dee3f566c0ad9047b8962abccf7ea9c87c79979807d056b",
            "europarl-de-en.de-en.talp": "cd5a0218c0fc8d3029b7f54bc06ae2d811399b0f4bb99db454d6121951f62ab1",
            "europarl-de-en.en": "6ac8d121388715832e00ef64587d731bcf02d244f4f40357e619990efea816f7",
            "hansards-en-fr.en": "91398b9a8c4e5efd5255af3786fb027db8c2d920cd74c4d62808ded7a23955f8",
            "hansards-en-fr.en-fr.talp": "7346f72625ad41c5a4fea70f11b9f16eb8a13f46ceee499716aee1d12a31a69b",
            "hansards-en-fr.fr": "364ee58f6c8735ab88a0ca40f93b220ad055d5f15c19c9784b1a1d709c55beeb",
            "hansards-train-sample.en": "ecb27f0217ef8ac3a49b95bd721a8a18c3f804342aaf174e304352d0f30b749e",
            "hansards-train-sample.fr": "96b22183264b40a503b23caf5ad79095518a71a59b08daef27f6d3feada99c54",
        },
        splits=_splits,
    )
)
