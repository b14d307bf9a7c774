import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.corpus.subwords.tokenizer import KINDS, Tokenizer, TokenizerOptions, train_tokenizer
from nmt.errors import UserError
from nmt.tokens import END

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\n\r▁"), max_size=60)


@settings(max_examples=300, deadline=None)
@given(text=TEXT)
def test_bpe_decodes_to_the_very_text_that_was_encoded(tokenizer, text):
    assert tokenizer.decode_target(tokenizer.encode_target(text)) == text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("joint", [True, False])
def test_every_kind_trains_saves_and_gives_back_training_text(tiny_pairs, tmp_path, kind, joint):
    options = TokenizerOptions(kind=kind, joint=joint, vocabulary_size=400)
    made = train_tokenizer(lambda: tiny_pairs, options, tmp_path / "made")
    made.save(tmp_path / "saved")
    loaded = Tokenizer.load(tmp_path / "saved")
    assert loaded.digest == made.digest and loaded.joint == joint
    known = [pair for pair in tiny_pairs[:20] if 3 not in made.encode_target(pair.target)]
    assert known or kind == "word"
    for pair in known:
        assert loaded.decode_target(loaded.encode_target(pair.target)) == pair.target
    assert loaded.encode_source("The man sleeps.")[-1] == END


def test_text_that_is_cut_into_pieces_already_keeps_them(tmp_path):
    """The mark of spaces in the text itself is neither a word of its own nor lost."""
    lines = ["▁The ▁man ▁sleep s .", "▁A ▁man ▁walk s ."]
    options = TokenizerOptions(kind="word", vocabulary_size=100)
    made = train_tokenizer(lambda: [(line, line) for line in lines], options, tmp_path / "made")
    for line in lines:
        assert len(made.encode_target(line)) == len(line.split())
        assert made.decode_target(made.encode_target(line)) == line


def test_training_twice_gives_the_same_model(tiny_pairs, tokenizer, tmp_path):
    again = train_tokenizer(lambda: tiny_pairs, TokenizerOptions(vocabulary_size=400), tmp_path / "again")
    assert again.digest == tokenizer.digest


def test_bad_options_and_damaged_models_are_told(tiny_pairs, tmp_path):
    with pytest.raises(UserError, match="did you mean 'bpe'"):
        train_tokenizer(lambda: tiny_pairs, TokenizerOptions(kind="bpee"), tmp_path / "a")
    with pytest.raises(UserError, match="vocabulary_size=999999"):
        train_tokenizer(lambda: tiny_pairs, TokenizerOptions(vocabulary_size=999_999), tmp_path / "b")
    (tmp_path / "source.model").write_bytes(b"nothing")
    with pytest.raises(UserError, match="damaged"):
        Tokenizer.load(tmp_path)
