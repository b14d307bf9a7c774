"""One update of the weights, whatever number, memory or loss goes wrong."""

from __future__ import annotations

import gc
import logging
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from nmt.corpus.batches.batch import Batch, make_batch
from nmt.errors import UserError, is_memory
from nmt.kernels.limits import limits
from nmt.models.interface import Model
from nmt.tokens import END
from nmt.training.loss import guided_loss, token_loss
from nmt.training.precision import Precision
from nmt.training.ranks import Ranks
from nmt.training.sharding import whole

log = logging.getLogger("nmt")


class Objective(nn.Module):
    """Model and loss in one: FSDP2, which shards weights, must see where the gradient begins."""

    def __init__(self, model: Model, smoothing: float, guided: float, compiled: bool):
        super().__init__()
        self.model = model
        self.smoothing = smoothing
        self.guided = guided
        self.run = torch.compile(model) if compiled else model

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Loss and negative log-likelihood, both summed over the real tokens of the batch."""
        output = self.run(batch.source, batch.source_mask, batch.target_in, self.guided > 0)
        loss, likelihood = token_loss(
            self.model.output, output, batch.target_out, batch.target_mask, self.smoothing, batch.real
        )
        if self.guided and batch.links is not None:
            if output.attention is None or not output.attention.requires_grad:
                raise UserError("trainer.guided_alignment teaches attention weights, and this model learns none")
            loss = loss + self.guided * guided_loss(output.attention, batch.links)
        return loss, likelihood


class Update:
    """Gradients of batches, and what the optimizer makes of them.

    A batch that does not fit into memory is split until its pieces do. The pieces' gradients are summed, so it is the
    same update but for rounding and for which units dropout takes. ``objective`` gives the loss of a piece; a test may
    put another one in its place.
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
        self.objective: nn.Module = objective
        self.model = objective.model
        self.optimizer = optimizer
        self.precision = precision
        self.ranks = ranks
        self.sharded = sharded
        self.clip_norm = clip_norm or math.inf
        self.scaler = precision.scaler()
        self.reads_later = limits(precision.device).unread_updates > 1
        self.largest = 0  # cells of a batch that memory holds; 0: it has never been short

    def gradients(self, batches: list[Batch], tokens: int, place: str, most: int = 0) -> Tensor:
        """Leaves the gradient of the summed loss over ``tokens``, the count of all ranks' batches, in the parameters.

        ``most``: the largest number of batches on any rank. Sharded ranks with fewer run empty ones, since every
        backward pass is collective. Returns the negative log-likelihood of this rank's batches (a number in double
        precision, on the device). Raises UserError where one sentence does not fit into memory.
        """
        device = self.precision.device
        self.scaler.scale(torch.zeros((), device=device))  # it must exist though there be no batch
        is_done = False
        while not is_done:
            total = torch.zeros((), dtype=torch.float64, device=device)
            try:
                for piece, weight in self._pieces(batches, most):
                    with self.precision.autocast():
                        loss, likelihood = self.objective(piece.to(device))
                    self.scaler.scale(weight * loss / tokens).backward()
                    if weight:
                        total += likelihood
                    loss = None  # its graph goes before the next one is built
                is_done = True
            except (RuntimeError, MemoryError) as error:
                self._check_can_split(error)
            if not is_done:  # outside the handler: the error holds the activations, and so does the loss
                loss = None
                self._make_room(batches)
        if not self.sharded:
            self.ranks.sum_gradients(self.model.parameters(), place)
        self.scaler.unscale_(self.optimizer)
        return total

    def apply(self, rate: float) -> Tensor:
        """Changes the weights. Returns the norm of the gradient before clipping (a number, on the device): one that is
        not finite changes nothing.
        """
        norm = whole(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if self.scaler.is_enabled():  # in fp16 it looks for itself, and lowers its scale
            self.scaler.step(self.optimizer)
            self.scaler.update()
        elif self.reads_later and getattr(self.optimizer, "_step_supports_amp_scaling", False):
            # The kernel itself leaves out the update where this is 1: nothing waits to be told.
            self.optimizer.found_inf = norm.isfinite().logical_not().float()  # type: ignore[attr-defined]
            self.optimizer.step()
        elif math.isfinite(float(norm)):
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return norm

    def _pieces(self, batches: list[Batch], most: int = 0) -> Iterator[tuple[Batch, float]]:
        """Yields pieces that fit into memory, with their weight in the loss.

        Sharded ranks with fewer batches get empty ones of weight 0, since every backward pass is collective.
        """
        for batch in batches:
            for piece in self._split(batch):
                yield piece, 1.0
        if self.sharded:
            for _ in range(len(batches), most):
                yield make_batch([[END]], [[]], [0]), 0.0

    def _split(self, batch: Batch) -> list[Batch]:
        """A batch, or its halves again and again where it is larger than memory holds."""
        rows = len(batch.sentences)
        if self.sharded or not self.largest or batch.cells <= self.largest or rows == 1:
            return [batch]
        half = rows // 2
        return self._split(batch.rows(0, half)) + self._split(batch.rows(half, rows))

    def _check_can_split(self, error: RuntimeError | MemoryError) -> None:
        """Raises ``error`` where it is none of memory, and UserError where smaller pieces are no way out."""
        if not is_memory(error):
            raise error
        if self.sharded:  # the others are in the middle of the same batch
            raise UserError(
                "out of memory, and with trainer.sharding=full batches are not split; begin another run.dir with a "
                "lower batching.tokens"
            ) from None

    def _make_room(self, batches: list[Batch]) -> None:
        """Frees memory, and makes pieces half as large as the largest of those that were tried."""
        self.optimizer.zero_grad(set_to_none=True)
        gc.collect()
        if self.precision.device.type == "cuda":
            torch.cuda.empty_cache()
        tried = max((piece for piece, _ in self._pieces(batches)), key=lambda piece: piece.cells)
        if len(tried.sentences) == 1:
            raise UserError(
                f"out of memory for one pair of {tried.source.shape[1]} and {tried.target_in.shape[1]} tokens; "
                "begin another run.dir with a lower cleaning.max_tokens or a smaller model"
            )
        self.largest = tried.cells // 2
        log.warning("out of memory: batches of more than %s cells are split from here on", f"{self.largest:,}")
