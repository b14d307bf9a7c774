"""A stream: every pair once an epoch, the very batches again after a stop, mixed by weights, shared by processes."""

from __future__ import annotations

import itertools
import tracemalloc
from collections import Counter
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.config import compose_train
from nmt.corpus.batches.batcher import BatchingOptions
from nmt.corpus.batches.position import ALONE, Position, Share
from nmt.corpus.batches.stream import Stream, StreamOptions
from nmt.corpus.kinds.files import FilesOptions
from nmt.corpus.subwords.tokenizer import Tokenizer, TokenizerOptions, train_tokenizer
from nmt.corpus.text.cleaning import CleaningOptions
from nmt.corpus.text.concatenation import ConcatenationOptions
from nmt.errors import UserError
from nmt.jobs.train import open_training
from nmt.training.journal import read_journal
from tests.conftest import TINY_SIZES


@pytest.fixture(scope="module")
def words(tmp_path_factory) -> Tokenizer:
    """Every number is a piece."""
    folder = tmp_path_factory.mktemp("words")
    pairs = [(f"s{number}", f"s{number}") for number in range(400)]
    return train_tokenizer(lambda: pairs, TokenizerOptions(kind="word", vocabulary_size=410), folder / "tokenizer")


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """Two places: s0 to s99, and s200 to s229, each word a pair (with as many words as its number ends with)."""
    folder = tmp_path_factory.mktemp("text")
    for name, numbers in (("first", range(100)), ("second", range(200, 230))):
        for language in ("en", "de"):
            lines = "".join(" ".join([f"s{n}"] * (n % 10 + 1)) + "\n" for n in numbers)
            (folder / f"{name}.{language}").write_text(lines)
    return folder


def stream(
    text,
    tokenizer,
    block=30,
    share=ALONE,
    most=lambda count: count,
    weights=(),
    cleaning=None,
    sampling=0.0,
    tokens=40,
    length=0,
):
    places = ["first"] + (["second"] if weights else [])
    corpus = FilesOptions(train=[f"{text}/{name}.{{language}}" for name in places], weights=list(weights))
    batching = BatchingOptions(tokens=tokens, stream=True, block=block)
    options = StreamOptions(corpus, cleaning or CleaningOptions(), ConcatenationOptions(), batching, sampling, seed=1)
    return Stream(options, tokenizer, share, most, length)


def words_in(batches, tokenizer) -> list[str]:
    return [tokenizer.source_pieces(source[:1])[0].strip("▁") for batch in batches for _, source, _ in batch.pairs()]


def epoch(made, size=1, number=0):
    """The batches of one epoch."""
    found, position = [], Position()
    for batches, after in made.groups(Position(), size):
        if position.epoch == number:
            found += batches
        position = after
        if after.epoch > number:
            return found
    raise AssertionError


@pytest.mark.parametrize("block", [1, 7, 30, 100, 1000])
def test_every_pair_comes_once_an_epoch_and_in_another_order_in_the_next(text, words, block):
    orders = [words_in(epoch(stream(text, words, block), number=number), words) for number in (0, 1)]
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(f"s{n}" for n in range(100))
    assert block == 1 or orders[0] != orders[1]


@settings(max_examples=25, deadline=None)
@given(block=st.integers(1, 120), stop=st.integers(1, 40), size=st.integers(1, 3), mixed=st.booleans())
def test_going_on_from_a_position_gives_the_very_batches_that_would_have_come(text, words, block, stop, size, mixed):
    def take(position, count):
        made = stream(text, words, block, weights=(3, 1) if mixed else (), length=100)
        groups = made.groups(position, size)
        found = list(itertools.islice(groups, count))
        groups.close()
        return [([b.source.tolist() for b in batches], after) for batches, after in found]

    whole = take(Position(), stop + 4)
    assert take(whole[stop - 1][1], 4) == whole[stop:]


@pytest.mark.parametrize("count", [2, 3])
def test_processes_share_a_block_and_leave_it_together(text, words, count):
    largest = []  # of every block, as they would agree
    for number in range(count):
        seen = []
        epoch(stream(text, words, share=Share(number, count), most=lambda n, seen=seen: seen.append(n) or n))
        largest.append(seen)
    most = [max(row) for row in zip(*largest, strict=False)]
    found, updates = [], []
    for number in range(count):
        own = iter(most)
        made = stream(text, words, share=Share(number, count), most=lambda n, own=own: next(own, n))
        groups = list(itertools.takewhile(lambda group: group[1].epoch == 0, made.groups(Position(), 1)))
        updates.append([after for _, after in groups])
        found += words_in(epoch(stream(text, words, share=Share(number, count)), size=1), words)
    assert sorted(found) == sorted(f"s{n}" for n in range(100))
    assert all(own == updates[0] for own in updates)


@pytest.mark.parametrize("weights", [(1, 1), (4, 1), (1, 3)])
def test_places_are_mixed_by_their_weights(text, words, weights):
    """An epoch is one reading of the first place."""
    counts = Counter(int(word[1:]) >= 200 for word in words_in(epoch(stream(text, words, 40, weights=weights)), words))
    assert counts[False] == 100 and abs(counts[True] - 100 * weights[1] / weights[0]) <= 4


def test_another_number_of_processes_is_told(text, words, caplog):
    groups = stream(text, words, share=Share(0, 2)).groups(Position(), 1)
    after = [next(groups)[1] for _ in range(3)][-1]
    next(stream(text, words).groups(after, 1))
    assert "shared by 2 processes" in caplog.text


def test_text_that_became_shorter_is_told(text, words, tmp_path):
    groups = stream(text, words).groups(Position(), 1)
    after = next(position for _, position in groups if position.block == 2)
    for language in ("en", "de"):
        (tmp_path / f"first.{language}").write_text("s1\n" * 20)
    with pytest.raises(UserError, match="ends before pair 61, where this run had read on"):
        next(stream(tmp_path, words).groups(after, 1))


def test_text_without_a_usable_pair_is_told(text, words):
    with pytest.raises(UserError, match=r"no usable pair .* 100 too long"):
        next(stream(text, words, cleaning=CleaningOptions(max_words=0)).groups(Position(), 1))


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_sampled_segmentations_differ_from_epoch_to_epoch_but_not_from_run_to_run(tiny_pairs, tmp_path, kind):
    tokenizer = train_tokenizer(lambda: tiny_pairs, TokenizerOptions(kind, 400), tmp_path / "tokenizer")
    for side, language in enumerate(("en", "de")):
        (tmp_path / f"first.{language}").write_text("".join(pair[side] + "\n" for pair in tiny_pairs[:50]))

    def lengths(sampling):
        """Of the source pieces of each target, in two epochs."""
        made = stream(tmp_path, tokenizer, block=50, sampling=sampling, tokens=5000)
        pairs = [[pair for batch in epoch(made, number=number) for pair in batch.pairs()] for number in (0, 1)]
        return [sorted((tokenizer.decode_target(t.tolist()), len(s)) for _, s, t in rows) for rows in pairs]

    assert lengths(0.0)[0] == lengths(0.0)[1]
    sampled = lengths(0.3)
    assert sampled == lengths(0.3) and sampled[0] != sampled[1]


def test_a_stream_drops_no_duplicates(text, words):
    with pytest.raises(UserError, match="duplicates=drop: a stream does not remember"):
        stream(text, words, cleaning=CleaningOptions(duplicates="drop"))


def test_memory_does_not_grow_with_the_text(words, tmp_path):
    def peak(lines):
        for language in ("en", "de"):
            (tmp_path / f"first.{language}").write_text("s1 s2 s3 s4 s5\n" * lines)
        tracemalloc.start()
        groups = stream(tmp_path, words, block=500, tokens=2000).groups(Position(), 1)
        next(after for _, after in groups if after.epoch == 1)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1000)
    assert peak(20_000) < 1.3 * max(peak(2000) for _ in range(3))  # one block or two wait, as the threads fall


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small training run's options on 120 pairs, on a text of their own."""
    folder = tmp_path_factory.mktemp("small")
    for language in ("en", "de"):
        (folder / f"t.{language}").write_text("".join(f"word{n % 7} and {n}\n" for n in range(120)))
    place = f"{folder}/t.{{language}}"
    return (
        *("corpus=files", f"corpus.train=['{place}']", f"corpus.valid='{place}'", f"cache={folder}", "device=cpu"),
        *("model=transformer", *TINY_SIZES["transformer"], "batching.tokens=100", "tokenizer.vocabulary_size=300"),
        *(
            "trainer.precision=fp32",
            "validation.bleu_sentences=0",
            "validation.samples=0",
            "trainer.validate_every=500",
        ),
    )


@pytest.mark.parametrize(
    ("epochs", "block", "schedule"), [(0.5, 25, "constant"), (0.5, 200_000, "cosine"), (1.5, 200_000, "constant")]
)
def test_a_part_of_an_epoch_of_a_stream_is_that_part(small, tmp_path, epochs, block, schedule):
    """Also within its only block; so a schedule may fall over epochs, and the journal tells parts of them."""
    stream = (
        "batching.stream=true",
        f"batching.block={block}",
        f"optimizer.schedule={schedule}",
        "trainer.log_every=1",
    )
    config = compose_train([*small, *stream, f"trainer.max_epochs={epochs}", f"run.dir={tmp_path}/run"])
    with open_training(config) as (run, trainer):
        progress = trainer.fit()
    assert progress.finished and epochs <= trainer.batches.epochs(progress.position) < epochs + 0.15
    told = [event["epoch"] for event in read_journal(run.folder) if event["event"] == "train"]
    steps = [later - earlier for earlier, later in itertools.pairwise([0.0, *told])]
    assert told[-1] >= epochs and 0 < max(steps) < 0.15
    assert Position.from_dict(asdict(progress.position)) == progress.position
