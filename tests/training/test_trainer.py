"""Trainer.fit without the door: resume, budgets, accumulation, averaging, and what is learnt."""

from __future__ import annotations

import json
import os
import signal
import time
import traceback

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from nmt.corpus.batches.batcher import Batcher, BatchingOptions
from nmt.corpus.batches.encoded import encode_pairs
from nmt.corpus.pair import Pair
from nmt.corpus.text.cleaning import CleaningReport
from nmt.decoding.options import DecodingOptions
from nmt.decoding.translator import Translator
from nmt.errors import UserError
from nmt.evaluation.measures.bleu import Bleu
from nmt.models.build import build_model
from nmt.models.interface import Vocabulary
from nmt.models.recurrent import RecurrentOptions
from nmt.models.transformer import TransformerOptions
from nmt.training.checkpoints.folder import Checkpoints
from nmt.training.checkpoints.parts import load_state
from nmt.training.checkpoints.state import weights_of
from nmt.training.journal import Look, open_journal, read_journal
from nmt.training.optim import OptimizerOptions
from nmt.training.precision import choose_precision
from nmt.training.signals import Interrupted
from nmt.training.trainer import Trainer
from nmt.training.trainer_options import TrainerOptions

MODELS = {
    "fixed": RecurrentOptions(
        embedding_size=12, encoder_size=16, decoder_size=16, context="fixed", bidirectional=False, dropout=0.2
    ),
    "attention": RecurrentOptions(embedding_size=12, encoder_size=8, decoder_size=16, dropout=0.2),
    "transformer": TransformerOptions(size=16, heads=2, feed_forward_size=32, dropout=0.2),
}
CPU = choose_precision(torch.device("cpu"), "fp32")


def squares(model):
    return {"loss": sum(p.detach().square().sum().item() for p in model.parameters())}


class Told:
    """A validation that is told its scores."""

    def __init__(self, tell):
        self.tell = tell

    def sums(self, model):
        return {name: [value] for name, value in self.tell(model).items()}

    def scores(self, shares):
        [share] = shares
        return {name: value for name, [value] in share.items()}


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
        after_step=None,
        **options,
    ):
        torch.manual_seed(3)
        model = build_model(model or MODELS[kind], Vocabulary(tokenizer.source_size, tokenizer.target_size, True))
        defaults = {"validate_every": 4, "log_every": 2}
        place = tmp_path / folder
        return Trainer(
            model,
            Batcher(pairs, BatchingOptions(tokens=batch), seed=1),
            Told(validate or squares),
            TrainerOptions(**{**defaults, **options}),
            optimizer or OptimizerOptions(warmup_steps=3, learning_rate=3e-3),
            CPU,
            Checkpoints(place / "checkpoints"),
            lambda step: open_journal(place, step),
            look,
            after_step=after_step,
        )

    return build


def weights(trainer):
    return {name: weight.clone() for name, weight in weights_of(trainer.model).items()}


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("stop", [4, 7])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(make, kind, stop):
    whole = make("whole", kind, max_steps=12, average_decay=0.9)
    whole.fit()

    def stop_here(progress):
        if progress.step == stop:
            os.kill(os.getpid(), signal.SIGTERM)

    cut = make("cut", kind, max_steps=12, average_decay=0.9, after_step=stop_here)
    with pytest.raises(Interrupted) as caught:
        cut.fit()
    assert caught.value.exit_code == 143 and cut.progress.step == stop
    resumed = make("cut", kind, max_steps=12, average_decay=0.9)
    resumed.fit()
    for ours, theirs in ((weights(resumed), weights(whole)), (resumed.average, whole.average)):
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    last = [load_state(t.checkpoints.all()[-1]).tensors for t in (resumed, whole)]
    assert last[0].keys() == last[1].keys()
    assert all(torch.equal(last[0][name], last[1][name]) for name in last[1])


def dies_at(step):
    def die(progress):
        if progress.step == step:
            raise KeyboardInterrupt

    return die


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
    # After the checkpoint of step 4, with journal lines of step 6.
    with pytest.raises(KeyboardInterrupt):
        make("cut", max_steps=10, after_step=dies_at(7)).fit()
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
    rows, make_batch = trainer.batches.plan(0)[0], trainer.batches.batch
    results = []
    for batches in ([make_batch(rows)], [make_batch(rows[:3]), make_batch(rows[3:])]):
        # An epsilon above the gradients, or Adam makes steps of one size from gradients however small.
        again = make(max_steps=1, kind="transformer", optimizer=OptimizerOptions(epsilon=1.0))
        again.model.eval()  # without dropout
        again.update.gradients(batches, sum(batch.tokens for batch in batches), "here")
        again.update.apply(rate=1.0)
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
            lambda p, t: (p.position.epoch, p.position.batch) == (1, 0) and p.step == len(t.batches.plan(0)),
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


def test_a_run_that_patience_ended_says_so_at_its_end_and_when_it_is_started_again(make, caplog, capsys):
    losses = iter([3.0, 2.0, 2.5, 2.6])
    caplog.set_level("INFO")
    make(max_steps=100, patience=2, validate=lambda model: {"loss": next(losses)}).fit()
    end = "ended by trainer.patience=2 at step 16 (best at 8)"
    assert end in caplog.text + capsys.readouterr().err
    caplog.clear()
    assert make(max_steps=200, patience=2).fit().step == 16
    assert f"{end}: to go on, raise trainer.patience" in caplog.text


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


class Spoilt(nn.Module):
    """An objective whose loss is not finite in some forward passes, counted from 1 over all parts of a run."""

    def __init__(self, objective, times):
        super().__init__()
        self.objective = objective
        self.times = times
        self.time = 0

    def forward(self, batch):
        loss, likelihood = self.objective(batch)
        self.time += 1
        return (loss * float("nan") if self.time in self.times else loss), likelihood


def spoil(trainer, steps) -> None:
    """Spoils the loss of these forward passes: those of as many updates where an update is one batch."""
    trainer.update.objective = Spoilt(trainer.update.objective, steps)


def test_a_gradient_that_is_not_finite_is_left_out_and_counted(make, caplog):
    trainer = make(max_steps=4)
    spoil(trainer, {2, 4})
    before = weights(trainer)
    progress = trainer.fit()
    assert (progress.step, progress.skipped, progress.nonfinite, progress.rollbacks) == (4, 2, 1, 0)
    assert "step 2: the gradient is not finite" in caplog.text
    after = weights(trainer)
    assert all(w.isfinite().all() for w in after.values()) and any((after[n] != w).any() for n, w in before.items())


def test_too_many_of_them_send_the_run_back_with_half_the_rate(make, caplog, tmp_path):
    trainer = make(max_steps=10, skip_limit=3, optimizer=OptimizerOptions(warmup_steps=0, schedule="constant"))
    spoil(trainer, {6, 7, 8})
    progress = trainer.fit()
    assert (progress.step, progress.skipped, progress.rollbacks) == (10, 3, 1)
    assert "back to the last checkpoint, with half the learning rate" in caplog.text
    read = [e for e in read_journal(tmp_path / "run") if e["event"] == "train"]
    assert [e["step"] for e in read] == [2, 4, 6, 8, 10], "no step twice"
    assert read[-1]["learning_rate"] == read[0]["learning_rate"] / 2


def test_going_back_before_the_first_checkpoint_keeps_the_weights(make):
    trainer = make(max_steps=6, skip_limit=2)
    spoil(trainer, {2, 3})
    assert trainer.fit().rollbacks == 1


def test_a_run_that_has_been_back_often_enough_ends_and_keeps_the_batch(make, tmp_path):
    trainer = make(max_steps=100, skip_limit=3)
    with torch.no_grad():
        trainer.model.output.bias[5] = float("nan")
    with pytest.raises(UserError, match="half the learning rate did not help 2 times"):
        trainer.fit()
    [kept] = (tmp_path / "run").glob("not-finite-*.json")
    rows = json.loads(kept.read_text())
    assert rows and all(row["source"][-1] == 2 and row["target"][-1] == 2 for row in rows), "both end with END"


class Hungry(nn.Module):
    """An objective that raises what a GPU raises, for batches of more cells than memory is said to hold."""

    def __init__(self, objective, cells):
        super().__init__()
        self.objective = objective
        self.cells = cells
        self.passed = []

    def forward(self, batch):
        if batch.cells > self.cells:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        self.passed.append(batch.cells)
        return self.objective(batch)


def short_of_memory(trainer, cells) -> list[int]:
    """Batches of more cells fail. Returns the cells of those that passed."""
    trainer.update.objective = Hungry(trainer.update.objective, cells)
    return trainer.update.objective.passed


@pytest.mark.parametrize("kind", MODELS)
def test_a_batch_that_memory_does_not_hold_is_split_with_the_same_gradient(make, kind, caplog):
    gradients = []
    for cells in (10**9, 150):
        trainer = make(kind=kind, max_steps=1)
        trainer.model.eval()  # without dropout
        passed = short_of_memory(trainer, cells)
        batches = [trainer.batches.batch(rows) for rows in trainer.batches.plan(0)[:2]]
        trainer.update.gradients(batches, sum(batch.tokens for batch in batches), "here")
        gradients.append({name: p.grad.clone() for name, p in trainer.model.named_parameters()})
    assert max(passed) <= 150 and len(passed) > 4 and "are split from here on" in caplog.text
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, atol=1e-6, rtol=1e-4)


def test_what_memory_holds_is_remembered_by_the_checkpoint(make):
    trainer = make(max_steps=4)
    short_of_memory(trainer, 200)
    trainer.fit()
    again = make(max_steps=8)
    again.fit()
    assert 0 < again.progress.largest_batch <= 200 and again.update.largest == trainer.update.largest


def test_one_sentence_that_memory_does_not_hold_is_told(make):
    trainer = make(max_steps=4)
    short_of_memory(trainer, 1)
    with pytest.raises(UserError, match=r"out of memory for one pair of .* a lower cleaning\.max_tokens"):
        trainer.fit()


def test_a_part_of_a_batch_keeps_its_links(tiny_pairs, tokenizer):
    encoded = encode_pairs(tiny_pairs, tokenizer, CleaningReport(), with_links=True)
    batcher = Batcher(encoded, BatchingOptions(tokens=200), seed=1)
    whole = batcher.batch(np.arange(6))
    parts = [whole.rows(0, 2), whole.rows(2, 6)]
    assert sum(part.tokens for part in parts) == whole.tokens
    moved = [part.links + part.links.new_tensor([start, 0, 0]) for part, start in zip(parts, (0, 2), strict=True)]
    assert torch.equal(torch.cat(moved), whole.links)


def test_a_signal_breaks_validation_off_and_it_is_done_when_the_run_goes_on(make, tmp_path):
    whole = make("whole", max_steps=6)
    whole.fit()
    cut, calls = make("cut", max_steps=6), []

    def validate(model):
        calls.append(cut.progress.step)
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(5)
        return {"loss": 0.0}

    cut.validate = Told(validate)
    began = time.monotonic()
    with pytest.raises(Interrupted) as caught:
        cut.fit()
    assert caught.value.exit_code == 128 + signal.SIGUSR1 and time.monotonic() - began < 4 and calls == [4]
    make("cut", max_steps=6).fit()
    read = [
        [(e["step"], e["loss"]) for e in read_journal(tmp_path / f) if e["event"] == "valid"] for f in ("whole", "cut")
    ]
    assert read[0] == read[1] and [step for step, _ in read[0]] == [4, 6]


def test_a_checkpoint_is_kept_in_between_when_validation_is_rare(make):
    trainer = make(max_steps=6, validate_every=1000, checkpoint_minutes=1e-9)
    trainer.fit()
    assert [path.stem for path in trainer.checkpoints.all()] == ["step-00000006"], "what is in between gives way"
    cut = make("cut", max_steps=6, validate_every=1000, checkpoint_minutes=1e-9, after_step=dies_at(6))
    with pytest.raises(KeyboardInterrupt):
        cut.fit()
    assert [path.stem for path in cut.checkpoints.all()] == ["interim-00000005"]
    assert make("cut", max_steps=6, validate_every=1000).fit().step == 6


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


@pytest.mark.parametrize("kind", ["fixed", "attention", pytest.param("transformer", marks=pytest.mark.slow)])
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
        measure = Bleu()
        return measure.score(measure.statistics_of_texts([t.text for t in translations], GERMAN).sum(axis=0))

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


def test_looking_is_outside_the_clock(make, monkeypatch):
    """A model without attention has less to show, and must not gain time by it."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    looks = []

    def look(model):
        looks.append(model)
        now[0] += 1000.0
        return Look()

    assert make(max_steps=8, look=look).fit().seconds == 0.0
    assert looks


def test_a_stopped_process_does_not_spend_its_budget(make, monkeypatch, caplog):
    """As Ctrl-Z stops it: the clock on the wall goes on, and no work is done. A step that works as long counts."""
    wall = time.monotonic
    worked = time.thread_time
    hours = {"wall": 0, "worked": 0}
    monkeypatch.setattr(time, "monotonic", lambda: wall() + 3600 * hours["wall"])
    monkeypatch.setattr(time, "thread_time", lambda: worked() + 3600 * hours["worked"])

    def stop(progress):
        if progress.step == 3:
            hours["wall"] += 1

    def work(progress):
        stop(progress)
        hours["worked"] = hours["wall"] - 1

    stopped = make("stopped", max_steps=8, max_minutes=30, after_step=stop).fit()
    assert stopped.step == 8 and stopped.seconds < 1800
    assert [m for m in caplog.messages if "stopped" in m] == [
        "step 3: 3600 seconds without work (was the process stopped?) do not count"
    ]
    hours["worked"] = 0
    worked_on = make("worked", max_steps=8, max_minutes=30, after_step=work).fit()
    assert worked_on.step == 3 and worked_on.seconds > 3600

    def slow(groups):
        for number, group in enumerate(groups, 1):
            hours["wall"] += number == 4
            yield group

    waiting = make("waiting", max_steps=8, max_minutes=30)
    batches = waiting.batches.groups
    monkeypatch.setattr(waiting.batches, "groups", lambda *place: slow(batches(*place)))
    waited = waiting.fit()  # for text that another thread encodes
    assert waited.step == 4 and waited.seconds > 3600


def test_a_look_that_fails_loses_no_checkpoint(make):
    def look(model):
        raise ZeroDivisionError

    trainer = make(max_steps=8, look=look)
    with pytest.raises(ZeroDivisionError):
        trainer.fit()
    assert load_state(trainer.checkpoints.best).progress.step == 4


def test_the_journal_stays_json_where_a_part_s_gradient_is_not_finite(tmp_path):
    journal = open_journal(tmp_path)
    journal.event("train", 1, loss=float("nan"), gradient_norm_of={"encoder": float("inf"), "decoder": 1.0})
    journal.close()
    [event] = read_journal(tmp_path)
    assert event["loss"] is None and event["gradient_norm_of"] == {"encoder": None, "decoder": 1.0}


@pytest.mark.parametrize("kind", [pytest.param("attention", marks=pytest.mark.slow), "transformer"])
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
        batch = trainer.batches.batch(np.arange(20))
        with torch.no_grad():
            output = trainer.model.eval()(batch.source, batch.source_mask, batch.target_in, attend=True)
        rows, targets, sources = batch.links.unbind(dim=1)
        return float(output.attention[rows, targets, sources].mean())

    assert weight_on_links(0.5, "guided") > 2 * weight_on_links(0.0, "free")


def test_a_model_without_weights_to_teach_is_refused(make, tiny_pairs, tokenizer):
    encoded = encode_pairs(tiny_pairs, tokenizer, CleaningReport(), with_links=True)
    with pytest.raises(UserError, match="this model learns none"):
        make("fixed", model=LEARNERS["fixed"], pairs=encoded, max_steps=1, guided_alignment=0.1).fit()


def test_from_fit_to_backward_there_are_three_frames_of_training(make, monkeypatch):
    """A reader of the training step follows three functions, and no more."""
    backward, chains = torch.Tensor.backward, []

    def watched(self, *arguments, **keywords):
        names = [
            frame.name
            for frame in traceback.extract_stack()
            if f"{os.sep}nmt{os.sep}training{os.sep}" in frame.filename
        ]
        chains.append(names)
        return backward(self, *arguments, **keywords)

    monkeypatch.setattr(torch.Tensor, "backward", watched)
    make(max_steps=1).fit()
    assert chains and all(names[0] == "fit" and len(names) <= 3 for names in chains), chains
