"""What the trainer is handed as ``validate``: the loss on the validation set, and BLEU of greedy translations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from nmt.corpus.batcher import Batcher
from nmt.corpus.pairs import Pair
from nmt.corpus.tokenizer import Tokenizer
from nmt.decoding.beam import DecodingOptions
from nmt.decoding.translator import Translator
from nmt.errors import UserError
from nmt.evaluation.scores import Bleu
from nmt.models.interface import Model
from nmt.training.loss import token_loss


@dataclass
class ValidationOptions:
    """What is measured while training."""

    bleu_sentences: int = 200  # the first so many are translated greedily for BLEU; 0 measures the loss alone


def check(options: ValidationOptions, select_by: str) -> None:
    """Raises UserError for what can't be measured, or where the best could not be chosen by it."""
    if options.bleu_sentences < 0:
        raise UserError(f"validation.bleu_sentences={options.bleu_sentences}: must not be negative")
    if select_by == "bleu" and options.bleu_sentences == 0:
        raise UserError("trainer.select_by=bleu needs validation.bleu_sentences above 0")


class Validation:
    """Called with a model in evaluation mode. BLEU is measured on ``pairs``, the loss on all that ``batcher`` holds."""

    def __init__(self, batcher: Batcher, pairs: Sequence[Pair], tokenizer: Tokenizer, batch_size: int):
        self.batcher, self.pairs, self.tokenizer = batcher, pairs, tokenizer
        self.decoding = DecodingOptions(beam_size=1, batch_size=batch_size)

    def __call__(self, model: Model) -> dict[str, float]:
        """``loss`` in nats per target token, without smoothing; ``bleu`` where asked for."""
        scores = {"loss": self._loss(model)}
        if self.pairs:
            sources, references = zip(*self.pairs, strict=True)
            translations = Translator(model, self.tokenizer, self.decoding).translate(sources)
            metric = Bleu()
            statistics = metric.statistics([translation.text for translation in translations], references)
            scores["bleu"] = metric.score(statistics.sum(axis=0))
        return scores

    @torch.no_grad()
    def _loss(self, model: Model) -> float:
        total = tokens = 0.0
        for batch in self.batcher.one_pass():
            moved = batch.to(model.device)
            hidden = model(moved.source, moved.source_mask, moved.target_in).hidden
            _, likelihood = token_loss(model.output, hidden, moved.target_out, moved.target_mask, smoothing=0.0)
            total += float(likelihood)
            tokens += batch.tokens
        return total / tokens
