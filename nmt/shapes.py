"""Values as their options hold them: one where a list is held makes a list of one, and a dictionary replaces another.

What an option holds is known only where Hydra puts configurations together, and what OmegaConf says of a misfit there
does not name the option.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import is_dataclass
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import IConfigRepository
from hydra.core.default_element import ResultDefault
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException
from omegaconf import (
    MISSING,
    AnyNode,
    Container,
    DictConfig,
    ListConfig,
    OmegaConf,
    StringNode,
    flag_override,
    open_dict,
)
from omegaconf.errors import OmegaConfBaseException

from nmt.errors import UserError

OPTIONS = "holds options of its own; set those, as in trainer.max_steps=100"

_apply_overrides = ConfigLoaderImpl._apply_overrides_to_config  # Hydra's own


def shape_values() -> None:
    """Puts the functions of this module in the place of Hydra's own."""
    ConfigLoaderImpl._apply_overrides_to_config = staticmethod(apply_overrides)  # type: ignore[method-assign, assignment]
    ConfigLoaderImpl._compose_config_from_defaults_list = compose_from_defaults  # type: ignore[method-assign, assignment]


def apply_overrides(overrides: Sequence[Override], config: DictConfig) -> None:
    """Sets options of a configuration, in place, each as what the option holds.

    A dictionary whose names are the user's own, such as systems={...} or corpus.tests={...}, takes the place of that in
    the file; a second one, and +systems={...}, add to it. By itself Hydra would merge the first, too: a comparison of
    more systems than those that were typed.
    """
    replaced: set[str] = set()
    for override in overrides:
        key = override.key_or_group
        is_whole = isinstance(override.value(), dict) and not (override.is_add() or override.is_hydra_override())
        if is_whole and key not in replaced:
            _empty(config, key)
            replaced.add(key)
        if not override.is_delete() and override.package is None:
            _make_room(config, key)
            override._value = shaped(_node_of(config, key.split(".")), override._value, key)
        _apply_overrides([override], config)


def _make_room(config: DictConfig, key: str) -> None:
    """Adds the member, such as a new system of systems.NAME.experiment=..., that an option is set in."""
    node: Any = config
    for name in key.split("."):
        if not isinstance(node, DictConfig) or node._is_missing() or node._is_none():
            return
        members = node._metadata.element_type
        if name not in node and is_dataclass(members):
            node[name] = OmegaConf.structured(members)
        node = node._get_node(name)


def _empty(config: DictConfig, key: str) -> None:
    """Takes away what a dictionary of the user's own names holds; one with options of its own stays as it is."""
    node = OmegaConf.select(config, key, throw_on_missing=False)
    if isinstance(node, DictConfig) and not is_dataclass(OmegaConf.get_type(node)):
        with open_dict(node):
            node.clear()


def compose_from_defaults(
    loader: ConfigLoaderImpl, defaults: Sequence[ResultDefault], repo: IConfigRepository
) -> DictConfig:
    """Merges the files of a configuration in their order, as Hydra does, each with its values as the options hold them.

    Raises UserError that names file and option where a value does not fit.
    """
    config = OmegaConf.create()
    with flag_override(config, "no_deepcopy_set_nodes", True):
        for default in defaults:
            loaded = loader._load_single_config(default=default, repo=repo)
            _shape_members(config, loaded.config, f"{default.config_path}.yaml: ")
            try:
                config.merge_with(loaded.config)
            except OmegaConfBaseException as error:
                kind = type(error).__name__
                raise ConfigCompositionException(
                    f"In '{default.config_path}': {kind} raised while composing config:\n{error}"
                ) from error
    _strip_defaults(config)
    return config


def _strip_defaults(node: Any) -> None:
    """Removes the lists of defaults, whose files are merged."""
    if not isinstance(node, DictConfig) or node._is_missing() or node._is_none():
        return
    with flag_override(node, ["readonly", "struct"], False):
        if node._get_flag("HYDRA_REMOVE_TOP_LEVEL_DEFAULTS"):
            node._set_flag("HYDRA_REMOVE_TOP_LEVEL_DEFAULTS", None)
            node.pop("defaults", None)
    for _, member in node.items_ex(resolve=False):
        _strip_defaults(member)


def _shape_members(into: DictConfig, values: Any, place: str) -> None:
    """Makes of the values of a file what the options of the same names hold, in place."""
    if not isinstance(values, DictConfig) or values._is_missing() or values._is_none() or values._is_interpolation():
        return
    for name, value in list(values.items_ex(resolve=False)):
        key = str(name)
        node = _member_of(into, key)
        if node is None:
            continue
        if isinstance(node, DictConfig) and isinstance(value, DictConfig):
            _shape_members(node, value, f"{place}{key}.")
            continue
        fitting = shaped(node, value, f"{place}{key}")
        if isinstance(node, DictConfig) and fitting is value and not _is_open(value):
            raise UserError(f"{place}{key}: {OPTIONS}")
        if fitting is not value:
            with open_dict(values):
                values[name] = fitting


def _node_of(config: DictConfig, path: Sequence[str]) -> Any:
    """Returns the node of an option; None where there is none yet."""
    node: Any = config
    for part in path:
        if not isinstance(node, DictConfig) or node._is_missing() or node._is_none():
            return None
        node = node._get_node(part)
    return node


def _member_of(config: DictConfig, key: str) -> Any:
    """Returns the node of a member; in a dictionary of texts, one for a name that is not there yet."""
    node = _node_of(config, [key])
    is_text = node is None and config._metadata.element_type is str
    return StringNode() if is_text else node


def shaped(node: Any, value: Any, name: str) -> Any:
    """Returns a value as what the option ``name`` holds. Raises UserError where it can't be meant so."""
    if _is_open(value) or node is None or isinstance(node, AnyNode):
        return value
    is_list = isinstance(value, list | ListConfig)
    is_dictionary = isinstance(value, dict | DictConfig)
    if isinstance(node, ListConfig):
        if is_dictionary:
            raise UserError(f"{name}: holds a list, not names with values; say {_typed(name)}=['...','...']")
        return value if is_list else [value]
    if isinstance(node, DictConfig):
        return _of_dictionary(node, value, name)
    if is_list and len(value) == 1 and not isinstance(value[0], list | dict | Container):
        return value[0]
    if is_list or is_dictionary:
        what = "a list" if is_list else "names with values"
        kind = "text" if isinstance(node, StringNode) else "value"
        raise UserError(f"{name}: holds one {kind}, not {what}; say {_typed(name)}=...")
    return value


def _of_dictionary(node: DictConfig, value: Any, name: str) -> Any:
    """Returns a value as what a dictionary, or an option with options of its own, holds."""
    own = OmegaConf.get_type(node)
    if isinstance(value, dict):
        return {key: shaped(_member_of(node, str(key)), member, f"{name}.{key}") for key, member in value.items()}
    if isinstance(value, DictConfig) or (own is not dict and not isinstance(value, list | ListConfig)):
        return value
    if own is dict:
        raise UserError(f"{name}: holds names with values; say {_typed(name)}={{NAME: '...'}}")
    raise UserError(f"{name}: {OPTIONS}")


def _is_open(value: Any) -> bool:
    """Whether a value is told elsewhere: by another option, or not yet."""
    if isinstance(value, Container):
        return value._is_missing() or value._is_interpolation()
    if isinstance(value, str):
        return value == MISSING or bool(re.fullmatch(r"\$\{.*\}", value))
    return value is None


def _typed(name: str) -> str:
    """Returns the name of an option as it is typed, without the file that it stands in."""
    return name.rpartition(": ")[2]
