"""What is known is shown where nothing can be saved: on a disk that is mounted for reading."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from nmt.report import figures, page
from tests.conftest import TINY_CORPUS, TINY_SIZES
from tests.disks import faulty
from tests.processes import door_in_process

SMALL = ("device=cpu", "evaluation.resamples=10", "evaluation.shown_sentences=1", "evaluation.bucket_bounds=[10]")
OVERRIDES = (*TINY_CORPUS[:-1], *TINY_SIZES["recurrent"], "trainer.validate_every=2")
COMPARE = (
    *("+comparison=demo", "~systems.transformer", "~systems.fixed", "baseline=attention", "match=steps", "budget=2"),
    *("device=cpu", f"overrides={[*OVERRIDES]}", "evaluation.resamples=10", "decoding.beam_size=1"),
    *("evaluation.metrics=[chrf]", "evaluation.shown_sentences=1", "evaluation.bucket_bounds=[10]"),
)


def read_only() -> OSError:
    return OSError(errno.EROFS, "Read-only file system")


def tree(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def undrawn(monkeypatch) -> None:
    """What is drawn matters elsewhere."""
    draw_nothing(monkeypatch)


def draw_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(page, "html_text", lambda comparison: comparison.name)
    patch.setattr(figures, "png_bytes", lambda figure: b"")
    patch.setattr(figures, "svg_text", lambda figure: "")
    patch.setattr("nmt.report.write.write_board", lambda comparison, place: None)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A comparison of one run, and what it printed."""
    folder = tmp_path_factory.mktemp("read_only")
    with pytest.MonkeyPatch.context() as patch:
        draw_nothing(patch)
        made = door_in_process("compare", *COMPARE, folder=folder)
    assert made.returncode == 0, made.stderr.decode()
    return folder, made.stdout.decode()


@pytest.mark.parametrize(("beam", "told"), [(1, "the scores are shown only"), (2, "the translations are not kept")])
def test_a_run_on_a_read_only_disk_is_evaluated_and_a_line_says_that_nothing_is_saved(compared, beam, told):
    folder, _ = compared
    before = tree(folder)
    options = ("run=runs/demo/attention/seed-1", *SMALL, f"decoding.beam_size={beam}")
    with faulty(folder, read_only):
        made = door_in_process("evaluate", *options, folder=folder)
    assert made.returncode == 0, made.stderr.decode()
    [line] = [line for line in made.stderr.decode().splitlines() if "Read-only file system" in line]
    assert told in line and b"not saved" in made.stdout and b"chrF" in made.stdout
    assert tree(folder) == before


@pytest.mark.slow
def test_a_finished_comparison_is_shown_again_on_a_read_only_disk(compared, undrawn):
    folder, printed = compared
    before = tree(folder)
    with faulty(folder, read_only):
        again = door_in_process("compare", *COMPARE, folder=folder)
    assert again.returncode == 0, again.stderr.decode()
    shown = printed.partition("report: ")[0]
    assert again.stdout.decode() == shown and "chrF" in shown
    assert "report-beam_size=1: cannot be written (Read-only file system)" in again.stderr.decode()
    assert tree(folder) == before
