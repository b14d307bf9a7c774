"""Streams, tags and fine-tuning through the real door."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nmt.corpus.kinds.files import FilesOptions
from nmt.corpus.subwords.tokenizer import TokenizerOptions
from nmt.run import open_run
from nmt.schemas import RunOptions
from nmt.training.checkpoints.parts import load_state
from nmt.training.finetuning import FinetuningOptions
from nmt.training.journal import read_journal
from tests.conftest import TINY_SIZES, door
from tests.processes import door_in_process, fails

GENERAL = [(f"the cat number {i} sleeps", f"die Katze Nummer {i} schläft") for i in range(60)]
SPECIAL = [(f"protein p{i} binds kinase k{i}", f"Protein p{i} bindet Kinase k{i}") for i in range(60)]
OPTIONS = (
    *("corpus=files", "corpus.valid='general.{language}'", "corpus.tests={test: 'general.{language}'}"),
    *("model=transformer", *TINY_SIZES["transformer"], "batching.tokens=256", "trainer.validate_every=4"),
    *("trainer.precision=fp32", "validation.bleu_sentences=2", "device=cpu"),
)
STREAM = ("batching.stream=true", "batching.block=50")


def write(folder: Path, name: str, pairs) -> None:
    for side, language in enumerate(("en", "de")):
        (folder / f"{name}.{language}").write_text("".join(pair[side] + "\n" for pair in pairs))


@pytest.fixture
def texts(tmp_path) -> Path:
    for name, pairs in (("general", GENERAL), ("special", SPECIAL), ("shard.1", GENERAL[:9]), ("shard.2", SPECIAL[:5])):
        write(tmp_path, name, pairs)
    return tmp_path


def train(folder: Path, run: str, *more: str, steps: int = 8, places: str = "'general.{language}'") -> None:
    size = [] if any("vocabulary_size" in option for option in more) else ["tokenizer.vocabulary_size=330"]
    where = [f"corpus.train=[{places}]", f"run.dir={run}", f"trainer.max_steps={steps}", *size]
    made = door("train", *OPTIONS, *where, *more, folder=folder)
    assert made.returncode == 0, made.stderr.decode()


def test_a_stream_that_was_stopped_goes_on_bit_for_bit(texts):
    mixed = ("'general.{language}','special.{language}'", "corpus.weights=[2,1]", "tokenizer.sampling=0.1", *STREAM)
    tagged = ("corpus.tags=['','<bt>']", "tokenizer.symbols=['<bt>']", "optimizer.schedule=constant")
    for run, stops in (("whole", [14]), ("cut", [5, 9, 14])):
        for steps in stops:
            train(texts, run, *mixed[1:], *tagged, "trainer.validate_every=1", steps=steps, places=mixed[0])
    ends = [load_state(texts / run / "checkpoints/step-00000014.safetensors") for run in ("whole", "cut")]
    assert ends[0].progress.position == ends[1].progress.position and ends[0].progress.position.block > 0
    assert all(torch.equal(tensor, ends[1].tensors[name]) for name, tensor in ends[0].tensors.items())
    assert open_run(texts / "cut").tokenizer.encode_source("<bt> cat")[:2] != [3, 3]
    losses = [[e["loss"] for e in read_journal(texts / run) if e["event"] == "valid"] for run in ("whole", "cut")]
    assert losses[0] == losses[1]


def test_a_data_set_is_streamed_without_a_copy(texts):
    import pyarrow
    import pyarrow.parquet

    (texts / "set").mkdir()
    for split, pairs in (("train", GENERAL + SPECIAL), ("validation", GENERAL[:5]), ("test", GENERAL[:5])):
        table = pyarrow.table({"translation": [{"en": source, "de": target} for source, target in pairs]})
        pyarrow.parquet.write_table(table, texts / f"set/{split}.parquet")
    options = ["corpus=datasets", "corpus.path=set", "corpus.streaming=true", *STREAM, *OPTIONS[3:]]
    for steps in (3, 6):
        size = ["tokenizer.vocabulary_size=330", f"trainer.max_steps={steps}", "run.dir=run"]
        made = door("train", *options, *size, folder=texts)
        assert made.returncode == 0, made.stderr.decode()
    assert b"going on from step 3" in made.stderr
    assert load_state(texts / "run/checkpoints/step-00000006.safetensors").progress.position.read[0][1] > 0


def test_a_tag_stays_whole_and_comes_before_the_source_alone(texts):
    options = FilesOptions(train=[f"{texts}/general.{{language}}", f"{texts}/special.{{language}}"], tags=["", "<bt>"])
    pairs = list(options.read("train"))
    assert [pairs[number].encoder_input for number in (0, 60)] == [GENERAL[0][0], "<bt> " + SPECIAL[0][0]]
    assert pairs[60][:2] == SPECIAL[0]
    train(texts, "run", "tokenizer.symbols=['<bt>']", steps=1)
    tokenizer = open_run(texts / "run").tokenizer
    assert "<bt>" in tokenizer.source_pieces(tokenizer.encode_source("<bt> the cat"))


def test_a_star_stands_for_files_in_the_order_of_their_names(texts):
    options = FilesOptions(train=[f"{texts}/shard.*.{{language}}"])
    assert [pair[:2] for pair in options.read("train")] == GENERAL[:9] + SPECIAL[:5]


def test_a_run_begins_with_the_weights_of_another_and_keeps_its_vocabulary(texts):
    train(texts, "base")
    train(texts, "tuned", "finetuning.run=base", "optimizer.learning_rate=1e-9", places="'special.{language}'")
    base, tuned = (open_run(texts / name) for name in ("base", "tuned"))
    assert base.tokenizer.digest == tuned.tokenizer.digest
    old, new = (run.checkpoints.weights("best")[0] for run in (base, tuned))
    assert all((old[name] - tensor).abs().max() < 1e-6 for name, tensor in new.items())
    assert read_journal(texts / "tuned")[0]["step"] == 0


def test_a_vocabulary_is_extended_and_what_was_known_keeps_its_rows(texts):
    train(texts, "base")
    more = ("finetuning.run=base", "finetuning.vocabulary=extend", "optimizer.learning_rate=1e-9")
    train(texts, "tuned", *more, "tokenizer.vocabulary_size=340", places="'special.{language}'")
    base, tuned = (open_run(texts / name) for name in ("base", "tuned"))
    count = base.tokenizer.source_size
    assert tuned.tokenizer.source_size > count
    assert tuned.tokenizer.source_pieces(range(count)) == base.tokenizer.source_pieces(range(count))
    old, new = (run.checkpoints.weights("best")[0]["source_embedding.weight"] for run in (base, tuned))
    assert (new[:count] - old).abs().max() < 1e-6 and new[count:].abs().max() > 0
    for _, target in SPECIAL[:5] + GENERAL[:5]:
        assert tuned.tokenizer.decode_target(tuned.tokenizer.encode_target(target)) == target
    short, long = (len(run.tokenizer.encode_source(SPECIAL[7][0])) for run in (tuned, base))
    assert short < long, "the new pieces are used"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("finetuning.run=base", "model.size=32"), ("model.size=32", "another model", "model options, model.size=16")),
        (("finetuning.run=nowhere",), ("nowhere: no run here",)),
        (("finetuning.run=base", "finetuning.checkpoint=lsat"), ("finetuning.checkpoint=lsat", "did you mean 'last'")),
        (("finetuning.run=base", "finetuning.vocabulary=grow"), ("finetuning.vocabulary=grow", "extend")),
        (("tokenizer.sampling=0.1",), ("tokenizer.sampling", "batching.stream=true")),
        (("tokenizer.sampling=2",), ("tokenizer.sampling=2", "below 1")),
        (("corpus.weights=[1]",), ("corpus.weights", "batching.stream=true")),
        (("corpus.weights=[1,2]",), ("corpus.weights: 2 for the 1 places", "one each")),
        (("corpus.tags=['<bt>']",), ("'<bt>' would be split", "tokenizer.symbols")),
        (("tokenizer.symbols=['<unk>']",), ("tokenizer.symbols: '<unk>' can't be one",)),
        (("finetuning.run=base", "run.dir=base"), ("is run.dir itself",)),
        (("cleaning.duplicates=drop", *STREAM), ("cleaning.duplicates=drop", "stream")),
        (("cleaning.source_script=latin",), ("cleaning.source_script=latin", "LATIN")),
        (("corpus.train=['no.*.{language}']",), ("no.*.en: no such files", "check the corpus paths")),
    ],
)
def test_what_can_not_be_is_refused(texts, options, told):
    if options[0] == "finetuning.run=base":
        train(texts, "base", steps=1)
    where = [
        "corpus.train=['general.{language}']",
        "tokenizer.vocabulary_size=330",
        "run.dir=run",
        "trainer.max_steps=1",
    ]
    fails(door_in_process("train", *OPTIONS, *where, *options, folder=texts), *told)


def test_a_run_that_keeps_a_vocabulary_records_the_tokenizer_that_it_has(texts):
    size = ("corpus.train=['general.{language}']", "trainer.max_steps=1", "validation.bleu_sentences=0")
    made = door_in_process("train", *OPTIONS, *size, "run.dir=base", "tokenizer.vocabulary_size=330", folder=texts)
    assert made.returncode == 0, made.stderr.decode()
    others = ("tokenizer.kind=unigram", "tokenizer.vocabulary_size=300", "tokenizer.joint=false")
    tuned = (
        "run.dir=tuned",
        "finetuning.run=base",
        *others,
        "tokenizer.symbols=['<x>']",
        "tokenizer.byte_fallback=false",
    )
    made = door_in_process("train", *OPTIONS, *size, *tuned, folder=texts)
    assert made.returncode == 0, made.stderr.decode()
    base, run = (open_run(texts / name) for name in ("base", "tuned"))
    assert run.config.tokenizer == base.config.tokenizer and run.tokenizer.digest == base.tokenizer.digest
    # A comparison plans runs before their base is trained, where that is one of its own.
    from nmt.jobs.finetuning import settled

    to_come = replace(base.config, run=RunOptions(dir=str(texts / "to-come")))
    asked = replace(
        base.config,
        run=RunOptions(dir=str(texts / "after")),
        tokenizer=TokenizerOptions(),
        finetuning=FinetuningOptions(run=to_come.run.dir),
    )
    assert settled(asked, [to_come]).tokenizer == base.config.tokenizer
    refused = door_in_process(
        "train",
        *OPTIONS,
        *size,
        "run.dir=wide",
        "finetuning.run=base",
        "model.size=32",
        "model.dropout=0.5",
        folder=texts,
    )
    assert "dropout" not in fails(refused, "model.size=32", "finetuning.run=base")
    assert not (texts / "wide").exists()
