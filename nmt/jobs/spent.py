"""What a run was given of its budget: as much as the others, more, or less."""

from __future__ import annotations

from nmt.schemas import TrainConfig
from nmt.training.checkpoints.state import Counters
from nmt.training.selection import Selection
from nmt.training.trainer_options import TrainerOptions

UNITS = {"steps": "updates", "tokens": "target tokens", "epochs": "epochs", "minutes": "minutes"}
MEND = "give the comparison another name=, or move the run away"  # for a run that is not what a comparison tells
WAITING = 0.01  # of matched minutes: between an update and the next look at the clock


def spent(progress: Counters) -> dict[str, float]:
    """Returns what a run has had, by the name of what may be matched."""
    return {
        "steps": progress.step,
        "tokens": progress.tokens,
        "epochs": progress.epochs,
        "minutes": progress.seconds / 60,
    }


def budgets(options: TrainerOptions) -> dict[str, float]:
    """Returns the budgets that are set, by the same names."""
    amounts = {
        "steps": options.max_steps,
        "tokens": options.max_tokens,
        "epochs": options.max_epochs,
        "minutes": options.max_minutes,
    }
    return {name: amount for name, amount in amounts.items() if amount}


def has_more(options: TrainerOptions, progress: Counters) -> str:
    """Says of what a run has had more than its budget; empty where it has not.

    A budget is spent within the last update. Minutes are spent within it or the validation after it.
    """
    amounts = spent(progress)
    last = _last(progress)
    for name, budget in budgets(options).items():
        before = round(amounts[name] - last[name], 9)
        if name == "minutes":
            before -= WAITING * budget
        if before >= budget:
            return f"its run has had {written(amounts[name])} {UNITS[name]}, more than {written(budget)}"
    return ""


def has_less(options: TrainerOptions, progress: Counters) -> str:
    """Says of what a run has had less than any of its budgets; empty where one is spent."""
    amounts = spent(progress)
    texts = []
    for name, budget in budgets(options).items():
        if amounts[name] / budget >= 1:
            return ""
        texts.append(f"{written(amounts[name])} of {written(budget)} {UNITS[name]}")
    return ", ".join(texts)


def has_ended(config: TrainConfig, progress: Counters) -> bool:
    """Whether a run has nothing more to do: a budget is spent, or its patience."""
    selection = Selection.of(config.trainer, config.optimizer)
    is_over = not has_less(config.trainer, progress) or selection.is_out_of_patience(progress)
    return progress.finished and is_over


def _last(progress: Counters) -> dict[str, float]:
    """Returns what the last update added, to minutes its validation too.

    A checkpoint of an earlier version doesn't tell: then it is what two updates add in the mean.
    """
    steps = max(progress.step, 1)
    seconds = progress.update_seconds + progress.validation_seconds
    return {
        "steps": 1,
        "tokens": progress.update_tokens or 2 * progress.tokens / steps,
        "epochs": progress.update_epochs or 2 * progress.epochs / steps,
        "minutes": (seconds or 0.1 * progress.seconds) / 60,
    }


def written(amount: float) -> str:
    """Writes a number out, with commas: 16,000,000, not 1.6e+07."""
    if amount == round(amount):
        return f"{amount:,.0f}"
    return f"{round(amount, 2):,}"
