"""Raw text in, Translations out, in the order they came. Validation, evaluation and the door all call this."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from nmt.corpus.batches.batch import pad
from nmt.corpus.subwords.tokenizer import Tokenizer
from nmt.corpus.text.lines import is_blank
from nmt.decoding.beam import beam_search
from nmt.decoding.hypothesis import Hypothesis, Translation
from nmt.decoding.lines import cut_source, one_line
from nmt.decoding.one_path import forbid, sample
from nmt.decoding.options import DecodingOptions, length_limit
from nmt.errors import UserError
from nmt.kernels.limits import limits
from nmt.kernels.process import format_of_sums, has_format, products_in
from nmt.models.interface import Memory, Model
from nmt.tokens import END, START


def check_format(options: DecodingOptions, device: torch.device) -> None:
    """Raises UserError for products in a format that the device has not."""
    if not has_format(options.precision, device):
        raise UserError(f"decoding.precision={options.precision} needs a GPU; use bf16 or fp32 on CPU")


class Translator:
    """A model with its tokenizer and search options."""

    def __init__(self, model: Model, tokenizer: Tokenizer, options: DecodingOptions):
        check_format(options, model.device)
        self.model = model
        self.tokenizer = tokenizer
        self.options = options

    @torch.no_grad()
    def translate(
        self,
        lines: Sequence[str],
        attention_for: Collection[int] = (),
        progress: Callable[[int], object] | None = None,
        first_line: int = 1,
    ) -> list[Translation]:
        """Makes one Translation per line; a blank line gives an empty one.

        ``attention_for`` names rows whose attention weights and pieces are wanted. ``progress`` is told how many are
        done. ``first_line`` is the number of the first, in messages and for the noise of sampling, which differs from
        line to line.
        """
        sources = self._encode(lines, first_line)
        lengths = [len(source) for source in sources]
        translations = [Translation("", 0.0, log_probability=0.0)] * len(lines)
        done = lengths.count(0)
        for rows in self._batches(lengths):
            batch = [sources[row] for row in rows]
            numbers = [first_line + row for row in rows]
            attend = any(row in attention_for for row in rows)
            with _evaluating(self.model), products_in(self.options.precision, self.model.device):
                hypotheses = self._search(batch, numbers, attend)
            for row, hypothesis in zip(rows, hypotheses, strict=True):
                translations[row] = self._translation(sources[row], hypothesis, row in attention_for)
            done += len(rows)
            if progress:
                progress(done)
        return translations

    @torch.no_grad()
    def force(
        self,
        lines: Sequence[str],
        targets: Sequence[str],
        attention_for: Collection[int] = (),
        heads: bool = False,
        first_line: int = 1,
    ) -> list[Translation]:
        """Scores given translations by teacher forcing, under the length penalty.

        ``attention_for`` as in `translate`; ``heads`` adds the weights of every layer and head.
        """
        sources = self._encode(lines, first_line)
        outputs = [[*self.tokenizer.encode_target(target), END] for target in targets]
        lengths = [_longer(source, output) for source, output in zip(sources, outputs, strict=True)]
        translations = [Translation("", 0.0, log_probability=0.0)] * len(lines)
        for rows in self._batches(lengths):
            batch = [sources[row] for row in rows]
            targets_of_batch = [outputs[row] for row in rows]
            attend = any(row in attention_for for row in rows)
            with _evaluating(self.model), products_in(self.options.precision, self.model.device):
                hypotheses = self._forced(batch, targets_of_batch, attend, heads)
            for row, hypothesis in zip(rows, hypotheses, strict=True):
                translations[row] = self._translation(sources[row], hypothesis, row in attention_for)
        return translations

    def _encode(self, lines: Sequence[str], first_line: int) -> list[list[int]]:
        """Source ids of each line, none of a blank one."""
        limit = self.options.max_source_tokens
        sources: list[list[int]] = []
        for number, line in enumerate(lines, first_line):
            ids: list[int] = []
            if not is_blank(line):
                ids = self.tokenizer.encode_source(line)
            sources.append(cut_source(ids, limit, number, f"decoding.max_source_tokens={limit}"))
        return sources

    def _batches(self, lengths: list[int]) -> Iterator[list[int]]:
        """Rows of like length, longest first, so that memory peaks at once; those of no length are left out."""
        wanted = [row for row, length in enumerate(lengths) if length]
        order = sorted(wanted, key=lambda row: -lengths[row])
        cells = limits(self.model.device).search_cells
        start = 0
        while start < len(order):
            longest = lengths[order[start]]
            count = max(1, min(self.options.batch_size, cells // (longest * self.options.beam_size)))
            yield order[start : start + count]
            start += count

    def _memory(self, sources: list[list[int]]) -> Memory:
        """What the encoder leaves of these sources, as one batch."""
        device = self.model.device
        ids, mask = pad(sources)  # (B, S) and (B, S)
        return self.model.encode(ids.to(device), mask.to(device))

    def _search(self, sources: list[list[int]], numbers: list[int], attend: bool) -> list[Hypothesis]:
        """The best hypothesis of each source; ``numbers`` are those of their lines."""
        options = self.options
        memory = self._memory(sources)
        most_tokens = self._limits(sources)  # (B,)
        if options.temperature > 0:
            generators = [_generator(options.seed, number) for number in numbers]
            hypotheses = sample(self.model, memory, most_tokens, options, generators)
        elif options.beam_size == 1:
            hypotheses = sample(self.model, memory, most_tokens, options)
        else:
            finished = beam_search(self.model, memory, most_tokens, options)
            hypotheses = [best_first[0] for best_first in finished]
        if attend and self.model.attends:
            return self._with_attention(memory, hypotheses)
        return hypotheses

    def _limits(self, sources: list[list[int]]) -> Tensor:
        """How many tokens a translation may have at most: (B,) int64, on the CPU."""
        return torch.tensor([length_limit(len(source), self.options) for source in sources])

    def _forced(
        self, sources: list[list[int]], outputs: list[list[int]], attend: bool, heads: bool
    ) -> list[Hypothesis]:
        """Given outputs as hypotheses, by teacher forcing."""
        device = self.model.device
        memory = self._memory(sources)
        target_in = _target_in(outputs).to(device)  # (B, T)
        target_out, mask = pad(outputs)  # (B, T) and (B, T)
        target_out = target_out.to(device)
        mask = mask.to(device)
        output = self.model.decode(memory, target_in)
        logits = self.model.logits(output).float()  # (B, T, V)
        log_probabilities = torch.log_softmax(logits, dim=-1)  # (B, T, V)
        log_probabilities = forbid(log_probabilities)
        of_tokens = log_probabilities.gather(-1, target_out[..., None])  # (B, T, 1)
        of_tokens = of_tokens[..., 0]  # (B, T)
        of_tokens = of_tokens.masked_fill(~mask, 0.0)
        totals = of_tokens.sum(dim=1, dtype=format_of_sums(device))  # (B,)
        hypotheses = []
        for tokens, total in zip(outputs, totals.tolist(), strict=True):
            hypothesis = Hypothesis.ranked(tuple(tokens), total, self.options)
            hypotheses.append(hypothesis)
        if attend and self.model.attends:
            return self._with_attention(memory, hypotheses, heads)
        return hypotheses

    def _with_attention(self, memory: Memory, hypotheses: list[Hypothesis], heads: bool = False) -> list[Hypothesis]:
        """Adds the attention weights of these hypotheses, made afterwards by teacher forcing."""
        outputs = [hypothesis.tokens for hypothesis in hypotheses]
        target_in = _target_in(outputs).to(self.model.device)  # (B, T)
        output = self.model.decode(memory, target_in, attend=True, heads=heads)
        if output.attention is None:
            return hypotheses
        attention = output.attention.float().cpu().numpy()  # (B, T, S)
        source_lengths = memory.mask.sum(dim=1).tolist()
        attended = []
        for row, hypothesis in enumerate(hypotheses):
            t = len(hypothesis.tokens)
            s = source_lengths[row]
            weights = attention[row, :t, :s].copy()
            attended.append(replace(hypothesis, attention=weights))
        if not heads or output.heads is None:
            return attended
        of_heads = output.heads.float().cpu().numpy()  # (B, L, H, T, S)
        for row, hypothesis in enumerate(attended):
            t = len(hypothesis.tokens)
            s = source_lengths[row]
            weights = of_heads[row, :, :, :t, :s].copy()
            attended[row] = replace(hypothesis, heads=weights)
        return attended

    def _translation(self, source: list[int], hypothesis: Hypothesis, pieces: bool) -> Translation:
        """The text of a hypothesis; with ``pieces`` and attention weights where they are wanted."""
        text = one_line(self.tokenizer.decode_target(hypothesis.tokens))
        if not pieces:
            return Translation(
                text=text,
                score=hypothesis.score,
                log_probability=hypothesis.log_probability,
                is_cut=hypothesis.is_cut,
            )
        return Translation(
            text=text,
            score=hypothesis.score,
            source_pieces=tuple(self.tokenizer.source_pieces(source)),
            target_pieces=tuple(self.tokenizer.target_pieces(hypothesis.tokens)),
            attention=hypothesis.attention,
            heads=hypothesis.heads,
            log_probability=hypothesis.log_probability,
            is_cut=hypothesis.is_cut,
        )


@contextmanager
def _evaluating(model: Model) -> Iterator[None]:
    """Switches dropout off within; a model that is trained is in training again afterwards, whatever happens.

    A model that was opened to translate is left alone, so that several threads may use it.
    """
    if not model.training:
        yield
        return
    model.eval()
    try:
        yield
    finally:
        model.train()


def _generator(seed: int, number: int) -> torch.Generator:
    """The random numbers of one line."""
    return torch.Generator().manual_seed((seed << 32) + number)


def _longer(source: list[int], output: list[int]) -> int:
    """Tokens of the longer side; 0 where there is no source to translate."""
    if not source:
        return 0
    return max(len(source), len(output))


def _target_in(outputs: Sequence[Sequence[int]]) -> Tensor:
    """What the decoder is fed to predict these outputs: (B, T), each begun with START and without its last token."""
    ids, _ = pad([[START, *output[:-1]] for output in outputs])
    return ids
