"""What an evaluation leaves in its folder, and when it is read instead of made again."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nmt.errors import UserError
from nmt.evaluation.translations import Evaluation
from nmt.evaluation.translations_folder import Wanted, read_evaluation, write_evaluation, write_scores
from tests.disks import Killed, faulty, files
from tests.evaluation.test_table import OPTIONS, evaluation

IDENTITY = {"checkpoint": "best.safetensors"}
KNOWN = [[(0, 0)]] * 100


@pytest.fixture
def written(tmp_path):
    made = evaluation(0.3, 1, KNOWN)
    made.hypotheses[0] = f"\ufeff{made.hypotheses[0]}"  # which is no byte order mark in a file of our own
    made.hypotheses[1] += "\r"
    write_evaluation(tmp_path, made, IDENTITY)
    return tmp_path, made


def read(folder, made: Evaluation, identity=IDENTITY, shown=None) -> Evaluation | None:
    chosen = made.shown if shown is None else shown
    return read_evaluation(folder, Wanted("test", made.sources, made.references, chosen, identity, KNOWN))


def test_it_is_read_as_it_was(written):
    folder, made = written
    again = read(folder, made)
    for name in ("hypotheses", "scores", "reference_scores", "links", "gradients", "known_links", "shown"):
        assert getattr(again, name) == getattr(made, name), name
    np.testing.assert_array_equal(again.heat_maps[0].weights, made.heat_maps[0].weights)
    np.testing.assert_array_equal(again.pictures[0].heads, made.pictures[0].heads)
    assert again.heat_maps[0].source_pieces == made.heat_maps[0].source_pieces


def test_fewer_shown_sentences_are_read_from_more(written):
    folder, made = written
    again = read(folder, made, shown=[1, 2])
    assert again.shown == [1, 2] and again.heat_maps == {} and again.links == {}


def test_more_shown_sentences_than_were_kept_are_made_again(written):
    folder, made = written
    assert read(folder, made, shown=[*made.shown, len(made.shown)]) is None


def test_of_another_model_or_text_it_is_made_again(written):
    folder, made = written
    assert read(folder, made, identity={"checkpoint": "last"}) is None
    other = [*made.sources[:-1], "other"]
    assert read_evaluation(folder, Wanted("test", other, made.references, made.shown, IDENTITY, KNOWN)) is None
    (folder / "hypothesis.txt").write_text("one line\n")
    assert read(folder, made) is None


def test_attention_in_one_array_as_it_was_before_is_made_again(written):
    folder, made = written
    np.savez_compressed(folder / "attention.npz", weights=np.zeros(2, np.uint8), heads=np.zeros(8, np.uint8))
    assert read(folder, made) is None


def test_what_is_cut_short_is_made_again(written):
    folder, made = written
    data = (folder / "attention.npz").read_bytes()
    (folder / "attention.npz").write_bytes(data[: len(data) // 2])
    assert read(folder, made) is None


def test_a_file_of_before_that_lacks_something_is_made_again(written):
    folder, made = written
    content = json.loads((folder / "evaluation.json").read_text())
    del content["scores"]
    (folder / "evaluation.json").write_text(json.dumps(content))
    assert read(folder, made) is None


@pytest.mark.parametrize("content", ["[]", "5", "null", '{"pieces": []}'])
def test_json_of_another_form_is_made_again(written, content):
    folder, made = written
    (folder / "evaluation.json").write_text(content)
    assert read(folder, made) is None


def test_attention_that_does_not_fit_its_pieces_is_made_again(written):
    folder, made = written
    with np.load(folder / "attention.npz") as stored:
        arrays = dict(stored)
    first = next(name for name in arrays if name.startswith("weights."))
    arrays[first] = arrays[first][:, :-1]
    np.savez_compressed(folder / "attention.npz", **arrays)
    assert read(folder, made) is None


def with_one_score_too_few(folder: Path) -> str:
    return rewritten(folder, "scores", lambda scores: scores[1:])


def with_a_sentence_too_many(folder: Path) -> str:
    return rewritten(folder, "shown", lambda shown: [*shown, 10_000])


def with_other_links(folder: Path) -> str:
    return rewritten(folder, "links", lambda _: {"0": [[0, 0]]})


def rewritten(folder: Path, name: str, change: Callable) -> str:
    path = folder / "evaluation.json"
    content = json.loads(path.read_text())
    content[name] = change(content[name])
    path.write_text(json.dumps(content))
    return "evaluation.json"


def with_texts_of_another_evaluation(folder: Path) -> str:
    path = folder / "hypothesis.txt"
    path.write_text("".join(f"another {line}\n" for line in path.read_text().splitlines()))
    return "hypothesis.txt"


def with_attention_of_another_evaluation(folder: Path) -> str:
    with np.load(folder / "attention.npz") as stored:
        arrays = dict(stored)
    np.savez_compressed(folder / "attention.npz", **{name: array[..., ::-1] for name, array in arrays.items()})
    return "attention.npz"


@pytest.mark.parametrize(
    "change",
    [
        with_one_score_too_few,
        with_a_sentence_too_many,
        with_other_links,
        with_texts_of_another_evaluation,
        with_attention_of_another_evaluation,
    ],
)
def test_what_is_not_as_it_was_written_is_named_and_made_again(written, change, caplog):
    folder, made = written
    spoilt = change(folder)
    assert read(folder, made) is None
    assert f"{folder / spoilt}: not as it was written" in caplog.text


def test_an_evaluation_without_digests_of_too_few_scores_is_made_again(written):
    folder, made = written
    path = folder / "evaluation.json"
    content = json.loads(path.read_text())
    for name in ("digests", "digest", "cut"):
        content.pop(name, None)
    path.write_text(json.dumps({**content, "reference_scores": [0.0]}))
    assert read(folder, made) is None
    path.write_text(json.dumps(content))
    assert read(folder, made).cut is None


def test_lines_are_read_as_they_were_written_whatever_they_begin_or_end_with(tmp_path):
    plain = evaluation(0.3, 1, KNOWN)
    odd = ["\ufeffa mark first", "a return last\r", "", *plain.hypotheses[3:]]
    made = replace(plain, hypotheses=odd)
    write_evaluation(tmp_path, made, IDENTITY)
    assert read(tmp_path, made).hypotheses == odd


IDENTITIES = [
    {"checkpoint": "best.safetensors", "asked": "best", "weights": weights, "decoding": {"beam_size": 5}}
    for weights in ("1234", "5678")
]


@pytest.fixture
def scored(tmp_path) -> Path:
    """A folder with an evaluation, its scores and a note of the user's."""
    write_scored(tmp_path, IDENTITIES[0])
    (tmp_path / "notes.txt").write_text("mine")
    return tmp_path


MADE = evaluation(0.3, 1, KNOWN)


def write_scored(folder: Path, identity: dict) -> Evaluation:
    hypotheses = [*MADE.hypotheses[1:], identity["weights"]]
    made = replace(MADE, hypotheses=hypotheses, folder=folder, identity=identity)
    write_evaluation(folder, made, identity)
    write_scores(made, [], OPTIONS)
    return made


def test_whichever_write_fails_the_older_evaluation_stays_whole_with_its_scores(scored):
    before = files(scored)
    number = failures = 0
    writes = ["the first"]
    while number <= len(writes):
        number += 1
        with faulty(scored, lambda: OSError(errno.ENOSPC, "No space left on device"), number) as writes:
            try:
                made = write_scored(scored, IDENTITIES[1])
            except (UserError, OSError) as error:
                assert "No space left on device" in str(error) and files(scored) == before, writes[-1]
                failures += 1
                continue
        assert json.loads(files(scored)["scores.json"])["weights"] == "5678"
        assert read(scored, made, IDENTITIES[1]).hypotheses == made.hypotheses
        write_scored(scored, IDENTITIES[0])
        assert files(scored) == before
    assert failures > 10


def test_killed_at_any_write_the_next_start_finds_the_older_or_the_newer_evaluation(scored, caplog):
    before = files(scored)
    number = 0
    while True:
        number += 4
        try:
            with faulty(scored, Killed, number) as writes:
                made = write_scored(scored, IDENTITIES[1])
            break
        except Killed:
            is_found = [read(scored, MADE, identity) is not None for identity in IDENTITIES]
            assert any(is_found) and not caplog.records, writes[-1]
            if files(scored) != before:
                assert is_found == [False, True] and json.loads(files(scored)["scores.json"])["weights"] == "5678"
                write_scored(scored, IDENTITIES[0])
    assert read(scored, made, IDENTITIES[1]) is not None


@pytest.mark.parametrize("name", ["evaluation.json", "hypothesis.txt", "attention.npz"])
def test_what_can_not_be_read_now_ends_in_one_line_and_is_kept(written, name):
    folder, made = written
    (folder / name).unlink()
    (folder / name).symlink_to(name)  # a link to itself, which not even root can open
    with pytest.raises(UserError, match=f"{name}: cannot be read"):
        read(folder, made)
    assert (folder / name).is_symlink()
