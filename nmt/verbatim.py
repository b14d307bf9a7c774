"""Has Hydra take the text of an option as it is typed, on the command line and in YAML.

Hydra and YAML know no schema while they read: to them 2024_01 is the number 202401, 1e3 is 1000.0 and `no` is false,
and ~ is no character of a value at all. A run named 1_1 would be run 11. Here the type of the option decides.
"""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.core_plugins import file_config_source
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.override_parser import overrides_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.overrides_visitor import HydraOverrideVisitor
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import OmegaConf
from omegaconf._utils import get_yaml_loader

from nmt.option_types import is_list_of_paths, type_of

NULL = ("null", "~", "")
TAG = "tag:yaml.org,2002:"
# What Hydra takes as it is: a word that is no number and no truth value.
_WORD = re.compile(r"(?!(?:true|false|inf|nan|null)$)[A-Za-z_](?:[\w/.+*@:-]|\$\{[^{}]*\})*", re.ASCII | re.IGNORECASE)
# A value, or values of a sweep, in which nothing but commas and ${...} has a meaning for Hydra; {language} has none.
_PLAIN = re.compile(r"""(?:[^'"\\()\[\]{}$]|\$\{[^{}]*\}|\$(?!\{)|\{\w+\})+""")
_COMMA = re.compile(r",(?![^{}]*\})")  # not within ${...}
# A part in quotes; or a member of a list or dictionary that begins with ~, which may have {language} within it.
_HOME = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|(?<=[\[{,:(\s])(~(?:[^'",\[\](){}]|\{\w*\})*)""")
_IN_QUOTES = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")

_parse_rule = OverridesParser.parse_rule  # Hydra's own


def install() -> None:
    """Puts the readers of this module in the place of Hydra's own."""
    Plugins.instance()  # registers Hydra's, which must not come later
    SourcesRegistry.instance().types["file"] = FileConfigSource
    overrides_parser.HydraOverrideVisitor = Visitor  # type: ignore[misc]
    OverridesParser.parse_rule = parse_rule  # type: ignore[method-assign, assignment]


def parse_rule(parser: OverridesParser, s: str, rule_name: str) -> Any:
    """Reads an override, also of text that Hydra's grammar refuses, such as run.dir=~/runs."""
    if rule_name != "override":
        return _parse_rule(parser, s, rule_name)
    parsed = _parse_rule(parser, _quoted(s), rule_name)
    parsed.input_line = s  # as it was typed, for messages
    return parsed


def _quoted(override: str) -> str:
    """Quotes the value of an option of text where Hydra could not read it, or would read another."""
    key, equals, value = override.partition("=")
    if not equals or _type_of_key(key) is not str:
        return override
    if not value and is_list_of_paths(key):
        value = "[]"
    elif _PLAIN.fullmatch(value):
        parts = [_in_quotes(part.strip()) for part in _COMMA.split(value)]
        if is_list_of_paths(key):
            parts = [f"[{part}]" for part in parts]
        value = ",".join(parts)
    elif _IN_QUOTES.fullmatch(value) and is_list_of_paths(key):
        value = f"[{value}]"
    else:
        value = _HOME.sub(lambda match: _in_quotes(match[1].strip()) if match[1] else match[0], value)
    return f"{key}={value}"


def _in_quotes(text: str) -> str:
    if text.lower() in ("null", "") or _WORD.fullmatch(text):
        return text
    return QuotedString(text, Quote.single).with_quotes()


def _type_of_key(key: str) -> type | None:
    """The type of what is typed for a key. A name without a dot that is no option is a group: its choices are text."""
    name = key.lstrip("+")
    if not name or re.match(r"~|hydra\b", name):
        return None
    is_group = "." not in name
    known = type_of(name.split("."))
    return str if known is None and is_group else known


class Visitor(HydraOverrideVisitor):
    """Makes the value of an override from its parts, by the type of the option."""

    path: tuple[str, ...] = ()  # the full name of the option that is read

    def visitOverride(self, ctx: Any) -> Override:
        self.path = tuple(ctx.key().getText().split("."))
        return super().visitOverride(ctx)

    def visitDictKeyValuePair(self, ctx: Any) -> tuple[str, Any]:
        key, _, value = ctx.getChildren()
        name = self.visitDictKey(key)
        if not isinstance(name, str):  # a test set may be named 2014
            name = key.getText().strip()
        outer = self.path
        self.path = (*outer, name)
        pair = (name, self.visitElement(value))
        self.path = outer
        return pair

    def visitPrimitive(self, ctx: Any) -> Any:
        try:
            value = super().visitPrimitive(ctx)
        except ValueError:  # Python reads no number of thousands of digits
            return QuotedString(ctx.getText().strip(), Quote.single)
        if value is None or isinstance(value, str | QuotedString):
            return value
        kind = type_of(self.path)
        text = ctx.getText().strip()
        if kind is str:
            return QuotedString(text, Quote.single)
        if kind is int and isinstance(value, float):
            return _whole(text)
        return value


def _whole(text: str) -> int | float:
    """Returns 1000 for 1e3; a number that is not whole as it is, to be refused."""
    number = float(text)
    return int(Decimal(text)) if number.is_integer() else number


class FileConfigSource(file_config_source.FileConfigSource):
    """Reads a YAML file of options. It bears the name of Hydra's own, by which Hydra knows that it has one."""

    def load_config(self, config_path: str) -> ConfigResult:
        path = Path(self.path) / self._normalize_file_name(config_path)
        if not path.exists():
            return super().load_config(config_path)  # raises
        text = path.read_text(encoding="utf-8")
        header = ConfigSource._get_header_dict(text[:512])
        group, _, _ = config_path.rpartition("/")
        config = OmegaConf.create(read_yaml(text, _place(header.get("package"), group)))
        return ConfigResult(provider=self.provider, path=f"{self.scheme()}://{self.path}", config=config, header=header)


def _place(package: str | None, group: str) -> tuple[str, ...]:
    """The full name of the options that a file is read into: those of its group, unless it names a package."""
    name = group.replace("/", ".")
    if package is not None:
        name = package.replace("_global_", "").replace("_group_", name)
    return tuple(part for part in name.split(".") if part)


def read_yaml(text: str, place: tuple[str, ...] = ()) -> Any:
    """Returns what a YAML file of options holds, their texts as they stand there; ``place`` names the options that the
    file is read into.
    """
    loader = get_yaml_loader()(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return {}
        _set_types(node, place)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _set_types(node: yaml.Node, path: tuple[str, ...]) -> None:
    """Marks plain scalars as text that the schema is to turn into what the option holds; names are text, too."""
    if isinstance(node, yaml.SequenceNode):
        for member in node.value:
            _set_types(member, path)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            is_merge = key.tag == f"{TAG}merge"
            if isinstance(key, yaml.ScalarNode) and not is_merge:
                key.tag = f"{TAG}str"
            place = path if is_merge else (*path, str(key.value))
            _set_types(value, place)
    elif isinstance(node, yaml.ScalarNode) and node.style is None and node.value.lower() not in NULL:
        _set_type(node, path)


def _set_type(node: yaml.ScalarNode, path: tuple[str, ...]) -> None:
    kind = str if "defaults" in path else type_of(path)
    if kind is None:
        return
    if kind is int and node.tag == f"{TAG}float":
        node.value = _whole_text(node.value)
    node.tag = f"{TAG}str"


def _whole_text(text: str) -> str:
    try:
        return str(_whole(text))
    except ValueError:
        return text
