"""A report in the place of an earlier one: no file of the earlier one stays, none of the user's goes."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from nmt.errors import UserError
from nmt.evaluation.results import Comparison
from nmt.report import figures, page
from nmt.report.write import write_report
from tests.evaluation.test_table import MAPS
from tests.report.comparisons import make_comparison

OWN = ("notes.txt", "attention_notes.png", "bleu_by_length_draft.tex", "tensorboard/mine/events.out.tfevents.1")


def compared(*given) -> Comparison:
    """A comparison in which every system looked at a sentence of readable length."""
    comparison = make_comparison(*given)
    heat_maps = {system: {3: MAPS[0]} for system in comparison.systems}
    sentences = [replace(one, heat_maps=heat_maps) for one in comparison.sentences]
    return replace(comparison, sentences=sentences)


@pytest.fixture(scope="module")
def earlier():
    return compared(("fixed", "attention", "third"), ("1",), ("test", "gone"))


@pytest.fixture(scope="module")
def later():
    return compared(("fixed", "attention"))


@pytest.fixture
def folder(earlier, tmp_path, monkeypatch):
    """A report, and among its files some of the user's."""
    # What is drawn matters elsewhere.
    monkeypatch.setattr(page, "html_text", lambda comparison: comparison.name)
    monkeypatch.setattr(figures, "by_length", lambda *given: given[1])
    monkeypatch.setattr(figures, "heat_map", lambda *given: given[0])
    monkeypatch.setattr(figures, "png_bytes", str.encode)
    monkeypatch.setattr(figures, "svg_text", str)
    write_report(earlier, tmp_path)
    for name in OWN:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("the user's own")
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path there."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def kinds(names: set[str]) -> set[str]:
    """The names, but those of TensorBoard's files, which are new each time, without their numbers."""
    return {name.partition(".tfevents.")[0] for name in names}


def test_of_two_reports_in_one_folder_the_files_of_the_second_remain_and_the_user_s(folder, later, tmp_path_factory):
    before = set(files(folder))
    alone = tmp_path_factory.mktemp("alone")
    write_report(later, folder)
    write_report(later, alone)
    now = set(files(folder))
    assert kinds(now) == kinds({*files(alone), *OWN})
    assert len(now) == len(files(alone)) + len(OWN), "of TensorBoard's files none is left of the first"
    assert {"attention_third.png", "sentences_gone.jsonl", "bleu_by_length_gone.tex"} <= before - now
    assert not (folder / "tensorboard/third").exists()


@pytest.mark.parametrize("fails", ["writing", "moving"])
def test_a_report_that_can_not_be_written_leaves_the_one_before_whole(folder, later, monkeypatch, fails):
    before = files(folder)
    calls = []

    def full(call):
        def checked(*given):
            calls.append(given)
            if len(calls) == 9:
                raise OSError(errno.ENOSPC, "No space left on device")
            return call(*given)

        return checked

    if fails == "writing":
        monkeypatch.setattr(Path, "write_bytes", full(Path.write_bytes))
    else:
        monkeypatch.setattr(os, "replace", full(os.replace))
        monkeypatch.setattr(os, "rename", full(os.rename))
    with pytest.raises(UserError, match="No space left on device"):
        write_report(later, folder)
    assert files(folder) == before
