"""Fetches, lists or looks into corpora.

  python -m nmt.data corpus=multi30k_en_de
  python -m nmt.data do=list

What people change most:
  do=fetch                         downloads, checks and prepares the whole corpus that a configuration reads
  do=list                          the corpora that have a recipe, and whether they are here
  do=inspect                       what is in a text, before anything is trained on it; any corpus, also your own
  source=FOLDER                    a clone or an archive of the corpus's repository that is on this machine already

A corpus is written to data/corpora/NAME/, or below the folder that NMT_DATA names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nmt.door import open_door

if TYPE_CHECKING:  # imported late, so that --help is instant
    from nmt.schemas import DataConfig


def main() -> None:
    with open_door("data", __doc__, _data) as run:
        run()


def _data(config: DataConfig) -> None:
    from nmt.corpus.kinds.mtdata import MtdataOptions
    from nmt.jobs.corpora import fetch_corpora, list_corpora

    if config.do == "list" and isinstance(config.corpus, MtdataOptions):
        for known in config.corpus.known_sets():
            print(f"{known.name}  {known.version}  {known.address}")
    elif config.do == "list":
        print(list_corpora())
    elif config.do == "fetch":
        fetch_corpora(config)
    else:
        from nmt.jobs.inspect import inspect

        inspect(config)


if __name__ == "__main__":
    main()
