"""Where the text of a saved run lies: a relative path leads from the folder where the run was trained, or from here."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from nmt.config import load_train, paths_from
from nmt.corpus.kinds.corpus import Corpus
from nmt.corpus.kinds.places import paths_of
from nmt.errors import Absent
from nmt.run import Run, open_run, record_config
from nmt.schemas import TrainConfig

log = logging.getLogger("nmt")


def trained_in(run: Path) -> Path | None:
    """Returns the folder where a run was trained; None where it keeps none, or was not begun."""
    return paths_from(run / "config.yaml")


def open_with_text(folder: str | Path) -> Run:
    """Opens a run to read its corpus, the paths as they lead from where it was trained, else from here.

    What is nowhere and has a recipe is read from the folder of all corpora, where it is there: a line says so. Raises
    UserError where the folder is no run.
    """
    run = open_run(folder)
    located = _located(run.config.corpus, [trained_in(run.folder), Path.cwd()], Path.cwd())
    corpus = _fetched(located, run.folder)
    return replace(run, config=replace(run.config, corpus=corpus))


def of_typed(config: TrainConfig, runs: Sequence[Path] = ()) -> TrainConfig:
    """Returns a configuration that was typed here, its paths as they lead from here, else from where one of the
    ``runs`` (by default that of the configuration) was trained.
    """
    folders = [trained_in(run) for run in runs or [Path(config.run.dir)]]
    return replace(config, corpus=_located(config.corpus, [Path.cwd(), *folders], Path.cwd()))


def as_saved(config: TrainConfig, run: Path) -> TrainConfig:
    """Returns a configuration with the paths of its run as they are saved, where `of_typed` has changed only these."""
    saved = load_train(run / "config.yaml").corpus
    if saved != config.corpus and _located(saved, [Path.cwd(), trained_in(run)], Path.cwd()) == config.corpus:
        return replace(config, corpus=saved)
    return config


def record_as_typed(run: Run) -> None:
    """Writes the configuration that a run goes on under, with its paths as they were typed.

    Raises UserError where it can't be written.
    """
    config = as_saved(run.config, run.folder)
    folder: Path | None = Path.cwd()
    if config is not run.config:  # these lead from where they were typed
        folder = trained_in(run.folder)
    record_config(replace(run, config=config), folder)


def beside_saved(corpus: Corpus, run: Path) -> Corpus:
    """Returns a corpus that was typed here as it can be saved beside paths that lead from where a run was trained."""
    if trained_in(run) in (None, Path.cwd()):
        return corpus
    return _located(corpus, [Path.cwd()])


def _located(corpus: Corpus, folders: Sequence[Path | None], typed_from: Path | None = None) -> Corpus:
    """Returns the corpus with each relative path as it leads from the first of these folders where something is there.

    A path that leads from ``typed_from``, or nowhere, stays as it was typed.
    """
    languages = (corpus.source_language, corpus.target_language)

    def found(path: str) -> str:
        if not path or Path(path).is_absolute():
            return path
        for folder in folders:
            if folder and _is_there(folder / path, languages):
                return path if folder == typed_from else str(folder / path)
        return path

    return _with_paths(corpus, found)


def _fetched(corpus: Corpus, run: Path) -> Corpus:
    """Returns the corpus of a run with each path that leads nowhere as it leads in the folder of all corpora, where a
    recipe makes its files and they are there.
    """
    languages = (corpus.source_language, corpus.target_language)

    def found(path: str) -> str:
        if not path or _is_there(Path(path), languages):
            return path
        from nmt.corpus.fetching.place import corpora_folder, recipe_of  # late: recipes are rarely wanted

        files = [Path(path.replace("{language}", language)) for language in languages]
        if not all(map(recipe_of, files)):
            return path
        place = corpora_folder() / files[0].parent.name / Path(path).name
        return str(place) if _is_there(place, languages) else path

    fetched = _with_paths(corpus, found)
    if fetched != corpus:
        log.info("%s: its corpus is not where it was; it is read from where python -m nmt.data puts it", run)
    return fetched


def _with_paths(corpus: Corpus, change: Callable[[str], str]) -> Corpus:
    """Returns the corpus with each of its paths changed."""
    changed: dict[str, Any] = {}
    for name in sorted(corpus.PATHS):
        value: Any = getattr(corpus, name)
        if isinstance(value, dict):
            changed[name] = {key: change(path) for key, path in value.items()}
        elif isinstance(value, list):
            changed[name] = [change(path) for path in value]
        else:
            changed[name] = change(value)
    if all(getattr(corpus, name) == value for name, value in changed.items()):
        return corpus
    return replace(corpus, **changed)


def _is_there(path: Path, languages: Sequence[str]) -> bool:
    """Whether a place of text is there, in all languages; ``*`` stands for any name. What can't be seen is absent."""
    for language in languages:
        name = str(path).replace("{language}", language)
        if not any(map(os.path.exists, paths_of(name))):
            return False
    return True


def looked_in(run: Path) -> str:
    """Says where the relative paths of a saved run are looked for."""
    here = Path.cwd()
    folder = trained_in(run)
    if folder is None or folder == here:
        return f"relative paths lead from {here}"
    return f"relative paths lead from {folder}, where the run was trained, or from {here}"


@contextmanager
def telling_where(run: Path) -> Iterator[None]:
    """Adds to the message of what is absent where it was looked for, if that was in more than one folder."""
    try:
        yield
    except Absent as absent:
        if trained_in(run) in (None, Path.cwd()):
            raise
        raise Absent(f"{absent}; {looked_in(run)}") from None
