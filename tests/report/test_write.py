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
from tests.disks import Killed, faulty
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


def full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def report(folder, earlier, monkeypatch) -> Path:
    """As `folder`, with one small file for TensorBoard, which is slow."""

    def write_board(comparison: Comparison, place: Path) -> None:
        for system in comparison.systems:
            (place / system).mkdir(parents=True)
            (place / system / "events.out.tfevents.1").write_text(comparison.baseline)

    monkeypatch.setattr("nmt.report.write.write_board", write_board)
    write_report(earlier, folder)
    return folder


def kept(folder: Path, number: int = 1) -> Path:
    return folder.with_name(f"{folder.name}-{number}")


def own(folder: Path) -> dict[str, bytes]:
    """The files of a report, without the user's and those that are hidden."""
    return {name: content for name, content in files(folder).items() if name not in OWN and not name.startswith(".")}


def with_less_systems(comparison: Comparison) -> Comparison:
    return replace(comparison, systems=["fixed", "attention"])


def with_another_baseline(comparison: Comparison) -> Comparison:
    return replace(comparison, baseline="third")


def with_another_seed(comparison: Comparison) -> Comparison:
    runs = [replace(run, seed=seed) for run in comparison.runs for seed in ("1", "2")]
    return replace(comparison, runs=runs)


def with_less_test_sets(comparison: Comparison) -> Comparison:
    return replace(comparison, test_sets={"test": comparison.test_sets["test"]}, sentences=comparison.sentences[:1])


OTHERS = {
    "systems=[attention,fixed,third], not [attention,fixed]": with_less_systems,
    "baseline=fixed, not third": with_another_baseline,
    "seeds=[1], not [1,2]": with_another_seed,
    "test_sets=[gone,test], not [test]": with_less_test_sets,
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_report_of_other_settings_is_moved_aside_whole_and_a_line_says_in_what(report, earlier, what, caplog):
    before = own(report)
    write_report(OTHERS[what](earlier), report)
    assert own(kept(report)) == before and files(report).keys() >= set(OWN)
    assert f"{report}: held a report of {what}; it lies in {kept(report)} now" in caplog.text


def test_the_newest_report_is_always_the_one_without_a_number(report, earlier):
    first = own(report)
    later = with_less_systems(earlier)
    write_report(later, report)
    second = own(report)
    write_report(later, report)  # as it is of the same settings, it replaces the second
    assert not kept(report, 2).exists() and own(report) == second
    write_report(earlier, report)
    assert own(kept(report)) == first and own(kept(report, 2)) == second and own(report) == first


@pytest.mark.parametrize("content", ["{", "[]", '{"systems": ["fixed"]}'])
def test_a_report_that_does_not_tell_its_settings_is_moved_aside(report, earlier, content):
    (report / "report.json").write_text(content)
    before = own(report)
    write_report(earlier, report)
    assert own(kept(report)).items() >= before.items() and (kept(report) / "attention_third.png").exists()


def test_whichever_write_fails_the_report_before_stays_where_it_is(report, earlier):
    before = files(report)
    number = -4
    while True:
        number += 7
        with faulty(report, full, number) as writes:
            try:
                write_report(with_another_baseline(earlier), report)
                break
            except UserError as error:
                assert "No space left on device" in str(error)
        assert files(report) == before and not kept(report).exists(), writes[-1]
    assert number > 50 and own(kept(report)) == {name: before[name] for name in before.keys() - {*OWN, LOCK}}


LOCK = ".writing.lock"


def test_what_a_killed_swap_left_is_put_right_at_the_next_start(earlier, report, monkeypatch):
    fewer = replace(earlier, metrics=["bleu"])

    def full_disk(*_):
        raise full()

    more = own(report)
    number = 0
    while True:
        number += 14
        write_report(fewer, report)
        before = own(report)
        try:
            with faulty(report, Killed, number):
                write_report(earlier, report)
            break
        except Killed:
            pass
        with monkeypatch.context() as patch, pytest.raises(UserError):
            patch.setattr("nmt.report.write.write_board", full_disk)
            write_report(fewer, report)
        assert own(report) in (before, more)
