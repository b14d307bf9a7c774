"""What all doors share: Hydra in, typed options on, every user mistake out as one line with exit code 2."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from nmt.environment import prepare_libraries, rank_and_count
from nmt.errors import UserError, in_words

# The doors, in the order in which people need them.
NAMES = ("train", "evaluate", "translate", "compare", "align", "score", "export")
TOGETHER = ("train", "compare", "translate")  # what several processes of torchrun can share
STOPPING = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)  # SIGINT is Python's KeyboardInterrupt


@contextmanager
def open_door(name: str, help_text: str, job: Callable[[Any], None]) -> Iterator[Callable[[], None]]:
    """Yields the function that reads the command line and calls ``job`` with the options of door ``name``.

    Within the block every mistake of the user ends the process with one line on standard error and exit code 2. Raises
    SystemExit at once for ``--help``, and in all but the first process where the door has work for one alone.
    """
    if {"--help", "-h"} & set(sys.argv[1:]):
        print(help_text.strip())
        raise SystemExit(0)
    rank, count = rank_and_count()
    if rank > 0 and name not in TOGETHER:
        raise SystemExit(0)
    prepare_libraries()
    _set_logging()
    for number in STOPPING:  # until training begins, which saves first
        signal.signal(number, _stopped)
    with _ending_at_once(count), _mistakes_in_one_line(), _under_hydra(name, job) as run:
        yield run


@contextmanager
def _under_hydra(name: str, job: Callable[[Any], None]) -> Iterator[Callable[[], None]]:
    """Yields Hydra's main function around ``job``; its errors, and those of the job, are raised after the block."""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra raises its errors instead of printing them
    import hydra
    from hydra.errors import HydraException
    from omegaconf import DictConfig
    from omegaconf.errors import OmegaConfBaseException

    from nmt.config import CONFIG_FOLDER, DOORS, register, typed
    from nmt.jobs.sweep import EndedSweep, ends_all, install
    from nmt.override_errors import one_line, unnamed_choice
    from nmt.plugins import load_plugins
    from nmt.training.signals import Interrupted

    load_plugins()
    register()
    install()
    failures: list[BaseException] = []
    parent = os.getpid()

    def task(config: DictConfig) -> None:
        """Keeps the job's error from Hydra, which would announce it in its own words before it passes it on."""
        in_launcher = os.getpid() != parent  # the job has a process of its own
        if in_launcher:
            _set_logging()
        try:
            job(typed(config, DOORS[name]))
        except BaseException as error:
            if not in_launcher and not _of_many_jobs():
                failures.append(error)
                return
            if not in_launcher and ends_all(error):
                failures.append(error)
                raise EndedSweep from error
            if in_launcher and isinstance(error, Interrupted):  # the launcher's own handler may queue the job again
                signal.raise_signal(error.number)
            raise

    try:
        with suppress(EndedSweep):
            yield hydra.main(version_base="1.3", config_path=str(CONFIG_FOLDER), config_name=name)(task)
        if failures:
            raise failures[0]
    except Interrupted as stop:
        _fail(f"{stop}; the same command goes on from there", stop.exit_code)
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(one_line(error)) from None
    except ValueError as error:
        if failures or "Config group override" not in str(error):
            raise
        raise UserError(unnamed_choice()) from None


def _of_many_jobs() -> bool:
    """Whether the job that runs is one of a sweep."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    return HydraConfig.get().mode == RunMode.MULTIRUN


@contextmanager
def _mistakes_in_one_line() -> Iterator[None]:
    """Turns whatever the user can mend into one line on standard error and an exit code."""
    try:
        yield
    except KeyboardInterrupt:
        _fail("stopped", 130)
    except BrokenPipeError:  # whoever read our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except Exception as error:
        message = in_words(error)
        if not message:
            raise
        _fail(message, 2)


@contextmanager
def _ending_at_once(count: int) -> Iterator[None]:
    """Ends one of several processes without Python's own clean-up.

    While Python takes itself apart, a thread of gloo that still lets go of a tensor aborts the process, and torchrun
    takes a run that is done for a failure (seen once in some hundred runs).
    """
    code: Any = 0
    try:
        yield
    except SystemExit as end:
        if count == 1:
            raise
        code = end.code
    if count > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        status = code if isinstance(code, int) else int(bool(code))
        os._exit(status)


def _set_logging() -> None:
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    for library in ("datasets", "matplotlib", "fsspec", "filelock", "hydra", "hydra_plugins"):
        logging.getLogger(library).setLevel(logging.WARNING)


def _stopped(number: int, _: FrameType | None) -> None:
    name = signal.Signals(number).name
    _fail(f"stopped by {name}", 128 + number)


def _fail(message: str, code: int) -> None:
    print(f"nmt: {message}", file=sys.stderr)
    raise SystemExit(code)
