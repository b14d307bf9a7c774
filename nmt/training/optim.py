"""Optimizers and schedules, each one function. A schedule has no state: it knows the step and the budget spent."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import nn

from nmt.errors import UserError, nearest


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

    COUNTS: ClassVar[frozenset[str]] = frozenset({"warmup_steps", "plateau_patience"})

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
            value = getattr(self, name)
            if value < 0:
                raise UserError(f"optimizer.{name}={value}: must not be negative")
        if self.plateau_patience < 1:
            raise UserError(f"optimizer.plateau_patience={self.plateau_patience}: must be 1 or more")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise UserError("optimizer.betas: two numbers are needed, such as [0.9,0.98]")


Groups = list[dict[str, Any]]  # parameters that share settings, as torch.optim takes them


def _without_compiler(kind: type[torch.optim.Optimizer]) -> type:
    """Returns the optimizer class with `add_param_group`, `zero_grad` and `step` undecorated.

    At the first call the decorators import torch._dynamo, which takes a second, of a run that may last a few; they
    guard the methods from the compiler, and the trainer compiles the model alone. One line can not stop the import: it
    stands in the decorator of ``step`` itself. What goes with the decorators is the optimizer's hooks and its name in
    a profile. A test holds that no optimizer imports the compiler and that each still trains.
    """
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in ("add_param_group", "zero_grad", "step")}
    methods["step"] = torch.no_grad()(methods["step"])
    return type(kind.__name__, (kind,), methods)


def _adamw(groups: Groups, options: OptimizerOptions) -> torch.optim.Optimizer:
    return _adam_of(torch.optim.AdamW, groups, options)


def _adam(groups: Groups, options: OptimizerOptions) -> torch.optim.Optimizer:
    return _adam_of(torch.optim.Adam, groups, options)


def _adam_of(kind: type, groups: Groups, options: OptimizerOptions) -> torch.optim.Optimizer:
    betas = tuple(options.betas)
    return _without_compiler(kind)(groups, lr=options.learning_rate, betas=betas, eps=options.epsilon, fused=True)


def _sgd(groups: Groups, options: OptimizerOptions) -> torch.optim.Optimizer:
    return _without_compiler(torch.optim.SGD)(groups, lr=options.learning_rate, fused=True)


def _adadelta(groups: Groups, options: OptimizerOptions) -> torch.optim.Optimizer:
    rho = options.betas[1]
    return _without_compiler(torch.optim.Adadelta)(groups, lr=options.learning_rate, rho=rho, eps=options.epsilon)


OPTIMIZERS: dict[str, Callable[[Groups, OptimizerOptions], torch.optim.Optimizer]] = {
    "adamw": _adamw,
    "adam": _adam,
    "sgd": _sgd,
    "adadelta": _adadelta,
}


def make_optimizer(model: nn.Module, options: OptimizerOptions) -> torch.optim.Optimizer:
    """The optimizer of these options, fused where there is such a one.

    Weight decay spares biases, norms and other vectors.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in trained if parameter.dim() >= 2]
    vectors = [parameter for parameter in trained if parameter.dim() < 2]
    groups = [
        {"params": matrices, "weight_decay": options.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return OPTIMIZERS[options.name](groups, options)


@dataclass(frozen=True)
class Moment:
    """What a schedule may know of an update."""

    step: int  # from 1
    spent: float  # of the budget, 0 to 1
    reductions: int  # how often validation has stood still


def _constant(options: OptimizerOptions, moment: Moment) -> float:
    return 1.0


def _inverse_sqrt(options: OptimizerOptions, moment: Moment) -> float:
    """Vaswani 2017, equation 3."""
    return math.sqrt(max(options.warmup_steps, 1) / max(moment.step, 1))


def _cosine(options: OptimizerOptions, moment: Moment) -> float:
    return options.final_ratio + (1 - options.final_ratio) * (1 + math.cos(math.pi * moment.spent)) / 2


def _linear(options: OptimizerOptions, moment: Moment) -> float:
    return 1 - (1 - options.final_ratio) * moment.spent


def _halving(options: OptimizerOptions, moment: Moment) -> float:
    """Sutskever 2014, section 3.4; Luong 2015, section 4.1."""
    since = (moment.spent - options.halve_from) / (1 - options.halve_from)
    if since < 0:
        return 1.0
    halvings = math.floor(since * options.halvings) + 1
    return 0.5 ** min(halvings, options.halvings)


def _plateau(options: OptimizerOptions, moment: Moment) -> float:
    return options.plateau_factor**moment.reductions


# After the warm-up, the rate over the highest rate.
SCHEDULES: dict[str, Callable[[OptimizerOptions, Moment], float]] = {
    "inverse_sqrt": _inverse_sqrt,
    "cosine": _cosine,
    "linear": _linear,
    "constant": _constant,
    "halving": _halving,
    "plateau": _plateau,
}
FALLING = ("cosine", "linear", "halving")  # towards the end of the budget, which must be known


def learning_rate(options: OptimizerOptions, step: int, progress: float, reductions: int) -> float:
    """The rate of update ``step`` (from 1) when ``progress`` (0 to 1) of the budget is spent.

    ``reductions`` counts how often validation has stood still (plateau only).
    """
    if step < options.warmup_steps:
        return options.learning_rate * step / options.warmup_steps
    moment = Moment(step, min(max(progress, 0.0), 1.0), reductions)
    return options.learning_rate * SCHEDULES[options.schedule](options, moment)
