"""DistilLingEval: English sentences, each with a German translation and a copy of it with one wrong inflection.

Vamvas and Sennrich 2021. Of all its phenomena, agreement within a noun phrase, and of subject and verb.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nmt.corpus.recipes.recipe import Files, Recipe, Source, Split, register
from nmt.corpus.recipes.rows import rows_of_files, split_of_rows

PHENOMENA = ("np_agreement.mt", "subj_verb_agreement.mt")
# Endings here, and names in the repository.
TEXTS = {"en": "src.en", "correct.de": "tgt.correct.de", "incorrect.de": "tgt.incorrect.de"}


def _splits(sources: Sequence[Source]) -> Iterator[Split]:
    [triples] = sources
    endings = tuple(TEXTS)
    for phenomenon in PHENOMENA:
        paths = [f"{phenomenon}/{there}" for there in TEXTS.values()]
        yield split_of_rows(phenomenon, endings, rows_of_files(triples, paths))


TRIPLES = Files(
    repository="ZurichNLP/distil-lingeval",
    commit="2ef31c44f916387e8dc8e09b32adf7a7e1385057",
    prefix="data/",
    size=8_140_592,
    digests={
        "np_agreement.mt/src.en": "3770804a78516287a25631530f5ae0f4ce253b05a3ae1639d67d943e783d09d6",
        "np_agreement.mt/tgt.correct.de": "cd58b4c2ae1eb5020c37813507ddf8e5a83339effdffcd5100e76739ea950722",
        "np_agreement.mt/tgt.incorrect.de": "42ce351d85a69425d81c1aed6c14e2f23d825013cb31e85680bd6ddfba5931f8",
        "subj_verb_agreement.mt/src.en": "273fe6e6cf24859bafe8e1fb57db3c30dcbfc7ab51a8105ebcf2487d176f06fd",
        "subj_verb_agreement.mt/tgt.correct.de": "6ac9189afd46463080e9e390ca113159a2bda346c476e965e289476a6e297a6c",
        "subj_verb_agreement.mt/tgt.incorrect.de": "c77fbe898c123b5b3913ebf5478b98656187232975335195af4dbf051e914539",
    },
)

register(
    Recipe(
        folder="agreement-en-de",
        title="DistilLingEval, agreement, English-German",
        languages=("en", "de"),
        corpora=("agreement_en_de",),
        pairs=0,
        licence="MIT License; the sentences are of WMT test sets",
        citation="Vamvas and Sennrich 2021: On the Limits of Minimal Pairs in Contrastive Evaluation (BlackboxNLP)",
        treatment=(
            "Each line NFC, without control characters, white space runs one space. Machine translations, each "
            "with a copy of which one inflection is wrong. Sources are shared with newstest-en-de: 10,857 with "
            "its training text, 2,863 with newstest2013, 2,623 with newstest2014; a model that is tested here "
            "must not be trained on them."
        ),
        needs=(TRIPLES,),
        digests={
            "np_agreement.mt.correct.de": "cd58b4c2ae1eb5020c37813507ddf8e5a83339effdffcd5100e76739ea950722",
            "np_agreement.mt.en": "515a5d14bf773b7a93e73c93c1b92a4e4ed3eeebd04907cee3c1bc5bbcfc0ecd",
            "np_agreement.mt.incorrect.de": "42ce351d85a69425d81c1aed6c14e2f23d825013cb31e85680bd6ddfba5931f8",
            "subj_verb_agreement.mt.correct.de": "6ac9189afd46463080e9e390ca113159a2bda346c476e965e289476a6e297a6c",
            "subj_verb_agreement.mt.en": "fbbbd92cc70fbb1943006784b83f6d79c93e43d2a229bed0b79450acce2fcd90",
            "subj_verb_agreement.mt.incorrect.de": "c77fbe898c123b5b3913ebf5478b98656187232975335195af4dbf051e914539",
        },
        splits=_splits,
    )
)
