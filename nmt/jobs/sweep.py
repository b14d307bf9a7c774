"""Jobs of one command (``-m``): looked at before the first begins; one that fails does not end the others."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hydra import compose
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins import launcher, sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from nmt.config import DOORS, typed
from nmt.decoding.ctranslate2_engine import export_folder
from nmt.environment import rank_and_count
from nmt.errors import FULL, UserError, in_words
from nmt.jobs.beforehand import Beforehand
from nmt.jobs.finetuning import settled
from nmt.override_errors import in_one_line
from nmt.run import differences
from nmt.schemas import CompareConfig, DataConfig, ExportConfig, TrainConfig, TranslateConfig
from nmt.training.signals import Interrupted

log = logging.getLogger("nmt")

# In what jobs of a comparison may be unlike and share its folder: each search has a report of its own.
APART = frozenset({"decoding", "checkpoint"})
NO_OTHER_OUTPUT = frozenset({"device"})  # in what translations may be unlike and be one piece of work


class EndedSweep(BaseException):
    """Carries what ends a whole sweep through Hydra, which takes every Exception for the end of one job."""


@dataclass(frozen=True)
class Job:
    """One job of a sweep."""

    number: int
    overrides: list[str]  # as Hydra made them, one of each key
    swept: str  # those in which jobs differ, as they are told
    config: Any = None  # of its door

    @property
    def title(self) -> str:
        return f"#{self.number} {self.swept}".strip()


def install() -> None:
    """Puts the sweeper of this module in the place of Hydra's basic one. Other sweepers stay as they are."""
    name = f"{BasicSweeper.__module__}.{BasicSweeper.__qualname__}"
    Plugins.instance().class_name_to_class[name] = Sweeper


class Sweeper(sweeper.Sweeper):
    """All combinations of what is swept, as Hydra makes them. Jobs that can't work are told first, and left out.

    Its options are those of Hydra's: ``max_batch_size`` jobs are launched at a time, ``params`` are swept, too.
    """

    def __init__(self, max_batch_size: int | None, params: dict[str, str] | None = None):
        self.max_batch_size = max_batch_size
        self.params = params or {}
        self.config: DictConfig
        self.hydra_context: HydraContext
        self.launcher: launcher.Launcher

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.config = config
        self.hydra_context = hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(hydra_context, task_function, config)

    def sweep(self, arguments: list[str]) -> None:
        """Does all jobs. Raises UserError, which names them, where some have failed."""
        door = str(self.config.hydra.job.config_name)
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        params = [f"{key}={value}" for key, value in self.params.items()]
        overrides = parser.parse_overrides([*params, *arguments])
        for override in overrides:
            if override.is_sweep_override() and not any(True for _ in override.sweep_iterator()):
                raise UserError(f"{override.input_line}: stands for no value at all; list the values, as in a,b")
        [combinations] = BasicSweeper.split_arguments(overrides, None)
        jobs = jobs_of(combinations)
        count = len(jobs)

        failed: list[Job] = []
        possible: list[Job] = []
        planned: list[TrainConfig] = []  # a job may begin with the run of one before it
        beforehand = Beforehand()
        for job in jobs:
            try:
                checked = _checked(door, job, beforehand, planned)
            except Exception as error:
                _tell(job, error)
                failed.append(job)
                continue
            possible.append(checked)
        check_input(possible)
        check_apart([job for job in possible if folder_of(job.config)])

        size = self.max_batch_size or count
        if type(self.launcher).__name__ == BasicLauncher.__name__:  # Hydra reads its module twice
            size = 1  # one job after the other
        for group in _groups(possible, size):
            failed += self._launched(group)
        if failed:
            titles = ", ".join(job.title for job in failed)
            raise UserError(f"{count - len(failed)} of {count} done; failed: {titles}")
        if count > 1:
            log.info("%d of %d done", count, count)

    def _launched(self, jobs: Sequence[Job]) -> list[Job]:
        """Does some jobs at a time, and returns those that failed."""
        for job in jobs:
            log.info("%s", job.title)
        overrides = [job.overrides for job in jobs]
        try:
            with _answers_of_ended_jobs():
                results = self.launcher.launch(overrides, initial_job_idx=jobs[0].number)
        except Exception as error:  # of the launcher itself
            for job in jobs:
                _tell(job, error)
            return list(jobs)
        failed = []
        for job, result in zip(jobs, results, strict=True):
            if result.status != JobStatus.COMPLETED:
                _tell(job, result._return_value)  # its public name would announce the error in Hydra's words
                failed.append(job)
        return failed


def jobs_of(combinations: Sequence[list[str]]) -> list[Job]:
    """Returns the jobs of these overrides, which are in the same order for all."""
    varied = [len(set(values)) > 1 for values in zip(*combinations, strict=True)]
    jobs = []
    for number, overrides in enumerate(combinations):
        swept = [override for override, varies in zip(overrides, varied, strict=True) if varies]
        jobs.append(Job(number, overrides, " ".join(swept)))
    return jobs


def _checked(door: str, job: Job, beforehand: Beforehand, planned: list[TrainConfig]) -> Job:
    """Returns the job with its configuration. Raises an error for one that can't work; a run joins those planned."""
    config: Any = typed(compose(door, job.overrides), DOORS[door])
    if isinstance(config, TrainConfig) and not isinstance(config, DataConfig):
        beforehand.check(settled(config, planned), planned)
        planned.append(config)
    return Job(job.number, job.overrides, job.swept, config)


def _groups(jobs: Sequence[Job], size: int) -> Iterator[list[Job]]:
    """Yields jobs whose numbers follow each other, since a launcher counts on from the first; at most ``size``."""
    group: list[Job] = []
    for job in jobs:
        if group and (len(group) == size or job.number != group[-1].number + 1):
            yield group
            group = []
        group.append(job)
    if group:
        yield group


def _tell(job: Job, error: BaseException) -> None:
    """Says in one line that a job failed, and why; of what no user can mend, after its traceback."""
    message = in_words(error) or in_one_line(error)
    if not message:
        traceback.print_exception(error)
        lines = str(error).splitlines() or [""]
        message = f"{type(error).__name__}: {lines[0]}"
    print(f"nmt: {job.title}: {message}", file=sys.stderr)


def ends_all(error: BaseException) -> bool:
    """Whether what ended a job ends the whole sweep: a signal, a full disk, or one of several processes that fails."""
    _, count = rank_and_count()
    return count > 1 or not isinstance(error, Exception) or isinstance(error, Interrupted) or _disk_is_full(error)


def _disk_is_full(error: BaseException | None) -> bool:
    """Whether an error, or what it was raised from, is that of a full disk."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        error = error.__cause__ or error.__context__
    return False


@contextmanager
def _answers_of_ended_jobs() -> Iterator[None]:
    """Has submitit, if it is there, answer for a job that was killed as for one that failed: the others go on."""
    try:
        from submitit.core.core import Job as SubmittedJob
    except ImportError:
        yield
        return
    results = SubmittedJob.results

    def answered(job: Any) -> list[Any]:
        try:
            return results(job)
        except Exception as error:
            answer = JobReturn(status=JobStatus.FAILED)
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            answer._return_value = UserError(
                f"its process ended without an answer, perhaps for want of memory ({reason})"
            )
            return [answer]

    SubmittedJob.results = answered  # type: ignore
    try:
        yield
    finally:
        SubmittedJob.results = results  # type: ignore[method-assign]


def check_input(jobs: Sequence[Job]) -> None:
    """Raises UserError where several jobs would read standard input: the first leaves nothing to the others."""
    readers = [job for job in jobs if isinstance(job.config, TranslateConfig) and not job.config.input]
    if len(readers) > 1:
        raise UserError(
            f"standard input: {len(readers)} jobs would read it, and the first leaves nothing to the others; give "
            "input=FILE and output=FILE"
        )


def check_apart(jobs: Sequence[Job]) -> None:
    """Raises UserError for two unlike jobs with one output. It names both, and the option that could part them."""
    first_in: dict[Path, Job] = {}
    for job in jobs:
        folder = Path(folder_of(job.config)).resolve()
        first = first_in.setdefault(folder, job)
        may_differ = _may_differ(job.config)
        change = next(differences(asdict(first.config), asdict(job.config), may_differ), None)
        if change is None:
            continue
        option, old, new = change
        raise UserError(
            f"{folder_of(job.config)}: of jobs {first.number} and {job.number}, with {option}={old} and {new}; put "
            f"what changes into the name, as in '{_other_name(job, _swept(first, job) or option)}'"
        )


def _may_differ(config: Any) -> frozenset[str]:
    """Returns the options in which jobs of one output may be unlike."""
    if isinstance(config, CompareConfig):
        return APART
    if isinstance(config, TranslateConfig):
        return NO_OTHER_OUTPUT
    return frozenset()


def folder_of(config: Any) -> str:
    """Returns where a job of any door writes what another job must not; empty where it shares its place with all."""
    if isinstance(config, DataConfig):
        return config.output if config.do == "inspect" else ""
    if isinstance(config, TrainConfig):
        return config.run.dir
    if isinstance(config, CompareConfig):
        return str(Path(config.runs) / config.name)
    if isinstance(config, TranslateConfig):
        return config.output
    if isinstance(config, ExportConfig):
        return config.output or str(export_folder(Path(config.run)))
    return ""


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
    if isinstance(job.config, TranslateConfig | ExportConfig | DataConfig):
        return f"output={folder_of(job.config)}-${{{option}}}"
    for override in job.overrides:  # as it was typed, with what it has of other options
        if override.startswith(("run.dir=", "run.name=")):
            return f"{override}/${{{option}}}"
    return f"run.name={job.config.run.name}/${{{option}}}"
