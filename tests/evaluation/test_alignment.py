from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmt.corpus.kinds.files import FilesOptions
from nmt.corpus.kinds.grammar import GrammarOptions
from nmt.corpus.pair import Pair
from nmt.corpus.subwords.tokenizer import TokenizerOptions, train_tokenizer
from nmt.corpus.text.links import words_of
from nmt.decoding.hypothesis import Translation
from nmt.errors import UserError
from nmt.evaluation.alignment import aligned, check_join, error_counts, error_rate, join, links, merge
from nmt.evaluation.measures.recall import recalled
from nmt.tokens import END
from tests.conftest import TINY_GRAMMAR


def looked(source, target, weights) -> Translation:
    return Translation("", 0.0, tuple(source), tuple(target), np.array(weights, dtype=np.float32))


def test_pieces_belong_to_words_and_the_end_to_none():
    assert words_of(["▁The", "▁ca", "ts", ".", "▁x", "</s>"]) == [(0,), (1,), (1,), (1,), (2,), ()]
    assert words_of(["no", "▁mark"]) == [(0,), (1,)] and words_of([]) == []


def test_weights_of_a_word_are_summed_over_source_pieces_and_averaged_over_target_pieces():
    picture = looked(
        ["▁a", "▁b", "c", "</s>"], ["▁x", "y", "</s>"], [[0.2, 0.4, 0.4, 0], [0.6, 0.0, 0.2, 0.2], [1, 0, 0, 0]]
    )
    np.testing.assert_allclose(
        merge(picture.source_pieces, picture.target_pieces, picture.attention), [[0.4, 0.5]], atol=0.01
    )
    assert links(picture) == [(1, 0)]
    near = looked(["▁a", "▁b"], ["▁x", "▁y"], [[0.0334, 0.0350], [0.0, 0.0]])
    assert links(near) == [(1, 0)], "by the weights themselves; a word that looks nowhere has no link"


def test_white_space_that_is_no_space_parts_words_within_a_piece_too():
    source = ["▁il", "▁dit", "\u00a0:", "▁oui", "\u202f!", "</s>"]
    target = ["▁he", "▁says\u00a0:", "▁yes", "</s>"]
    picture = looked(source, target, np.eye(6)[[0, 1, 3, 5]])
    assert merge(picture.source_pieces, picture.target_pieces, picture.attention).shape == (4, 5)
    assert links(picture) == [(0, 0), (1, 1), (1, 2), (3, 3)]


def test_unknown_neighbours_are_words_of_their_own(tmp_path):
    """A tokenizer of whole words makes one unknown piece of them."""
    known = [("the cat sees the dog", "die Katze sieht den Hund")] * 5
    tokenizer = train_tokenizer(lambda: known, TokenizerOptions(kind="word", vocabulary_size=20), tmp_path)

    class Diagonal:
        """Looks from each target piece at the source piece at its own place."""

        model = SimpleNamespace(attends=True)

        def __init__(self):
            self.tokenizer = tokenizer

        def force(self, sources, targets, attention_for, first_line):
            forced = []
            for source, target in zip(sources, targets, strict=True):
                read = tokenizer.source_pieces(tokenizer.encode_source(source))
                written = tokenizer.target_pieces([*tokenizer.encode_target(target), END])
                forced.append(looked(read, written, np.eye(len(written), len(read))))
            return forced

    [found] = aligned([Pair("the big red dog", "die Katze Hund")], Diagonal())
    assert found == [(0, 0), (1, 1), (3, 2)]


def test_an_empty_output_has_no_links():
    assert links(looked(["▁a", "</s>"], ["</s>"], [[0.5, 0.5]])) == []


@pytest.mark.parametrize(
    ("found", "sure", "possible", "rate"),
    [
        ([(0, 0), (1, 1)], [(0, 0), (1, 1)], [], 0.0),
        ([(0, 1), (1, 0)], [(0, 0), (1, 1)], [], 100.0),
        ([(0, 0), (1, 1)], [(0, 0)], [(1, 1)], 0.0),  # a possible link is no error
        ([(0, 0), (2, 2)], [(0, 0)], [(1, 1)], 100 * (1 - 2 / 3)),  # 1 - (1 + 1) / (2 + 1)
        ([], [], [], 0.0),
    ],
)
def test_the_error_rate_is_that_of_och_and_ney(found, sure, possible, rate):
    assert error_rate([error_counts(found, sure, possible)]) == pytest.approx(rate)


def test_the_error_rate_of_a_corpus_is_that_of_its_sums():
    counts = [error_counts([(0, 0)], [(0, 0)], []), error_counts([(0, 0)] * 1, [(1, 1), (2, 2), (3, 3)], [])]
    assert error_rate(counts) == pytest.approx(100 * (1 - 2 / 6))


def test_the_built_in_corpus_knows_its_links_and_files_do_not():
    assert TINY_GRAMMAR.knows_links("test")
    for pair in TINY_GRAMMAR.read("test"):
        assert pair.links
        assert all(s < len(pair.source.split()) and t < len(pair.target.split()) for s, t in pair.links)
        perfect = recalled(pair.target, pair.target, pair.links)
        assert all(perfect.values())
    assert not FilesOptions().knows_links("test")
    assert isinstance(TINY_GRAMMAR, GrammarOptions)


def test_both_directions_are_joined_three_ways():
    forward, backward = [(0, 0), (1, 1), (2, 1), (3, 4)], [(0, 0), (1, 1), (1, 2), (9, 9)]
    assert join(forward, backward, "intersection") == [(0, 0), (1, 1)]
    assert join(forward, backward, "union") == sorted({*forward, *backward})
    # (2, 1) and (1, 2) stand beside (1, 1) and bring a new word each; (3, 4) and (9, 9) touch nothing that is taken
    assert join(forward, backward, "grow-diag") == [(0, 0), (1, 1), (1, 2), (2, 1)]
    with pytest.raises(UserError, match="did you mean 'union'"):
        check_join("unoin")


@given(
    st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6))), st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)))
)
def test_growing_stays_between_intersection_and_union(forward, backward):
    grown = set(join(forward, backward, "grow-diag"))
    assert forward & backward <= grown <= forward | backward
    assert grown == set(join(backward, forward, "grow-diag"))
