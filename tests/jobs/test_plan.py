"""What can't work in a comparison is told before the first system is trained."""

from __future__ import annotations

import math

import pytest
from hydra import compose, initialize_config_dir

from nmt.config import CONFIG_FOLDER, compose_train, register
from nmt.errors import UserError
from nmt.jobs import compare as job
from nmt.jobs.compare import compare_systems
from nmt.schemas import CompareConfig, SystemOptions
from tests.conftest import TINY_CORPUS, TINY_SIZES
from tests.processes import as_found, door_in_process, fails
from tests.test_doors import quoted

RECURRENT = list(TINY_SIZES["recurrent"])
STEPS = {"match": "steps", "budget": 4.0, "device": "cpu"}


@pytest.fixture
def trained(monkeypatch) -> list[str]:
    """Names the systems whose training begins; each then ends the comparison."""
    begun: list[str] = []

    def train(config, ranks):
        begun.append(config.run.name)
        raise UserError("training has begun")

    monkeypatch.setattr(job, "train_run", train)
    return begun


def comparison(last: SystemOptions, **options) -> CompareConfig:
    """A comparison whose first system is right."""
    systems = {"plain": SystemOptions("demo/fixed", RECURRENT), "last": last}
    shared = [override for override in TINY_CORPUS if not override.startswith("device")]
    return CompareConfig(
        **{"name": "c", "baseline": "plain", "systems": systems, "overrides": shared, **STEPS, **options}
    )


LATE = [
    (["model.attention.coverage=true", "model.attention.score=location"], "coverage=true"),
    (["trainer.precision=fp16"], "trainer.precision=fp16 needs a GPU"),
    (["trainer.guided_alignment=0.5", "model.attention.score=uniform"], "guided_alignment teaches"),
    (["trainer.guided_alignment=0.5", "batching.stream=true"], "trainer.guided_alignment: not with batching.stream"),
    (["cleaning.train_words=1"], "cleaning.train_words=1: no training pair is so short"),
    (["finetuning.run=nowhere"], "nowhere: no run here"),
    ([f"cache={__file__}/cache"], "test_plan.py: a file, where the folder"),
    (["model.cell=gated_linear", "model.decoder_size=17"], "model.cell=gated_linear"),
]


@pytest.mark.parametrize(("overrides", "told"), LATE, ids=[overrides[0] for overrides, _ in LATE])
def test_a_later_system_that_can_not_be_trained_is_named_before_the_first(
    tmp_path, monkeypatch, trained, overrides, told
):
    monkeypatch.chdir(tmp_path)
    last = SystemOptions("demo/attention", [*RECURRENT, *overrides])
    with as_found(), pytest.raises(UserError) as refused:
        compare_systems(comparison(last), "")
    assert not trained and str(refused.value).startswith("system last: ") and told in str(refused.value)
    assert not list(tmp_path.iterdir()), "nothing is written"


@pytest.mark.parametrize(
    ("options", "told"),
    [({"checkpoint": "3"}, "checkpoint=3: the run will keep those of updates 4"), ({"runs": "file"}, "a file, where")],
)
def test_what_no_run_will_have_is_told_before_the_first(tmp_path, monkeypatch, trained, options, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    last = SystemOptions("demo/attention", RECURRENT)
    with as_found(), pytest.raises(UserError, match=told):
        compare_systems(comparison(last, **options), "")
    assert not trained


def test_an_experiment_that_is_not_there_is_told_with_its_system(tmp_path, trained):
    last = "{experiment: demo/fixd}"
    done = door_in_process("compare", "+comparison=demo", f"systems.transformer={last}", "device=cpu", folder=tmp_path)
    fails(done, "system transformer: ", "demo/fixd", "did you mean 'demo/fixed'")
    assert not trained


def test_many_systems_of_two_experiments_are_composed_twice(tmp_path, monkeypatch, trained):
    monkeypatch.chdir(tmp_path)
    systems = {"plain": SystemOptions("demo/fixed", RECURRENT)}
    for number in range(10):
        rate = f"optimizer.learning_rate=0.{number + 1}"
        systems[f"s{number}"] = SystemOptions("demo/attention", [*RECURRENT, rate])
    systems["s9"].overrides.append("model.attention.score=adition")
    composed = []

    def counted(door, overrides):
        composed.append(overrides)
        return compose(door, overrides)

    monkeypatch.setattr("nmt.config.compose", counted)
    with as_found(), pytest.raises(UserError, match=r"attention\.score=adition"):
        compare_systems(comparison(SystemOptions("demo/fixed"), systems=systems), "")
    assert not trained and len(composed) == 2


@pytest.mark.parametrize("runs", ["out/a (1)", "a,b=c größe", "it's [x] {y}", 'say "${z}" \\'])
def test_folders_and_names_of_any_characters_need_no_quotes_within(tmp_path, monkeypatch, runs):
    planned = []

    def train(config, ranks):
        planned.append(config)
        raise UserError("training has begun")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(job, "train_run", train)
    systems = {"LSTM, 2 layers [x=1]": SystemOptions("demo/fixed", RECURRENT)}
    options = {"runs": runs, "name": "größe (2)", "systems": systems, "baseline": "LSTM, 2 layers [x=1]"}
    with as_found(), pytest.raises(UserError, match="training has begun"):
        compare_systems(comparison(SystemOptions("demo/fixed"), **options), "")
    assert planned[0].run.dir == f"{runs}/größe (2)/LSTM, 2 layers [x=1]/seed-1"
    assert planned[0].run.name == "größe (2)/LSTM, 2 layers [x=1]"


def test_an_override_may_name_the_seed_of_each_run(tmp_path, monkeypatch):
    planned = []

    def train(config, ranks):
        planned.append(config.run.dir)
        raise UserError("training has begun")

    monkeypatch.setattr(job, "train_run", train)
    base = [*RECURRENT, "finetuning.run=runs/c/plain/seed-${seed}"]
    systems = f"{{plain: {{experiment: demo/fixed, overrides: {quoted(RECURRENT)}}}, "
    systems += f"tuned: {{experiment: demo/fixed, overrides: {quoted(base)}}}}}"
    shared = quoted([override for override in TINY_CORPUS if not override.startswith("device")])
    options = ("name=c", "baseline=plain", "seeds=[1,2]", "match=steps", "budget=2", "device=cpu")
    done = door_in_process("compare", f"systems={systems}", *options, f"overrides={shared}", folder=tmp_path)
    fails(done, "training has begun")
    assert planned == ["runs/c/plain/seed-1"]


def test_what_stands_for_nothing_is_told_with_its_option(tmp_path):
    done = door_in_process("train", "+experiment=demo/fixed", "run.name=a-${sead}", folder=tmp_path)
    fails(done, "run.name: Interpolation key 'sead' not found; ${...} takes the value of another option")
    done = door_in_process("compare", "+comparison=demo", "seeds=range(1,3)", folder=tmp_path)
    fails(done, "seeds=range(1,3): one value is wanted; say -m to do each")


def test_a_budget_within_the_warm_up_is_told_once_by_the_option_that_was_typed(tmp_path, trained):
    small = f"overrides={quoted(TINY_CORPUS)}"
    arguments = ("+comparison=demo", "match=steps", "budget=4", "device=cpu", small)
    done = door_in_process("compare", *arguments, folder=tmp_path)
    fails(done, "training has begun")
    told = [line for line in done.stderr.decode().splitlines() if "warmup" in line]
    assert len(told) == 1 and "budget=4 ends after 4 updates, within optimizer.warmup_steps" in told[0]


@pytest.mark.parametrize(
    "options", [{"seeds": [-1]}, {"match": "tokens", "budget": 1e30}, {"budget": math.nan}, {"budget": math.inf}]
)
def test_seeds_and_budgets_that_nothing_can_count_are_refused_by_their_names(options):
    with pytest.raises(UserError, match=f"^{list(options)[-1]}="):
        comparison(SystemOptions("demo/fixed"), **options)


def test_a_dictionary_on_the_command_line_takes_the_place_of_the_file_s_and_a_single_key_adds_to_it():
    register()
    with initialize_config_dir(str(CONFIG_FOLDER), version_base="1.3"):
        whole = compose("compare", ["+comparison=demo", "systems={mine: {experiment: demo/fixed}}", "baseline=mine"])
        nested = compose("compare", ["+comparison=demo", "systems.mine.experiment=demo/fixed"])
        single = compose("compare", ["+comparison=demo", "systems.mine={experiment: demo/fixed}"])
    assert list(whole.systems) == ["mine"]
    assert list(single.systems) == list(nested.systems) == ["fixed", "attention", "transformer", "mine"]
    files = ["corpus=files", "corpus.tests={news: a.tsv}"]
    assert compose_train([*files, "+experiment=multi30k/fixed"]).corpus.tests == {"news": "a.tsv"}
