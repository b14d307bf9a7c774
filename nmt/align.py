"""Finds the word links of given translations in a run's attention; measures their error where gold links are known.

  python -m nmt.align run=runs/demo/attention/seed-1 source=test.en target=test.de > links.txt

What people add most:
  gold=test.links                  i-j (sure) and ipj (possible), from 0: the alignment error rate goes to stderr
  reverse=RUN                      a run of the opposite direction, whose links are joined with these
  join=grow-diag                   how: grow-diag, intersection or union
  checkpoint=average               best, last, average, a step number or a file

Line i of the output holds the links of sentence pair i: source word - target word, from 0. Words are what white space
parts. Each target word is linked with the source word that it looks at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nmt.door import open_door

if TYPE_CHECKING:  # imported late, so that --help is instant
    from nmt.corpus.text.links import Link
    from nmt.schemas import AlignConfig

PAIRS_AT_ONCE = 1024


def main() -> None:
    with open_door("align", __doc__, _align) as run:
        run()


def _align(config: AlignConfig) -> None:
    import sys
    from pathlib import Path

    from nmt.corpus.kinds.files import check_fetched, read_parallel
    from nmt.corpus.text.links import read_gold
    from nmt.evaluation.alignment import aligned, error_counts, error_rate
    from nmt.jobs.open import open_translator
    from nmt.progress import Progress, phase
    from nmt.streams import check_output

    check_output()
    if config.gold:
        check_fetched(Path(config.gold))
    with phase("loading the model"):
        forward = open_translator(config.run, config.checkpoint, config.device)
        backward = open_translator(config.reverse, config.checkpoint, config.device) if config.reverse else None
    with phase("reading the text"):
        pairs = list(read_parallel(Path(config.source), Path(config.target)))
    gold = read_gold(Path(config.gold), pairs) if config.gold else []

    links: list[list[Link]] = []  # one list a sentence pair
    with Progress("aligning", "pairs", len(pairs)) as progress:
        for start in range(0, len(pairs), PAIRS_AT_ONCE):
            block = pairs[start : start + PAIRS_AT_ONCE]
            for row in aligned(block, forward, backward, config.join, start + 1):
                print(*(f"{source}-{target}" for source, target in row))
                links.append(row)
            progress.update(len(links))

    if gold:
        counts = [error_counts(row, known.sure, known.possible) for row, known in zip(links, gold, strict=True)]
        print(f"alignment error rate: {error_rate(counts):.1f} % over {len(pairs):,} pairs", file=sys.stderr)


if __name__ == "__main__":
    main()
