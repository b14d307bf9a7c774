"""What people read of a look: plain text of at most 100 columns, and one page that asks for nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from nmt.corpus.text.cleaning import CleaningOptions
from nmt.inspection.advice import advice_of_buckets, warnings_of
from nmt.inspection.page import html_text
from nmt.inspection.pictures import length_picture
from nmt.inspection.results import Advice, Inspection
from nmt.inspection.sections import Table, percent, printable
from nmt.inspection.text import WIDTH, advice_text, look_text, table_lines
from tests.inspection.plain import corpus_in, look, split

TRAIN = [(f"sentence {number} <b>", f"Satz {number} &amp;") for number in range(20)]
TEST = [("<script>alert(1)</script> ok", "\x1b[31mred שלום"), ("שלום עולם", "Satz"), ("a\0b", "")]


@pytest.fixture(scope="module")
def inspection(tmp_path_factory) -> Inspection:
    corpus = corpus_in(tmp_path_factory.mktemp("text"), TRAIN, [TRAIN[0]], odd=TEST)
    looked = look(corpus)
    return Inspection(
        name="mine-en-de",
        source_language="en",
        target_language="de",
        splits=looked.splits,
        shared=looked.shared,
        warnings=warnings_of(looked.splits, looked.shared, CleaningOptions()),
        advice=[advice_of_buckets(split(looked, "odd")), Advice("a thing", "text", "option=[1,2]")],
        notes=looked.notes(),
    )


class Links(HTMLParser):
    """Collects what a page refers to, and its elements."""

    def __init__(self) -> None:
        super().__init__()
        self.references: list[str] = []
        self.elements: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.references += [value or "" for name, value in attributes if name in ("href", "src")]


def test_the_page_refers_to_nothing_outside_itself(inspection):
    page = html_text(inspection)
    links = Links()
    links.feed(page)
    assert all(reference.startswith(("#", "data:")) for reference in links.references)
    assert "script" not in links.elements
    assert "url(" not in page and "@import" not in page
    assert "default-src 'none'" in page


def test_every_link_of_the_page_leads_to_a_part_of_it(inspection):
    page = html_text(inspection)
    for anchor in re.findall(r'href="#([^"]*)"', page):
        assert f'id="{anchor}"' in page


def test_warnings_have_a_heading_of_their_own(inspection):
    assert "<strong>To look at before training</strong>" in html_text(replace(inspection, warnings=["mine: no pairs"]))


def test_odd_words_are_shown_and_do_nothing(inspection):
    page = html_text(inspection)
    assert "<script" not in page
    assert "script&gt;alert(1)&lt;/script" in page
    assert "\x1b" not in page + look_text(inspection)
    assert "U+001B" in page
    assert "\u2068שלום\u2069" in page


def test_plain_text_begins_with_the_warnings_and_fits_100_columns(inspection):
    text = f"{look_text(inspection)}\n{advice_text(inspection)}"
    lines = text.splitlines()
    assert lines[2] == "To look at before training"
    assert lines[3].startswith("  ! valid: all of its 1 pairs are in the training text")
    assert max(map(len, lines)) <= WIDTH
    assert "    option=[1,2]" in lines


def test_a_wide_table_goes_on_below_with_its_first_column():
    names = [f"test-set-number-{number}" for number in range(9)]
    lines = table_lines(Table(["", *names], [["pairs", *["1,000"] * 9]]))
    assert max(map(len, lines)) <= WIDTH
    assert all(sum(name in line for line in lines) == 1 for name in names)
    assert sum(line.startswith("  pairs") for line in lines) == 3


def test_running_text_is_broken_in_its_own_column():
    lines = table_lines(Table(["a", "b"], [["first", "word " * 60]], ends_in_text=True))
    assert max(map(len, lines)) <= WIDTH
    assert len(lines) == 5
    assert all(line.startswith(" " * 9 + "word") for line in lines[2:])


def test_shares_are_never_rounded_to_all_or_nothing():
    assert [percent(share) for share in (0.0, 0.00001, 0.5, 0.99999, 1.0)] == [
        "0.0 %",
        "< 0.1 %",
        "50.0 %",
        "> 99.9 %",
        "100.0 %",
    ]


def test_what_a_terminal_would_obey_is_shown_as_its_code():
    assert printable("a\x1b\x00é") == "aU+001BU+0000é"


def test_the_picture_has_a_bar_for_every_length(tmp_path):
    texts = [("a " * length, "b") for length in (1, 2, 2, 5)]
    picture = length_picture(split(look(corpus_in(tmp_path, texts)), "train"))
    heights = re.findall(r'<rect [^>]*height="([\d.]+)"', picture)
    assert heights == ["37.5", "75.0", "0.0", "0.0", "37.5"]


def test_very_long_sentences_stand_in_the_last_bar(tmp_path):
    texts = [("a " * length, "b") for length in [*[10] * 999, 3000]]
    one = split(look(corpus_in(tmp_path, texts)), "train")
    assert one.source.longest == 3000
    assert one.source.histogram[-1] == 1
    picture = length_picture(one)
    assert picture.count("<rect") == 50
    assert re.findall(r"[\d,]+</text>", picture)[-3:] == ["50</text>", "1,000</text>", "0</text>"]


def test_an_empty_text_is_shown(inspection, tmp_path):
    corpus = corpus_in(tmp_path, mine=[])
    looked = look(corpus)
    empty = replace(inspection, splits=looked.splits, shared=[], warnings=["mine: no pairs"], advice=[])
    assert "mine: no pairs" in look_text(empty)
    assert "mine: no pairs" in html_text(empty)


def test_a_sentence_that_begins_with_a_number_is_not_set_as_one():
    table = Table(["", "", ""], [["buckets", "6 of at least 100", "12,345.6"], ["share", "1.2 a word", "< 0.1 %"]])
    assert [table.is_numeric(column) for column in range(3)] == [False, False, True]
