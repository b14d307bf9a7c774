"""Scores given translations by a model, or tells how often it prefers the right ones to wrong ones.

  python -m nmt.score run=runs/demo/attention/seed-1 source=test.en target=test.de > scores.txt
  python -m nmt.score run=runs/demo/attention/seed-1 source=test.en target=right.de wrong=wrong.de

Without wrong=, line i of the output is the natural logarithm of the probability of target i given source i; -inf for an
empty source.
With it, a table says how often the right side is the likelier one, by source length and by the place of the mistake, in
words, or in characters where the script has no spaces.

What people change most:
  decoding.length_penalty=average  scores per token
  evaluation.bucket_bounds=[10,20,30]
  checkpoint=average               best, last, average, a step number or a file
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nmt.door import open_door

if TYPE_CHECKING:  # imported late, so that --help is instant
    from nmt.schemas import ScoreConfig


BLOCK = 4096  # pairs that are sorted by length together, and printed before the next


def main() -> None:
    with open_door("score", __doc__, _score) as run:
        run()


def _score(config: ScoreConfig) -> None:
    import math
    import sys
    from pathlib import Path

    from nmt.corpus.kinds.files import read_parallel
    from nmt.corpus.pair import texts_to_encode
    from nmt.corpus.text.lines import is_blank
    from nmt.corpus.text.tags import as_read
    from nmt.corpus.text.writing import Writing
    from nmt.evaluation.probes.contrast import PREFERRED, PREFERRED_BY_PLACE, contrast
    from nmt.jobs.open import open_translator
    from nmt.progress import Progress, phase
    from nmt.report.tables import score_table
    from nmt.streams import check_output

    check_output()
    with phase("loading the model"):
        translator = open_translator(config.run, config.checkpoint, config.device, config.decoding)
    with phase("reading the text"):
        pairs = list(read_parallel(Path(config.source), Path(config.target)))
    sources, targets = texts_to_encode(pairs)
    if config.wrong:
        wrong = [pair.target for pair in read_parallel(Path(config.source), Path(config.wrong))]
        sentences = [pair.source for pair in as_read(pairs, translator.tokenizer)]
        with phase("scoring right and wrong translations"):
            rows = contrast(translator, sources, targets, wrong, config.run, config.evaluation, sentences)
        by_length = f"source {Writing.of(sentences).unit}"
        by_place = f"place of the mistake, in {Writing.of(targets).unit}"
        for measure, first_column in ((PREFERRED, by_length), (PREFERRED_BY_PLACE, by_place)):
            of_measure = [row for row in rows if row.metric == measure.name]
            table = score_table(of_measure, [measure], first_column)
            print(f"{table}\n")
        return
    with Progress("scoring", "pairs", len(pairs)) as progress:
        for start in range(0, len(pairs), BLOCK):
            lines = sources[start : start + BLOCK]
            forced = translator.force(lines, targets[start : start + BLOCK], first_line=start + 1)
            for line, translation in zip(lines, forced, strict=True):
                score = translation.score if not is_blank(line) else -math.inf
                print(f"{score:.6f}")
            sys.stdout.flush()
            progress.update(start + len(lines))


if __name__ == "__main__":
    main()
