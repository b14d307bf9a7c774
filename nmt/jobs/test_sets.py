"""Which sentences an evaluation is of: the run's own test sets, wherever its text is now, or files that are given."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nmt.config import load_train
from nmt.corpus.kinds.files import read_parallel
from nmt.corpus.pair import Pair
from nmt.corpus.text.tags import as_read, tell_untagged
from nmt.digests import record_digest
from nmt.errors import Absent, UserError
from nmt.evaluation.held import held_pairs, is_of_one_text
from nmt.evaluation.translations import KnownLinks
from nmt.jobs.located import looked_in, trained_in
from nmt.run import Run

log = logging.getLogger("nmt")

LONGEST = 100  # of a name that is taken from a file's


@dataclass(frozen=True)
class GivenFiles:
    """A test set that is no run's own: two files, line i of both being one pair."""

    source: str
    reference: str
    name: str = ""  # under which its translations are kept; "" takes the name of the source file


@dataclass(frozen=True)
class SentencePairs:
    """One test set to translate and score."""

    name: str
    pairs: list[Pair]
    known_links: KnownLinks | None = None  # where the corpus knows them


def own_test_sets(run: Run, names: Sequence[str]) -> Iterator[SentencePairs]:
    """Yields test sets of a run ([]: all of its corpus), from the corpus or, where that is not here, from evaluations.

    One that was given as files before is read from its evaluations, too. Raises UserError where there is no such test
    set, or none at all.
    """
    wanted = list(names) or run.config.corpus.test_names()
    if not wanted:
        raise UserError(
            f"corpus.tests: the corpus of {run.folder} has no test set; give one as source=FILE references=[FILE]"
        )
    for name in wanted:
        yield _own_test_set(run, name)


def _own_test_set(run: Run, name: str) -> SentencePairs:
    corpus = run.config.corpus
    given_before = None
    if name not in corpus.test_names():
        given_before = held_pairs(run.folder / "evaluations" / name)
    if given_before:
        return SentencePairs(name, given_before[0])
    try:
        pairs = list(as_read(corpus.read(name), run.tokenizer))
        _tell_other_text(run, name)
    except Absent as absent:
        return SentencePairs(name, _held(run, name, absent))
    if corpus.is_tagged:
        tell_untagged(pairs, f"test set '{name}'", f"corpus.test_tags={{{name}: '<TAG>'}}")
    known_links = [pair.links for pair in pairs] if corpus.knows_links(name) else None
    return SentencePairs(name, pairs, known_links)


def _held(run: Run, name: str, absent: Absent) -> list[Pair]:
    """Returns the pairs that the run's evaluations hold of a test set whose files are ``absent``."""
    missing, _, mend = str(absent).partition("; ")
    held = held_pairs(run.folder / "evaluations" / name)
    if held is None:
        mends = [mend, "give it as source=FILE references=[FILE]"]
        listed = ", or ".join(filter(None, mends))
        raise Absent(
            f"test set '{name}': {missing} ({looked_in(run.folder)}), and no evaluation of the run holds its text; "
            f"{listed}"
        )
    pairs, folder = held
    log.warning("test set '%s': %s; its text is taken from %s", name, missing, folder)
    return pairs


def _tell_other_text(run: Run, name: str) -> None:
    """Warns where the path of a test set leads to another text from here than from where the run was trained."""
    corpus = run.config.corpus
    as_typed = load_train(run.folder / "config.yaml").corpus
    try:
        is_other = corpus != as_typed and corpus.fingerprint(name) != as_typed.fingerprint(name)
    except Absent:  # from here it leads nowhere
        return
    if is_other:
        folder = trained_in(run.folder)
        log.warning("test set '%s': read from %s, where the run was trained; here lies another text", name, folder)


def given_test_set(run: Run, files: GivenFiles) -> SentencePairs:
    """Reads a test set that is given by its files.

    Raises UserError for files that can't be read or are not of one length, and for a name that is another test set's.
    """
    raw = read_parallel(Path(files.source), Path(files.reference))
    pairs = list(as_read(raw, run.tokenizer))
    if not pairs:
        raise UserError(f"{files.source}: empty; nothing can be scored")
    name = _own_name(run, files, pairs)
    if run.config.corpus.is_tagged:
        tell_untagged(pairs, files.source)
    return SentencePairs(name, pairs)


def _own_name(run: Run, files: GivenFiles, pairs: Sequence[Pair]) -> str:
    """Returns the name under which translations of these pairs are kept. A name is of one text.

    Where that of the file is another text's already, the start of a digest follows it. Raises UserError where the name
    that the user gave is.
    """
    plain = files.name or _name_of(Path(files.source))
    digest = record_digest([[pair.source, pair.target, pair.tag] for pair in pairs])
    names = [plain] if files.name else [plain, f"{plain}-{digest[:8]}"]
    for name in names:
        if _is_free(run, name, pairs):
            return name
    raise UserError(
        f"name={names[-1]}: {run.folder} has another test set of that name; give another, or move that away"
    )


def _is_free(run: Run, name: str, pairs: Sequence[Pair]) -> bool:
    """Whether a name is of these pairs, or of no test set at all."""
    same = is_of_one_text(run.folder / "evaluations" / name, pairs)
    if same is None:
        return name not in run.config.corpus.test_names()
    return same


def _name_of(path: Path) -> str:
    """Returns a file's name without its ending, fit to name a folder: news for news.en.gz."""
    stem = Path(path.name.removesuffix(".gz")).stem
    name = re.sub(r"[^\w.+-]", "_", stem)[:LONGEST]
    return name.strip(".") or "_"
