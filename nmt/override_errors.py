"""What Hydra and OmegaConf say of an override that they cannot take, as one line with the mend."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import fields, is_dataclass

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from nmt.config import CONFIG_FOLDER
from nmt.errors import nearest

# What OmegaConf says of an override that it cannot take, and what to do.
MENDS = {
    "could not be converted to Integer": "must be a whole number",
    "could not be converted to Float": "must be a number",
    "is not a valid bool": "must be true or false",
    "is not Optional": "can't be null; leave it out for what it is by default",
    "is not a subclass of": "holds options of its own; set those, as in trainer.max_steps=100",
    "does not support deletion": "can't be taken away; leave it out for what it is by default",
}
# Configurations that were shipped once, by group and name, and what to type instead.
REPLACED: dict[str, dict[str, str]] = {
    "model": {
        "lstm_concat": "model=lstm_attention model.attention.score=concat model.attention.query=current",
        "lstm_cosine": (
            "model=lstm_attention model.attention.score=cosine model.attention.query=current "
            "model.encoder_size=128 model.decoder_size=256"
        ),
        "lstm_coverage": "model=lstm_attention model.attention.coverage=true",
        "lstm_diagonal": "model=lstm_attention model.attention.score=diagonal model.attention.query=current",
        "lstm_each_layer": (
            "model=lstm_attention model.attention.score=general model.attention.query=current "
            "model.attention.place=each model.encoder_layers=2 model.decoder_layers=2 model.residual=true"
        ),
        "lstm_gnmt": (
            "model=lstm_attention model.attention.normed=true model.attention.query=current "
            "model.attention.place=first model.encoder_layers=2 model.decoder_layers=4 model.residual=true"
        ),
        "lstm_hard": (
            "model=lstm_attention model.attention.score=general model.attention.query=current "
            "model.attention.read=hard_sample"
        ),
        "lstm_hard_marginal": (
            "model=lstm_attention model.attention.score=general model.attention.query=current "
            "model.attention.read=hard_marginal"
        ),
        "lstm_local_m": (
            "model=lstm_attention model.attention.score=general model.attention.query=current "
            "model.attention.scope=local_m"
        ),
        "lstm_local_p": (
            "model=lstm_attention model.attention.score=general model.attention.query=current "
            "model.attention.scope=local_p"
        ),
        "lstm_multihead": (
            "model=lstm_attention model.attention.score=scaled_dot model.attention.query=current "
            "model.attention.heads=4"
        ),
        "lstm_sparse": (
            "model=lstm_attention model.attention.score=general model.attention.query=current "
            "model.attention.read=sparse"
        ),
        "lstm_uniform": "model=lstm_attention model.attention.score=uniform model.attention.query=current",
        "luong_dot": (
            "model=lstm_attention model.attention.score=dot model.attention.query=current "
            "model.attention.input_feeding=true model.encoder_size=128 model.decoder_size=256"
        ),
        "luong_general": (
            "model=lstm_attention model.attention.score=general model.attention.query=current "
            "model.attention.input_feeding=true"
        ),
        "min_gru_attention": "model=min_lstm_attention model.cell=min_gru",
        "rnn_fixed": "model=lstm_fixed model.cell=tanh",
        "transformer_additive": "model=transformer model.score=additive",
        "transformer_modern": "model=transformer model.positions=rotary model.norm=rms model.activation=swiglu",
    },
}
NOT_PLAIN = re.compile(r"[^\w\s/\\+.$%*@?|:-]|[^\x00-\x7f]", re.ASCII)  # what Hydra reads in quotes alone
NOISE = ("full_key:", "object_type=", "reference_type=")  # how lines begin that help no user


def in_one_line(error: BaseException) -> str:
    """Returns the message of an error that Hydra or OmegaConf raises for what was typed; empty for any other."""
    if isinstance(error, HydraException | OmegaConfBaseException):
        return one_line(error)
    if isinstance(error, ValueError) and "Config group override" in str(error):
        return unnamed_choice()
    return ""


def one_line(error: Exception) -> str:
    """Returns the message of an error of Hydra or OmegaConf with the nearest right name."""
    if isinstance(error, OverrideParseException):
        return _unreadable(str(error.override))
    return _several_values(error) or _missing_choice(error) or _unknown_option(error) or _wrong_value(error)


def unnamed_choice() -> str:
    """Returns the message for an override such as ``model=3``: Hydra does not say which one it is."""
    for argument in sys.argv[1:]:
        if "=" not in argument or argument.startswith("-"):
            continue
        override = OverridesParser.create().parse_override(argument)
        known = _choices(override.key_or_group) if override.key_or_group else []
        if known and not isinstance(override.value(), str | list):
            listed = ", ".join(sorted(known))
            return f"{argument}: no such configuration; known: {listed}"
    return "an override names no configuration where it must, as model=transformer does"


def _several_values(error: Exception) -> str:
    """Returns the message for values with commas, where one is wanted; empty where the error is another."""
    match = re.match(r"Ambiguous value for argument '(.*)'$", str(error), re.MULTILINE)
    if not match:
        return ""
    key, _, values = match[1].partition("=")
    return (
        f'{match[1]}: one value is wanted; say "{key}=[{values}]" for a list, "{key}=\'{values}\'" for a text with a '
        "comma, or -m to do each"
    )


def _missing_choice(error: Exception) -> str:
    """Returns the message for a configuration that no file has; empty where the error is another."""
    place = getattr(error, "missing_cfg_file", None)
    options = getattr(error, "options", None)
    if place and options:
        group, _, name = str(place).partition("/")
        return _no_such(group, name, options)
    match = re.search(r"Could not find '(\w+)/([^']*)'", str(error))
    if match:
        group, name = match.groups()
        return _no_such(group, name, _choices(group))
    return ""


def _no_such(group: str, name: str, known: Iterable[str]) -> str:
    replacement = REPLACED.get(group, {}).get(name)
    if replacement:
        return f"{group}={name}: is now {replacement}"
    return f"{group}={name}: no such configuration; {nearest(name, filter(_is_for_users, known))}"


def _is_for_users(name: str) -> bool:
    """Whether a configuration is one to choose, not a part of others."""
    last = name.rpartition("/")[2]
    return not last.endswith(("shared", "_schema"))


def _unknown_option(error: Exception) -> str:
    """Returns the message for a key that an options class lacks; empty where the error is another."""
    cause: BaseException | None = error
    while cause is not None:
        key = getattr(cause, "key", None)
        options_class = getattr(cause, "object_type", None)
        known = [field.name for field in fields(options_class)] if is_dataclass(options_class) else []
        if known and key is not None and str(key) not in known:
            full_key = getattr(cause, "full_key", None) or key
            return f"{full_key}: no such option; {nearest(str(key), known)}"
        cause = cause.__cause__
    return ""


def _wrong_value(error: Exception) -> str:
    """Returns the library's own words without their noise, or the mend where the words are known."""
    cause = error.__cause__
    detail = str(cause).splitlines()[0] if cause and str(cause) else ""
    override = re.match(r"Error merging override (.*)", str(error))
    words = f"{error} {detail}"
    mends = [mend for sign, mend in MENDS.items() if sign in words]
    if override and mends:
        return f"{override[1].strip()}: {mends[0]}"
    lines = [line.strip() for line in str(error).splitlines()]
    message = " ".join(line for line in lines if line and not line.startswith(NOISE))
    return message if detail in message else f"{message} {detail}".strip()


def _unreadable(override: str) -> str:
    key, equals, value = override.partition("=")
    if not equals:
        return f"{override}: cannot be read; options are key=value"
    special = " ".join(dict.fromkeys(NOT_PLAIN.findall(value))) or "spaces"
    if re.search(r"""['"\[{]""", value):  # a list or a dictionary, or quotes that do not match
        return f"{override}: cannot be read; put a text that holds {special} in quotes, as in key=['a=b']"
    return f"""{override}: cannot be read; {special} must stand in quotes within quotes: "{key}='{value}'\""""


def _choices(group: str) -> list[str]:
    """Names the shipped configurations of a group."""
    folder = CONFIG_FOLDER / group
    names = [str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.yaml")]
    return [name for name in names if _is_for_users(name)]
