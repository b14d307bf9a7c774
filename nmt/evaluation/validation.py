"""What the trainer is handed as ``validate``: the loss on the validation set, and BLEU of greedy translations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from nmt.corpus.batches.batcher import Batcher
from nmt.corpus.pair import Pair
from nmt.corpus.subwords.tokenizer import Tokenizer
from nmt.decoding.options import DecodingOptions
from nmt.decoding.translator import Translator
from nmt.errors import UserError
from nmt.evaluation.results import HeatMap
from nmt.evaluation.scores import Bleu, Chrf
from nmt.kernels.process import products_in
from nmt.models.interface import Model
from nmt.training.journal import Look
from nmt.training.loss import token_loss


@dataclass
class ValidationOptions:
    """What is measured while training."""

    bleu_sentences: int = 200  # the first so many are translated greedily for BLEU and chrF; 0: the loss alone
    samples: int = 2  # of them are shown in the journal, with their attention, as training goes on

    def __post_init__(self) -> None:
        for name in ("bleu_sentences", "samples"):
            if getattr(self, name) < 0:
                raise UserError(f"validation.{name}={getattr(self, name)}: must not be negative")


class Validation:
    """Of a model in evaluation mode. BLEU is measured on ``pairs``, the loss on all that ``batcher`` holds: of several
    processes each measures its share, and the scores are those of the sums over all.
    """

    def __init__(self, batcher: Batcher, pairs: Sequence[Pair], tokenizer: Tokenizer, batch_size: int):
        share = batcher.share
        self.batcher, self.tokenizer = batcher, tokenizer
        self.pairs, self.own_pairs = pairs, pairs[share.rank :: share.world]
        self.metrics = (Bleu(), Chrf())
        self.decoding = DecodingOptions(beam_size=1, batch_size=batch_size)

    def sums(self, model: Model) -> list[float]:
        """Negative log-likelihood, target tokens, and the statistics of each metric, over this process's share."""
        found = list(self._loss(model))
        if self.pairs:
            lines = [pair.source for pair in self.own_pairs]
            texts = [made.text for made in Translator(model, self.tokenizer, self.decoding).translate(lines)]
            for metric in self.metrics:
                # One more sentence, empty on both sides, counts for nothing: a share may hold none.
                rows = metric.statistics([*texts, ""], [*(pair.target for pair in self.own_pairs), ""])
                found += rows.sum(axis=0).tolist()
        return found

    def scores(self, sums: Sequence[float]) -> dict[str, float]:
        """``loss`` in nats per target token, without smoothing; ``bleu`` and ``chrf`` where asked for."""
        likelihood, tokens, *statistics = sums
        found = {"loss": likelihood / tokens}
        for metric in self.metrics if self.pairs else ():
            size = metric.statistics([""], [""]).shape[1]
            found[metric.name] = metric.score(np.array(statistics[:size]))
            del statistics[:size]
        return found

    @torch.no_grad()
    def _loss(self, model: Model) -> tuple[float, float]:
        total = tokens = 0.0
        for batch in self.batcher.one_pass():
            moved = batch.to(model.device)
            with products_in("fp32", model.device):
                output = model(moved.source, moved.source_mask, moved.target_in)
                _, likelihood = token_loss(model.output, output, moved.target_out, moved.target_mask, smoothing=0.0)
            total += float(likelihood)
            tokens += batch.tokens
        return total, tokens


SAMPLE_WORDS = (6, 16)  # of sentences whose attention can be read at a glance
SAMPLE_PIECES = 60  # on a side; a larger heat map is not drawn


class Samples:
    """Translations of the same few sentences, and where the model looked: called whenever it is validated.

    ``draw`` makes a picture (height, width, 3) of a heat map.
    """

    def __init__(
        self, pairs: Sequence[Pair], tokenizer: Tokenizer, count: int, draw: Callable[[str, HeatMap], np.ndarray]
    ):
        low, high = SAMPLE_WORDS
        readable = [pair for pair in pairs if low <= len(pair.source.split()) <= high]
        shortest = sorted(pairs, key=lambda pair: len(pair.source))
        self.pairs, self.tokenizer, self.draw = (readable or shortest)[:count], tokenizer, draw

    def __call__(self, model: Model) -> Look:
        translator = Translator(model, self.tokenizer, DecodingOptions(beam_size=1))
        made = translator.translate([pair.source for pair in self.pairs], attention_for=range(len(self.pairs)))
        texts, pictures = {}, {}
        for number, (pair, translation) in enumerate(zip(self.pairs, made, strict=True), 1):
            lines = {"source": pair.source, "reference": pair.target, "output": translation.text}
            texts[f"samples/{number}"] = "  \n".join(f"**{name}** {text}" for name, text in lines.items())
            if translation.attention is not None and max(translation.attention.shape) <= SAMPLE_PIECES:
                pictures[f"attention/{number}"] = self.draw("", HeatMap.of(translation))
        return Look(texts, pictures)
