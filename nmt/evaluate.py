"""Translates test sets with a run and scores them by source length.

  python -m nmt.evaluate run=runs/demo/attention/seed-1
  python -m nmt.evaluate run=runs/demo/attention/seed-1 source=news.en references=[news.de]

What people change most:
  test_sets=[test2016]             some of the corpus's test sets (all)
  name=news                        of the test set that source= and references= give (that of the source file)
  checkpoint=average               best, last, average, a step number or a file
  decoding.beam_size=1             1 is greedy
  decoding.batch_size=64           sentences at a time; the output stays the same
  evaluation.metrics=[bleu,chrf,ter]
  evaluation.tokenize=ja-mecab     one of sacreBLEU's for BLEU (auto: by the script of the references)

Translations and scores are written to RUN/evaluations/<test set>/, those of another checkpoint or search below it in a
folder that says what differs, such as checkpoint=last,beam_size=1/. A test set that is given as files, line i of both
one pair, has a name of its own there; it needs no text of the corpus. Relative paths of the corpus lead from where the
run was trained, else from here; a test set that is in neither is read from what an earlier evaluation has kept of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nmt.door import open_door

if TYPE_CHECKING:  # imported late, so that --help is instant
    from nmt.schemas import EvaluateConfig


def main() -> None:
    with open_door("evaluate", __doc__, _evaluate) as run:
        run()


def _evaluate(config: EvaluateConfig) -> None:
    from nmt.evaluation.comparison import bucket_infos
    from nmt.evaluation.measures.measure import measure_infos
    from nmt.evaluation.measures.tokenizers import check_usable
    from nmt.evaluation.table import compare_on
    from nmt.evaluation.translations import Evaluations
    from nmt.evaluation.translations_folder import write_scores
    from nmt.jobs.evaluate import evaluate_run
    from nmt.jobs.located import open_with_text
    from nmt.jobs.test_sets import GivenFiles
    from nmt.progress import phase
    from nmt.report.tables import score_table

    check_usable(config.evaluation.tokenize, "evaluation.tokenize")
    run = open_with_text(config.run)
    name = run.config.run.name
    seed = str(run.config.seed)
    shown = config.evaluation.shown_sentences
    files = None
    if config.source:
        [reference] = config.references
        files = GivenFiles(config.source, reference, config.name)
    asked = (config.test_sets, config.checkpoint, config.decoding, shown, config.device, files)
    for evaluation in evaluate_run(run, *asked):
        evaluations = Evaluations({name: {seed: evaluation}})
        with phase(f"{evaluation.test_set}: scores and their bands"):
            rows, _ = compare_on(evaluations, name, config.evaluation)
            buckets = bucket_infos(evaluations, config.evaluation)
        kept = write_scores(evaluation, rows, config.evaluation)
        place = f"written to {evaluation.folder}" if kept else "not saved"
        print(f"{evaluation.test_set}: {len(evaluation.sources):,} sentences, {place}")
        print(score_table(rows, measure_infos(), f"source {evaluation.source_unit}", buckets))


if __name__ == "__main__":
    main()
