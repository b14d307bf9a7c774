"""Test sets by sacreBLEU's names: read where sacreBLEU keeps them, and fetched from a server on this machine."""

from __future__ import annotations

import hashlib
import http.server
import io
import re
import shlex
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sacrebleu.dataset import DATASETS

from nmt.config import compose_train
from nmt.corpus.kinds.files import FilesOptions
from nmt.corpus.kinds.sacrebleu_sets import PREFIX, fetch_set, files_of_set
from nmt.errors import Absent, UserError
from tests.conftest import ROOT, TINY_CORPUS, TINY_SIZES
from tests.corpora_server import WITHOUT_PAUSES
from tests.processes import door_in_process

FIRST_HOUR = ROOT / "docs/first_hour.md"
SENTENCES = ["the man sees the cat", "a cat sleeps", "the dog sees a man"]


@pytest.fixture
def sets(tmp_path, monkeypatch) -> Path:
    """An empty folder of sacreBLEU's."""
    folder = tmp_path / "sets"
    monkeypatch.setenv("SACREBLEU", str(folder))
    monkeypatch.setattr("nmt.corpus.fetching.download.Patience", lambda: WITHOUT_PAUSES)
    return folder


def write(sets: Path, name: str, endings: tuple[str, ...]) -> None:
    """Puts prepared texts where sacreBLEU would."""
    (sets / name).mkdir(parents=True)
    for ending in endings:
        text = "".join(f"{sentence}\n" for sentence in SENTENCES)
        (sets / name / f"{name.replace('/', '_')}.{ending}").write_text(text)


@pytest.mark.parametrize(
    ("name", "endings"),
    [
        ("wmt14/full", ("en-de.src", "en-de.ref")),
        ("wmt21", ("en-de.src", "en-de.ref-A", "en-de.ref-C")),  # of several translators one is sacreBLEU's choice
        ("wmt21/C", ("en-de.src", "en-de.ref-C")),
        ("mtnt2019", ("en-fr.src", "en-fr.ref")),
    ],
)
def test_a_set_is_read_where_sacrebleu_keeps_it(sets, name, endings):
    write(sets, name, endings)
    target = endings[0][3:5]
    corpus = FilesOptions(target_language=target, tests={"test": f"{PREFIX}{name}"})
    assert [pair.source for pair in corpus.read("test")] == SENTENCES
    corpus.look_into("test")


def test_a_set_is_known_by_its_text(sets, tmp_path):
    write(sets, "wmt14", ("en-de.src", "en-de.ref"))
    corpus = FilesOptions(tests={"wmt14": "sacrebleu:wmt14"})
    before = corpus.fingerprint("wmt14")
    for ending, language in (("src", "en"), ("ref", "de")):
        text = (sets / f"wmt14/wmt14.en-de.{ending}").read_text()
        (tmp_path / f"same.{language}").write_text(text)
    assert FilesOptions(tests={"same": f"{tmp_path}/same.{{language}}"}).fingerprint("same") == before
    with (sets / "wmt14/wmt14.en-de.ref").open("a") as file:
        file.write("more\n")
    assert corpus.fingerprint("wmt14") != before


@pytest.mark.parametrize(
    ("place", "target", "told"),
    [
        (
            "sacrebleu:wmt41",
            "de",
            r"sacrebleu:wmt41: no such test set; of en-de, did you mean 'wmt\d\d'\? .*wmt14/full",
        ),
        ("sacrebleu:wmt14", "ru-x", "sacrebleu:wmt14: has no en-ru-x; it has cs-en, de-en, en-cs, en-de, "),
        ("sacrebleu:nothing", "xx", "sacrebleu:nothing: no such test set, and sacreBLEU has none of en-xx"),
        ("sacrebleu:wmt20/tworefs", "de", "sacrebleu:wmt20/tworefs: has 2 references, and nmt scores against one"),
    ],
)
def test_a_set_that_sacrebleu_does_not_have_is_told_with_the_ones_that_it_has(sets, place, target, told):
    with pytest.raises(UserError, match=told):
        files_of_set(place, "en", target)
    with pytest.raises(UserError, match=told):
        FilesOptions(target_language=target, valid=place).fetch()


def test_nothing_is_trained_on_a_test_set_and_validation_may_be(sets):
    with pytest.raises(UserError, match=r"corpus\.train: sacrebleu:wmt13 is a test set.*corpus\.valid"):
        FilesOptions(train=["my.{language}", "sacrebleu:wmt13"])
    write(sets, "wmt13", ("en-de.src", "en-de.ref"))
    assert len(list(FilesOptions(valid="sacrebleu:wmt13").read("valid"))) == len(SENTENCES)


def test_every_set_with_one_reference_has_a_place_for_its_texts(sets):
    count = 0
    for name, test_set in DATASETS.items():
        for pair in test_set.langpairs:
            source, target = pair.split("-")
            try:
                files_of_set(f"{PREFIX}{name}", source, target)
            except Absent as absent:
                count += 1
                assert "python -m nmt.data corpus=files" in str(absent)
            except UserError as error:
                assert "references, and nmt scores against one" in str(error)
    assert count > 300 and not sets.exists(), "and looking for them made nothing"


class Server:
    """Answers with an archive, or with a status instead."""

    def __init__(self, content: bytes):
        self.content = content
        self.status = 200
        self.times = 0  # answers with another status, after which it is well again
        self.asked = 0
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.asked += 1
                status = server.status
                if server.times:
                    server.times -= 1
                    status = 503
                self.send_response(status)
                self.send_header("Content-Length", str(len(server.content)))
                self.end_headers()
                self.wfile.write(server.content)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}/sets/test-filtered.tgz"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


def archive() -> bytes:
    """A set in the form of WMT14."""
    packed = io.BytesIO()
    segments = "".join(f'<seg id="{i}">{sentence}</seg>\n' for i, sentence in enumerate(SENTENCES))
    document = f'<doc docid="d" genre="news" origlang="en">\n{segments}</doc>\n'.encode()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in ("test/newstest2014-deen-src.en.sgm", "test/newstest2014-deen-ref.de.sgm"):
            member = tarfile.TarInfo(name)
            member.size = len(document)
            tar.addfile(member, io.BytesIO(document))
    return packed.getvalue()


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    """Serves what stands for WMT14, whose address and digest sacreBLEU is told."""
    content = archive()
    served = Server(content)
    monkeypatch.setattr(DATASETS["wmt14"], "data", [served.address])
    monkeypatch.setattr(DATASETS["wmt14"], "md5", [hashlib.md5(content).hexdigest()])
    yield served
    served.http.shutdown()
    served.http.server_close()


def test_reading_asks_no_server_and_the_command_that_it_names_fetches(sets, server, tmp_path):
    corpus = FilesOptions(tests={"wmt14": "sacrebleu:wmt14"})
    with pytest.raises(Absent, match=r"^sacrebleu:wmt14: not there; python -m nmt.data .* fetches it$") as absent:
        list(corpus.read("wmt14"))
    assert not server.asked
    command = str(absent.value).partition("; ")[2].removesuffix(" fetches it")
    python, module, door, *arguments = shlex.split(command)
    assert (python, module, door) == ("python", "-m", "nmt.data")
    [of_document] = re.findall(
        r"`python -m nmt\.data (corpus=files [^`]*sacrebleu:wmt14[^`]*)`", FIRST_HOUR.read_text()
    )
    for typed in (arguments, shlex.split(of_document)):
        done = door_in_process("data", *typed, folder=tmp_path)
        assert done.returncode == 0, done.stderr.decode()
        assert f"{sets}/wmt14: sacrebleu:wmt14, en-de, is here" in done.stderr.decode()
    assert server.asked == 1, "what is here is not fetched again"
    assert [tuple(pair[:2]) for pair in corpus.read("wmt14")] == [(sentence, sentence) for sentence in SENTENCES]
    assert (sets / "wmt14/raw/test/newstest2014-deen-src.en.sgm").exists(), "where sacreBLEU looks, too"
    assert not list((sets / "wmt14").glob(".begun*"))


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (
            "404",
            r"sacrebleu:wmt14: cannot be fetched \(http://127.*: answers 404 Not Found\); try again, or put the file",
        ),
        ("gone", r"sacrebleu:wmt14: cannot be fetched \(http://127.*: .*refused\); try again"),
        ("other", r"sacrebleu:wmt14: cannot be fetched \(http://127.*: other bytes than are known"),
        ("cut", r"sacrebleu:wmt14: .*wmt14\.test-filtered\.tgz is damaged"),
        ("empty", r"sacrebleu:wmt14: its archive holds no .*newstest2014-deen-src\.en\.sgm; delete .*raw"),
    ],
    ids=["404", "gone", "other", "cut", "empty"],
)
def test_whatever_goes_wrong_is_one_line_and_leaves_nothing_that_counts(sets, server, monkeypatch, fault, told):
    if fault == "404":
        server.status = 404
    elif fault == "gone":
        server.http.server_close()
    elif fault == "other":
        server.content += b"more"
    else:
        empty = io.BytesIO()
        tarfile.open(fileobj=empty, mode="w:gz").close()
        server.content = empty.getvalue() if fault == "empty" else server.content[: len(server.content) // 2]
        monkeypatch.setattr(DATASETS["wmt14"], "md5", [hashlib.md5(server.content).hexdigest()])
    with pytest.raises(UserError, match=told) as failed:
        fetch_set("sacrebleu:wmt14", "en", "de")
    assert "\n" not in str(failed.value)
    assert not [path for path in (sets / "wmt14").iterdir() if path.name != "raw"]
    with pytest.raises(Absent):
        files_of_set("sacrebleu:wmt14", "en", "de")
    if fault in ("other", "404"):  # and the next try begins anew
        server.status = 200
        server.content = archive()
        monkeypatch.setattr(DATASETS["wmt14"], "md5", [hashlib.md5(server.content).hexdigest()])
        assert fetch_set("sacrebleu:wmt14", "en", "de").endswith("is here")


def test_a_server_that_is_busy_is_asked_again(sets, server):
    server.times = 1
    assert fetch_set("sacrebleu:wmt14", "en", "de").endswith("is here")
    assert server.asked == 2


def test_texts_that_were_begun_and_not_finished_do_not_count(sets, server, monkeypatch):
    def stop(self, source: str, target: str) -> None:
        Path(target).write_text("half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(DATASETS["wmt14"]), "_convert_format", stop)
        with pytest.raises(KeyboardInterrupt):
            fetch_set("sacrebleu:wmt14", "en", "de")
    with pytest.raises(Absent):
        files_of_set("sacrebleu:wmt14", "en", "de")
    fetch_set("sacrebleu:wmt14", "en", "de")
    assert files_of_set("sacrebleu:wmt14", "en", "de")[0].read_text().splitlines() == SENTENCES


def test_a_folder_that_can_not_be_written_is_named_with_the_variable(sets):
    sets.write_text("a file")
    with pytest.raises(UserError, match=r"sets.*: cannot be written .*SACREBLEU"):
        fetch_set("sacrebleu:wmt14", "en", "de")


def test_a_run_is_trained_beside_such_sets_and_evaluated_on_them(sets, tmp_path):
    for language in ("en", "de"):
        (tmp_path / f"my.{language}").write_text("".join(f"{sentence}\n" for sentence in SENTENCES * 10))
    small = [option for option in TINY_CORPUS if not option.startswith("corpus.")]
    tests = "corpus.tests={wmt14: 'sacrebleu:wmt14', full: 'sacrebleu:wmt14/full'}"
    command = (
        *("corpus=files", "corpus.train='my.{language}'", "corpus.valid=sacrebleu:wmt13", tests),
        *("model=lstm_fixed", "tokenizer.kind=char", *small, *TINY_SIZES["recurrent"]),
        *(
            "tokenizer.vocabulary_size=40",
            "trainer.max_steps=1",
            "run.dir=run",
            "cache=cache",
            "validation.bleu_sentences=0",
        ),
    )
    for name in ("wmt13", "wmt14", "wmt14/full"):
        write(sets, name, ("en-de.src", "en-de.ref"))
    trained = door_in_process("train", *command, folder=tmp_path)
    assert trained.returncode == 0, trained.stderr.decode()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    options = ("device=cpu", "evaluation.resamples=2", "decoding.beam_size=1")
    evaluated = door_in_process("evaluate", "run=../run", *options, folder=elsewhere)
    assert evaluated.returncode == 0, evaluated.stderr.decode()
    for name in ("wmt14", "full"):
        [source] = (tmp_path / f"run/evaluations/{name}").rglob("source.txt")
        assert source.read_text().splitlines() == SENTENCES
    (sets / "wmt14/wmt14.en-de.src").unlink()  # then the evaluation's own copy is read
    again = door_in_process("evaluate", "run=run", *options, "test_sets=[wmt14]", folder=tmp_path)
    assert again.returncode == 0 and b"sacrebleu:wmt14: not there; its text is taken from" in again.stderr


def test_a_place_is_typed_as_the_documents_say():
    """Braces and slashes are Hydra's, the colon is ours, and ~ is nobody's home here."""
    options = ["corpus=files", "corpus.tests={a: 'sacrebleu:wmt14/full', b: 'my.{language}'}", "trainer.max_steps=1"]
    corpus = compose_train([*options, "corpus.valid=sacrebleu:wmt20/robust/set1"]).corpus
    assert isinstance(corpus, FilesOptions)
    assert corpus.tests == {"a": "sacrebleu:wmt14/full", "b": "my.{language}"}
    assert corpus.valid == "sacrebleu:wmt20/robust/set1"
