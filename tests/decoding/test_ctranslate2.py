"""What is exported scores and translates as the model does."""

from __future__ import annotations

import errno
import os

import pytest
import torch

from nmt.decoding.options import DecodingOptions
from nmt.decoding.translator import Translator
from nmt.errors import UserError
from nmt.models.build import build_model
from nmt.models.interface import Vocabulary
from nmt.models.recurrent import RecurrentOptions
from nmt.models.transformer import TransformerOptions
from tests.disks import Killed, faulty, files

pytest.importorskip("ctranslate2", exc_type=ImportError)

from nmt.decoding.ctranslate2_engine import Engine, export, find_export

TINY = {"size": 32, "heads": 2, "feed_forward_size": 48, "encoder_layers": 2, "decoder_layers": 2}
MODELS = {
    "vaswani": TransformerOptions(**TINY, pre_norm=False),
    "pre-norm": TransformerOptions(**TINY),
    "rotary-rms-swiglu": TransformerOptions(**TINY, positions="rotary", norm="rms", activation="swiglu"),
    "learned-gelu-untied": TransformerOptions(**TINY, positions="learned", activation="gelu", tie_embeddings="none"),
    "no-positions-shallow": TransformerOptions(**{**TINY, "decoder_layers": 1}, positions="none"),
}
LINES = ["The man sleeps.", "", "A small dog sees the old woman who reads a book.", "The child, the dog"]
TARGETS = ["Der Mann schläft.", "", "Ein kleiner Hund sieht die alte Frau, die ein Buch liest.", "Das Kind"]


def make(options, tokenizer):
    torch.manual_seed(5)
    model = build_model(options, Vocabulary(tokenizer.source_size, tokenizer.target_size, True)).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # unlike at the start, so that a mistake shows: norms and biases too
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def forced(folder, lines, targets) -> list[float]:
    """What the library itself says of given translations: their log-probabilities."""
    engine = Engine(folder, DecodingOptions(), "cpu")
    sources = [engine.tokenizer.source_pieces(engine.tokenizer.encode_source(line)) for line in lines]
    outputs = [engine.tokenizer.target_pieces(engine.tokenizer.encode_target(target)) for target in targets]
    return [sum(result.log_probs) for result in engine.translator.score_batch(sources, outputs)]


@pytest.mark.parametrize("name", MODELS)
def test_scores_of_given_translations_agree(name, tokenizer, tmp_path):
    model = make(MODELS[name], tokenizer)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    export(model, tokenizer, tmp_path / "made", "float32", {})
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    options = DecodingOptions(length_penalty="none")
    ours = Translator(model, tokenizer, options).force(LINES, TARGETS)
    theirs = forced(tmp_path / "made", [LINES[0], *LINES[2:]], [TARGETS[0], *TARGETS[2:]])
    assert theirs == pytest.approx([ours[0].score, ours[2].score, ours[3].score], abs=1e-4, rel=1e-5)


def test_greedy_search_finds_the_same_line_for_line(tokenizer, tmp_path):
    model = make(MODELS["pre-norm"], tokenizer)
    export(model, tokenizer, tmp_path / "made", "float32", {})
    options = DecodingOptions(beam_size=1)
    ours = [made.text for made in Translator(model, tokenizer, options).translate([LINES[2]])]
    found = Engine(tmp_path / "made", options, "cpu").translate(LINES)
    assert len(found) == 4 and found[1].text == ""
    assert [found[2].text] == ours


def test_int8_leaves_the_live_weights_alone_and_an_older_export_is_replaced(tokenizer, tmp_path):
    model = make(MODELS["pre-norm"], tokenizer)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    export(model, tokenizer, tmp_path / "made", "float32", {})
    large = (tmp_path / "made/model.bin").stat().st_size
    export(model, tokenizer, tmp_path / "made", "int8", {})
    assert (tmp_path / "made/model.bin").stat().st_size < 0.6 * large
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert list(tmp_path.iterdir()) == [tmp_path / "made"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (RecurrentOptions(embedding_size=8, encoder_size=8, decoder_size=16), "no recurrent"),
        (TransformerOptions(**TINY, score="additive"), "model.score=additive"),
        (TransformerOptions(**TINY, positions="alibi"), "model.positions=alibi"),
    ],
)
def test_what_it_has_no_layers_for_is_refused(options, message, tokenizer, tmp_path):
    with pytest.raises(UserError, match=message):
        export(make(options, tokenizer), tokenizer, tmp_path / "made", "float32", {})
    with pytest.raises(UserError, match="did you mean 'int8'"):
        export(make(options, tokenizer), tokenizer, tmp_path / "made", "int9", {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (DecodingOptions(length_penalty="gnmt"), "knows average and none"),
        (DecodingOptions(temperature=1.0), "sample with engine=pytorch"),
        (DecodingOptions(precision="bf16"), "compute_type="),
    ],
)
def test_what_the_engine_cannot_do_is_refused(options, message, tmp_path):
    with pytest.raises(UserError, match=message):
        Engine(tmp_path, options, "cpu")


def test_an_export_is_found_by_its_run_and_by_itself_and_only_of_its_checkpoint(tokenizer, tmp_path, caplog):
    made = {"checkpoint": "best", "file": str(tmp_path / "best.safetensors")}
    export(make(MODELS["pre-norm"], tokenizer), tokenizer, tmp_path / "export/ctranslate2", "float32", made)
    assert find_export(tmp_path, "best") == find_export(tmp_path / "export/ctranslate2", "best")
    with pytest.raises(UserError, match="export of checkpoint=best"):
        find_export(tmp_path, "average")
    with pytest.raises(UserError, match="no export here"):
        find_export(tmp_path / "export", "best")
    assert not caplog.records
    (tmp_path / "best.safetensors").write_text("newer")
    os.utime(tmp_path / "best.safetensors", (2e9, 2e9))
    find_export(tmp_path, "best")
    assert "trained on after its export" in caplog.text
    (tmp_path / "export/ctranslate2/export.json").write_text("{")
    with pytest.raises(UserError, match="damaged"):
        find_export(tmp_path, "best")


def test_the_limit_of_a_line_does_not_depend_on_its_neighbours(tokenizer, tmp_path):
    model = make(MODELS["pre-norm"], tokenizer)
    export(model, tokenizer, tmp_path / "made", "float32", {})
    engine = Engine(tmp_path / "made", DecodingOptions(beam_size=1, max_length_factor=1, max_length_offset=0), "cpu")
    alone = engine.translate(["A dog."])[0].text
    assert engine.translate(["A dog.", "The old man who sees the child reads a book. " * 5])[0].text == alone


def test_learned_positions_go_on_past_their_table(tokenizer, tmp_path):
    options = TransformerOptions(**TINY, positions="learned", max_positions=6)
    model = make(options, tokenizer)
    export(model, tokenizer, tmp_path / "made", "float32", {})
    ours = Translator(model, tokenizer, DecodingOptions(length_penalty="none")).force([LINES[2]], [TARGETS[2]])
    theirs = forced(tmp_path / "made", [LINES[2]], [TARGETS[2]])
    assert theirs == pytest.approx([ours[0].score], abs=1e-3)


def test_a_folder_that_holds_anything_else_is_never_touched(tokenizer, tmp_path):
    model, folder = make(MODELS["pre-norm"], tokenizer), tmp_path / "mine"
    folder.mkdir()
    export(model, tokenizer, folder, "float32", {})  # an empty one serves
    (folder / "notes.txt").write_text("keep me")
    with pytest.raises(UserError, match=r"holds other things \(notes.txt\)"):
        export(model, tokenizer, folder, "float32", {})
    assert (folder / "notes.txt").read_text() == "keep me" and (folder / "model.bin").is_file()
    (tmp_path / "run").mkdir()
    (tmp_path / "run/config.json").write_text("{}")
    with pytest.raises(UserError, match="holds other things"):
        export(model, tokenizer, tmp_path / "run", "float32", {})
    (tmp_path / "link").symlink_to(tmp_path / "run")
    with pytest.raises(UserError, match="no folder"):
        export(model, tokenizer, tmp_path / "link", "float32", {})
    assert (tmp_path / "run/config.json").is_file()


def test_whichever_write_fails_the_export_before_stays_whole(tokenizer, tmp_path):
    model = make(MODELS["pre-norm"], tokenizer)
    folder = tmp_path / "made"
    export(model, tokenizer, folder, "float32", {})
    before = files(folder)
    number = 0
    while True:
        number += 1
        with faulty(tmp_path, lambda: OSError(errno.ENOSPC, "No space left on device"), number) as writes:
            try:
                export(model, tokenizer, folder, "int8", {})
                break
            except UserError as error:
                assert f"output={folder}: cannot be written (No space left on device)" in str(error)
        assert files(folder) == before and list(tmp_path.iterdir()) == [folder], writes[-1]
    assert number > 5 and files(folder) != before


def test_an_export_that_a_killed_process_had_moved_away_is_put_back_at_the_next_start(tokenizer, tmp_path):
    model = make(MODELS["pre-norm"], tokenizer)
    folder = tmp_path / "export/ctranslate2"
    made_of = {"checkpoint": "best", "file": str(tmp_path / "best.safetensors")}
    export(model, tokenizer, folder, "float32", made_of)
    before = files(folder)
    number = 0
    while True:
        number += 1
        try:
            with faulty(tmp_path, Killed, number):
                export(model, tokenizer, folder, "int8", made_of)
            break
        except Killed:
            assert find_export(tmp_path, "best") == folder
            assert files(folder) == before and list(folder.parent.iterdir()) == [folder]


def test_a_folder_of_the_user_s_is_refused_without_the_advice_to_delete_it(tokenizer, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UserError, match="holds other things") as refused:
        export(make(MODELS["pre-norm"], tokenizer), tokenizer, tmp_path, "float32", {})
    assert "delete" not in str(refused.value)
