"""What a report tells of each run: from its journal as far as that can be read, else from the run itself."""

from __future__ import annotations

from typing import Any

from nmt.evaluation.results import RunInfo
from nmt.jobs.marks import Trained
from nmt.models.build import build_model
from nmt.training.journal import read_journal

ON_THE_CURVE = ("step", "seconds", "tokens", "loss", "bleu")


def run_info(member: Trained) -> RunInfo:
    """Puts together what the journal and the checkpoint say of a run. Raises Unreadable for its journal.

    What is absent or damaged in the journal is missing from the curve, or known from the run without it.
    """
    progress = member.progress
    events = read_journal(member.run.folder)
    start = _start(member, events)
    reports = [event for event in events if event["event"] == "train" and _is_number(event.get("tokens_per_second"))]
    speeds = sorted(event["tokens_per_second"] for event in reports)
    speed = progress.tokens / max(progress.seconds, 1e-9)  # where the run was too short for a report
    if speeds:
        speed = speeds[len(speeds) // 2]
    precision = str(start["precision"])
    if progress.parts and progress.parts[0].terms:
        precision = member.fact("precision")
    return RunInfo(
        system=member.system,
        seed=str(member.seed),
        parameters=start["parameters"],
        steps=progress.step,
        tokens=progress.tokens,
        seconds=progress.seconds,
        tokens_per_second=speed,
        best_step=progress.best_step,
        precision=precision,
        decoding_seconds=sum(evaluation.seconds for evaluation in member.evaluations),
        folder=str(member.run.folder),
        threads=member.fact("threads"),
        kernels=member.fact("kernels"),
        context=start.get("context"),
        curve=_curve(events),
    )


def _start(member: Trained, events: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the event of the run's first start, or what it would tell."""
    for event in events:
        if event["event"] == "start" and _is_number(event.get("parameters")) and "precision" in event:
            return event
    model = build_model(member.run.config.model, member.run.vocabulary())
    return {
        "parameters": model.parameter_count(),
        "context": model.fixed_context,
        "precision": member.config.trainer.precision,
    }


def _curve(events: list[dict[str, Any]]) -> list[dict[str, float]]:
    """Returns the numbers of each validation."""
    curve = []
    for event in events:
        if event["event"] == "valid":
            names = [name for name in ON_THE_CURVE if _is_number(event.get(name))]
            curve.append({name: event[name] for name in names})
    return curve


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
