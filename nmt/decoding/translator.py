"""Raw text in, Translations out, in the order they came. Validation, evaluation and the door all call this."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

import torch

from nmt.corpus.batches.batch import pad
from nmt.corpus.subwords.tokenizer import END, START, Tokenizer
from nmt.decoding.beam import DecodingOptions, beam_search, penalty
from nmt.decoding.hypothesis import Hypothesis, Translation
from nmt.decoding.one_path import forbid, sample
from nmt.errors import UserError
from nmt.kernels.process import products_in
from nmt.models.interface import Memory, Model

log = logging.getLogger("nmt")

CELLS = 32_768  # source cells times beam in one batch: long sentences come in smaller batches


def one_line(text: str) -> str:
    """One line in, one line out, whatever the pieces spell."""
    return text.replace("\n", " ").replace("\r", " ").strip()


class Translator:
    """A model with its tokenizer and search options."""

    def __init__(self, model: Model, tokenizer: Tokenizer, options: DecodingOptions):
        if options.precision == "tf32" and model.device.type == "cpu":
            raise UserError("decoding.precision=tf32 needs a GPU; use bf16 or fp32 on CPU")
        self.model, self.tokenizer, self.options = model, tokenizer, options

    @torch.no_grad()
    def translate(
        self,
        lines: Sequence[str],
        attention_for: Collection[int] = (),
        progress: Callable[[int], object] | None = None,
        first_line: int = 1,
    ) -> list[Translation]:
        """One Translation per line; a blank line gives an empty one.

        ``attention_for`` names rows whose attention weights and pieces are wanted. ``progress`` is told how many are
        done. ``first_line`` is the number of the first, in messages and for the noise of sampling, which differs from
        line to line.
        """
        encoded = [self._encode(line, number) for number, line in enumerate(lines, first_line)]
        results = [Translation("", 0.0)] * len(lines)
        was_training = self.model.training
        self.model.eval()
        done = sum(not ids for ids in encoded)
        for rows in self._batches([len(ids) for ids in encoded]):
            lines_of_rows = [first_line + row for row in rows]
            wanted = [row in attention_for for row in rows]
            with products_in(self.options.precision, self.model.device):
                hypotheses = self._search(lines_of_rows, [encoded[row] for row in rows], any(wanted))
            for row, hypothesis, pieces in zip(rows, hypotheses, wanted, strict=True):
                results[row] = self._result(encoded[row], hypothesis, pieces)
            done += len(rows)
            if progress:
                progress(done)
        self.model.train(was_training)
        return results

    @torch.no_grad()
    def force(
        self,
        lines: Sequence[str],
        targets: Sequence[str],
        attention_for: Collection[int] = (),
        heads: bool = False,
        first_line: int = 1,
    ) -> list[Translation]:
        """Given translations instead of searched ones: their score under the length penalty, attention if wanted,
        with that of every layer and head by ``heads``.
        """
        encoded = [self._encode(line, number) for number, line in enumerate(lines, first_line)]
        results = [Translation("", 0.0)] * len(lines)
        was_training = self.model.training
        self.model.eval()
        outputs = [[*self.tokenizer.encode_target(target), END] for target in targets]
        for rows in self._batches([max(len(s), len(t)) if s else 0 for s, t in zip(encoded, outputs, strict=True)]):
            given = [outputs[row] for row in rows]
            wanted = any(row in attention_for for row in rows)
            with products_in(self.options.precision, self.model.device):
                hypotheses = self._forced([encoded[row] for row in rows], given, wanted, heads)
            for row, hypothesis in zip(rows, hypotheses, strict=True):
                results[row] = self._result(encoded[row], hypothesis, row in attention_for)
        self.model.train(was_training)
        return results

    def _forced(
        self, sources: list[list[int]], given: list[list[int]], want_attention: bool, heads: bool
    ) -> list[Hypothesis]:
        device = self.model.device
        ids, mask = pad(sources)
        memory = self.model.encode(ids.to(device), mask.to(device))
        target_in, _ = pad([[START, *row[:-1]] for row in given])
        target_out, real = (tensor.to(device) for tensor in pad(given))
        output = self.model.decode(memory, target_in.to(device))
        logits = forbid(torch.log_softmax(self.model.logits(output).float(), dim=-1))  # (B, T, V)
        chosen = logits.gather(-1, target_out[..., None])[..., 0].masked_fill(~real, 0.0)
        totals = chosen.sum(dim=1, dtype=torch.float64).tolist()
        found = [
            Hypothesis(tuple(row), total, total / penalty(len(row), self.options))
            for row, total in zip(given, totals, strict=True)
        ]
        return self._with_attention(memory, found, heads) if want_attention and self.model.attends else found

    def _encode(self, line: str, number: int) -> list[int]:
        ids = self.tokenizer.encode_source(line) if line.strip() else []
        limit = self.options.max_source_tokens
        if len(ids) <= limit:
            return ids
        log.warning("line %d: %d tokens, cut at decoding.max_source_tokens=%d", number, len(ids), limit)
        return [*ids[: limit - 1], END]

    def _batches(self, lengths: list[int]) -> Iterator[list[int]]:
        """Rows of like length, longest first, so that memory peaks at once; those of no length are left out."""
        order = sorted((row for row, length in enumerate(lengths) if length), key=lambda row: -lengths[row])
        start = 0
        while start < len(order):
            longest = lengths[order[start]]
            count = max(1, min(self.options.batch_size, CELLS // (longest * self.options.beam_size)))
            yield order[start : start + count]
            start += count

    def _search(self, numbers: list[int], sources: list[list[int]], want_attention: bool) -> list[Hypothesis]:
        options, device = self.options, self.model.device
        ids, mask = pad(sources)
        ids, mask = ids.to(device), mask.to(device)
        memory = self.model.encode(ids, mask)
        lengths = torch.tensor([len(source) for source in sources])
        limits = (lengths * options.max_length_factor).long() + options.max_length_offset
        limits = limits.clamp(min=1)
        if options.temperature > 0:
            generators = [torch.Generator().manual_seed((options.seed << 32) + number) for number in numbers]
            found = self._penalised(
                sample(self.model, memory, limits, options.temperature, generators, options.min_length)
            )
        elif options.beam_size == 1:
            found = self._penalised(sample(self.model, memory, limits, min_length=options.min_length))
        else:
            found = [hypotheses[0] for hypotheses in beam_search(self.model, memory, limits, options)]
        if want_attention and self.model.attends:
            return self._with_attention(memory, found)
        return found

    def _penalised(self, found: list[Hypothesis]) -> list[Hypothesis]:
        """Scores under the length penalty, as beam search gives them."""
        return [replace(h, score=h.log_probability / penalty(len(h.tokens), self.options)) for h in found]

    def _with_attention(self, memory: Memory, found: list[Hypothesis], heads: bool = False) -> list[Hypothesis]:
        """The weights of the chosen hypotheses, made afterwards by teacher forcing."""
        inputs, mask = pad([[START, *hypothesis.tokens[:-1]] for hypothesis in found])
        output = self.model.decode(memory, inputs.to(memory.states.device), attend=True, heads=heads)
        if output.attention is None:
            return found
        rows = output.attention.float().cpu().numpy()  # (B, T, S)
        of_heads = output.heads.float().cpu().numpy() if heads and output.heads is not None else [None] * len(rows)
        counts = mask.sum(dim=1).tolist(), memory.mask.sum(dim=1).tolist()
        return [
            replace(h, attention=row[:t, :s].copy(), heads=None if own is None else own[:, :, :t, :s].copy())
            for h, row, own, t, s in zip(found, rows, of_heads, *counts, strict=True)
        ]

    def _result(self, source: list[int], hypothesis: Hypothesis, pieces: bool) -> Translation:
        text = one_line(self.tokenizer.decode_target(hypothesis.tokens))
        if not pieces:
            return Translation(text, hypothesis.score, log_probability=hypothesis.log_probability)
        return Translation(
            text,
            hypothesis.score,
            tuple(self.tokenizer.source_pieces(source)),
            tuple(self.tokenizer.target_pieces(hypothesis.tokens)),
            hypothesis.attention,
            hypothesis.heads,
            hypothesis.log_probability,
        )
