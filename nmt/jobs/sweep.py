"""Jobs of one command (``-m``) that would share a folder: refused before the first begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hydra import compose
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from nmt.config import DOORS, typed
from nmt.errors import UserError
from nmt.run import differences
from nmt.schemas import CompareConfig, TrainConfig

SWEEPER = f"{BasicSweeper.__module__}.{BasicSweeper.__qualname__}"
# In what jobs of a comparison may be unlike and share its folder: each search has a report of its own.
APART = frozenset({"decoding", "checkpoint"})


class RefusedSweep(BaseException):
    """Carries a refusal through Hydra, which makes a warning of every Exception that a callback raises."""


@dataclass(frozen=True)
class Job:
    """One job of a sweep."""

    number: int
    overrides: list[str]  # as Hydra made them, one of each key
    config: Any  # of its door


class JobsApart(Callback):
    """Looks at all jobs of a sweep before the first one begins. Hydra makes and calls it: see configs/quiet.yaml."""

    def on_multirun_start(self, config: DictConfig, **more: Any) -> None:
        """Raises RefusedSweep where two jobs would write into one folder.

        Only the basic sweeper says beforehand what its jobs are.
        """
        door = str(more.get("config_name"))
        if config.hydra.sweeper._target_ != SWEEPER or door not in ("train", "compare"):
            return
        task = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
        assert isinstance(task, list)
        params = config.hydra.sweeper.params or {}
        arguments = [f"{key}={value}" for key, value in params.items()] + [str(argument) for argument in task]
        try:
            check_apart(jobs_of(door, arguments))
        except UserError as error:
            raise RefusedSweep(str(error)) from None


def jobs_of(door: str, arguments: Sequence[str]) -> list[Job]:
    """Returns the jobs that the basic sweeper makes of these arguments, but for those that end in a mistake."""
    loader = GlobalHydra.instance().config_loader()  # for sweeps over all choices of a group
    overrides = OverridesParser.create(config_loader=loader).parse_overrides(list(arguments))
    [batch] = BasicSweeper.split_arguments(overrides, None)
    jobs = []
    for number, of_job in enumerate(batch):
        try:
            config: Any = typed(compose(door, of_job), DOORS[door])
        except (UserError, HydraException, OmegaConfBaseException):  # the job itself will tell
            continue
        jobs.append(Job(number, of_job, config))
    return jobs


def check_apart(jobs: Sequence[Job]) -> None:
    """Raises UserError for two unlike jobs with one folder. It names both, and the option that could part them."""
    first_in: dict[Path, Job] = {}
    for job in jobs:
        folder = Path(folder_of(job.config)).resolve()
        first = first_in.setdefault(folder, job)
        may_differ = APART if isinstance(job.config, CompareConfig) else frozenset()
        change = next(differences(asdict(first.config), asdict(job.config), may_differ), None)
        if change is None:
            continue
        option, old, new = change
        raise UserError(
            f"{folder_of(job.config)}: of jobs {first.number} and {job.number}, with {option}={old} and {new}; put "
            f"what changes into the name, as in '{_other_name(job, _swept(first, job) or option)}'"
        )


def folder_of(config: TrainConfig | CompareConfig) -> str:
    """Returns where a job writes."""
    if isinstance(config, TrainConfig):
        return config.run.dir
    return str(Path(config.runs) / config.name)


def _swept(first: Job, other: Job) -> str:
    """Returns the first option that is swept and a value by itself; empty where none is."""
    for one, another in zip(first.overrides, other.overrides, strict=True):
        key = one.partition("=")[0].lstrip("+")
        if one != another and "." in key:
            return key
    return ""


def _other_name(job: Job, option: str) -> str:
    """Returns the override of the job's name, or of its folder, with the value of an option in it."""
    if isinstance(job.config, CompareConfig):
        return f"name={job.config.name}-${{{option}}}"
    for override in job.overrides:  # as it was typed, with what it has of other options
        if override.startswith(("run.dir=", "run.name=")):
            return f"{override}/${{{option}}}"
    return f"run.name={job.config.run.name}/${{{option}}}"
