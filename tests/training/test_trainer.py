"""Trainer.fit without the door: resume, budgets, accumulation, averaging, and what is learnt."""

from __future__ import annotations

import json
import signal
import time

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from nmt.corpus.batcher import Batcher, BatchingOptions
from nmt.corpus.encoded import encode_pairs
from nmt.corpus.pairs import CleaningReport, Pair
from nmt.decoding.beam import DecodingOptions
from nmt.decoding.translator import Translator
from nmt.errors import UserError
from nmt.evaluation.scores import Bleu
from nmt.models.build import build_model
from nmt.models.interface import Vocabulary
from nmt.models.recurrent import RecurrentOptions
from nmt.models.transformer import TransformerOptions
from nmt.training.checkpoint import Checkpoints, load_state, weights_of
from nmt.training.journal import Journal, Look, read_journal
from nmt.training.optim import OptimizerOptions
from nmt.training.precision import choose_precision
from nmt.training.trainer import Interrupted, Trainer, TrainerOptions

MODELS = {
    "fixed": RecurrentOptions(
        embedding_size=12, encoder_size=16, decoder_size=16, context="fixed", bidirectional=False, dropout=0.2
    ),
    "attention": RecurrentOptions(embedding_size=12, encoder_size=8, decoder_size=16, dropout=0.2),
    "transformer": TransformerOptions(size=16, heads=2, feed_forward_size=32, dropout=0.2),
}
CPU = choose_precision(torch.device("cpu"), "fp32")


@pytest.fixture
def make(encoded, tokenizer, tmp_path):
    """A trainer of a tiny model in ``folder``; every call builds it afresh, as a new process would."""

    def build(
        folder="run",
        kind="attention",
        validate=None,
        optimizer=None,
        pairs=encoded,
        batch=256,
        model=None,
        look=None,
        **options,
    ):
        torch.manual_seed(3)
        model = build_model(model or MODELS[kind], Vocabulary(tokenizer.source_size, tokenizer.target_size, True))
        defaults = {"validate_every": 4, "log_every": 2}
        place = tmp_path / folder
        return Trainer(
            model,
            Batcher(pairs, BatchingOptions(tokens=batch), seed=1),
            validate or (lambda model: {"loss": sum(p.detach().square().sum().item() for p in model.parameters())}),
            TrainerOptions(**{**defaults, **options}),
            optimizer or OptimizerOptions(warmup_steps=3, learning_rate=3e-3),
            CPU,
            Checkpoints(place / "checkpoints"),
            lambda step: Journal(place, step),
            look,
        )

    return build


def weights(trainer):
    return {name: weight.clone() for name, weight in weights_of(trainer.model).items()}


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("stop", [4, 7])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(make, kind, stop):
    whole = make("whole", kind, max_steps=12, average_decay=0.9)
    whole.fit()
    cut = make("cut", kind, max_steps=12, average_decay=0.9)
    update = cut._update

    def stop_here(batches):
        result = update(batches)
        if cut.progress.step == stop:
            cut.signal = signal.SIGTERM
        return result

    cut._update = stop_here
    with pytest.raises(Interrupted) as caught:
        cut.fit()
    assert caught.value.exit_code == 143 and cut.progress.step == stop
    resumed = make("cut", kind, max_steps=12, average_decay=0.9)
    resumed.fit()
    for ours, theirs in ((weights(resumed), weights(whole)), (resumed.average, whole.average)):
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    last = [load_state(t.checkpoints.steps()[-1]).tensors for t in (resumed, whole)]
    assert last[0].keys() == last[1].keys()
    assert all(torch.equal(last[0][name], last[1][name]) for name in last[1])


@pytest.mark.parametrize("name", ["sgd", "adadelta", "adam"])
def test_every_optimizer_resumes_bit_for_bit(make, name):
    options = OptimizerOptions(name=name, warmup_steps=0, learning_rate=0.1, schedule="constant")
    whole = make("whole", optimizer=options, max_steps=6)
    whole.fit()
    make("cut", optimizer=options, max_steps=3).fit()
    again = make("cut", optimizer=options, max_steps=6)
    again.fit()
    own = weights(whole)
    assert all(torch.equal(weight, own[name]) for name, weight in weights(again).items())


def test_a_killed_run_goes_on_from_its_last_checkpoint_without_doubles_in_the_journal(make, tmp_path):
    whole = make("whole", max_steps=10)
    whole.fit()
    cut = make("cut", max_steps=10)

    def die(batches):
        if cut.progress.step == 7:
            raise KeyboardInterrupt  # after the checkpoint of step 4, with journal lines of step 6
        return Trainer._update(cut, batches)

    cut._update = die
    with pytest.raises(KeyboardInterrupt):
        cut.fit()
    resumed = make("cut", max_steps=10)
    resumed.fit()
    assert all(torch.equal(weights(resumed)[name], weight) for name, weight in weights(whole).items())
    for kind in ("train", "valid"):
        steps = [[e["step"] for e in read_journal(tmp_path / f) if e["event"] == kind] for f in ("whole", "cut")]
        assert steps[0] == steps[1]
    losses = [[e["loss"] for e in read_journal(tmp_path / f) if e["event"] == "train"] for f in ("whole", "cut")]
    assert losses[0] == losses[1]


def test_accumulated_batches_equal_one_large_one(make):
    trainer = make(max_steps=1, kind="transformer")
    rows, make_batch = trainer.batcher.plan(0)[0], trainer.batcher.batch
    results = []
    for batches in ([make_batch(rows)], [make_batch(rows[:3]), make_batch(rows[3:])]):
        # An epsilon above the gradients, or Adam makes steps of one size from gradients however small.
        again = make(max_steps=1, kind="transformer", optimizer=OptimizerOptions(epsilon=1.0))
        again.model.eval()  # without dropout
        again._update(batches)
        results.append(weights(again))
    for name in results[0]:
        torch.testing.assert_close(results[0][name], results[1][name], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("budget", "reached"),
    [
        ({"max_steps": 5}, lambda p, t: p.step == 5),
        ({"max_tokens": 900}, lambda p, t: 900 <= p.tokens < 900 + 300),
        (
            {"max_epochs": 1},
            lambda p, t: (p.position.epoch, p.position.batch) == (1, 0) and p.step == len(t.batcher.plan(0)),
        ),
        ({"max_minutes": 0.01}, lambda p, t: 0.6 <= p.seconds < 5),
        ({"max_steps": 50, "max_tokens": 300}, lambda p, t: p.tokens < 700),
    ],
)
def test_the_first_budget_spent_ends_the_run(make, budget, reached):
    trainer = make(**budget)
    assert reached(trainer.fit(), trainer)
    again = make(**budget)
    assert again.fit().step == trainer.progress.step, "a finished run is not trained again"


def test_a_raised_budget_goes_on_and_says_that_the_rate_rises(make, caplog):
    make(max_steps=4).fit()
    assert make(max_steps=6).fit().step == 6
    assert "learning rate rises again" in caplog.text


def test_patience_ends_a_run_that_no_longer_improves_and_the_best_is_kept(make):
    losses = iter([3.0, 2.0, 2.5, 2.6, 2.7, 1.0])
    trainer = make(max_steps=100, patience=3, validate=lambda model: {"loss": next(losses)})
    progress = trainer.fit()
    assert (progress.step, progress.best_step, progress.finished) == (20, 8, True)
    assert load_state(trainer.checkpoints.best).progress.step == 8
    assert make(max_steps=100, patience=3).fit().step == 20


def test_selection_by_bleu_takes_the_highest(make):
    scores = iter([10.0, 30.0, 20.0])
    trainer = make(max_steps=12, select_by="bleu", validate=lambda model: {"loss": 1.0, "bleu": next(scores)})
    assert trainer.fit().best_step == 8
    with pytest.raises(UserError, match="select_by=bleu: validation gives loss"):
        make("other", max_steps=4, select_by="bleu").fit()


def test_the_average_is_what_is_judged_and_kept_as_weights(make):
    seen = []
    trainer = make(
        max_steps=4,
        average_decay=0.5,
        validate=lambda m: seen.append(weights_of(m)["output.weight"].clone()) or {"loss": 1.0},
    )
    trainer.fit()
    assert torch.equal(seen[0], trainer.average["output.weight"])
    assert not torch.equal(seen[0], trainer.model.output.weight)
    assert torch.equal(trainer.checkpoints.weights("best")[0]["output.weight"], seen[0])


def test_gradients_that_are_not_finite_are_left_out_counted_and_end_the_run(make, caplog):
    trainer = make(max_steps=100)
    with torch.no_grad():
        trainer.model.output.bias[5] = float("nan")
    before = trainer.model.readout.weight.clone()
    with pytest.raises(UserError, match="20 updates had no finite gradient"):
        trainer.fit()
    assert torch.equal(trainer.model.readout.weight, before) and "not finite" in caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no budget"),
        ({"max_steps": -1}, "trainer.max_steps=-1"),
        ({"max_steps": 1, "accumulate": 0}, "trainer.accumulate=0"),
        ({"max_steps": 1, "select_by": "blue"}, "did you mean 'bleu'"),
        ({"max_steps": 1, "average_decay": 1.0}, "average_decay"),
        ({"max_steps": 1, "label_smoothing": 1.0}, "label_smoothing"),
    ],
)
def test_bad_options_are_told(make, options, message):
    with pytest.raises(UserError, match=message):
        make(**options)


def test_the_journal_is_lines_of_json_with_the_numbers_a_reader_wants(make, tmp_path):
    make(max_steps=4).fit()
    events = [json.loads(line) for line in (tmp_path / "run/journal.jsonl").read_text().splitlines()]
    train = next(event for event in events if event["event"] == "train")
    assert {"loss", "gradient_norm", "tokens_per_second", "learning_rate", "epoch", "seconds", "tokens"} <= train.keys()
    assert {"padding", "memory_gigabytes"} <= train.keys()
    assert 0 <= train["padding"] < 0.5 and train["memory_gigabytes"] > 0.05
    parts = train["gradient_norm_of"]
    assert {"encoder", "attentions", "layers", "target_embedding"} <= parts.keys() and all(
        n > 0 for n in parts.values()
    )
    assert list((tmp_path / "run").glob("events.out.tfevents.*"))


SENTENCES = [
    "the cat sees the dog",
    "the dog sees the cat",
    "a cat sleeps",
    "a dog sleeps",
    "the old dog sees a cat",
    "the young cat sees a dog",
    "an old cat sleeps",
    "a young dog sleeps",
]
GERMAN = [
    "die Katze sieht den Hund",
    "der Hund sieht die Katze",
    "eine Katze schläft",
    "ein Hund schläft",
    "der alte Hund sieht eine Katze",
    "die junge Katze sieht einen Hund",
    "eine alte Katze schläft",
    "ein junger Hund schläft",
]


LEARNERS = {
    "fixed": RecurrentOptions(
        embedding_size=32, encoder_size=48, decoder_size=48, context="fixed", bidirectional=False, dropout=0.0
    ),
    "attention": RecurrentOptions(embedding_size=32, encoder_size=32, decoder_size=48, dropout=0.0),
    "transformer": TransformerOptions(
        size=48, heads=2, feed_forward_size=96, encoder_layers=2, decoder_layers=2, dropout=0.0
    ),
}


@pytest.mark.parametrize("kind", LEARNERS)
def test_a_tiny_model_learns_what_can_be_learnt_and_not_shuffled_targets(make, tokenizer, kind):
    """BLEU over 90 on sentences it can learn; with every target given to every source nothing can be."""
    rate = 3e-3 if kind == "transformer" else 6e-3
    optimizer = OptimizerOptions(learning_rate=rate, warmup_steps=20, schedule="cosine")

    def bleu(train_pairs, folder):
        trainer = make(
            folder,
            model=LEARNERS[kind],
            pairs=encode_pairs(train_pairs, tokenizer, CleaningReport()),
            optimizer=optimizer,
            max_steps=300,
            validate_every=1000,
            label_smoothing=0.0,
            batch=200,
        )
        trainer.fit()
        translations = Translator(trainer.model, tokenizer, DecodingOptions(beam_size=2)).translate(SENTENCES)
        metric = Bleu()
        return metric.score(metric.statistics([t.text for t in translations], GERMAN).sum(axis=0))

    assert bleu([Pair(*pair) for pair in zip(SENTENCES, GERMAN, strict=True)], "straight") > 90
    assert bleu([Pair(source, target) for source in SENTENCES for target in GERMAN], "shuffled") < 50


def test_what_is_looked_at_reaches_tensorboard_at_every_validation(make, tmp_path):
    look = Look({"samples/1": "**output** x"}, {"attention/1": np.zeros((8, 9, 3), dtype=np.uint8)})
    make(max_steps=8, look=lambda model: look).fit()
    board = EventAccumulator(str(tmp_path / "run"))
    board.Reload()
    assert [event.step for event in board.Images("attention/1")] == [4, 8]
    assert [event.step for event in board.Tensors("samples/1/text_summary")] == [4, 8]
    assert {"train/padding", "gradient_norm_of/encoder", "train/memory_gigabytes"} <= set(board.Tags()["scalars"])


def test_looking_is_outside_the_clock_and_after_the_checkpoint(make, tmp_path):
    """A model without attention has less to show, and must not gain time by it."""
    seen = []

    def look(model):
        seen.append(len(list((tmp_path / "run/checkpoints").glob("step-*"))))
        time.sleep(1.0)
        return Look()

    progress = make(max_steps=8, look=look).fit()
    assert progress.seconds < 2.0 and seen == [1, 2]


def test_the_journal_stays_json_where_a_part_s_gradient_is_not_finite(tmp_path):
    journal = Journal(tmp_path)
    journal.event("train", 1, loss=float("nan"), gradient_norm_of={"encoder": float("inf"), "decoder": 1.0})
    journal.close()
    [event] = read_journal(tmp_path)
    assert event["loss"] is None and event["gradient_norm_of"] == {"encoder": None, "decoder": 1.0}


@pytest.mark.parametrize("kind", ("attention", "transformer"))
def test_guided_alignment_teaches_attention_where_to_look(make, tiny_pairs, tokenizer, kind):
    encoded = encode_pairs(tiny_pairs, tokenizer, CleaningReport(), with_links=True)

    def weight_on_links(guided: float, folder: str) -> float:
        trainer = make(
            folder,
            model=LEARNERS[kind],
            pairs=encoded,
            optimizer=OptimizerOptions(learning_rate=5e-3, warmup_steps=20),
            max_steps=150,
            validate_every=1000,
            guided_alignment=guided,
            batch=300,
        )
        trainer.fit()
        batch = trainer.batcher.batch(np.arange(20))
        with torch.no_grad():
            output = trainer.model.eval()(batch.source, batch.source_mask, batch.target_in, attend=True)
        rows, targets, sources = batch.links.unbind(dim=1)
        return float(output.attention[rows, targets, sources].mean())

    assert weight_on_links(0.5, "guided") > 2 * weight_on_links(0.0, "free")


def test_a_model_without_weights_to_teach_is_refused(make, tiny_pairs, tokenizer):
    encoded = encode_pairs(tiny_pairs, tokenizer, CleaningReport(), with_links=True)
    with pytest.raises(UserError, match="this model learns none"):
        make("fixed", model=LEARNERS["fixed"], pairs=encoded, max_steps=1, guided_alignment=0.1).fit()
