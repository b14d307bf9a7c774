"""Tags in the text itself, such as <2de> at the beginning of a source sentence: taken apart from its words."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from nmt.corpus.pair import Pair
from nmt.corpus.text.lines import is_blank
from nmt.corpus.text.normalising import normalised_pairs

log = logging.getLogger("nmt")


def tags_apart(pairs: Iterable[Pair], symbols: Sequence[str]) -> Iterator[Pair]:
    """Yields the pairs, and of a source that begins with ``symbols`` of the tokenizer the tag apart from the sentence.

    A symbol that comes again later in the source, or in the target, is a placeholder in the sentence (<num>, <url>) and
    stays there. Links go on counting the words of the sentence.
    """
    if not symbols:
        yield from pairs
        return
    leading = _leading(symbols)
    for pair in pairs:
        tag, sentence = _parted(pair, leading)
        if tag:
            words = len(pair.source.split()) - len(sentence.split())
            links = tuple((source - words, target) for source, target in pair.links if source >= words)
            known = "" if tag.split() == pair.tag.split() else pair.tag  # said and written: it comes once
            pair = pair._replace(source=sentence, links=links, tag=known + tag)
        yield pair


class Reader(Protocol):
    """What text is read for: a tokenizer, or the options of one."""

    @property
    def symbols(self) -> list[str]: ...

    @property
    def normalise(self) -> str: ...


def as_read(pairs: Iterable[Pair], reader: Reader) -> Iterator[Pair]:
    """Yields the pairs of a corpus as they are cleaned, encoded and scored: in the tokenizer's form of Unicode, and
    with the tags that are its symbols apart.
    """
    return tags_apart(normalised_pairs(pairs, reader.normalise), reader.symbols)


def _leading(symbols: Sequence[str]) -> re.Pattern[str]:
    """Returns what matches a symbol at the beginning of a text, and the white space around it."""
    longest_first = sorted(symbols, key=len, reverse=True)
    any_symbol = "|".join(map(re.escape, longest_first))
    return re.compile(rf"\s*({any_symbol})\s*")


def _parted(pair: Pair, leading: re.Pattern[str]) -> tuple[str, str]:
    """Returns the tag of the source, with the white space after it, and the sentence; no tag where there is none."""
    begin = 0  # of the sentence
    while match := leading.match(pair.source, begin):
        symbol = match[1]
        is_placeholder = symbol in pair.source[match.end() :] or symbol in pair.target
        if is_placeholder:
            break
        begin = match.end()
    return pair.source[:begin], pair.source[begin:]


def tell_untagged(pairs: Iterable[Pair], place: str, option: str = "") -> None:
    """Warns where the first sentence has no tag, for a model whose training text all has one.

    ``option`` is what the user may say to give the sentences theirs, where there is such an option.
    """
    mend = f"say {option}, or write it there" if option else "write it there"
    for pair in pairs:
        if not is_blank(pair.source):
            if not pair.tag:
                log.warning("%s: no tag, and all of corpus.train has one; %s", place, mend)
            return
