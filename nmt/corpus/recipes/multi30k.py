"""Multi30k, task 1: image captions in English, German and French (Elliott et al. 2016)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nmt.corpus.recipes.recipe import Files, Recipe, Source, Split, register
from nmt.corpus.recipes.text import gunzipped, lines_of_text

LANGUAGES = ("en", "de", "fr")
# Names here, and in the repository.
SPLITS = {"train": "train", "valid": "val", "test2016": "test_2016_flickr", "test2017": "test_2017_flickr"}


def _splits(sources: Sequence[Source]) -> Iterator[Split]:
    [captions] = sources
    for name, there in SPLITS.items():
        texts = {}
        for language in LANGUAGES:
            path = f"{there}.{language}.gz"
            place = captions.place(path)
            content = gunzipped(captions.read(path), place)
            texts[language] = lines_of_text(content, place)
        yield Split(name, texts)


register(
    Recipe(
        folder="multi30k",
        title="Multi30k, task 1",
        languages=LANGUAGES,
        corpora=("multi30k_en_de", "multi30k_en_fr"),
        pairs=29_000,
        licence="not stated in the repository",
        citation=(
            "Elliott, Frank, Sima'an and Specia 2016: Multi30K: Multilingual English-German Image Descriptions (5th "
            "Workshop on Vision and Language)"
        ),
        treatment="Unpacked; each line NFC, without control characters, white space runs one space.",
        needs=(
            Files(
                repository="multi30k/dataset",
                commit="a3d2e0d26b56f3846f66a952536ffed4e401d05a",
                prefix="data/task1/raw/",
                size=2_006_867,
                digests={
                    "train.en.gz": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
                    "train.de.gz": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
                    "train.fr.gz": "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c",
                    "val.en.gz": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
                    "val.de.gz": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
                    "val.fr.gz": "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9",
                    "test_2016_flickr.en.gz": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
                    "test_2016_flickr.de.gz": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
                    "test_2016_flickr.fr.gz": "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90",
                    "test_2017_flickr.en.gz": "76a444ee25172e72695cddb13ae4a3bda59430617be88e0bb46b60504f054074",
                    "test_2017_flickr.de.gz": "a2c89666db00c495cd8513b9d708d5a3acc205d7de312ef2bf5fb7ebc1540aee",
                    "test_2017_flickr.fr.gz": "3ba671ceb2299f3304ffafefea7a833d08632fbaf0ba18546f8a2ec2391af496",
                },
            ),
        ),
        digests={
            "test2016.de": "4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16",
            "test2016.en": "399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182",
            "test2016.fr": "dd64ea1883b68f55c887118839b434edc68b1dae3be6064c3bd5ab38033ddc6b",
            "test2017.de": "0ae2c070897390d162c867271596ca6d6c9bc4fdcf6bb153621eb46eb19a027b",
            "test2017.en": "89f1090381c6663a596cb69df930ed331b1f3869a0863774ab9471748ab29f45",
            "test2017.fr": "57ee019ef4b802206799177fe667097dcd32fd031a92e86938fcbfea97f727f8",
            "train.de": "550c2612c7ae45ed46754e67c3011fde500b1bf88592a376e2ed6126903766f7",
            "train.en": "f7cb7c7d411f6039a15de94de8c4d1709fada7b7474791598fd18451ec62427d",
            "train.fr": "87fd0969fd5d58acc23d2b8d024261df5177e1120c65b54011ca634736dcd661",
            "valid.de": "c02c1d05fb89dba12b00503a2744b1105d45fef287501fd701b4fea5b1fca3e5",
            "valid.en": "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227",
            "valid.fr": "3a61fe933a20608d6102b5d94dd0870ce8502d1cbec73511afff489ddab0c756",
        },
        splits=_splits,
    )
)
