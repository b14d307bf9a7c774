"""What a model of SentencePiece reads in the place of text that SentencePiece keeps for itself.

It writes a space as U+2581, and skips a training line that holds U+2585. It parts the training text at its own symbols,
such as ``</s>``, at NUL and at U+001F (or, in earlier versions, at a tab), and cuts line ends off. Characters of the
last private use area stand in for all that, and decoding puts the text back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

MARK = "\u2581"  # how SentencePiece writes a space
FORMER = "\ue581"  # what stood for the mark, alone, in the models of earlier versions
ESCAPE = "\U0010e5a0"  # before a character of the text that is itself one of those that stand in
STAND_INS = {
    MARK: "\U0010e5a1",
    "\u2585": "\U0010e5a2",
    "\0": "\U0010e5a3",
    "\t": "\U0010e5a4",
    "\n": "\U0010e5a5",
    "\r": "\U0010e5a6",
    "\x1f": "\U0010e5a7",
    "<": "\U0010e5a8",  # that begins one of the symbols
    FORMER: "\U0010e5a9",  # so that a model that knows it is one of an earlier version
}
TEXT_OF = {stand_in: text for text, stand_in in STAND_INS.items()}
OWN = "".join([ESCAPE, *TEXT_OF])
SYMBOL = "<(?=(?:unk|s|/s|pad|0x[0-9A-F]{2})>)"
WRITTEN = re.compile(f"{ESCAPE}(.)|[{OWN}]", re.DOTALL)
RESERVED = f"[{''.join(STAND_INS).replace('<', '')}{OWN}]|{SYMBOL}"


class StandIns:
    """Stand-ins of a model whose training text held nothing that is reserved: none, it reads text as it is."""

    def put(self, text: str) -> str:
        """Returns what the model reads in the place of a text."""
        return text

    def undo(self, text: str) -> str:
        """Returns the text that the model's output stands for."""
        return text


class FormerStandIns(StandIns):
    """Stand-ins of a model that an earlier version trained on text with the mark: one for that alone."""

    def put(self, text: str) -> str:
        return text.replace(MARK, FORMER)

    def undo(self, text: str) -> str:
        return text.replace(FORMER, MARK)


class AllStandIns(StandIns):
    """Stand-ins of a model that is to be trained, or whose training text held something reserved.

    ``symbols`` are the user's, which stay as they are.
    """

    def __init__(self, symbols: Iterable[str] = ()):
        longest_first = sorted(symbols, key=len, reverse=True)
        self.symbols = frozenset(longest_first)
        self._pattern = re.compile("|".join([*map(re.escape, longest_first), RESERVED]))

    def put(self, text: str) -> str:
        return self._pattern.sub(self._stand_in, text)

    def undo(self, text: str) -> str:
        return text_of(text)

    def _stand_in(self, match: re.Match[str]) -> str:
        text = match[0]
        if text in self.symbols:
            return text
        return STAND_INS.get(text, ESCAPE + text)


def text_of(written: str) -> str:
    """Returns the text that a text with stand-ins stands for."""
    return WRITTEN.sub(_text_of_one, written)


def readable(piece: str) -> str:
    """Returns a piece with the text that its stand-ins stand for; U+2581 of the text itself stays apart from the one
    that begins a word, as `FORMER`.
    """
    return text_of(piece.replace(STAND_INS[MARK], FORMER))


def _text_of_one(match: re.Match[str]) -> str:
    if match[1]:
        return match[1]
    return TEXT_OF.get(match[0], match[0])


def stand_ins_of(pieces: Iterable[str], symbols: Callable[[], Iterable[str]]) -> StandIns:
    """Returns the stand-ins of a model with these pieces; ``symbols`` gives the user's, where they matter."""
    known = set().union(*pieces)
    if known & set(OWN):
        return AllStandIns(symbols())
    if FORMER in known:
        return FormerStandIns()
    return StandIns()
