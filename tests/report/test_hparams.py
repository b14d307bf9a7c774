"""TensorBoard's page HPARAMS, as TensorBoard's own backend reads it."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context

from nmt.report.board import write_board
from tests.conftest import TINY_CORPUS, TINY_SIZES
from tests.processes import door_in_process
from tests.report.comparisons import make_comparison

OPTIONS = {
    "lstm": {
        "optimizer.learning_rate": "0.001",
        "tokenizer.joint": "True",
        "model.cell": "lstm",
        "corpus.tests": "None",
    },
    "transformer": {
        "optimizer.learning_rate": "1e-05",
        "tokenizer.joint": "False",
        "model.heads": "4",
        "model.cell": "8",
    },
}


def page(folder: Path) -> api_pb2.Experiment:
    """The columns of the page."""
    runs = EventMultiplexer()
    runs.AddRunsFromDirectory(str(folder))
    runs.Reload()
    provider = MultiplexerDataProvider(runs, str(folder))
    context = backend_context.Context(base_plugin.TBContext(logdir=str(folder), data_provider=provider))
    request = RequestContext()
    known = context.hparams_metadata(request, "")
    return context.experiment_from_metadata(request, "", True, known, [])


def types(folder: Path) -> dict[str, str]:
    return {column.name: api_pb2.DataType.Name(column.type) for column in page(folder).hparam_infos}


def final(folder: Path, name: str) -> list[int]:
    board = EventAccumulator(str(folder))
    board.Reload()
    return [event.step for event in board.Scalars(f"final/{name}")]


def test_the_page_of_a_comparison_has_the_options_of_every_system_as_what_they_are(tmp_path):
    comparison = make_comparison(tuple(OPTIONS))
    write_board(replace(comparison, options=OPTIONS), tmp_path)
    assert types(tmp_path) == {
        "optimizer.learning_rate": "DATA_TYPE_FLOAT64",
        "tokenizer.joint": "DATA_TYPE_BOOL",
        "model.heads": "DATA_TYPE_FLOAT64",
        "model.cell": "DATA_TYPE_STRING",  # a number in one system only
    }
    assert {column.name.tag for column in page(tmp_path).metric_infos} == {"final/test_bleu", "final/test_chrf"}


def test_the_final_scores_of_a_comparison_stand_where_training_ended(tmp_path):
    write_board(make_comparison(), tmp_path)
    assert final(tmp_path / "attention", "test_bleu") == [10]


@pytest.fixture(scope="module")
def resumed(trained_run, tmp_path_factory) -> Path:
    """A run of six updates that went on to seven."""
    folder = tmp_path_factory.mktemp("resumed")
    shutil.copytree(trained_run, folder / "run")
    options = (*TINY_CORPUS, *TINY_SIZES["recurrent"], "trainer.max_minutes=0", "trainer.validate_every=3")
    done = door_in_process(
        "train", "+experiment=demo/attention", *options, "trainer.max_steps=7", "run.dir=run", folder=folder
    )
    assert done.returncode == 0, done.stderr.decode()
    return folder / "run"


def test_the_best_score_of_a_run_stands_once_at_its_step_however_often_it_went_on(trained_run, resumed):
    assert final(trained_run, "valid_loss") in ([3], [6])
    assert final(resumed, "valid_loss") in ([3], [6], [7])


def test_the_options_of_a_run_are_numbers_and_booleans(resumed):
    columns = types(resumed.parent)
    assert columns["optimizer.learning_rate"] == "DATA_TYPE_FLOAT64"
    assert columns["tokenizer.joint"] == "DATA_TYPE_BOOL"
    assert columns["run.name"] == "DATA_TYPE_STRING"
