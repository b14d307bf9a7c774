"""From the batches of one update to a change of the weights, whatever number, memory or loss goes wrong."""

from __future__ import annotations

import gc
import logging
import math

import torch
from torch import Tensor, nn

from nmt.corpus.batches.batch import Batch, make_batch
from nmt.corpus.subwords.tokenizer import END
from nmt.errors import UserError, is_memory
from nmt.models.interface import Model
from nmt.training.loss import guided_loss, token_loss
from nmt.training.precision import Precision
from nmt.training.ranks import Ranks
from nmt.training.sharding import whole

log = logging.getLogger("nmt")


class Objective(nn.Module):
    """Model and loss in one: whatever spreads weights over processes must see where the gradient begins."""

    def __init__(self, model: Model, smoothing: float, guided: float, compiled: bool):
        super().__init__()
        self.model, self.smoothing, self.guided = model, smoothing, guided
        self.run = torch.compile(model) if compiled else model

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Loss and negative log-likelihood, both summed over the real tokens of the batch."""
        output = self.run(batch.source, batch.source_mask, batch.target_in, self.guided > 0)
        loss, likelihood = token_loss(self.model.output, output, batch.target_out, batch.target_mask, self.smoothing)
        if self.guided and batch.links is not None:
            if output.attention is None or not output.attention.requires_grad:
                raise UserError("trainer.guided_alignment teaches attention weights, and this model learns none")
            loss = loss + self.guided * guided_loss(output.attention, batch.links)
        return loss, likelihood


class Update:
    """Gradients of batches, and what the optimizer makes of them.

    A batch that does not fit into memory is split until its parts do. The parts' gradients are summed, so it is the
    same update but for rounding and for which units dropout takes.
    """

    def __init__(
        self,
        objective: Objective,
        optimizer: torch.optim.Optimizer,
        precision: Precision,
        ranks: Ranks,
        clip_norm: float,
        sharded: bool,
    ):
        self.objective, self.model, self.optimizer = objective, objective.model, optimizer
        self.precision, self.ranks, self.sharded = precision, ranks, sharded
        self.clip_norm = clip_norm or math.inf
        self.scaler = precision.scaler()
        self.largest = 0  # cells of a batch that memory holds; 0: it has never been short

    def gradients(self, batches: list[Batch], tokens: int, place: str, most: int = 0) -> float:
        """Leaves the gradient of the summed loss over ``tokens``, the count of all processes' batches.

        Returns the negative log-likelihood of this process's own. ``most``: batches of the process that has most, which
        matters where all work on every one together. Raises UserError where one sentence does not fit.
        """
        self.scaler.scale(torch.zeros((), device=self.precision.device))  # it must exist though there be no batch
        while True:
            likelihood = self._try(batches, tokens)
            if likelihood is not None:
                break
            self._make_room(batches)
        if self.sharded:
            for _ in range(len(batches), most):
                self._backward(make_batch([[END]], [[]], [0]), tokens, weight=0.0)
        else:
            self.ranks.sum_gradients(self.model.parameters(), place)
        self.scaler.unscale_(self.optimizer)
        return likelihood

    def apply(self, rate: float) -> float:
        """The norm of the gradient before clipping. One that is not finite changes nothing."""
        norm = float(whole(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if math.isfinite(norm) or self.scaler.is_enabled():
            self.scaler.step(self.optimizer)  # in fp16 it looks for itself, and lowers its scale
            self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return norm

    def _try(self, batches: list[Batch], tokens: int) -> float | None:
        """None where memory was short."""
        total = 0.0
        try:
            for batch in batches:
                for part in self._parts(batch):
                    total += self._backward(part, tokens)
        except (RuntimeError, MemoryError) as error:
            if not is_memory(error):
                raise
            if self.sharded:  # the others are in the middle of the same batch
                raise UserError(
                    "out of memory, and with trainer.sharding=full batches are not split; begin another run.dir with a "
                    "lower batching.tokens"
                ) from None
            return None
        return total

    def _backward(self, batch: Batch, tokens: int, weight: float = 1.0) -> float:
        with self.precision.autocast():
            loss, likelihood = self.objective(batch.to(self.precision.device))
        self.scaler.scale(weight * loss / tokens).backward()
        return float(likelihood)

    def _parts(self, batch: Batch) -> list[Batch]:
        rows = len(batch.sentences)
        if self.sharded or not self.largest or batch.cells <= self.largest or rows == 1:
            return [batch]
        half = rows // 2
        return self._parts(batch.rows(0, half)) + self._parts(batch.rows(half, rows))

    def _make_room(self, batches: list[Batch]) -> None:
        """Parts shall be half as large as the largest of those that were tried."""
        self.optimizer.zero_grad(set_to_none=True)
        gc.collect()
        if self.precision.device.type == "cuda":
            torch.cuda.empty_cache()
        tried = max((part for batch in batches for part in self._parts(batch)), key=lambda part: part.cells)
        if len(tried.sentences) == 1:
            raise UserError(
                f"out of memory for one pair of {tried.source.shape[1]} and {tried.target_in.shape[1]} tokens; "
                "begin another run.dir with a lower cleaning.max_tokens or a smaller model"
            )
        self.largest = tried.cells // 2
        log.warning("out of memory: batches of more than %s cells are split from here on", f"{self.largest:,}")
