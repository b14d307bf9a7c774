from dataclasses import replace

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from nmt.report.board import write_board
from tests.report.comparisons import make_comparison


def read(folder) -> EventAccumulator:
    board = EventAccumulator(str(folder))
    board.Reload()
    return board


def test_each_system_is_a_curve_over_source_length_with_its_band_and_final_scores(tmp_path):
    comparison = make_comparison(seeds=("1", "2"))
    for _ in range(2):  # a second writing replaces the first
        write_board(comparison, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"fixed", "attention", "_b_"}
    board = read(tmp_path / "attention")
    events = board.Scalars("by_length/test/bleu")
    assert [event.step for event in events] == [8, 12], "of several seeds the mean alone, and 13+ has too few sentences"
    curve = {event.step: event.value for event in events}
    for bucket, step in (("1-8", 8), ("9-12", 12)):
        row = comparison.find("attention", "test", bucket, "bleu")
        assert abs(curve[step] - row.score) < 1e-3
    low = {event.step for event in board.Scalars("by_length/test/bleu_low")}
    assert low == {8, 12}
    [final] = board.Scalars("final/test_bleu")
    assert final.value == pytest.approx(comparison.find("attention", "test", "all", "bleu").score), (
        "the mean over seeds"
    )
    plugins = board.summary_metadata
    assert "custom_scalars__config__" in plugins and "_hparams_/experiment" in plugins


def test_the_only_seed_of_a_system_is_drawn(tmp_path):
    write_board(make_comparison(), tmp_path)
    board = read(tmp_path / "attention")
    assert [event.step for event in board.Scalars("by_length/test/bleu")] == [8, 12]


def test_a_bucket_without_an_end_stands_at_the_median_length_of_its_sentences(tmp_path):
    comparison = make_comparison()
    rows = [replace(row, low=row.score, high=row.score) for row in comparison.rows]  # as if there were enough
    write_board(replace(comparison, rows=rows), tmp_path)
    board = read(tmp_path / "attention")
    assert [event.step for event in board.Scalars("by_length/test/chrf")] == [8, 12, 30]
    assert b"13+ at its median 30" in board.Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0]
