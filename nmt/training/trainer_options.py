"""How a run is trained, and which values make sense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nmt.errors import UserError, nearest

SELECTION = ("loss", "bleu")
SHARDING = ("none", "full")
MOST_THREADS = 1024  # a library ends the process where the system gives it fewer than it asks for
BUDGETS = ("trainer.max_steps", "trainer.max_epochs", "trainer.max_tokens", "trainer.max_minutes")


@dataclass
class TrainerOptions:
    """How long, how, and what is kept. A run needs at least one budget; the first one spent ends it."""

    max_steps: int = 0  # optimizer updates; 0 sets no bound, here and below
    max_epochs: float = 0.0
    max_tokens: int = 0  # real target tokens
    max_minutes: float = 0.0  # wall clock, validation included, summed over resumed parts
    precision: str = "auto"  # fp32, tf32, bf16 or fp16; auto is bf16 where the device has instructions for it
    accumulate: int = 1  # batches per update
    clip_norm: float = 1.0  # 0 does not clip
    label_smoothing: float = 0.1
    guided_alignment: float = 0.0  # weight of what attention is taught by known word links (Chen 2016); 0: nothing
    average_decay: float = 0.0  # exponential moving average of the weights (0: none), used wherever weights are judged
    validate_every: int = 500  # updates
    select_by: str = "loss"  # the best checkpoint by validation loss or bleu
    patience: int = 0  # validations without improvement before stopping; 0 never stops early
    keep_checkpoints: int = 3
    checkpoint_minutes: float = 10.0  # at most so much work is lost, however rarely it validates; 0: only then
    skip_limit: int = 20  # updates in a row without a finite gradient, before the run goes back and lowers its rate
    sharding: str = "none"  # several processes: full shards weights, gradients and optimizer (FSDP2)
    timeout_minutes: float = 10.0  # several processes: how long one waits for the others before it gives up
    log_every: int = 50  # updates
    compile: bool = False  # torch.compile
    threads: int = 0  # of the processor; 0 leaves it to the library

    COUNTS: ClassVar[frozenset[str]] = frozenset(
        {"max_steps", "max_tokens", "validate_every", "log_every", "patience", "skip_limit"}
    )
    # What may change when a run goes on: budgets, what is watched and kept, how ranks share the work.
    MAY_CHANGE: ClassVar[frozenset[str]] = frozenset(
        {
            "max_steps",
            "max_epochs",
            "max_tokens",
            "max_minutes",
            "patience",
            "validate_every",
            "accumulate",
            "keep_checkpoints",
            "checkpoint_minutes",
            "log_every",
            "threads",
            "compile",
            "timeout_minutes",
            "sharding",
        }
    )
    # Of these, what leaves the weights as they are. (The threads in use are recorded, not those asked for.)
    WATCHES: ClassVar[frozenset[str]] = frozenset(
        {"keep_checkpoints", "checkpoint_minutes", "log_every", "threads", "timeout_minutes"}
    )
    # Of these, what changes the last bits alone.
    CHANGES_BITS: ClassVar[frozenset[str]] = frozenset({"threads", "compile", "sharding"})
    # What an experiment may be run with and still be the one that a paper describes.
    NOT_THE_EXPERIMENT: ClassVar[frozenset[str]] = frozenset(
        {
            "validate_every",
            "checkpoint_minutes",
            "log_every",
            "threads",
            "compile",
            "timeout_minutes",
            "sharding",
            "precision",
        }
    )

    def __post_init__(self) -> None:
        for name in (
            "max_steps",
            "max_epochs",
            "max_tokens",
            "max_minutes",
            "clip_norm",
            "guided_alignment",
            "patience",
            "threads",
            "checkpoint_minutes",
        ):
            if getattr(self, name) < 0:
                raise UserError(f"trainer.{name}={getattr(self, name)}: must not be negative")
        for name in ("accumulate", "validate_every", "log_every", "keep_checkpoints", "skip_limit"):
            if getattr(self, name) < 1:
                raise UserError(f"trainer.{name}={getattr(self, name)}: must be 1 or more")
        if self.threads > MOST_THREADS:
            raise UserError(f"trainer.threads={self.threads}: must be at most {MOST_THREADS}; 0 takes one a core")
        if self.sharding not in SHARDING:
            raise UserError(f"trainer.sharding={self.sharding}: {nearest(self.sharding, SHARDING)}")
        if self.timeout_minutes <= 0:
            raise UserError(f"trainer.timeout_minutes={self.timeout_minutes}: must be above 0")
        if self.select_by not in SELECTION:
            raise UserError(f"trainer.select_by={self.select_by}: {nearest(self.select_by, SELECTION)}")
        if not 0 <= self.average_decay < 1:
            raise UserError(f"trainer.average_decay={self.average_decay}: must be at least 0 and below 1")
        if not 0 <= self.label_smoothing < 1:
            raise UserError(f"trainer.label_smoothing={self.label_smoothing}: must be at least 0 and below 1")

    def check_budget(self) -> None:
        """Raises UserError where nothing says when to stop. Options without a budget describe a model, not a run."""
        if not any((self.max_steps, self.max_epochs, self.max_tokens, self.max_minutes)):
            raise UserError("trainer: no budget; set one of trainer.max_steps, max_epochs, max_tokens, max_minutes")
