"""Downloads on a bad day: each ends whole, or in one line; and what has come is not asked for again."""

from __future__ import annotations

import logging
import socket

import pytest

from nmt.corpus.fetching import addresses
from nmt.corpus.fetching.fetch import fetch
from nmt.errors import UserError
from tests.corpora_server import QUICK, Mood, packed
from tests.toy_corpus import COMMIT, FILES, LARGEST, TEXTS, TOY_ARCHIVE, TOY_FILES, TREE, texts_in

CUT = 70_000  # bytes: within the largest file
ALL = sum(map(len, FILES.values()))


@pytest.fixture
def corpora(tmp_path):
    return tmp_path / "corpora"


def fetched(recipe, corpora):
    """Fetches a corpus, and holds that it is whole and nothing else is left."""
    folder = corpora / recipe.folder
    assert fetch(recipe, folder, patience=QUICK)
    assert texts_in(folder) == TEXTS
    assert {path.name for path in corpora.iterdir()} <= {recipe.folder, f".{recipe.folder}.lock"}
    return folder


def refused(recipe, corpora, *parts):
    """Holds that a corpus can't be fetched, that one line says why, and that nothing counts as there."""
    with pytest.raises(UserError) as raised:
        fetch(recipe, corpora / recipe.folder, patience=QUICK)
    message = str(raised.value)
    assert "\n" not in message
    for part in parts:
        assert part in message, message
    assert not (corpora / recipe.folder).exists()
    return message


@pytest.mark.parametrize("recipe", [TOY_FILES, TOY_ARCHIVE], ids=["files", "archive"])
def test_a_corpus_is_downloaded_once(recipe, corpora, server):
    folder = fetched(recipe, corpora)
    asked = len(server.asked)
    assert not fetch(recipe, folder, patience=QUICK)
    assert len(server.asked) == asked


def test_a_cut_file_goes_on_where_it_was(corpora, server):
    server.mood = Mood(only="train.en", cut_at=CUT, times=1)
    fetched(TOY_FILES, corpora)
    assert server.sent == ALL
    assert f"bytes={CUT}-" in [wanted for _, wanted in server.asked]


def test_a_cut_archive_goes_on_where_the_server_vouches_for_the_rest(corpora, server):
    server.mood = Mood(cut_at=CUT, times=1)
    fetched(TOY_ARCHIVE, corpora)
    assert server.sent == len(packed("toy", COMMIT, TREE))


def test_a_cut_archive_begins_anew_where_the_server_can_not_vouch(corpora, server):
    server.mood = Mood(cut_at=CUT, times=1, etags=False)
    fetched(TOY_ARCHIVE, corpora)
    assert server.sent == CUT + len(packed("toy", COMMIT, TREE))
    assert {wanted for _, wanted in server.asked} == {""}


def test_a_server_that_can_not_go_on_is_asked_for_all_again(corpora, server):
    server.mood = Mood(only="train.en", cut_at=CUT, times=1, ranges=False, then=Mood(ranges=False))
    fetched(TOY_FILES, corpora)
    assert server.sent == CUT + ALL


def test_a_server_that_always_cuts_is_given_up(corpora, server, second):
    server.mood = Mood(only="train.en", cut_at=CUT)
    fetched(TOY_FILES, corpora)
    assert server.sent + second.sent == ALL  # the second went on where the first was cut


def test_a_silent_server_is_left_and_the_next_goes_on(corpora, server, second, caplog):
    server.mood = Mood(only="train.en", stalls_at=CUT)
    caplog.set_level(logging.INFO, "nmt")
    fetched(TOY_FILES, corpora)
    assert "silent for too long" in caplog.text
    assert server.sent + second.sent == ALL


def test_a_server_that_never_answers_is_told_in_one_line(corpora, server):
    server.mood = Mood(only="train.en", stalls_at=0)
    refused(TOY_FILES, corpora, "silent for too long", server.url)


def test_a_file_that_is_not_there_is_had_from_the_mirror_after(corpora, server, second, caplog):
    server.mood = Mood(only="valid.de", status=404)
    fetched(TOY_FILES, corpora)
    [line] = [record.getMessage() for record in caplog.records if "404" in record.getMessage()]
    assert f"{server.url}/owner/toy/{COMMIT}/data/valid.de: answers 404 Not Found; trying {second.url}" in line


def test_the_public_hosts_follow_the_mirrors(corpora, server, second, monkeypatch):
    server.mood = Mood(status=404)
    monkeypatch.setenv("NMT_MIRROR", server.url)
    monkeypatch.setattr(addresses, "PUBLIC_ARCHIVES", (second.url + "/{repository}/{commit}.tar.gz",))
    fetched(TOY_ARCHIVE, corpora)


def test_an_error_that_may_pass_is_tried_again(corpora, server):
    server.mood = Mood(only="valid.de", status=503, times=2)
    fetched(TOY_FILES, corpora)


def test_a_refusal_names_every_address_and_the_mend(corpora, server, second):
    server.mood = Mood(status=500)
    second.mood = Mood(status=403)
    message = refused(TOY_ARCHIVE, corpora, "answers 500", "answers 403", "source=FOLDER", f"at {COMMIT}")
    assert f"{server.url}/owner/toy/{COMMIT}.tar.gz" in message
    assert f"{second.url}/owner/toy/{COMMIT}.tar.gz" in message


def test_nobody_at_an_address_is_told_in_one_line(corpora, monkeypatch):
    with socket.socket() as taken:  # bound, and not listening: refused
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("NMT_MIRROR", f"http://127.0.0.1:{taken.getsockname()[1]}")
        refused(TOY_FILES, corpora, "Connection refused")


def test_a_proxy_that_is_not_there_is_told_without_what_errors_are_packed_in(corpora, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("NMT_MIRROR", "http://corpora.invalid")
        for variable in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(variable, proxy)
        message = refused(TOY_FILES, corpora, "Connection refused")
    assert 'refused"' not in message


def test_a_server_that_can_not_be_reached_is_asked_once_and_not_for_each_file(corpora, server, monkeypatch, caplog):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("NMT_MIRROR", f"{nobody} {server.url}")
        fetched(TOY_FILES, corpora)
    assert caplog.text.count(f"{nobody}/owner/toy") == 1


def test_a_mirror_that_is_no_address_is_named(corpora, monkeypatch):
    monkeypatch.setenv("NMT_MIRROR", "/home/me/mirror")
    refused(TOY_FILES, corpora, "NMT_MIRROR=/home/me/mirror")


def test_a_redirect_is_followed(corpora, server, second, monkeypatch):
    monkeypatch.setenv("NMT_MIRROR", server.url)
    server.mood = Mood(leads_to=second.url + "{path}")
    fetched(TOY_ARCHIVE, corpora)
    assert server.sent == 0


@pytest.mark.parametrize(
    ("place", "reason"),
    [("file:///etc/passwd", "leads to what is not http"), ("{path}", "leads on more than 10 times")],
    ids=["a file of this machine", "itself"],
)
def test_a_redirect_that_leads_nowhere_is_refused(corpora, server, place, reason):
    server.mood = Mood(leads_to=place)
    refused(TOY_FILES, corpora, reason)


def test_wrong_bytes_are_thrown_away_and_the_next_mirror_is_tried(corpora, server, second, caplog):
    server.mood = Mood(only="train.en", content=b"x" * LARGEST)
    fetched(TOY_FILES, corpora)
    assert "other bytes than are known" in caplog.text


def test_wrong_bytes_everywhere_end_in_one_line(corpora, server):
    server.mood = Mood(only="train.en", content=b"x" * LARGEST)
    refused(TOY_FILES, corpora, "other bytes than are known", "train.en")


def test_a_file_that_was_begun_with_wrong_bytes_begins_anew(corpora, server, second):
    server.mood = Mood(only="train.en", content=b"x" * LARGEST, cut_at=CUT)
    fetched(TOY_FILES, corpora)
    assert second.sent == LARGEST - CUT + LARGEST


@pytest.mark.parametrize("length", [True, False], ids=["that it tells", "that it does not tell"])
def test_a_file_of_a_length_that_can_not_be_is_not_written(corpora, server, length):
    server.mood = Mood(only="train.en", content=bytes(20_000_000), length=length)
    refused(TOY_FILES, corpora, "longer than the")
    written = [path for path in (corpora / ".downloads").rglob("*") if path.is_file()]
    assert not written
    assert server.sent < 10_000_000


def test_an_answer_without_a_length_is_checked_all_the_same(corpora, server):
    server.mood = Mood(length=False)
    fetched(TOY_FILES, corpora)


def test_a_partial_file_that_is_longer_than_the_file_begins_anew(corpora, server):
    place = corpora / ".downloads" / "toy-files" / "owner+toy" / "data" / "train.en.partial"
    place.parent.mkdir(parents=True)
    place.write_bytes(bytes(LARGEST + 5))
    fetched(TOY_FILES, corpora)


@pytest.mark.parametrize("length", ["\xb2", "9" * 5000])
def test_a_length_that_is_no_number_is_passed_over(corpora, server, length):
    server.mood = Mood(headers={"Content-Length": length})
    fetched(TOY_FILES, corpora)


def test_the_body_of_a_redirect_is_not_read(corpora, server, second):
    server.mood = Mood(leads_to=f"{second.url}{{path}}", body=b"x" * 50_000_000)
    fetched(TOY_FILES, corpora)
    assert server.sent < 40_000_000


def test_what_goes_on_as_another_file_is_begun_anew(corpora, server):
    other = packed("toy", COMMIT, {**TREE, "README": b"another\n"})
    cut = Mood(cut_at=CUT, times=1, headers={"ETag": '"one"'})
    cut.then = Mood(content=other, if_range=False, headers={"ETag": '"two"'})
    server.mood = cut
    fetched(TOY_ARCHIVE, corpora)
    assert [wanted for _, wanted in server.asked] == ["", f"bytes={CUT}-", ""]


def test_a_password_of_a_mirror_is_neither_shown_nor_kept(corpora, server, monkeypatch, caplog):
    monkeypatch.setenv("NMT_MIRROR", server.url.replace("//", "//me:secret@"))
    server.mood = Mood(only="valid.de", status=503)
    message = refused(TOY_FILES, corpora, "http://***@127.0.0.1")
    kept = [path.read_text() for path in corpora.rglob("*.origin")]
    assert "secret" not in f"{message} {caplog.text} {kept}"


@pytest.mark.parametrize(
    "mirror", ["ftp://me:secret@host", "http://[::1", "http://", "http://host:x", "http://h/?secret"]
)
def test_an_address_that_can_not_be_is_told_without_what_is_secret(corpora, monkeypatch, mirror):
    monkeypatch.setenv("NMT_MIRROR", mirror)
    assert "secret" not in refused(TOY_FILES, corpora, "NMT_MIRROR=", "an address that begins with http")


def test_what_a_server_says_does_not_steer_the_terminal(corpora, server):
    server.mood = Mood(status=404, reason="\x1b[31mNot\x07")
    assert refused(TOY_FILES, corpora, "answers 404 [31mNot").isprintable()
