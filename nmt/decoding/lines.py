"""A line on its way into the model, and out of it, whichever engine translates."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator

from nmt.corpus.subwords.tokenizer import Tokenizer
from nmt.tokens import END

log = logging.getLogger("nmt")


def cut_source(ids: list[int], limit: int, number: int, named: str) -> list[int]:
    """Cuts a source of more than ``limit`` tokens to so many, END among them, and names its line and ``named``."""
    if len(ids) <= limit:
        return ids
    log.warning("line %d: %d tokens, cut at %s", number, len(ids), named)
    return [*ids[: limit - 1], END]


def one_line(text: str) -> str:
    """One line in, one line out, whatever the pieces spell."""
    return text.replace("\n", " ").replace("\r", " ").strip()


def warn_of_unknown_tag(lines: Iterable[str], tokenizer: Tokenizer, place: str = "") -> None:
    """Warns as `tell_unknown_tag` does, of lines that are read for nothing else."""
    for _ in tell_unknown_tag(lines, tokenizer, place):
        pass


def tell_unknown_tag(lines: Iterable[str], tokenizer: Tokenizer, place: str = "") -> Iterator[str]:
    """Yields the lines of a ``place``; warns of the first one that begins with something like <2it> which the tokenizer
    splits.
    """
    waiting = iter(lines)
    whole: set[str] = set()  # tags that are one piece
    for number, line in enumerate(waiting, 1):
        yield line
        tag = re.match(r"\s*(<[^<>\s]+>)(?=\s)", line)
        if not tag or tag[1] in whole:
            continue
        if tokenizer.keeps_whole(tag[1]):
            whole.add(tag[1])
        else:
            known = ", ".join(tokenizer.symbols) or "no symbol"
            message = "%sline %d: '%s' is no symbol of the tokenizer, which splits it (known: %s)"
            log.warning(message, place, number, tag[1], known)
            break
    yield from waiting
