"""Europarl from a few small files of its layout."""

from __future__ import annotations

from xml.sax.saxutils import escape

import pytest

from nmt.corpus.recipes import europarl_en_fr
from nmt.errors import Damaged
from tests.corpus.recipes.memory import pairs_of, splits_of

TRAIN_FILE = "04-01-12.xml"
VALID_FILE = "10-09-06-002.xml"
TEST_FILE = "10-11-09-001.xml"


def chunk(english: str, french: str) -> str:
    return f"<ParallelChunk><en>{english}</en>\n      <fr>{french}</fr></ParallelChunk>"


def document(*chunks: str) -> bytes:
    body = "\n    ".join(chunks)
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<DOCUMENT>\n<Speaker id="2">{body}</Speaker>\n</DOCUMENT>\n'
    return text.encode()


def pair(number: int, words: int = 5) -> tuple[str, str]:
    """A good pair of so many English words."""
    english = " ".join([f"Item{number}", *["word"] * (words - 1)])
    french = " ".join([f"Point{number}", *["mots"] * (words - 1)])
    return english, french


def written(*pairs: tuple[str, str]) -> bytes:
    return document(*(chunk(escape(english), escape(french)) for english, french in pairs))


def of(folder: dict[str, bytes]) -> dict[str, list[tuple[str, ...]]]:
    return {name: pairs_of(split) for name, split in splits_of("europarl-en-fr", folder).items()}


@pytest.fixture
def small(monkeypatch):
    """Splits of a few pairs each."""
    for name, value in {"TRAIN": 4, "TRAIN_LONG": 2, "VALID": 3, "TEST": 2, "OF_BUCKET": 2}.items():
        monkeypatch.setattr(europarl_en_fr, name, value)


def test_sessions_are_parted_by_their_dates_and_early_ones_left_out(small):
    splits = of(
        {
            "03-12-18.xml": written(pair(1)),
            "96-04-15.xml": written(pair(2)),
            TRAIN_FILE: written(pair(3), pair(4)),
            "10-08-30.xml": written(pair(5)),
            "11-05-09-001.xml": written(pair(6)),
            "10-07-05-001.xml": written(pair(7)),
            VALID_FILE: written(pair(8)),
            "10-10-05-001.xml": written(pair(9)),
            TEST_FILE: written(pair(10)),
        }
    )
    assert list(splits) == ["train", "train-more", "train-long", "valid", "test", "test-by-length"]
    assert sorted(splits["train"]) == sorted([pair(3), pair(4), pair(5), pair(6)])
    assert sorted(splits["valid"]) == sorted([pair(7), pair(8)])
    assert sorted(splits["test"]) == sorted([pair(9), pair(10)])


def test_training_text_is_cut_into_parts_of_which_the_last_holds_long_sources(small):
    long = [pair(number, words=60) for number in range(20)]
    short = [pair(number) for number in range(20, 30)]
    splits = of({TRAIN_FILE: written(*long, *short)})
    assert [len(splits[name]) for name in ("train", "train-more", "train-long")] == [4, 4, 2]
    assert all(len(english.split()) >= 51 for english, _ in splits["train-long"])
    parts = splits["train"] + splits["train-more"] + splits["train-long"]
    assert len(set(parts)) == 10
    # What this seed draws, on every machine.
    assert [english.split()[0] for english, _ in splits["train"]] == ["Item1", "Item13", "Item16", "Item6"]
    assert of({TRAIN_FILE: written(*long, *short)}) == splits


def test_no_training_pair_shares_a_side_with_what_is_held_out_whatever_its_case(small):
    held = [pair(number) for number in range(1, 8)]
    same_english = (pair(1)[0].upper(), "Un autre texte, tout à fait.")
    same_french = ("Quite another text, and more.", pair(7)[1].lower())
    of_valid = (pair(20)[0].lower(), "Encore un texte de plus.")
    splits = of(
        {
            TRAIN_FILE: written(same_english, same_french, of_valid, pair(30)),
            VALID_FILE: written(pair(20), pair(7)),
            TEST_FILE: written(*held, (pair(20)[0], "Texte que valid connaît.")),
        }
    )
    assert splits["train"] == [pair(30)]
    tested = splits["test"] + splits["test-by-length"]
    assert pair(7) not in tested and pair(20)[0] not in {english for english, _ in tested}


def test_the_test_set_by_length_holds_as_many_pairs_of_every_bucket_shorter_ones_first(small):
    lengths = [3, 4, 5, 10, 11, 20, 21, 55, 80, 81, 90]
    pairs = [pair(number, words) for number, words in enumerate(lengths * 3)]
    splits = of({TEST_FILE: written(*pairs)})
    words = [len(english.split()) for english, _ in splits["test-by-length"]]
    assert words == sorted(words)
    buckets = [sum(low <= count <= high for count in words) for low, high in ((1, 10), (11, 20), (21, 30), (51, 60))]
    assert buckets == [2, 2, 2, 2]
    assert sum(count >= 81 for count in words) == 2
    assert not set(splits["test"]) & set(splits["test-by-length"])


def test_each_pair_is_taken_once_wherever_it_is_said_again(small):
    splits = of({TRAIN_FILE: written(pair(1), pair(1)), "04-01-13.xml": written(pair(1)), TEST_FILE: written(pair(1))})
    assert splits["train"] == [pair(1)] and splits["test"] == []


def test_marks_of_connectives_are_taken_out_with_their_white_space_and_lines_are_plain(small):
    english = """Colleagues, <Alignment alignment="1">
          <DiscourseConnective sense="Temporal">as</DiscourseConnective>
        </Alignment> you know,\u00a0it is late &amp; dark."""
    french = "Chers coll\u0065\u0300gues, <DiscourseConnective>il</DiscourseConnective>  fait tard\u00ad."
    only_full_stop = "<ParallelChunk>.</ParallelChunk>"
    splits = of({TRAIN_FILE: document(only_full_stop, chunk(english, french))})
    assert splits["train"] == [("Colleagues, as you know, it is late & dark.", "Chers collègues, il fait tard.")]


@pytest.mark.parametrize(
    ("english", "french"),
    [
        ("", "Rien."),
        ("Nothing.", ""),
        ("The same.", "The same."),
        ("Lost \ufffd letter.", "Lettre perdue."),
        ("More <b> marks.", "Des marques."),
        ("It is so.", "Il dit «» ainsi."),
        ("It says ‘’ so.", "Il est ainsi."),
        ("1 2 3.", "Un, deux, trois."),
        ("One, two, three.", "1 2 3."),
        ("word " * 251, "mots " * 251),
        ("word " * 200, "a " * 301),
        ("A text of thirty characters, it.", "Court."),
        ("Short.", "Un texte qui est bien trop long."),
    ],
)
def test_what_looks_like_no_translation_is_left_out(english, french, small):
    assert of({TRAIN_FILE: written((english, french), pair(1))})["train"] == [pair(1)]


@pytest.mark.parametrize(
    ("english", "french"),
    [
        ("Yes.", "Je le crois bien."),
        ("word " * 250, "mots " * 250),
        ("It’s 5 < 6? No.".replace("<", "«"), "Non, cinq."),
    ],
)
def test_what_is_at_the_limits_is_kept(english, french, small):
    assert of({TRAIN_FILE: written((english, french))})["train"] == [(english.strip(), french.strip())]


def test_a_file_that_is_no_xml_is_named_with_the_line():
    cut = written(pair(1), pair(2))[:-40]
    with pytest.raises(Damaged, match=rf"Europarl-ConcoDisco: xml-files/ep-{TRAIN_FILE}, line 6: not valid XML"):
        of({TRAIN_FILE: cut})
    with pytest.raises(Damaged, match=f"ep-{TEST_FILE}, line 1: not valid XML"):
        of({TEST_FILE: b"<DOCUMENT><en>\xff</en></DOCUMENT>"})
