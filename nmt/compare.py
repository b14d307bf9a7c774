"""Trains or reuses every system of a comparison, scores them by source length, and writes one report.

  python -m nmt.compare +comparison=demo
  python -m nmt.compare +comparison=multi30k seeds=[1,2,3]

What people change most:
  budget=20                        how much of what is matched (match=minutes, tokens, steps, epochs) each system gets
  seeds=[1,2,3]                    train and score every system under each of these seeds
  decoding.beam_size=1             how all are searched
  evaluation.metrics=[bleu,chrf,ter]
  overrides=[batching.tokens=2048] options for every system

A system that is trained already is not trained again, and one that was cut goes on: the same command resumes.
"""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from nmt.door import open_door

if TYPE_CHECKING:  # imported late, so that --help is instant
    from nmt.config import CompareConfig


def main() -> None:
    open_door("compare", __doc__, _compare)


def _compare(config: CompareConfig) -> None:
    from nmt.jobs.compare import compare_systems
    from nmt.report.documents import markdown_summary
    from nmt.report.write import write_report

    made = compare_systems(config, " ".join(["python -m nmt.compare", *map(_quoted, sys.argv[1:])]))
    if made is None:
        return
    comparison, folder = made
    paths = write_report(comparison, folder / "report")
    print(markdown_summary(comparison))
    figure = paths[f"{comparison.metrics[0]}_by_length.png"]
    page = paths.get("index.html", paths["report.md"])  # the page needs plotly
    print(f"report: {page}  (table: {paths['scores.csv']}, figure: {figure})")


def _quoted(argument: str) -> str:
    """For a shell; in double quotes where that reads better, as lists of overrides hold single ones."""
    plain = "'" in argument and not set(argument) & set('"$`\\!')
    return f'"{argument}"' if plain else shlex.quote(argument)


if __name__ == "__main__":
    main()
