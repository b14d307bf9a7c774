"""What all doors share: Hydra in, typed options on, every user mistake out as one line with exit code 2."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from nmt.environment import (
    can_meet,
    check_meeting,
    drop_empty_variables,
    is_torchrun,
    left_over,
    prepare_libraries,
    rank_and_count,
)
from nmt.errors import UserError, in_words
from nmt.messages import leave_messages, standard_error_watched, watch_standard_error
from nmt.progress import phase
from nmt.stopping import ENDING, Stop, Stopped, heard, ignore_from_now_on
from nmt.streams import fill_closed_files, standard_output_watched

# The doors, in the order in which people need them.
NAMES = ("train", "evaluate", "translate", "compare", "align", "score", "export", "data")
TOGETHER = ("train", "compare", "translate")  # what several processes of torchrun can share
MEETING = ("train", "compare")  # of them those whose processes talk to each other
STOPPING = tuple(number for number in ENDING if number != signal.SIGINT)


@contextmanager
def open_door(name: str, help_text: str, job: Callable[[Any], None]) -> Iterator[Callable[[], None]]:
    """Yields the function that reads the command line and calls ``job`` with the options of door ``name``.

    Within the block every mistake of the user ends the process with one line on standard error and exit code 2. Raises
    SystemExit at once for ``--help``, and in all but the first process where the door has work for one alone.
    """
    fill_closed_files()
    with standard_error_watched(), standard_output_watched(), _listening(), _mistakes_in_one_line():
        if {"--help", "-h"} & set(sys.argv[1:]):
            print(help_text.strip())
            sys.stdout.flush()
            raise SystemExit(0)
        count = _processes(name)
        prepare_libraries()
        drop_empty_variables()
        _set_logging()
        # Told here, too: the next block out ends one of several processes without a chance to tell anything.
        with _ending_at_once(count), _mistakes_in_one_line(), _under_hydra(name, job) as run:
            yield run


def _processes(name: str) -> int:
    """Returns how many processes work at this. Raises SystemExit in all but the first where one does it all.

    A line says what of a launcher's variables is passed over. Raises UserError where they can't be right.
    """
    rank, count = rank_and_count()
    left = left_over()
    if left:
        print(f"nmt: {left}", file=sys.stderr)
    if name in TOGETHER:
        if name in MEETING:
            check_meeting()
        return count
    if rank == 0:
        return count
    if not can_meet():
        others = f"RANK={rank}, WORLD_SIZE={count}, but no MASTER_ADDR and MASTER_PORT"
        print(f"nmt: {others}: left over from a launcher; this process works alone", file=sys.stderr)
        return 1
    if not is_torchrun():
        print(f"nmt: RANK={rank}: {name} is done by the first process; to do it here, unset RANK", file=sys.stderr)
    raise SystemExit(0)


@contextmanager
def _listening() -> Iterator[None]:
    """Ends the process at the first signal, but those that it was started to ignore. Training saves first.

    SIGINT is Python's KeyboardInterrupt.
    """
    stop = Stop()
    with suppress(ValueError):  # only the main thread may set handlers
        for number in set(heard()) & set(STOPPING):
            signal.signal(number, stop)
    try:
        yield
    finally:  # while Python takes itself apart, an exception in a handler would be a traceback
        with suppress(ValueError):
            for number in STOPPING:
                if signal.getsignal(number) is stop:
                    signal.signal(number, signal.SIG_DFL)


@contextmanager
def _under_hydra(name: str, job: Callable[[Any], None]) -> Iterator[Callable[[], None]]:
    """Yields Hydra's main function around ``job``; its errors, and those of the job, are raised after the block."""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra raises its errors instead of printing them
    with phase("loading PyTorch and other libraries"):
        import hydra
        from hydra.errors import HydraException
        from omegaconf import DictConfig
        from omegaconf.errors import OmegaConfBaseException

        from nmt.config import CONFIG_FOLDER, DOORS, register, typed
        from nmt.jobs.sweep import EndedSweep, ends_all, install
        from nmt.override_errors import in_one_line
        from nmt.plugins import load_plugins
        from nmt.training.signals import Interrupted

    with phase("loading the plugins of NMT_PLUGINS"):
        load_plugins()
    register()
    install()
    failures: list[BaseException] = []
    parent = os.getpid()

    def task(config: DictConfig) -> None:
        """Keeps the job's error from Hydra, which would announce it in its own words before it passes it on."""
        in_launcher = os.getpid() != parent  # the job has a process of its own
        if in_launcher:
            watch_standard_error()
            _set_logging()
        leave_messages()  # of the job before
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
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        message = in_one_line(error)
        if not message:
            raise
        raise UserError(message) from None


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
        sys.stdout.flush()
    except Stopped as stop:
        _fail(f"stopped by {stop.name}", 128 + stop.number)
    except KeyboardInterrupt:
        _fail("stopped", 130)
    except BrokenPipeError:  # whoever read our output has gone
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
    for library in ("datasets", "huggingface_hub"):  # they print by themselves: each line would come twice
        logging.getLogger(library).propagate = False


def _fail(message: str, code: int) -> None:
    ignore_from_now_on()
    print(f"nmt: {message}", file=sys.stderr)
    raise SystemExit(code)
