"""Optimizers and schedules. A schedule is a function of the step and of the share of the budget spent: no state."""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass, field

import torch
from torch import nn

from nmt.errors import UserError, nearest

SCHEDULES = ("inverse_sqrt", "cosine", "linear", "constant", "halving", "plateau")
FALLING = ("cosine", "linear", "halving")  # towards the end of the budget
OPTIMIZERS = ("adamw", "adam", "sgd", "adadelta")


@dataclass
class OptimizerOptions:
    """Optimizer and learning rate."""

    name: str = "adamw"  # adamw, adam, sgd (no momentum) or adadelta (the second beta is its rho)
    learning_rate: float = 1e-3  # the highest
    betas: list[float] = field(default_factory=lambda: [0.9, 0.98])
    epsilon: float = 1e-9
    weight_decay: float = 0.0  # of matrices only
    schedule: str = "cosine"  # inverse_sqrt, cosine, linear, constant, halving or plateau, each after the warm-up
    warmup_steps: int = 200  # linear from 0
    final_ratio: float = 0.01  # cosine and linear: the last rate over the highest
    halve_from: float = 0.5  # halving: the share of the budget after which it begins,
    halvings: int = 5  # and how many there are, evenly, until the end
    plateau_factor: float = 0.5  # plateau: times this when validation does not improve
    plateau_patience: int = 1  # validations without improvement before that

    def __post_init__(self) -> None:
        if self.name not in OPTIMIZERS:
            raise UserError(f"optimizer.name={self.name}: {nearest(self.name, OPTIMIZERS)}")
        if self.schedule not in SCHEDULES:
            raise UserError(f"optimizer.schedule={self.schedule}: {nearest(self.schedule, SCHEDULES)}")
        if self.learning_rate <= 0:
            raise UserError(f"optimizer.learning_rate={self.learning_rate}: must be above 0")
        if self.epsilon <= 0:
            raise UserError(f"optimizer.epsilon={self.epsilon}: must be above 0")
        if not 0 <= self.halve_from < 1:
            raise UserError(f"optimizer.halve_from={self.halve_from}: must be at least 0 and below 1")
        for name in ("weight_decay", "warmup_steps", "final_ratio", "plateau_factor", "halvings"):
            if getattr(self, name) < 0:
                raise UserError(f"optimizer.{name}={getattr(self, name)}: must not be negative")
        if self.plateau_patience < 1:
            raise UserError(f"optimizer.plateau_patience={self.plateau_patience}: must be 1 or more")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise UserError("optimizer.betas: two numbers are needed, such as [0.9,0.98]")


def _without_compiler(kind: type[torch.optim.Optimizer]) -> type:
    """The library's decorators import its compiler, for a second, at the first call; what they decorate does not."""
    plain = {name: inspect.unwrap(getattr(kind, name)) for name in ("add_param_group", "zero_grad", "step")}
    return type(kind.__name__, (kind,), {**plain, "step": torch.no_grad()(plain["step"])})


def make_optimizer(model: nn.Module, options: OptimizerOptions) -> torch.optim.Optimizer:
    """Fused where the device has it. Weight decay spares biases, norms and other vectors."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": options.weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    rate, (first, second) = options.learning_rate, options.betas
    if options.name == "sgd":
        return _without_compiler(torch.optim.SGD)(groups, lr=rate, fused=True)
    if options.name == "adadelta":
        return _without_compiler(torch.optim.Adadelta)(groups, lr=rate, rho=second, eps=options.epsilon)
    kind = torch.optim.AdamW if options.name == "adamw" else torch.optim.Adam
    return _without_compiler(kind)(groups, lr=rate, betas=(first, second), eps=options.epsilon, fused=True)


def learning_rate(options: OptimizerOptions, step: int, progress: float, reductions: int) -> float:
    """The rate of update ``step`` (from 1) when ``progress`` (0 to 1) of the budget is spent.

    ``reductions`` counts how often validation has stood still (plateau only).
    """
    if step < options.warmup_steps:
        return options.learning_rate * step / options.warmup_steps
    progress = min(max(progress, 0.0), 1.0)
    if options.schedule == "inverse_sqrt":  # Vaswani 2017, equation 3
        factor = math.sqrt(max(options.warmup_steps, 1) / max(step, 1))
    elif options.schedule == "cosine":
        factor = options.final_ratio + (1 - options.final_ratio) * (1 + math.cos(math.pi * progress)) / 2
    elif options.schedule == "linear":
        factor = 1 - (1 - options.final_ratio) * progress
    elif options.schedule == "halving":  # Sutskever 2014, section 3.4; Luong 2015, section 4.1
        since = (progress - options.halve_from) / (1 - options.halve_from)
        factor = 0.5 ** min(math.floor(since * options.halvings) + 1, options.halvings) if since >= 0 else 1.0
    elif options.schedule == "plateau":
        factor = options.plateau_factor**reductions
    else:
        factor = 1.0
    return options.learning_rate * factor
