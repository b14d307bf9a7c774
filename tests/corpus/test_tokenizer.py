import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.corpus.subwords.tokenizer import KINDS, Sampling, Tokenizer, TokenizerOptions, train_tokenizer
from nmt.errors import UserError
from nmt.tokens import END, UNKNOWN

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
    # An earlier version knew nothing but the mark of what is reserved, by another stand-in.
    with open(tmp_path / "earlier.model", "wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=(line.replace("▁", "\ue581") for line in lines),
            model_writer=file,
            model_type="word",
            vocab_size=20,
            hard_vocab_limit=False,
            pad_id=0,
            bos_id=1,
            eos_id=2,
            unk_id=3,
            minloglevel=2,
        )
    for model in (made, Tokenizer(tmp_path / "earlier.model", None)):
        for line in lines:
            assert len(model.encode_target(line)) == len(line.split())
            assert model.decode_target(model.encode_target(line)) == line


RESERVED = ["\u2581", "\u2585", "</s>", "<s>", "<unk>", "<pad>", "<0x41>", "\0", "\t", "\n", "\r", "\x1f"]
# Unreserved, but some version of nmt or of SentencePiece gives them a meaning of its own.
LIKE_RESERVED = [
    "\u2047",
    "<",
    "\ue581",
    "\U0010e5a0",
    "\U0010e5a1",
    "\U0010e5a8",
    "\ufffd",
    "\ufeff",
    "\u2028",
    "\x85",
    "</S>",
]


@pytest.mark.parametrize(
    ("kind", "fallback", "size"),
    [
        ("bpe", True, 340),
        ("bpe", False, 100),
        ("unigram", True, 316),
        ("unigram", False, 60),
        ("char", False, 420),
        ("word", False, 420),
    ],
)
def test_every_kind_gives_back_training_text_with_what_is_reserved(tmp_path, kind, fallback, size):
    special = [*RESERVED, *LIKE_RESERVED]
    lines = [f"the {text} man s{text}leeps{text}" for text in special] + [f"{text}{text} no" for text in special]
    lines += ["".join(special), " ".join(special), *special]
    options = TokenizerOptions(kind, size, byte_fallback=fallback, symbols=["<2de>", "a<s>"])
    made = train_tokenizer(lambda: [(line, line) for line in lines], options, tmp_path)
    ids = made.encode_targets(lines)
    assert not any(UNKNOWN in row for row in ids)
    assert [made.decode_target(row) for row in ids] == lines
    pieces = made.target_pieces(made.encode_target("a<s> man"))
    assert any(piece.endswith("a<s>") for piece in pieces), "the user's symbols are left as they are"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([*RESERVED, *LIKE_RESERVED, "a", " ", "é", "漢", "\U0010e5af"]), max_size=12))
def test_text_unlike_all_that_a_model_was_trained_on_comes_back_too(odd_tokenizer, parts):
    text = "".join(parts)
    [drawn] = odd_tokenizer.encode_targets([text], Sampling(0.5, 1))
    for ids in (odd_tokenizer.encode_target(text), drawn):
        assert odd_tokenizer.decode_target(ids) == text


@pytest.fixture(scope="module")
def odd_tokenizer(tmp_path_factory):
    """Its training text had one of what is reserved."""
    lines = ["the man ▅ sleeps", "a cat sees the man"]
    options = TokenizerOptions(vocabulary_size=285)
    return train_tokenizer(lambda: [(line, line) for line in lines], options, tmp_path_factory.mktemp("odd"))


def test_no_line_is_too_long_to_train_on(tmp_path):
    line = "a" * 60_000 + "é" * 60_000 + " ß"
    options = TokenizerOptions("char", vocabulary_size=20)
    made = train_tokenizer(lambda: [(line, "b")], options, tmp_path)
    assert UNKNOWN not in made.encode_target(line)


@pytest.mark.parametrize(
    ("options", "least"),
    [
        ({"kind": "char", "vocabulary_size": 4}, 5),
        ({"kind": "char", "vocabulary_size": 6, "symbols": ["<x>", "<y>"]}, 7),
        ({"kind": "word", "vocabulary_size": 8, "symbols": ["<x>", "<y>"]}, 9),
        ({"kind": "bpe", "vocabulary_size": 0}, 261),
        ({"kind": "unigram", "vocabulary_size": 4, "byte_fallback": False}, 5),
    ],
    ids=["char", "char with symbols", "word with symbols", "bpe", "unigram without bytes"],
)
def test_a_vocabulary_without_room_for_any_text_is_refused_at_once(tiny_pairs, tmp_path, options, least):
    with pytest.raises(UserError, match=rf"vocabulary_size={options['vocabulary_size']}: must be {least} or more"):
        TokenizerOptions(**options)
    if options["kind"] in ("char", "word"):
        train_tokenizer(lambda: tiny_pairs, TokenizerOptions(**{**options, "vocabulary_size": least}), tmp_path)


def test_a_vocabulary_that_can_not_hold_the_characters_is_told_the_size_that_can(tiny_pairs, tmp_path):
    with pytest.raises(UserError, match=r"say tokenizer\.vocabulary_size=(\d+) or more") as caught:
        train_tokenizer(lambda: tiny_pairs, TokenizerOptions(vocabulary_size=270), tmp_path)
    least = int(str(caught.value).rpartition("=")[2].split()[0])
    made = train_tokenizer(lambda: tiny_pairs, TokenizerOptions(vocabulary_size=least), tmp_path)
    assert made.source_size == least


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
