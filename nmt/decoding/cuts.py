"""Outputs that the length limit ended, not the model: they are counted, and told at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nmt.decoding.hypothesis import Translation
from nmt.decoding.options import DecodingOptions


@dataclass
class Cuts:
    """How many of a text's outputs were cut at the length limit."""

    outputs: int = 0
    cut: int = 0
    first: int = 0  # the line of the first that was cut, from 1; 0 where none was

    def count(self, translations: Sequence[Translation], first_line: int) -> None:
        """Adds outputs, which come in the order of their lines; ``first_line`` is the number of the first."""
        self.outputs += len(translations)
        for number, translation in enumerate(translations, first_line):
            if translation.is_cut:
                self.cut += 1
                self.first = self.first or number

    def add(self, later: Cuts) -> None:
        """Adds what was counted of lines that come later in the text."""
        self.outputs += later.outputs
        self.cut += later.cut
        self.first = self.first or later.first

    def in_words(self, options: DecodingOptions) -> str:
        """Returns the line for the user: how many, at which limit, where, and the mend."""
        limit = f"max_length_factor={options.max_length_factor:g}, max_length_offset={options.max_length_offset}"
        return (
            f"{self.cut:,} of {self.outputs:,} outputs were cut at decoding.{limit}: the first is that of line "
            f"{self.first:,}; raise these where outputs are right as far as they go"
        )
