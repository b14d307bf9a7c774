"""The options of all doors by their full names: of what type each is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import is_dataclass
from functools import cache
from typing import Any, cast, get_args, get_origin, get_type_hints

from nmt.corpus.kinds.corpus import CORPUS_OPTIONS
from nmt.models.build import MODEL_OPTIONS
from nmt.schemas import (
    AlignConfig,
    CompareConfig,
    DataConfig,
    EvaluateConfig,
    ExportConfig,
    ScoreConfig,
    TrainConfig,
    TranslateConfig,
)

DOORS: dict[str, type] = {
    "train": TrainConfig,
    "evaluate": EvaluateConfig,
    "translate": TranslateConfig,
    "export": ExportConfig,
    "align": AlignConfig,
    "score": ScoreConfig,
    "compare": CompareConfig,
    "data": DataConfig,
}
# Where a field may hold one of several kinds of options, told apart by this key.
KINDS: dict[str, tuple[str, dict[str, type]]] = {"corpus": ("kind", CORPUS_OPTIONS), "model": ("name", MODEL_OPTIONS)}


def type_of(path: Sequence[str]) -> type | None:
    """Returns the type of an option (str, int, float, bool), or of its members; None for what has options of its own.

    ``path`` is its full name, as ("corpus", "tests", "news"), whatever the door. Where options of several doors or
    kinds have one name, text comes first: it takes whatever is typed.
    """
    types = set()
    for schema in DOORS.values():
        types |= set(_leaves(schema, path))
    for leaf in (str, float, int, bool):
        if leaf in types:
            return leaf
    return None


def is_list_of_paths(name: str) -> bool:
    """Whether an option is a list of paths, whichever door has it: one path by itself then counts as a list of one."""
    is_list = False
    for schema in DOORS.values():
        annotation = _annotations(schema).get(name)
        if annotation is None:
            continue
        if get_origin(annotation) is not list or name not in getattr(schema, "PATHS", ()):
            return False
        is_list = True
    return is_list


def _leaves(annotation: Any, path: Sequence[str]) -> Iterator[type]:
    """Yields the types that the options of this name have below an annotation."""
    if get_origin(annotation) in (list, dict):
        *_, members = get_args(annotation)
        if get_origin(annotation) is dict:
            path = path[1:]
        yield from _leaves(members, path)
        return
    if not path:
        yield annotation
        return
    name, *rest = path
    if is_dataclass(annotation):
        hints = _annotations(cast(type, annotation))
        if hints.get(name) is Any and name in KINDS:
            _, kinds = KINDS[name]
            for options in kinds.values():
                yield from _leaves(options, rest)
        elif name in hints:
            yield from _leaves(hints[name], rest)


@cache
def _annotations(options: type) -> dict[str, Any]:
    return get_type_hints(options)
