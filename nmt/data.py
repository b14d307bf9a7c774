"""Fetches, lists or looks into corpora.

  python -m nmt.data corpus=multi30k_en_de
  python -m nmt.data do=list
  python -m nmt.data do=inspect corpus=multi30k_en_de

What people change most:
  do=fetch                         download, check and prepare the whole corpus that a configuration reads
  do=list                          the corpora that can be had by name, and whether they are here
  do=inspect                       what is in a text, before anything is trained on it; any corpus, also your own
  +comparison=multi30k             the corpus that the systems of a comparison read; +experiment=NAME likewise
  source=FOLDER                    a clone or an archive of the corpus's repository that is on this machine already

A corpus is written to data/corpora/NAME/, or below the folder that NMT_DATA names. Where it is whole already, nothing
is downloaded: the same command again costs nothing, and goes on with a download that was cut.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nmt.door import open_door
from nmt.errors import UserError

if TYPE_CHECKING:  # imported late, so that --help is instant
    from nmt.schemas import DataConfig


def main() -> None:
    with open_door("data", __doc__, _data) as run:
        sys.argv[1:] = _of_one_system(sys.argv[1:])  # which Hydra reads
        run()


def _of_one_system(arguments: Sequence[str]) -> Iterator[str]:
    """Yields the arguments, with its first system in the place of a comparison: all its systems read one corpus."""
    for argument in arguments:
        if not argument.startswith("+comparison="):
            yield argument
            continue
        from nmt.config import compose_comparison  # late: it costs every start

        comparison = compose_comparison([argument])
        first, *_ = comparison.systems.values()
        yield f"+experiment={first.experiment}"
        yield from (*comparison.overrides, *first.overrides)


def _data(config: DataConfig) -> None:
    from pathlib import Path

    from nmt.jobs.corpora import fetch_corpora
    from nmt.jobs.corpora_list import list_corpora

    if config.source and not Path(config.source).exists():
        raise UserError(f"source={config.source}: no such file or folder; name a clone or an archive of the repository")
    if config.do == "list":
        names = config.corpus.catalogue()
        print("\n".join(names) or list_corpora())
    elif config.do == "fetch":
        fetch_corpora(config)
    else:
        from nmt.jobs.inspect import inspect  # late: it needs what trains

        inspect(config)


if __name__ == "__main__":
    main()
