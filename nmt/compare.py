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
With other options or another budget give name= too: runs that were trained otherwise are refused.
The report is written to runs/NAME/report/; one by another search or checkpoint beside it, as report-beam_size=1/.
One of another baseline, of other systems, seeds or test sets is moved to report-1/ first.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from nmt.door import open_door
from nmt.errors import NotKept, for_shell

if TYPE_CHECKING:  # imported late, so that --help is instant
    from nmt.schemas import CompareConfig


def main() -> None:
    with open_door("compare", __doc__, _compare) as run:
        run()


def _compare(config: CompareConfig) -> None:
    from nmt.progress import phase

    with phase("loading libraries"):
        from nmt.jobs.compare import compare_systems
        from nmt.jobs.folders import report_folder
        from nmt.report.documents import markdown_summary
        from nmt.report.write import write_report

    log = logging.getLogger("nmt")
    arguments = [for_shell(argument) for argument in sys.argv[1:]]
    command = " ".join(["python -m nmt.compare", *arguments])
    folder = report_folder(config)
    results = compare_systems(config, command)
    if results is None:  # not the first of several processes
        return
    comparison, _ = results
    print(markdown_summary(comparison))
    try:
        with phase("drawing and writing the report"):
            paths = write_report(comparison, folder)
    except NotKept as error:
        log.warning("%s; what it says is shown above", error)
        return
    table = paths["scores.csv"]
    figure = paths[f"{comparison.metrics[0]}_by_length.png"]
    page = paths.get("index.html", paths["report.md"])  # the page needs plotly
    print(f"report: {page}  (table: {table}, figure: {figure})")


if __name__ == "__main__":
    main()
