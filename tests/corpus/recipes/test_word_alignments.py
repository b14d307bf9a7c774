"""Gold word alignments from small repositories of their layouts."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from nmt.corpus.kinds.files import read_parallel
from nmt.corpus.recipes.word_alignment_gold import LINKED_EUROPARL, SAMPLE, SAMPLE_PARTS
from nmt.corpus.text.links import read_gold
from nmt.errors import Damaged
from tests.corpus.recipes.memory import pairs_of, splits_of, text, texts_of

EUROPARL = {
    "DeEn/de": "daß es\xa0gilt\n\nja\n".encode("latin-1"),
    "DeEn/en": b"that it holds\nyes\n",
    "DeEn/alignmentDeEn.talp": b"1-1 2p2 3-3 2-2 9-1\n1-1\n",
}
HANSARDS = {
    "enfr.src-tgt": text("oh , oh !   ||| oh , oh !  ", "\u200b yes ||| oui"),
    "enfr.gold": text("2p2 1-1 1p1", "2-1"),
}
FRENCH_IN_LATIN = "<s snum=1> d\xe9put\xe9 </s>\n<s snum=2> </s>\n".encode("latin-1")


def packed(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def sample() -> dict[str, bytes]:
    files = {}
    for part in SAMPLE_PARTS:
        files[f"{SAMPLE}.{part}.e"] = text("<s snum=1> member </s>", "<s snum=2> nothing </s>")
        files[f"{SAMPLE}.{part}.f"] = FRENCH_IN_LATIN
    return files


def made(europarl=EUROPARL, hansards=HANSARDS):
    return splits_of("word-alignment-gold", hansards, {LINKED_EUROPARL: packed(europarl)}, sample())


def test_links_count_from_zero_sure_ones_win_and_none_leads_outside():
    splits = made()
    assert list(splits) == ["europarl-de-en", "hansards-en-fr", "hansards-train-sample"]
    assert texts_of(splits["europarl-de-en"]) == {
        "de": ["daß es gilt", "ja"],
        "en": ["that it holds", "yes"],
        "de-en.talp": ["0-0 1-1 2-2", "0-0"],
    }
    # The word of a control character alone stays: links count it.
    assert texts_of(splits["hansards-en-fr"]) == {
        "en": ["oh , oh !", "\u200b yes"],
        "fr": ["oh , oh !", "oui"],
        "en-fr.talp": ["0-0 1p1", "1-0"],
    }


def test_links_are_written_as_align_reads_them(tmp_path):
    for ending, lines in made()["hansards-en-fr"].texts.items():
        (tmp_path / ending).write_bytes(text(*lines))
    pairs = list(read_parallel(tmp_path / "en", tmp_path / "fr"))
    first, second = read_gold(tmp_path / "en-fr.talp", pairs)
    assert first.sure == ((0, 0),) and set(first.possible) == {(0, 0), (1, 1)}
    assert second.sure == ((1, 0),)


def test_the_sample_is_without_tags_and_empty_sides_in_either_encoding():
    assert pairs_of(made()["hansards-train-sample"]) == [("member", "député")] * 3


def test_links_that_are_not_one_line_a_pair_or_no_links_are_named():
    with pytest.raises(Damaged, match=r"examples/enfr\.gold: 1 lines of links for 2 and 2 sentences"):
        made(hansards={**HANSARDS, "enfr.gold": text("1-1")})
    with pytest.raises(Damaged, match=r"enfr\.gold, line 2: '2:1' is no link"):
        made(hansards={**HANSARDS, "enfr.gold": text("1-1", "2:1")})
    with pytest.raises(Damaged, match=r"DeEn/alignmentDeEn\.talp: 2 lines of links for 1 and 2 sentences"):
        made(europarl={**EUROPARL, "DeEn/de": b"ja\n"})


def test_a_pair_without_its_other_side_is_named():
    with pytest.raises(Damaged, match=r"awesome-align: examples/enfr\.src-tgt, line 2: not English \|\|\| French"):
        made(hansards={**HANSARDS, "enfr.src-tgt": text("a ||| b", "alone")})


def test_a_packed_file_that_is_not_as_expected_is_named():
    def made_of(content: bytes):
        return splits_of("word-alignment-gold", HANSARDS, {LINKED_EUROPARL: content}, sample())

    with pytest.raises(Damaged, match=rf"datasets: {LINKED_EUROPARL}: cannot be unpacked"):
        made_of(packed(EUROPARL)[:-40])
    with pytest.raises(Damaged, match=rf"{LINKED_EUROPARL}: cannot be unpacked"):
        made_of(gzip.compress(b"no archive"))
    with pytest.raises(Damaged, match=r"DeEn/alignmentDeEn\.talp"):
        made_of(packed({"DeEn/de": b"ja\n", "DeEn/en": b"yes\n"}))
