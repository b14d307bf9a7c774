"""Every door as a user opens it: `python -m nmt.<door> ...` on a tiny corpus; and what a mistake looks like."""

from __future__ import annotations

import csv
import inspect
import json
import os
import shutil
import signal
import subprocess
import sys
from typing import Any

import pytest
import sacrebleu
import torch

from nmt import override_errors
from nmt.config import CONFIG_FOLDER, compose_train
from nmt.door import NAMES
from nmt.training.precision import choose_device
from tests.conftest import ROOT, TINY_CORPUS, TINY_SIZES, door, environment
from tests.processes import TINY_TRAIN, door_in_process, fails, start, wait_until


def lines(path):
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def quoted(overrides) -> str:
    """A list of overrides as one value of an override."""
    return "[" + ",".join(f"'{override}'" for override in overrides) + "]"


def test_a_run_is_a_folder_with_all_it_needs(trained_run):
    names = {path.name for path in trained_run.iterdir()}
    assert {"config.yaml", "tokenizer", "checkpoints", "journal.jsonl", "provenance.json"} <= names
    assert list(trained_run.glob("events.out.tfevents.*"))
    assert {"best.safetensors", "step-00000006.safetensors"} <= {
        p.name for p in (trained_run / "checkpoints").iterdir()
    }
    provenance = json.loads((trained_run / "provenance.json").read_text())
    assert {"versions", "commit", "data", "machine"} <= provenance.keys()


def test_evaluate_writes_texts_and_the_very_figures_of_sacrebleu(trained_run):
    made = door("evaluate", f"run={trained_run}", "evaluation.bucket_bounds=[5,10]", folder=trained_run.parent)
    assert made.returncode == 0, made.stderr.decode()
    folder = trained_run / "evaluations" / "test"
    source, reference, hypothesis = (lines(folder / f"{name}.txt") for name in ("source", "reference", "hypothesis"))
    assert len(source) == len(reference) == len(hypothesis) == 12
    content = json.loads((folder / "scores.json").read_text())
    assert "tok:13a" in content["signatures"]["bleu"]
    seen = set()
    for row in content["scores"]:
        low, high = {"1-5": (0, 5), "6-10": (6, 10), "11+": (11, 999), "all": (0, 999)}[row["bucket"]]
        chosen = [i for i, line in enumerate(source) if low <= len(line.split()) <= high]
        score = {"bleu": sacrebleu.corpus_bleu, "chrf": sacrebleu.corpus_chrf}.get(row["metric"])
        if score is None:  # a diagnosis
            continue
        by_hand = score(
            [hypothesis[i] for i in chosen],
            [[reference[i] for i in chosen]],
            **({"force": True} if row["metric"] == "bleu" else {}),
        ).score
        assert row["score"] == pytest.approx(by_hand, abs=1e-9) and row["sentences"] == len(chosen)
        seen.add(row["bucket"])
    assert seen == {"1-5", "6-10", "11+", "all"}


def test_align_reads_links_and_scores_them_against_gold(trained_run):
    folder = trained_run.parent
    texts = {"a": "The man sleeps.\n\nA dog sees the child.\n", "b": "Der Mann schläft.\n\nEin Hund sieht das Kind.\n"}
    for name, text in texts.items():
        (folder / f"align.{name}").write_text(text)
    (folder / "gold").write_text("0-0 1-1 2p2\n\n0-0\n")
    command = [f"run={trained_run}", "source=align.a", "target=align.b", "gold=gold"]
    made = door("align", *command, folder=folder)
    assert made.returncode == 0, made.stderr.decode()
    first, empty, last, end = made.stdout.decode().split("\n")
    assert empty == "" == end and len(first.split()) == 3 and len(last.split()) == 5, "one link a target word"
    assert all(0 <= int(link.partition("-")[0]) < 3 for link in first.split())
    assert "alignment error rate: " in made.stderr.decode()
    both = door_in_process("align", *command[:3], f"reverse={trained_run}", "join=union", folder=folder)
    assert both.returncode == 0 and set(first.split()) <= set(both.stdout.decode().split("\n")[0].split())
    (folder / "gold").write_text("0-0\n")
    fails(door_in_process("align", *command, folder=folder), "gold", "1 lines for 3")
    fails(door_in_process("align", *command[:3], "join=grow", folder=folder), "join=grow", "grow-diag")


def test_gold_links_that_count_words_between_spaces_alone_are_those_of_the_same_words(trained_run, tmp_path):
    (tmp_path / "a").write_text("he says : yes\n", encoding="utf-8")
    (tmp_path / "b").write_text("il dit\u00a0: oui\n", encoding="utf-8")
    command = [f"run={trained_run}", "source=a", "target=b", "gold=gold", "device=cpu"]
    rates = []
    for gold in ("0-0 1-1 2-1 3-2\n", "0-0 1-1 1-2 2-1 2-2 3-3\n"):  # a no-break space parts no words, and does
        (tmp_path / "gold").write_text(gold)
        made = door_in_process("align", *command, folder=tmp_path)
        assert made.returncode == 0, made.stderr.decode()
        rates.append(made.stderr.decode().splitlines()[-1])
    assert rates[0] == rates[1]


def test_score_gives_a_log_probability_a_line_and_tells_right_from_wrong(trained_run):
    folder = trained_run.parent
    texts = {
        "s": "The man sleeps.\n\nA dog.\n",
        "r": "Der Mann schläft.\n\nEin Hund.\n",
        "w": "Der Mann.\n\nHund Hund.\n",
    }
    for name, text in texts.items():
        (folder / f"score.{name}").write_text(text)
    command = [f"run={trained_run}", "source=score.s", "target=score.r"]
    made = door("score", *command, folder=folder)
    assert made.returncode == 0, made.stderr.decode()
    scores = [float(line) for line in made.stdout.decode().splitlines()]
    assert len(scores) == 3 and scores[1] == float("-inf") and scores[0] < 0 > scores[2]
    wrong = ["wrong=score.w", "evaluation.resamples=10"]
    fails(door_in_process("score", *command, *wrong, folder=folder), "line 2: an empty source")
    for name, text in texts.items():
        (folder / f"score.{name}").write_text(text.replace("\n\n", "\n"))
    told = door_in_process("score", *command, *wrong, folder=folder)
    assert told.returncode == 0, told.stderr.decode()
    assert "place of the mistake" in told.stdout.decode() and "right form preferred" in told.stdout.decode()
    fails(door_in_process("score", *command, "wrong=nowhere", folder=folder), "nowhere")


def test_translate_gives_line_for_line_empty_and_odd_ones_too(trained_run):
    text = "The man sleeps.\n\nü 漢字 \0 x\n   \nLast line without an end".encode()
    made = door("translate", f"run={trained_run}", "decoding.beam_size=2", folder=trained_run.parent, text=text)
    assert made.returncode == 0, made.stderr.decode()
    out = made.stdout.decode().split("\n")
    assert len(out) == 6 and out[1] == out[3] == out[5] == ""
    alone = door_in_process(
        "translate", f"run={trained_run}", "decoding.beam_size=2", folder=trained_run.parent, text=b"The man sleeps.\n"
    )
    assert alone.stdout.decode().split("\n")[0] == out[0]
    bad = door_in_process("translate", f"run={trained_run}", folder=trained_run.parent, text=b"fine\n\xff\xfe\n")
    fails(bad, "standard input, line 2", "UTF-8")


def test_compare_trains_scores_and_reports_and_does_not_train_twice(tmp_path):
    arguments = (
        "+comparison=demo",
        "match=steps",
        "budget=4",
        "decoding.beam_size=1",
        "evaluation.min_sentences=4",
        "evaluation.bucket_bounds=[5,10]",
        "evaluation.resamples=50",
        "name=trial",
        "seeds=[1,2]",
        "systems={fixed:{experiment:demo/fixed,overrides:"
        + quoted(TINY_SIZES["recurrent"])
        + "},transformer:{experiment:demo/transformer,overrides:"
        + quoted(TINY_SIZES["transformer"])
        + "}}",
        "overrides=" + quoted(TINY_CORPUS),
        "device=cpu",
    )
    made = door("compare", *arguments, folder=tmp_path)
    assert made.returncode == 0, made.stderr.decode()
    report = tmp_path / "runs/trial/report-beam_size=1"
    names = {path.name for path in report.iterdir()}
    assert {"index.html", "report.json", "scores.csv", "report.md", "bleu_by_length.png", "bleu_by_length.svg"} <= names
    assert str(report.relative_to(tmp_path)) in made.stdout.decode()
    with open(report / "scores.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["system"], row["seed"]) for row in rows} >= {("fixed", "1"), ("transformer", "mean")}
    for row in rows:  # the report's own figures, by hand from the written texts
        if row["metric"] == "bleu" and row["bucket"] == "all" and row["seed"] != "mean":
            run = tmp_path / "runs/trial" / row["system"] / f"seed-{row['seed']}"
            folder = run / "evaluations/test/beam_size=1"
            by_hand = sacrebleu.corpus_bleu(
                lines(folder / "hypothesis.txt"), [lines(folder / "reference.txt")], force=True
            )
            assert float(row["score"]) == pytest.approx(by_hand.score, abs=1e-4)
    checkpoint = tmp_path / "runs/trial/fixed/seed-1/checkpoints/best.safetensors"
    before = checkpoint.stat().st_mtime_ns
    again = door_in_process("compare", *arguments, folder=tmp_path)
    assert again.returncode == 0 and b"already trained" in again.stderr
    assert checkpoint.stat().st_mtime_ns == before
    assert (report / "scores.csv").read_text().splitlines()[1:] == [",".join(row.values()) for row in rows]


def test_a_signal_writes_a_checkpoint_and_the_same_command_goes_on(tmp_path):
    arguments = [*TINY_TRAIN[:-2], "trainer.max_steps=100000", "trainer.validate_every=50000", "run.dir=run"]
    process = start(tmp_path, arguments)
    journal = tmp_path / "run/journal.jsonl"
    wait_until(lambda: journal.exists() and '"train"' in journal.read_text(), "a report of training", process=process)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143 and b"goes on from there" in errors, errors.decode()
    [saved] = (tmp_path / "run/checkpoints").glob("interim-*.safetensors")
    step = int(saved.stem.partition("-")[2])
    made = door("train", *arguments[:-3], f"trainer.max_steps={step + 2}", *arguments[-2:], folder=tmp_path)
    assert made.returncode == 0 and f"going on from step {step}".encode() in made.stderr, made.stderr.decode()


@pytest.mark.parametrize("name", NAMES)
def test_help_tells_what_people_change_most(tmp_path, name):
    made = door_in_process(name, "--help", folder=tmp_path)
    assert made.returncode == 0 and f"python -m nmt.{name} ".encode() in made.stdout


@pytest.mark.parametrize("arguments", [("--help",), ("trainer.max_step=5",)])
def test_a_door_of_its_own_process_ends_with_the_same_words(tmp_path, arguments):
    real = door("train", *arguments, folder=tmp_path)
    here = door_in_process("train", *arguments, folder=tmp_path)
    assert (real.returncode, real.stdout) == (here.returncode, here.stdout)
    assert real.stderr.splitlines()[-1:] == here.stderr.splitlines(), "a busy machine also says that libraries load"


def test_help_comes_before_torch_is_imported(tmp_path):
    code = "import sys; sys.argv[1:] = ['--help']; import nmt.train as door\n"
    code += "try: door.main()\nfinally: print('torch' in sys.modules)"
    made = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert made.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("trainer.max_step=5",), ("trainer.max_step: no such option", "did you mean 'max_steps'")),
        (("+trainer.max_step=5",), ("trainer.max_step: no such option", "did you mean 'max_steps'")),
        (("+experiment=demo/atention",), ("experiment=demo/atention", "did you mean 'demo/attention'")),
        (("model=lstm_atention",), ("model=lstm_atention", "did you mean 'lstm_attention'")),
        (("trainer.max_steps=many",), ("trainer.max_steps=many: must be a whole number",)),
        (("trainer.max_minutes=null",), ("trainer.max_minutes=null: can't be null",)),
        (("batching.stream=perhaps",), ("batching.stream=perhaps: must be true or false",)),
        (("trainer=3",), ("trainer=3: holds options of its own",)),
        (("~trainer.max_steps",), ("~trainer.max_steps: can't be taken away",)),
        (("model=null",), ("model=null: no such configuration", "transformer")),
        (("model=3",), ("model=3: no such configuration", "transformer")),
        (("=3",), ("an override names no configuration",)),
        (("run.name=%x", "corpus=null"), ("corpus=null: no such configuration", "files")),
        (("seed",), ("seed: cannot be read; options are key=value",)),
        (("model.cell=lstn", "trainer.max_steps=1"), ("model.cell=lstn", "did you mean 'lstm'")),
        ((), ("no budget",)),
        (("device=cuda:9", "trainer.max_steps=1"), ("device=cuda:9", "no such GPU")),
        (
            ("corpus=multi30k_en_de", "corpus.train=['nowhere/t.{language}']", "trainer.max_steps=1"),
            ("nowhere/t.en: no such file",),
        ),
        (("run.dir=/proc/nowhere", "trainer.max_steps=1"), ("/proc/nowhere: cannot be written",)),
    ],
)
def test_a_mistake_ends_in_one_line_with_the_place_and_the_mend(tmp_path, arguments, told):
    small = [option for option in TINY_CORPUS if not option.startswith(("corpus", "device"))]
    if not any(argument.startswith("corpus=") for argument in arguments):
        small += [option for option in TINY_CORPUS if option.startswith("corpus")]
    fails(door_in_process("train", *small, *arguments, folder=tmp_path), *told)


def test_a_run_of_another_configuration_is_not_overwritten(trained_run):
    made = door_in_process("train", *TINY_TRAIN, "run.dir=run", "model.dropout=0.5", folder=trained_run.parent)
    fails(made, "model.dropout=0.1, not 0.5", "another run.dir")
    made = door_in_process("train", *TINY_TRAIN, "run.dir=run", "corpus.seed=2", folder=trained_run.parent)
    fails(made, "corpus.train (hash of the text)")
    made = door_in_process("train", *TINY_TRAIN, "run.dir=run", "resume=never", folder=trained_run.parent)
    fails(made, "resume=never")


def test_a_run_goes_on_with_its_own_tokenizer_though_the_cache_has_another(trained_run, tmp_path):
    shutil.copytree(trained_run, tmp_path / "run")
    own = (tmp_path / "run/tokenizer/source.model").read_bytes()
    shutil.copytree(trained_run.parent / "data", tmp_path / "data")
    [cached] = (tmp_path / "data/cache").glob("tokenizer-*")
    door_in_process("train", *TINY_TRAIN, "run.dir=other", "tokenizer.vocabulary_size=350", folder=tmp_path)
    shutil.copyfile(tmp_path / "other/tokenizer/source.model", cached / "source.model")
    made = door_in_process("train", *TINY_TRAIN, "run.dir=run", "trainer.max_steps=8", folder=tmp_path)
    assert made.returncode == 0 and b"going on from step 6" in made.stderr, made.stderr.decode()
    assert (tmp_path / "run/tokenizer/source.model").read_bytes() == own


def test_lists_of_what_is_known_hold_what_a_user_may_type(tmp_path):
    options = fails(door_in_process("train", "trainer.max_step=5", folder=tmp_path), "known: accumulate")
    assert "MAY_CHANGE" not in options
    models = fails(door_in_process("train", "model=nonsense", folder=tmp_path), "known: ", "lstm_attention")
    assert "_schema" not in models
    experiments = fails(door_in_process("train", "+experiment=nonsense", folder=tmp_path), "demo/fixed")
    assert "shared" not in experiments


def test_the_run_within_a_folder_is_told(trained_run, tmp_path):
    shutil.copytree(trained_run, tmp_path / "runs/demo/seed-1")
    done = door_in_process("translate", "run=runs/demo", folder=tmp_path, text=b"")
    fails(done, "runs/demo: no run here", "did you mean runs/demo/seed-1?")


def test_a_plugin_is_found_in_the_current_folder_and_a_file_is_told_from_a_module(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "plugin_of_this_folder.py").write_text("raise ValueError('it was found')")
    for name, words in (
        ("plugin_of_this_folder", "it was found"),
        ("plugin_of_this_folder.py", "name the module, NMT_PLUGINS=plugin_of_this_folder"),
        ("plugin_of_no_folder", "plugin_of_no_folder.py must lie in the current folder"),
    ):
        monkeypatch.setenv("NMT_PLUGINS", name)
        fails(door_in_process("train", "+experiment=demo/fixed", folder=tmp_path), f"NMT_PLUGINS={name}: ", words)


def test_a_plugin_that_ends_itself_does_not_end_the_command_in_silence(tmp_path, monkeypatch):
    (tmp_path / "quitting.py").write_text("import sys\nsys.exit(0)\n")
    monkeypatch.setenv("NMT_PLUGINS", "quitting")
    monkeypatch.syspath_prepend(str(tmp_path))
    fails(door_in_process("evaluate", "run=x", folder=tmp_path), "NMT_PLUGINS=quitting", "sys.exit(0)")


def test_a_mac_s_gpu_is_taken_as_typed_where_pytorch_has_it(trained_run, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    absent = door_in_process("translate", f"run={trained_run}", "device=mps", folder=trained_run.parent)
    fails(absent, "device=mps: this PyTorch finds no such GPU", "device=cpu")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("mps") == torch.device("mps")


def test_a_vocabulary_too_large_for_its_text_is_told_with_the_largest(tmp_path):
    arguments = [word for word in TINY_TRAIN if not word.startswith("tokenizer.")]
    done = door_in_process("train", *arguments, "tokenizer.vocabulary_size=30000", "run.dir=run", folder=tmp_path)
    message = fails(done, "tokenizer.vocabulary_size=30000", "say tokenizer.vocabulary_size=")
    most = message.rpartition("tokenizer.vocabulary_size=")[2].split()[0]
    again = door_in_process(
        "train", *arguments, f"tokenizer.vocabulary_size={most}", "trainer.max_steps=1", "run.dir=run", folder=tmp_path
    )
    assert again.returncode == 0, again.stderr.decode()


@pytest.mark.parametrize("name", ["evaluate", "translate"])
def test_a_folder_that_is_no_run_is_told(tmp_path, name):
    fails(door_in_process(name, "run=nowhere", folder=tmp_path, text=b""), "nowhere: no run here")
    fails(door_in_process(name, folder=tmp_path, text=b""), "run: a value is needed")


def test_a_run_folder_s_config_can_not_name_code(trained_run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(trained_run, copy)
    text = (copy / "config.yaml").read_text()
    (copy / "config.yaml").write_text(text.replace("name: recurrent", "name: recurrent\n  _target_: os.system"))
    fails(door_in_process("translate", f"run={copy}", folder=tmp_path, text=b""), "config.yaml")
    (copy / "config.yaml").write_text(text + "x: !!python/object/apply:os.system ['touch hacked']\n")
    fails(door_in_process("translate", f"run={copy}", folder=tmp_path, text=b""), "config.yaml")
    assert not (tmp_path / "hacked").exists()


def test_a_damaged_checkpoint_is_named(trained_run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(trained_run, copy)
    best = copy / "checkpoints/best.safetensors"
    best.write_bytes(best.read_bytes()[:-100])
    fails(door_in_process("translate", f"run={copy}", folder=tmp_path, text=b""), "best.safetensors", "damaged")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("baseline=nobody",), ("baseline=nobody", "fixed")),
        (("match=minute",), ("match=minute", "did you mean 'minutes'")),
        (("budget=0",), ("budget=0",)),
        (("seeds=[1,1]",), ("seeds=[1, 1]",)),
        (("evaluation.metrics=[bleu,bleu]",), ("each once",)),
        (("name=a/b",), ("name: 'a/b' names files",)),
        (("test_sets=[tst]",), ("no test set 'tst'", "did you mean 'test'")),
        (("systems.fixed.overrides=['tokenizer.vocabulary_size=999']",), ("differ in tokenizer",)),
        (("systems.fixed.overrides=[tokenizer.vocabulary_size=999]",), ("cannot be read", "in quotes")),
        (("evaluation.metrics=[blue]",), ("did you mean 'bleu'",)),
        (("checkpoint=bst",), ("checkpoint=bst", "did you mean 'best'")),
        (("systems.fixed.experiment=demo/fixd",), ("demo/fixd", "did you mean 'demo/fixed'")),
    ],
)
def test_a_comparison_that_is_not_fair_is_refused_before_training(tmp_path, arguments, told):
    made = door_in_process("compare", "+comparison=demo", *arguments, folder=tmp_path)
    fails(made, *told)
    assert not (tmp_path / "runs").exists()


def test_the_command_in_a_report_can_be_typed_again():
    from nmt.errors import for_shell

    for argument in ("seeds=[1,2]", "overrides=['a=b','c=d']", "name=x y", """odd="'$x'" """):
        typed = subprocess.run(
            ["sh", "-c", f"printf %s {for_shell(argument)}"], capture_output=True, text=True, check=True
        )
        assert typed.stdout == argument
    assert for_shell("overrides=['a=b']") == "\"overrides=['a=b']\""


def test_a_configuration_that_was_replaced_says_what_to_type_instead(tmp_path, monkeypatch):
    monkeypatch.setitem(override_errors.REPLACED, "model", {"old": "model=lstm_attention model.attention.score=cosine"})
    told = "model=old: is now model=lstm_attention model.attention.score=cosine"
    fails(door_in_process("train", "model=old", folder=tmp_path), told)
    inside = "systems={one:{experiment:demo/fixed,overrides:['model=old']}}"
    compared = door_in_process("compare", "+comparison=demo", inside, "baseline=one", folder=tmp_path)
    fails(compared, told)


@pytest.mark.parametrize("name", override_errors.REPLACED["model"])
def test_every_replacement_can_be_typed(name):
    assert not (CONFIG_FOLDER / "model" / f"{name}.yaml").exists()
    compose_train(override_errors.REPLACED["model"][name].split())


MOST_FRAMES_TO_FIT = 3  # main, the task that Hydra calls, the job
MOST_FRAMES = 6  # to the backward pass: three more from fit


def test_few_frames_of_our_own_stand_between_main_and_the_backward_pass(tmp_path, monkeypatch):
    """A reader who follows one update through the code has so many functions to open."""
    stacks: list[list[str]] = []
    package = str(ROOT / "nmt") + os.sep
    backward = torch.Tensor.backward

    def noted(self: torch.Tensor, *arguments: Any, **more: Any) -> None:
        frames = [frame for frame in inspect.stack() if frame.filename.startswith(package)]
        stacks.append([frame.function for frame in reversed(frames)])
        backward(self, *arguments, **more)

    monkeypatch.setattr(torch.Tensor, "backward", noted)
    made = door_in_process("train", *TINY_TRAIN, "trainer.max_steps=1", "run.dir=run", folder=tmp_path)
    assert made.returncode == 0, made.stderr.decode()
    frames = stacks[0]
    assert frames[0] == "main" and frames.index("fit") <= MOST_FRAMES_TO_FIT, frames
    assert len(frames) <= MOST_FRAMES, frames
