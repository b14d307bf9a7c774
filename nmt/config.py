"""Registers the options with Hydra, turns configurations into them, and refuses unknown keys."""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError, OmegaConfBaseException

from nmt.errors import Absent, UserError, nearest, not_read
from nmt.option_types import DOORS, KINDS
from nmt.schemas import CompareConfig as CompareConfig  # read from here, too
from nmt.schemas import TrainConfig
from nmt.shapes import apply_overrides, shape_values
from nmt.swap import write_whole
from nmt.verbatim import install, read_yaml

_PACKAGE = Path(__file__).parent
CONFIG_FOLDER = next(folder for folder in (_PACKAGE / "configs", _PACKAGE.parent / "configs") if folder.is_dir())

T = TypeVar("T")


@cache
def register() -> None:
    """Tells Hydra of every options class: ``<door>_schema``, ``corpus/<kind>_schema``, ``model/<name>_schema``."""
    install()
    shape_values()
    store = ConfigStore.instance()
    for door, schema in DOORS.items():
        store.store(name=f"{door}_schema", node=_with_open_dictionaries(schema))
    for group, (_, kinds) in KINDS.items():
        for name, options in kinds.items():
            store.store(group=group, name=f"{name}_schema", node=_with_open_dictionaries(options))


def _with_open_dictionaries(schema: type) -> DictConfig:
    """Where names are the user's own (test sets, systems), a new one needs no ``+``."""
    node = OmegaConf.structured(schema)
    for option in fields(schema):
        is_dictionary = OmegaConf.is_dict(node._get_node(option.name))
        if is_dictionary and not is_dataclass(OmegaConf.get_type(node, option.name)):
            OmegaConf.set_struct(node[option.name], False)
    return node


def typed(config: DictConfig, schema: type[T]) -> T:
    """Returns the configuration as typed objects. Where an option is a path, ~ becomes the home folder.

    Raises UserError for keys that no options class has, for missing values, and for whatever an options class refuses.
    """
    _refuse_unknown(config, "")
    _leave_to_runs(config)
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise UserError(f"{missing[0]}: a value is needed; say {missing[0]}=...")
    try:
        _expand_homes(config, "")
        options = OmegaConf.to_object(config)
    except InterpolationResolutionError:  # whose option is named elsewhere
        raise
    except OmegaConfBaseException as error:
        message = str(error).splitlines()[0]
        raise UserError(message) from None
    assert isinstance(options, schema)
    _check_numbers("", options)
    for group, (key, kinds) in KINDS.items():
        part = getattr(options, group, None)
        if part is None:
            continue
        name = getattr(part, key)
        if kinds.get(name) is not type(part):
            raise UserError(f"{group}.{key}={name}: not set by itself; say {group}=NAME, see configs/{group}/")
    return options


def _leave_to_runs(config: DictConfig) -> None:
    """Has ${seed} in a comparison's overrides stand for the seed of each run, in place: the comparison has many."""
    if "systems" not in config:
        return
    for options in (config, *config.systems.values()):
        overrides = options.overrides
        for number in range(len(overrides)):
            typed_text = overrides._get_node(number)._value()
            overrides[number] = re.sub(r"(?<!\\)\$\{seed\}", r"\\${seed}", typed_text)


def _expand_homes(node: Any, path: str) -> None:
    """Puts the home folder for ~ in the PATHS of every options class, in place: other options may be made of them.

    Raises UserError where a user is not known.
    """
    if not isinstance(node, DictConfig):
        return
    paths = getattr(OmegaConf.get_type(node), "PATHS", ())
    for key in node:
        if OmegaConf.is_missing(node, key):
            continue
        name = f"{path}{key!s}"
        if key in paths:
            _expand_home(node, key, name)
        else:
            _expand_homes(node[key], f"{name}.")


def _expand_home(node: DictConfig | ListConfig, key: Any, name: str) -> None:
    """Expands one path, or all of a list or dictionary."""
    value = node[key]
    if isinstance(value, DictConfig):
        for member in value:
            _expand_home(value, member, f"{name}.{member!s}")
    elif isinstance(value, ListConfig):
        for number in range(len(value)):
            _expand_home(value, number, name)
    elif isinstance(value, str) and value.startswith("~"):
        try:
            node[key] = str(Path(value).expanduser())
        except RuntimeError:
            raise UserError(f"{name}={value}: no such user; for a folder of that name, say ./{value}") from None


LARGEST = 2**31 - 1  # of whole numbers that libraries take: seeds, sizes, batches
MOST = 2**63 - 1  # of those that are counted to alone: the COUNTS of an options class


def _check_numbers(name: str, value: Any, largest: int = LARGEST) -> None:
    """Raises UserError for a number that nothing can be done with."""
    if is_dataclass(value):
        counts = getattr(value, "COUNTS", ())
        for option in fields(value):
            full_name = f"{name}.{option.name}" if name else option.name
            most = MOST if option.name in counts else LARGEST
            _check_numbers(full_name, getattr(value, option.name), most)
    elif isinstance(value, dict):
        for key, part in value.items():
            _check_numbers(f"{name}.{key}", part)
    elif isinstance(value, list | tuple):
        for part in value:
            _check_numbers(name, part)
    elif isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{name}={value}: must be a finite number")
    elif isinstance(value, int) and abs(value) > largest:
        raise UserError(f"{name}={value}: must be at most {largest}")


def _refuse_unknown(node: Any, path: str) -> None:
    """Raises UserError for keys that were added with ``+``: they slip past Hydra's check of the schema."""
    if not isinstance(node, DictConfig):
        return
    kind = OmegaConf.get_type(node)
    if isinstance(kind, type) and is_dataclass(kind):
        known = [option.name for option in fields(kind)]
        for key in node:
            if key not in known:
                raise UserError(f"{path}{key!s}: no such option; {nearest(str(key), known)}")
    for key in node:
        if not OmegaConf.is_missing(node, key):
            _refuse_unknown(node[key], f"{path}{key!s}.")


def compose_train(overrides: list[str]) -> TrainConfig:
    """Returns the training configuration that the train door would make of these overrides."""
    return _composed("train", overrides, TrainConfig)


def compose_comparison(overrides: list[str]) -> CompareConfig:
    """Returns the configuration that the compare door would make of these overrides."""
    return _composed("compare", overrides, CompareConfig)


class Compositions:
    """Makes many training configurations, in milliseconds each: what Hydra reads for a choice of groups is kept."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], DictConfig] = {}  # by the overrides that choose of groups
        self._parser = OverridesParser.create()

    def train(self, overrides: Sequence[str], values: Mapping[str, Any]) -> TrainConfig:
        """Returns the training configuration of these overrides, in which options then have these values as they are.

        ``values`` are by full name; a text among them is no override, and needs no quotes whatever it holds.
        """
        with _hydra():
            groups, options = self._apart(overrides)
            if groups not in self._known:
                self._known[groups] = compose("train", list(groups))
            config = copy.deepcopy(self._known[groups])
            apply_overrides(options, config)
        for name, value in values.items():
            OmegaConf.update(config, name, _literal(value))
        return typed(config, TrainConfig)

    def check_choice(self, group: str, name: str) -> None:
        """Raises a HydraException for a configuration that the group has not."""
        with _hydra():
            if not _repository().config_exists(f"{group}/{name}"):
                compose("train", [f"+{group}={QuotedString(name, Quote.single).with_quotes()}"])

    def _apart(self, overrides: Sequence[str]) -> tuple[tuple[str, ...], list[Override]]:
        """Returns the overrides that choose a configuration of a group, and those that set an option."""
        repository = _repository()
        groups: list[str] = []
        options: list[Override] = []
        for override in self._parser.parse_overrides(list(overrides)):
            is_dictionary = isinstance(override.value(), dict)
            is_choice = not is_dictionary and repository.group_exists(override.key_or_group)
            # Hydra itself has a word on values of a sweep, and on what is set of Hydra.
            if is_choice or override.is_sweep_override() or override.is_hydra_override():
                groups.append(str(override.input_line))
            else:
                options.append(override)
        return tuple(groups), options


def _repository() -> Any:
    """Returns what finds the configuration files, of the door that is open."""
    return GlobalHydra.instance().config_loader().repository  # type: ignore[attr-defined]


def _literal(value: Any) -> Any:
    """Writes a text so that OmegaConf finds no ${...} in it."""
    if not isinstance(value, str):
        return value
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", value)


def composed_without(options: Sequence[str], schema: type[T]) -> T | None:
    """Returns the configuration of the door that is open, but for what the command line says of these options.

    None where no door is open.
    """
    if not HydraConfig.initialized():
        return None
    hydra = HydraConfig.get()
    others = []
    typed_there: Any = OmegaConf.to_container(hydra.overrides.task, resolve=False)  # ${...} as it was typed
    for override in typed_there:
        name = override.lstrip("+~").partition("=")[0]
        if not any(name == option or name.startswith(f"{option}.") for option in options):
            others.append(override)
    return _composed(str(hydra.job.config_name), others, schema)


def _composed(name: str, overrides: list[str], schema: type[T]) -> T:
    with _hydra():
        return typed(compose(name, overrides), schema)


@contextmanager
def _hydra() -> Iterator[None]:
    """Opens Hydra with the shipped configurations, unless a door has opened it with its own."""
    register()
    if GlobalHydra.instance().is_initialized():
        yield
        return
    with initialize_config_dir(str(CONFIG_FOLDER), version_base="1.3"):
        yield


def flat(options: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Returns options by their full names, as they are typed on the command line."""
    texts: dict[str, str] = {}
    for name, value in options.items():
        if isinstance(value, dict):
            texts |= flat(value, f"{prefix}{name}.")
        else:
            texts[prefix + name] = str(value)
    return texts


_FROM = "# relative paths are from "  # how config.yaml begins, before the folder as JSON writes a text


def save(config: Any, path: Path, folder: Path | None = None) -> None:
    """Writes the options as YAML with every interpolation resolved. If that fails, the file stays as it was.

    A comment keeps ``folder``, from where relative paths lead: they stay as they were typed.
    """
    text = OmegaConf.to_yaml(OmegaConf.structured(config), resolve=True)
    if folder:
        text = f"{_FROM}{json.dumps(str(folder))}\n{text}"
    write_whole(path, text)


def paths_from(path: Path) -> Path | None:
    """Returns the folder from where the relative paths of a saved configuration lead.

    None where it keeps none, as those of earlier versions.
    """
    try:
        with open(path, encoding="utf-8") as file:
            first = file.readline()
        folder = json.loads(first.removeprefix(_FROM)) if first.startswith(_FROM) else None
    except (OSError, ValueError):  # whoever needs the configuration itself tells
        return None
    return Path(folder) if isinstance(folder, str) else None


def _runs_below(folder: Path) -> str:
    """Returns the mend for a folder that is no run: the first run within it, where there is one."""
    runs = sorted([*folder.glob("*/config.yaml"), *folder.glob("*/*/config.yaml")])
    if runs:
        return f"did you mean {runs[0].parent}?"
    return "name the folder of a trained run"


def load_train(path: Path) -> TrainConfig:
    """Reads the configuration of a run: data only. Names choose among known options, and none of them names code.

    Raises Absent or Unreadable, and UserError for a file that is damaged or has options that this version doesn't know.
    """
    try:
        loaded = DictConfig(read_yaml(path.read_text(encoding="utf-8")))
        schema = OmegaConf.structured(TrainConfig)
        for group, (key, kinds) in KINDS.items():
            name = loaded[group][key]
            if name not in kinds:
                raise UserError(f"{path}: {group}.{key}={name}: {nearest(str(name), kinds)}")
            schema[group] = OmegaConf.structured(kinds[name])
        merged = DictConfig(OmegaConf.merge(schema, loaded))
    except OSError as error:
        fault = not_read(error, path)
        if isinstance(fault, Absent):
            fault = Absent(f"{path.parent}: no run here (config.yaml is absent); {_runs_below(path.parent)}")
        raise fault from None
    except UserError:
        raise
    except Exception as error:  # YAML and OmegaConf raise many kinds
        message = str(error).splitlines()[0]
        raise UserError(f"{path}: not a configuration of this version ({message})") from None
    try:
        return typed(merged, TrainConfig)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
