"""WMT's news test sets of 2008 to 2014 and 2020, English-German (Bojar et al. 2014; Barrault et al. 2020)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nmt.corpus.recipes.recipe import Files, Recipe, Source, Split, register
from nmt.corpus.recipes.rows import Row, rows_of_files, split_of_rows

LANGUAGES = ("en", "de")
# The older sets together are a small training text.
TRAINING = ("news-test2008", "newssyscomb2009", "newstest2009", "newstest2010", "newstest2011", "newstest2012")
# Names here, and in the repository. Of 2020 it is the set that was written in German: it keeps paragraphs as lines.
TESTS = {
    "newstest2013": "eng-deu/newstest2013",
    "newstest2014": "eng-deu/newstest2014",
    "newstest2020-deen": "deu-eng/newstest2020",
}


def _splits(sources: Sequence[Source]) -> Iterator[Split]:
    [news] = sources
    training: dict[Row, None] = {}  # in order, each once
    for year in TRAINING:
        rows = _rows(news, f"eng-deu/{year}")
        training |= dict.fromkeys(rows)
    yield split_of_rows("train2008-2012", LANGUAGES, list(training))
    for name, there in TESTS.items():
        yield split_of_rows(name, LANGUAGES, _rows(news, there))


def _rows(news: Source, there: str) -> list[Row]:
    return rows_of_files(news, [f"{there}.eng", f"{there}.deu"])


TEST_SETS = Files(
    repository="Helsinki-NLP/OPUS-MT-testsets",
    commit="ac0f19c0be3cb4e0d9450fcb2d7a9847c4bdd180",
    prefix="testsets/",
    size=5_721_732,
    digests={
        "eng-deu/news-test2008.eng": "134e1140848bb0d05e774dbe35b8b69602faf401250c03dbb437bdbe38c37b6f",
        "eng-deu/news-test2008.deu": "6d86c805e6cd008c11143816daac272fdf5a3afea816983c43005717d6fe3ae2",
        "eng-deu/newssyscomb2009.eng": "b734a44294fa3b23a2491cd9a2c59fb5eb71332ace70b2c9039978863dd0e43d",
        "eng-deu/newssyscomb2009.deu": "da74e91ec9f155a958a9cfcdb8e4291162b31b589e09306c40528aaf684d2fec",
        "eng-deu/newstest2009.eng": "3fc92718e7b994ca0a5dc57e63b68d5c80244a56e5bb1cec11d2e8dd10b3ff3c",
        "eng-deu/newstest2009.deu": "41f7d4a766a99f78646474dbd21af0dd0285a5dad5c48d1b627334c11a1771d9",
        "eng-deu/newstest2010.eng": "1ebece77e333965cbc66fde735a6f17e026b4d6690f4f7fdaba839b7bdadac3b",
        "eng-deu/newstest2010.deu": "4f4b02d3abe150ca47a745d138d90f688edb20dd2d2fedca16aa05fd1e2018b1",
        "eng-deu/newstest2011.eng": "d387569743c0fa9097df4d4e2c1dd9e6ba9ef3cee6e0f473da3204c887dcf8fd",
        "eng-deu/newstest2011.deu": "033bc05659f61c5e51170973267d21e23a9a968557b866f3842c92e416a60e1b",
        "eng-deu/newstest2012.eng": "f9e51f85c4948033fc7d77ef427f4d88908a8dd3f778970f62d0baafac3ff97e",
        "eng-deu/newstest2012.deu": "946b9587b79271b0f3ce9cc8c0e5b310e3021ef598e1ba5dc2a24fef8960de30",
        "eng-deu/newstest2013.eng": "ace268a1d9724ca76f6d8e5c720ffdc08f01bdce45630ed8b269dc7918e1c16e",
        "eng-deu/newstest2013.deu": "d7ea35ab91ff3709e03ad9cb6bf5b4f2cc775cd2d72efd5254c4aec5e69663ca",
        "eng-deu/newstest2014.eng": "7294bccf2879a97b3706b95c9595f1459617a8ee7130d5d8581c910e69736971",
        "eng-deu/newstest2014.deu": "ae5d110486bc33d7175e9e28c7d0051eb3e5fcd2166dd93371089852c091a20e",
        "deu-eng/newstest2020.eng": "39ed144d204c675097e5a53514c89549fbe4d753520d96c4c513b8b9920e89a9",
        "deu-eng/newstest2020.deu": "0add9464880d8d0b4b546344c7d77a00711878830397f7333c49c993eb048d31",
    },
)

register(
    Recipe(
        folder="newstest-en-de",
        title="WMT news test sets, English-German",
        languages=("en", "de"),
        corpora=("newstest_en_de",),
        pairs=13_566,
        licence="not stated in the repository",
        citation=(
            "Bojar et al. 2014: Findings of the 2014 Workshop on Statistical Machine Translation (WMT); Barrault et "
            "al. 2020: Findings of the 2020 Conference on Machine Translation (WMT20)"
        ),
        treatment=(
            "Each line NFC, without control characters, white space runs one space; lines with an empty side "
            "dropped. train2008-2012 is news-test2008, newssyscomb2009 and newstest2009 to 2012, without exact "
            "duplicates. newstest2020-deen was written in German, and a line of it is a paragraph."
        ),
        needs=(TEST_SETS,),
        digests={
            "newstest2013.de": "026f4fd1fe147ece7eb201ef46063482990554d342e05db9480b1258d71d3d4f",
            "newstest2013.en": "80b81d23ddfd16724aa21b288b21f29c825c8838807aecbc65fe8a1b313325de",
            "newstest2014.de": "1b54708706cbe6441cbbb1ccedfb44ca01bf3cd67a9fda8d2ab8433c76288013",
            "newstest2014.en": "7294bccf2879a97b3706b95c9595f1459617a8ee7130d5d8581c910e69736971",
            "newstest2020-deen.de": "54c13dd2549c0e02cd642a4c8eec2c6a99e4412ab0fe463ce056c28a46e82b31",
            "newstest2020-deen.en": "87b2abf0dd2fde6a2b40869745a1d7b6c74cf7fe9c8c2a42024630717f2e3051",
            "train2008-2012.de": "aedc02cc2b8e6015ef2f8389af0f2e3138eed61497d31f733ed1709df0cf35a0",
            "train2008-2012.en": "9367a04c61967cf8c4f1ca81b28df15fe4bdd71ebc1be35df8513ef681b02d83",
        },
        splits=_splits,
    )
)
