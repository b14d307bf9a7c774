"""What the trainer is handed as ``validate``: the loss on the validation set, and BLEU of greedy translations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from nmt.corpus.batches.batcher import Batcher
from nmt.corpus.pair import Pair, texts_to_encode
from nmt.corpus.subwords.tokenizer import Tokenizer
from nmt.corpus.text.writing import AUTO, Writing, isolated
from nmt.decoding.options import MOST, DecodingOptions, length_limit
from nmt.decoding.translator import Translator
from nmt.errors import UserError
from nmt.evaluation.measures.bleu import Bleu
from nmt.evaluation.measures.chrf import Chrf
from nmt.evaluation.measures.tokenizers import check_name_of_tokenizer
from nmt.evaluation.results import HeatMap
from nmt.kernels.process import products_in
from nmt.models.interface import Model
from nmt.training.journal import Look
from nmt.training.loss import token_loss

Sums = dict[str, list[float]]  # columns by name; they travel between processes as JSON
LOSS = "loss"  # negative log-likelihood, target tokens
CUT = "cut"  # outputs cut at the length limit, all outputs


@dataclass
class ValidationOptions:
    """What is measured while training."""

    bleu_sentences: int = 200  # the first so many are translated greedily for BLEU and chrF; 0: the loss alone
    tokenize: str = AUTO  # of BLEU: by the script of the references, or one of sacreBLEU's: 13a, zh, char, ja-mecab ...
    samples: int = 2  # of them are shown in the journal, with their attention, as training goes on

    WATCHES: ClassVar[frozenset[str]] = frozenset({"samples"})  # all else decides which checkpoint is the best

    def __post_init__(self) -> None:
        for name in ("bleu_sentences", "samples"):
            value = getattr(self, name)
            if value < 0:
                raise UserError(f"validation.{name}={value}: must not be negative")
        check_name_of_tokenizer(self.tokenize, "validation.tokenize")


class Validation:
    """Of a model in evaluation mode. BLEU is measured on ``pairs``, the loss on all that ``batcher`` holds: of several
    processes each measures its share, and the scores are those of the sums over all.

    BLEU counts by ``tokenize``. With ``auto`` all processes tell it from all references, not from their shares.
    """

    def __init__(
        self, batcher: Batcher, pairs: Sequence[Pair], tokenizer: Tokenizer, batch_size: int, tokenize: str = AUTO
    ):
        share = batcher.share
        self.batcher = batcher
        self.tokenizer = tokenizer
        self.pairs = pairs
        self.my_pairs = pairs[share.rank :: share.world]  # those of this process
        writing = Writing.of(pair.target for pair in pairs).tokenized_by(tokenize)
        self.measures = (Bleu.for_texts(writing), Chrf())
        self.decoding = replace(greedy_search(pairs, tokenizer), batch_size=batch_size)

    def sums(self, model: Model) -> Sums:
        """Negative log-likelihood, target tokens, and the statistics of each measure, over this process's share."""
        likelihood, tokens = self._loss(model)
        sums: Sums = {LOSS: [likelihood, tokens]}
        if self.my_pairs:
            inputs, references = texts_to_encode(self.my_pairs)
            translations = Translator(model, self.tokenizer, self.decoding).translate(inputs)
            texts = [translation.text for translation in translations]
            cut = sum(translation.is_cut for translation in translations)
            sums[CUT] = [cut, len(translations)]
            for measure in self.measures:
                statistics = measure.statistics_of_texts(texts, references)  # (N, K)
                sums[measure.name] = statistics.sum(axis=0).tolist()
        return sums

    def scores(self, shares: Sequence[Sums]) -> dict[str, float]:
        """``loss`` in nats per target token, without smoothing; where asked for ``bleu``, ``chrf`` and ``cut``, the
        percent of outputs that did not end within the length limit, which leaves room for every reference.

        ``shares`` are the sums of every process.
        """
        sums = add_up(shares)
        likelihood, tokens = sums[LOSS]
        scores = {LOSS: likelihood / tokens}
        for measure in self.measures:
            if measure.name in sums:
                scores[measure.name] = measure.score(np.array(sums[measure.name]))
        if CUT in sums:
            cut, outputs = sums[CUT]
            scores[CUT] = 100 * cut / outputs
        return scores

    @torch.no_grad()
    def _loss(self, model: Model) -> tuple[float, float]:
        total = torch.zeros((), dtype=torch.float64, device=model.device)  # there, so that nothing waits for it
        tokens = 0.0
        for batch in self.batcher.one_pass():
            moved = batch.to(model.device)
            with products_in("fp32", model.device):
                output = model(moved.source, moved.source_mask, moved.target_in)
                _, likelihood = token_loss(
                    model.output, output, moved.target_out, moved.target_mask, smoothing=0.0, real=moved.real
                )
            total += likelihood
            tokens += batch.tokens
        return float(total), tokens


def add_up(shares: Sequence[Sums]) -> Sums:
    """Adds what processes found, column by column. One whose share was empty says nothing of a measure."""
    sums: Sums = {}
    for share in shares:
        for name, columns in share.items():
            before = sums.get(name, [0.0] * len(columns))
            sums[name] = [total + column for total, column in zip(before, columns, strict=True)]
    return sums


def greedy_search(pairs: Sequence[Pair], tokenizer: Tokenizer) -> DecodingOptions:
    """Returns greedy search whose length limit leaves room for every reference.

    The factor rises above the default only where a reference is longer than the default's limit.
    """
    options = DecodingOptions(beam_size=1)
    inputs, references = texts_to_encode(pairs)
    sources = tokenizer.encode_sources(inputs)
    targets = tokenizer.encode_targets(references)
    factor = options.max_length_factor
    for source, target in zip(sources, targets, strict=True):
        source_tokens = min(len(source), options.max_source_tokens)
        target_tokens = len(target) + 1  # with END
        if target_tokens > length_limit(source_tokens, options):
            needed = (target_tokens - options.max_length_offset) / source_tokens
            factor = max(factor, math.ceil(100 * needed + 1) / 100)  # at least a hundredth more: products are rounded
    return replace(options, max_length_factor=min(factor, MOST["max_length_factor"]))


SAMPLE_WORDS = (6, 16)  # or characters, of sentences whose attention can be read at a glance
SAMPLE_PIECES = 60  # on a side; a larger heat map is not drawn


class Samples:
    """Translations of the same few sentences, and where the model looked: called whenever it is validated.

    ``draw`` makes a picture (height, width, 3) of a heat map.
    """

    def __init__(
        self, pairs: Sequence[Pair], tokenizer: Tokenizer, count: int, draw: Callable[[str, HeatMap], np.ndarray]
    ):
        low, high = SAMPLE_WORDS
        unit = Writing.of(pair.source for pair in pairs).unit
        readable = [pair for pair in pairs if low <= unit.length(pair.source) <= high]
        shortest = sorted(pairs, key=lambda pair: len(pair.source))
        self.pairs = (readable or shortest)[:count]
        self.tokenizer = tokenizer
        self.decoding = greedy_search(self.pairs, tokenizer)
        self.draw = draw

    def __call__(self, model: Model) -> Look:
        translator = Translator(model, self.tokenizer, self.decoding)
        sources = [pair.encoder_input for pair in self.pairs]
        translations = translator.translate(sources, attention_for=range(len(sources)))
        texts: dict[str, str] = {}
        pictures: dict[str, np.ndarray] = {}
        for number, (pair, translation) in enumerate(zip(self.pairs, translations, strict=True), 1):
            lines = {"source": pair.encoder_input, "reference": pair.target, "output": translation.text}
            texts[f"samples/{number}"] = "\n".join(f"{name}: {isolated(text)}" for name, text in lines.items())
            attention = translation.attention
            if attention is not None and max(attention.shape) <= SAMPLE_PIECES:
                pictures[f"attention/{number}"] = self.draw("", HeatMap.of(translation))
        return Look(texts, pictures)
