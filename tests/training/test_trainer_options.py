"""What the trainer's options say of themselves."""

import dataclasses

import pytest
from omegaconf import OmegaConf

from nmt.training.trainer_options import TrainerOptions


@pytest.mark.parametrize("names", [TrainerOptions.MAY_CHANGE, TrainerOptions.NOT_THE_EXPERIMENT])
def test_what_may_change_is_named_as_the_fields_are(names):
    assert names <= {field.name for field in dataclasses.fields(TrainerOptions)}


def test_what_changes_the_weights_may_not_change_when_a_run_goes_on():
    assert not {"precision", "clip_norm", "label_smoothing", "average_decay"} & TrainerOptions.MAY_CHANGE


def test_what_may_change_is_no_option_itself():
    assert OmegaConf.structured(TrainerOptions).keys() == {field.name for field in dataclasses.fields(TrainerOptions)}
