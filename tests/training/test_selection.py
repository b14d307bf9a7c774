"""Laws of selection, each held of whole runs: what a user finds at their end."""

from __future__ import annotations

import itertools

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nmt.corpus.batches.batcher import Batcher, BatchingOptions
from nmt.models.build import build_model
from nmt.models.interface import Vocabulary
from nmt.models.recurrent import RecurrentOptions
from nmt.training.checkpoints.folder import Checkpoints
from nmt.training.journal import Journal
from nmt.training.optim import OptimizerOptions
from nmt.training.precision import choose_precision
from nmt.training.trainer import Trainer
from nmt.training.trainer_options import TrainerOptions

SMALLEST = RecurrentOptions(embedding_size=2, encoder_size=2, decoder_size=2, context="fixed", bidirectional=False)
few = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
folders = itertools.count()


class Told:
    """A validation that is told its scores: those of each step."""

    def __init__(self, scores):
        self.left = iter(scores)

    def sums(self, model):
        return {name: [value] for name, value in next(self.left).items()}

    def scores(self, shares):
        [share] = shares
        return {name: value for name, [value] in share.items()}


def run(encoded, tokenizer, folder, scores, steps, **optimizer):
    """Counters of a run that validates every step and has these scores there; goes on where there is one."""
    model = build_model(SMALLEST, Vocabulary(tokenizer.source_size, tokenizer.target_size, True))
    return Trainer(
        model,
        Batcher(encoded, BatchingOptions(tokens=64), seed=1),
        Told(scores),
        TrainerOptions(max_steps=steps, validate_every=1, log_every=100, select_by="bleu", keep_checkpoints=1),
        OptimizerOptions(**optimizer),
        choose_precision(torch.device("cpu"), "fp32"),
        Checkpoints(folder / "checkpoints"),
        lambda step: Journal(),
    ).fit()


validations = st.lists(
    st.fixed_dictionaries({"bleu": st.sampled_from([0.0, 30.0]), "loss": st.sampled_from([4.0, 5.0, 6.0])}),
    min_size=2,
    max_size=6,
)


@few
@given(scores=validations, warmup=st.integers(0, 4), data=st.data())
def test_the_lower_loss_decides_between_equal_scores_and_the_warm_up_counts_nothing(
    encoded, tokenizer, tmp_path, scores, warmup, data
):
    """Of a run that was cut anywhere, too."""
    folder = tmp_path / str(next(folders))
    cut = data.draw(st.integers(1, len(scores)))
    options = {"schedule": "plateau", "warmup_steps": warmup}
    run(encoded, tokenizer, folder, scores, cut, **options)
    progress = run(encoded, tokenizer, folder, scores[cut:], len(scores), **options)

    best = max(scores, key=lambda score: (score["bleu"], -score["loss"]))
    assert progress.best_step == 1 + scores.index(best)
    later = range(1 + max(progress.best_step, warmup), 1 + len(scores))
    assert progress.stale == len(later)
    if progress.best_step <= warmup:
        assert progress.reductions == len(later)


def test_a_run_by_bleu_of_0_goes_on_while_its_loss_falls(encoded, tokenizer, tmp_path):
    falling = [{"bleu": 0.0, "loss": 6.0 - step} for step in range(5)]
    progress = run(encoded, tokenizer, tmp_path, falling, 5, schedule="plateau", warmup_steps=0)
    assert (progress.best_step, progress.stale, progress.reductions) == (5, 0, 0)
