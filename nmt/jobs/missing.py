"""All that a corpus lacks, told at once: its text may be of several recipes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from nmt.corpus.kinds.corpus import Corpus
from nmt.errors import Absent


def with_others(first: Absent, corpus: Corpus, splits: Iterable[str]) -> Absent:
    """Returns what is absent ``first``, and a file of each other recipe that is absent among these splits."""
    from nmt.corpus.fetching.absent import how_to_fetch  # late: recipes are wanted only where something is missing

    message = str(first)
    languages = (corpus.source_language, corpus.target_language)
    for path in _absent_files(corpus, splits):
        mend = how_to_fetch(path, languages)
        command = mend.partition(" fetches ")[0]
        if mend and command not in message:
            message += f"; and {path}: not there; {mend}"
    return Absent(message)


def _absent_files(corpus: Corpus, splits: Iterable[str]) -> Iterator[Path]:
    """Yields the files of some splits that are not there."""
    for split in splits:
        for path in corpus.files_of(split):
            if not path.exists():
                yield path
