"""Options beside final scores: TensorBoard's page HPARAMS."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nmt.errors import leave_disk_errors_to_caller

if TYPE_CHECKING:  # imported late: TensorBoard is slow to start
    from tensorboard.compat.proto.summary_pb2 import Summary

Value = bool | float | str
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?")
BOOLEANS = {"True": True, "False": False}
ABSENT = "None"  # the text of an option that has no value
OWN_FILE = ".final"  # the end of the name of the event file of a run's options and scores


def typed_options(options: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, Value]]:
    """Returns the options of each system as numbers and booleans, where an option is one in every system.

    TensorBoard sorts a column and draws it as an axis only where all its values are numbers.
    """
    columns: dict[str, list[str]] = {}
    for of_system in options.values():
        for name, text in of_system.items():
            if text != ABSENT:
                columns.setdefault(name, []).append(text)
    typed: dict[str, dict[str, Value]] = {}
    for system, of_system in options.items():
        typed[system] = {}
        for name, text in of_system.items():
            if text == ABSENT:
                continue
            typed[system][name] = _value(text, columns[name])
    return typed


def _value(text: str, column: Sequence[str]) -> Value:
    """One value of a column, as what all values of the column are."""
    if all(other in BOOLEANS for other in column):
        return BOOLEANS[text]
    if all(NUMBER.fullmatch(other) for other in column):
        return float(text)
    return text


def record_options(folder: Path, options: Mapping[str, str], scores: Mapping[str, float], step: int) -> None:
    """Writes a run's options, and its scores at ``step``, in the place of those that it wrote when it ended before.

    TensorBoard puts the columns of several runs together: each run says its own options only.
    """
    for earlier in folder.glob(f"events.out.tfevents.*{OWN_FILE}"):
        earlier.unlink()
    [of_run] = typed_options({"": options}).values()
    write_session(folder, of_run, scores, step)


def write_session(
    folder: Path,
    options: Mapping[str, Value],
    scores: Mapping[str, float],
    step: int,
    experiment: Summary | None = None,
) -> None:
    """Writes a line of the page into an event file of its own; ``experiment`` says the columns of all lines."""
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
    from torch.utils.tensorboard import SummaryWriter

    start = plugin_data_pb2.SessionStartInfo()
    for name, value in options.items():
        if isinstance(value, bool):
            start.hparams[name].bool_value = value
        elif isinstance(value, float):
            start.hparams[name].number_value = value
        else:
            start.hparams[name].string_value = value
    end = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS)
    summaries = [
        _summary(metadata.SESSION_START_INFO_TAG, session_start_info=start),
        _summary(metadata.SESSION_END_INFO_TAG, session_end_info=end),
    ]
    if experiment is not None:
        summaries.insert(0, experiment)
    leave_disk_errors_to_caller()
    with SummaryWriter(str(folder), filename_suffix=OWN_FILE) as board:
        for summary in summaries:
            board.file_writer.add_summary(summary)
        for name, score in scores.items():
            board.add_scalar(name, score, step)


def experiment_of(options: Mapping[str, Mapping[str, Value]], tags: Iterable[str]) -> Summary:
    """The columns of the page: every option that any system has, then the scores by their tags.

    TensorBoard reads the first that it finds, so each system of a comparison must write the same.
    """
    from tensorboard.plugins.hparams import api_pb2, metadata

    types = {
        bool: api_pb2.DATA_TYPE_BOOL,
        float: api_pb2.DATA_TYPE_FLOAT64,
        str: api_pb2.DATA_TYPE_STRING,
    }
    kinds: dict[str, int] = {}
    for of_system in options.values():
        for name, value in of_system.items():
            kinds[name] = types[type(value)]
    experiment = api_pb2.Experiment()
    for name, kind in kinds.items():
        experiment.hparam_infos.add(name=name, type=kind)
    for tag in tags:
        score = experiment.metric_infos.add()
        score.name.tag = tag
    return _summary(metadata.EXPERIMENT_TAG, experiment=experiment)


def _summary(tag: str, **content: Any) -> Summary:
    """A message to TensorBoard's plugin; ``content`` is the one field of it that is set."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    about = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(**content))
    value = Summary.Value(tag=tag, metadata=about, tensor=metadata.NULL_TENSOR)
    return Summary(value=[value])
