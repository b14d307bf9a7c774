import json
from dataclasses import asdict

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.corpus.batches.batch import TENSORS, copied_at_once, make_batch, pad
from nmt.corpus.batches.batcher import Batcher, BatchingOptions
from nmt.corpus.batches.cache import cached_pairs, cached_tokenizer
from nmt.corpus.batches.encoded import EncodedPairs, RaggedBuilder, encode_pairs
from nmt.corpus.batches.position import Position, Share
from nmt.corpus.kinds.files import FilesOptions
from nmt.corpus.pair import Pair
from nmt.corpus.subwords.tokenizer import TokenizerOptions
from nmt.corpus.text.cleaning import CleaningOptions, CleaningReport
from nmt.tokens import END, PADDING, START

LENGTHS = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 60)), min_size=1, max_size=80)


def corpus_of(lengths) -> EncodedPairs:
    sources, targets = RaggedBuilder(100), RaggedBuilder(100)
    for source_length, target_length in lengths:
        sources.append([5] * source_length)
        targets.append([6] * target_length)
    return EncodedPairs(sources.made(), targets.made(), CleaningReport())


@settings(max_examples=100, deadline=None)
@given(lengths=LENGTHS, tokens=st.integers(20, 300), epoch=st.integers(0, 3))
def test_an_epoch_holds_every_pair_once_and_no_batch_exceeds_its_budget(lengths, tokens, epoch):
    batcher = Batcher(corpus_of(lengths), BatchingOptions(tokens=tokens), seed=1)
    plan = batcher.plan(epoch)
    assert sorted(np.concatenate(plan).tolist()) == list(range(len(lengths)))
    for rows in plan:
        longest = max(max(batcher.source_lengths[rows]), max(batcher.target_lengths[rows]))
        assert len(rows) == 1 or longest * len(rows) <= tokens


@settings(max_examples=50, deadline=None)
@given(lengths=LENGTHS, stop=st.integers(1, 30), size=st.integers(1, 3))
def test_going_on_from_a_position_gives_the_very_batches_that_would_have_come(lengths, stop, size):
    def take(position, count):
        iterator = Batcher(corpus_of(lengths), BatchingOptions(tokens=100), seed=3).groups(position, size)
        return [next(iterator) for _ in range(count)]

    whole = take(Position(), stop + 5)
    rest = take(whole[stop - 1][1], 5)
    assert [([b.sentences for b in g], p) for g, p in rest] == [([b.sentences for b in g], p) for g, p in whole[stop:]]


def test_a_position_is_read_as_it_was_written_and_as_older_versions_wrote_it():
    position = Position(2, 3, 4, ((0, 7), (1, 2)), 5)
    assert Position.from_dict(json.loads(json.dumps(asdict(position)))) == position
    assert Position.from_dict({"epoch": 2, "batch": 3}) == Position(2, 3)


def test_a_position_past_the_last_batch_goes_on_with_the_next_epoch():
    """It was of a run whose batches were smaller, and more."""
    batcher = Batcher(corpus_of([(5, 5)] * 8), BatchingOptions(tokens=20), seed=1)
    (first,), position = next(batcher.groups(Position(epoch=2, batch=1000), 1))
    assert position == Position(epoch=3, batch=1) and list(first.sentences) == batcher.plan(3)[0].tolist()


@settings(max_examples=50, deadline=None)
@given(lengths=LENGTHS, count=st.integers(1, 4), size=st.integers(1, 3), updates=st.integers(1, 20))
def test_processes_share_the_batches_that_one_would_accumulate(lengths, count, size, updates):
    def take(share, size):
        iterator = Batcher(corpus_of(lengths), BatchingOptions(tokens=100), 3, share).groups(Position(), size)
        return [next(iterator) for _ in range(updates)]

    alone = take(Share(), size * count)
    shared = [take(Share(number, count), size) for number in range(count)]
    for update in range(updates):
        groups, positions = zip(*(own[update] for own in shared), strict=True)
        assert set(positions) == {alone[update][1]} and all(len(group) <= size for group in groups)
        together = sorted(batch.sentences for group in groups for batch in group)
        assert together == sorted(batch.sentences for batch in alone[update][0])


def test_epochs_and_seeds_differ_in_order():
    corpus = corpus_of([(i % 40 + 1, i % 30) for i in range(400)])
    plans = [
        [rows.tolist() for rows in Batcher(corpus, BatchingOptions(tokens=200), seed).plan(epoch)]
        for seed, epoch in ((1, 0), (1, 1), (2, 0))
    ]
    assert plans[0] != plans[1] and plans[0] != plans[2]


def test_a_sentence_longer_than_the_budget_is_a_batch_of_its_own_and_is_told(caplog):
    batcher = Batcher(corpus_of([(3, 3), (900, 2), (3, 4)]), BatchingOptions(tokens=50), seed=1)
    assert "1 sentences are longer than batching.tokens=50" in caplog.text
    assert [1] in [rows.tolist() for rows in batcher.plan(0)]


def test_a_batch_has_start_before_end_after_and_true_at_real_tokens():
    batch = make_batch([[5, 6, END], [7, END]], [[8], [9, 10]], [4, 2])
    assert batch.source.tolist() == [[5, 6, END], [7, END, PADDING]]
    assert batch.source_mask.tolist() == [[True, True, True], [True, True, False]]
    assert batch.target_in.tolist() == [[START, 8, PADDING], [START, 9, 10]]
    assert batch.target_out.tolist() == [[8, END, PADDING], [9, 10, END]]
    assert batch.target_mask.tolist() == [[True, True, False], [True, True, True]]
    assert batch.tokens == 5 and batch.sentences == (4, 2)


@settings(max_examples=50, deadline=None)
@given(lengths=LENGTHS, data=st.data())
def test_a_batch_of_rows_is_that_of_their_pairs(lengths, data):
    sources, targets = RaggedBuilder(100), RaggedBuilder(100)
    for number, (source_length, target_length) in enumerate(lengths):
        sources.append([5 + (number + place) % 90 for place in range(source_length)])
        targets.append([7 + (number * place) % 80 for place in range(target_length)])
    pairs = EncodedPairs(sources.made(), targets.made(), CleaningReport())
    rows = np.array(data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=20)))
    batch = Batcher(pairs, BatchingOptions(), seed=1).batch(rows)
    expected = make_batch([pairs.source[row] for row in rows], [pairs.target[row] for row in rows], rows.tolist())
    for name in TENSORS:
        if name != "links":
            assert torch.equal(getattr(batch, name), getattr(expected, name)), name
    assert (batch.tokens, batch.sentences) == (expected.tokens, expected.sentences)
    assert batch.real.tolist() == np.flatnonzero(batch.target_mask).tolist()
    for numbers, target in zip(batch.pairs(), (pairs.target[row] for row in rows), strict=True):
        assert numbers[2].tolist() == [*target.tolist(), END]


def test_tensors_that_are_copied_at_once_are_the_same_tensors():
    batch = make_batch([[5, 6, END], [7, END]], [[8], [9, 10]], [4, 2], [[0, 0], []])
    tensors = {name: getattr(batch, name) for name in TENSORS}
    copies = copied_at_once(tensors, torch.device("cpu"))
    assert list(copies) == list(TENSORS)
    for name, tensor in tensors.items():
        assert torch.equal(copies[name], tensor) and copies[name].dtype == tensor.dtype


def test_a_pair_of_too_many_tokens_is_left_out_and_counted(tokenizer):
    report = CleaningReport(read=2, kept=2)
    pairs = [Pair("The man sleeps.", "Der Mann schläft."), Pair("x" * 5000, "y" * 4000)]
    assert len(encode_pairs(pairs, tokenizer, report)) == 1
    assert (report.kept, report.too_long) == (1, 1)


def test_padding_nothing_gives_one_empty_column():
    ids, mask = pad([[]])
    assert ids.shape == mask.shape == (1, 1) and not mask.any()


def test_the_second_start_reads_the_cache_and_changed_text_does_not(tmp_path):
    for language in ("en", "de"):
        (tmp_path / f"t.{language}").write_text("".join(f"{language} word{i % 7} here\n" for i in range(200)))
    options = FilesOptions(train=[f"{tmp_path}/t.{{language}}"])
    cleaning, cache = CleaningOptions(), tmp_path / "cache"

    def start():
        tokenizer = cached_tokenizer(options, cleaning, TokenizerOptions(kind="char", vocabulary_size=60), cache)
        return cached_pairs(options, "train", cleaning, tokenizer, cache)

    first = start()
    made = sorted(path.name for path in cache.glob("[!.]*"))
    second = start()
    assert sorted(path.name for path in cache.glob("[!.]*")) == made and len(made) == 2
    assert isinstance(second.source.ids, np.memmap)
    assert first.report == second.report and first.source[3].tolist() == second.source[3].tolist()
    (tmp_path / "t.en").write_text("".join(f"new{i % 7} here\n" for i in range(200)))
    start()
    assert len(list(cache.glob("[!.]*"))) == 4


def test_a_limit_on_training_words_leaves_the_tokenizer_and_validation_as_they_are(tmp_path):
    words = [5, 12, 30]
    for split in ("train", "valid"):
        for side in ("a", "b"):
            (tmp_path / f"{split}.{side}").write_text("".join("word " * count + "\n" for count in words))
    place = {split: f"{tmp_path}/{split}.{{language}}" for split in ("train", "valid")}
    corpus = FilesOptions(source_language="a", target_language="b", train=[place["train"]], valid=place["valid"])
    options = TokenizerOptions(kind="char", vocabulary_size=20)
    wide, narrow = CleaningOptions(), CleaningOptions(train_words=12)
    tokenizers = [cached_tokenizer(corpus, cleaning, options, tmp_path / "cache") for cleaning in (wide, narrow)]
    assert tokenizers[0].digest == tokenizers[1].digest
    counts = {
        (split, cleaning.train_words): len(cached_pairs(corpus, split, cleaning, tokenizers[0], tmp_path / "cache"))
        for split in ("train", "valid")
        for cleaning in (wide, narrow)
    }
    assert counts == {("train", 0): 3, ("train", 12): 2, ("valid", 0): 3, ("valid", 12): 3}
