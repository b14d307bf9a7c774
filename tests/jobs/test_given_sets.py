"""A test set that is given as files to a run that was trained: where it is kept, and what it is never taken for."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from nmt.errors import UserError
from nmt.schemas import EvaluateConfig
from tests.processes import door_in_process, fails, lines_but_of_age

RUN = Path(__file__).parent.parent / "runs/dbcf5e1/transformer"
SMALL = (
    *("device=cpu", "evaluation.resamples=10", "evaluation.shown_sentences=2", "evaluation.bucket_bounds=[3]"),
    *("decoding.beam_size=2", "decoding.max_length_offset=2"),
)
SEARCH = "beam_size=2,max_length_offset=2"
SOURCES = ("Again this sister comes.", "", "The man sleeps.")
REFERENCES = ("Wieder kommt diese Schwester.", "Nichts.", "Der Mann schläft.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("given")
    shutil.copytree(RUN, folder / "run")
    write(folder, "news", SOURCES, REFERENCES)
    return folder


def write(folder: Path, name: str, sources: Sequence[str], references: Sequence[str]) -> None:
    for language, lines in (("en", sources), ("de", references)):
        path = folder / f"{name}.{language}"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines))


def evaluate(folder: Path, *arguments: str) -> tuple[str, list[str]]:
    """What the door prints, and its lines on standard error but the one that the run is of an earlier version."""
    made = door_in_process("evaluate", *arguments, "run=run", *SMALL, folder=folder)
    assert made.returncode == 0, made.stderr.decode()
    lines = [line for line in lines_but_of_age(made) if "were cut" not in line]
    return made.stdout.decode(), lines


def test_it_is_translated_once_line_for_line_and_printed_by_length(folder, monkeypatch):
    printed, _ = evaluate(folder, "source=news.en", "references=news.de")
    assert printed.startswith("news: 3 sentences")
    assert "| 1-3 " in printed and "| all " in printed
    kept = folder / "run/evaluations/news" / SEARCH
    assert (kept / "source.txt").read_text() == (folder / "news.en").read_text()
    assert (kept / "hypothesis.txt").read_text().split("\n")[1] == ""
    written = (kept / "evaluation.json").stat().st_mtime_ns
    # The same text by other paths: gzipped, with a byte order mark, in the home folder, in a list.
    monkeypatch.setenv("HOME", str(folder))
    for language in ("en", "de"):
        text = (folder / f"news.{language}").read_bytes()
        (folder / f"news.{language}.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + text))
    again, _ = evaluate(folder, "source=~/news.en.gz", "references=[~/news.de.gz]")
    assert again == printed and (kept / "evaluation.json").stat().st_mtime_ns == written
    assert not (folder / "~").exists()


def test_its_name_is_of_one_text_and_no_other_file_is_passed_for_it(folder):
    write(folder, "names/one", ["The dog runs."], ["Der Hund läuft."])
    write(folder, "others/one", ["The cat sings."], ["Die Katze singt."])
    by_name = "source={0}/one.en", "references=[{0}/one.de]"
    first = evaluate(folder, *(argument.format("names") for argument in by_name))
    kept = folder / "run/evaluations/one" / SEARCH / "source.txt"
    before = kept.stat().st_mtime_ns
    evaluate(folder, *(argument.format("others") for argument in by_name))
    again = evaluate(folder, *(argument.format("names") for argument in by_name))
    assert again == first and kept.stat().st_mtime_ns == before
    [other] = (folder / "run/evaluations").glob("one-*")
    assert (other / SEARCH / "source.txt").read_text() == "The cat sings.\n"
    refused = door_in_process(
        *("evaluate", "run=run", "device=cpu", "name=one", "source=others/one.en", "references=others/one.de"),
        folder=folder,
    )
    fails(refused, "name=one", "another test set of that name")


def test_its_name_is_none_of_the_run_s_own_test_sets(folder):
    write(folder, "test", ["The dog runs."], ["Der Hund läuft."])
    evaluate(folder, "source=test.en", "references=test.de")
    assert not (folder / "run/evaluations/test").exists()
    assert len(list((folder / "run/evaluations").glob("test-*"))) == 1


def test_each_search_and_checkpoint_has_its_own_folder_and_the_text_need_not_be_given_again(folder):
    write(folder, "two", ["The dog runs."], ["Der Hund läuft."])
    asked = ("source=two.en", "references=two.de", "name=mine", "checkpoint=last")
    evaluate(folder, "-m", *asked, "decoding.min_length=0,1")
    for path in folder.glob("two.*"):
        path.unlink()
    evaluate(folder, "test_sets=[mine]")
    places = [path.parent.name for path in (folder / "run/evaluations/mine").rglob("hypothesis.txt")]
    of_last = [f"checkpoint=last,{SEARCH}", f"checkpoint=last,{SEARCH},min_length=1"]
    assert sorted(places) == [SEARCH, *of_last]


def test_files_of_unlike_length_are_refused_with_both_counts(folder):
    write(folder, "short", [], ["Der Hund läuft."])
    asked = ("source=news.en", "references=[short.de]")
    refused = door_in_process("evaluate", "run=run", "device=cpu", *asked, folder=folder)
    fails(refused, "news.en has 3 lines", "short.de 1")


def test_what_is_no_given_test_set_is_refused():
    given = {"source": "a.en", "references": ["a.de"]}
    for options, told in (
        ({"source": "a.en"}, r"source=a.en: .* give references=\[FILE\]"),
        ({"references": ["a.de"]}, r"references=\['a.de'\]: .* give source=FILE"),
        ({**given, "references": ["a.de", "b.de"]}, "one can be scored by for now"),
        ({**given, "test_sets": ["test"]}, r"test_sets=\['test'\]: not with source="),
        ({**given, "name": "a/b"}, "name: 'a/b' names files"),
        ({"name": "news"}, "name=news: names a test set that source= and references= give"),
    ):
        with pytest.raises(UserError, match=told):
            EvaluateConfig(run="run", **options)
