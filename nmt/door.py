"""What all doors share: Hydra in, typed options on, every user mistake out as one line with exit code 2."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from nmt.errors import UserError, is_memory, nearest

TOGETHER = ("train", "compare", "translate")  # what several processes of torchrun can share
# What OmegaConf says of an override that it can't take, and what to do.
MENDS = {
    "could not be converted to Integer": "must be a whole number",
    "could not be converted to Float": "must be a number",
    "is not a valid bool": "must be true or false",
    "is not Optional": "can't be null; leave it out for what it is by default",
    "is not a subclass of": "holds options of its own; set those, as in trainer.max_steps=100",
    "does not support deletion": "can't be taken away; leave it out for what it is by default",
}


def open_door(name: str, help_text: str, body: Callable[[Any], None]) -> None:
    """Runs ``body`` with the configuration of door ``name``, made from the command line."""
    if {"--help", "-h"} & set(sys.argv[1:]):
        print(help_text.strip())
        return
    if name not in TOGETHER and os.environ.get("RANK", "0") != "0":
        return
    try:
        _enter(name, body)
    except SystemExit as end:
        _leave(end.code)
        raise
    _leave(0)


def _enter(name: str, body: Callable[[Any], None]) -> None:
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # raise, so that errors can be told in one line
    _set_logging()
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):  # until training begins, which saves first
        signal.signal(number, _stopped)
    try:
        _run(name, body)
    except UserError as error:
        _fail(str(error), 2)
    except KeyboardInterrupt:
        _fail("stopped", 130)
    except BrokenPipeError:  # whoever read our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except (MemoryError, RuntimeError) as error:
        if not is_memory(error):
            raise
        _fail("out of memory; lower batching.tokens or decoding.batch_size, or make the model smaller", 2)
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        _fail(f"{error.filename or 'disk'}: {error.strerror or error}; what was saved is kept", 2)


def _leave(code: Any) -> None:
    """One of several processes ends at once. While Python takes itself apart, a thread of gloo that still lets go of a
    tensor aborts the process, and torchrun takes a run that is done for a failure (seen once in some hundred runs).
    """
    if os.environ.get("WORLD_SIZE", "1") != "1":
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else bool(code))


def _set_logging() -> None:
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    for library in ("datasets", "matplotlib", "fsspec", "filelock"):
        logging.getLogger(library).setLevel(logging.WARNING)


def _run(name: str, body: Callable[[Any], None]) -> None:
    import hydra
    from hydra.errors import HydraException
    from omegaconf import DictConfig
    from omegaconf.errors import OmegaConfBaseException

    from nmt.config import CONFIG_FOLDER, DOORS, register, typed
    from nmt.plugins import load_plugins
    from nmt.training.signals import Interrupted

    load_plugins()
    register()
    failures: list[BaseException] = []
    own = os.getpid()

    def task(config: DictConfig) -> None:
        """Hydra announces an error in its own words before it passes it on, so it is kept from it."""
        if failures:  # of an earlier job of a multirun
            return
        if os.getpid() != own:  # a job of its own, of a launcher
            _set_logging()
        try:
            body(typed(config, DOORS[name]))
        except BaseException as error:
            if os.getpid() == own:
                failures.append(error)
                return
            if isinstance(error, Interrupted):  # the launcher's own handler may queue the job again
                signal.raise_signal(error.number)
            raise

    try:
        hydra.main(version_base="1.3", config_path=str(CONFIG_FOLDER), config_name=name)(task)()
        if failures:
            raise failures[0]
    except Interrupted as stop:
        _fail(f"{stop}; the same command goes on from there", stop.exit_code)
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(_one_line(error)) from None
    except ValueError as error:
        if failures or "Config group override" not in str(error):
            raise
        raise UserError(_unnamed()) from None


def _one_line(error: Exception) -> str:
    """Hydra's message with the nearest right name."""
    from hydra.errors import OverrideParseException

    if isinstance(error, OverrideParseException):
        return _unreadable(str(error.override))
    missing, options = getattr(error, "missing_cfg_file", None), getattr(error, "options", None)
    if missing and options:
        group, _, wanted = str(missing).partition("/")
        return f"{group}={wanted}: no such configuration; {nearest(wanted, options)}"
    found = re.search(r"Could not find '(\w+)/([^']*)'", str(error))
    if found:
        group, wanted = found.groups()
        return f"{group}={wanted}: no such configuration; {nearest(wanted, _choices(group))}"
    cause: BaseException | None = error
    while cause is not None:
        kind, key = getattr(cause, "object_type", None), getattr(cause, "key", None)
        fields = getattr(kind, "__dataclass_fields__", None)
        if fields and key is not None and str(key) not in fields:
            return f"{getattr(cause, 'full_key', None) or key}: no such option; {nearest(str(key), fields)}"
        cause = cause.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = " ".join(line for line in lines if not line.startswith(("full_key:", "object_type=", "reference_type=")))
    cause = error.__cause__
    detail = str(cause).splitlines()[0] if cause and str(cause) else ""
    override = re.match(r"Error merging override (.*)", str(error))
    mend = next((mend for said, mend in MENDS.items() if said in f"{error} {detail}"), "")
    if override and mend:
        return f"{override[1].strip()}: {mend}"
    return f"{told} {detail}".strip() if detail not in told else told


def _unnamed() -> str:
    """Hydra does not tell which override names no configuration where it must."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    for text in (argument for argument in sys.argv[1:] if "=" in argument and not argument.startswith("-")):
        override = OverridesParser.create().parse_override(text)
        known = _choices(override.key_or_group) if override.key_or_group else []
        if known and not isinstance(override.value(), str | list):
            return f"{text}: no such configuration; known: {', '.join(sorted(known))}"
    return "an override names no configuration where it must, as model=transformer does"


def _unreadable(override: str) -> str:
    key, equals, value = override.partition("=")
    if not equals:
        return f"{override}: cannot be read; options are key=value"
    if re.search(r"""['"\[{]""", value):  # a list or a dictionary, or quotes that do not match
        return f"{override}: cannot be read; put a text that holds = , ( ) {{ }} or [ ] in quotes, as in key=['a=b']"
    return f"""{override}: cannot be read; = , ( ) {{ }} [ ] need quotes within quotes: "{key}='{value}'\""""


def _choices(group: str) -> list[str]:
    """The shipped configurations of a group."""
    from nmt.config import CONFIG_FOLDER

    folder = CONFIG_FOLDER / group
    return [str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.yaml")]


def _stopped(number: int, _: FrameType | None) -> None:
    _fail(f"stopped by {signal.Signals(number).name}", 128 + number)


def _fail(message: str, code: int) -> None:
    print(f"nmt: {message}", file=sys.stderr)
    raise SystemExit(code)
