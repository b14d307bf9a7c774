"""Corpora by mtdata: fetched from a server of this machine, read without the library, and refused in one line."""

from __future__ import annotations

import copy
import errno
import gzip
import importlib
import io
import lzma
import re
import shlex
import sys
import tarfile
import types
import zipfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from nmt.config import compose_train
from nmt.corpus.kinds import mtdata_texts
from nmt.corpus.kinds.mtdata import MtdataOptions
from nmt.corpus.kinds.mtdata_index import opened_index
from nmt.errors import Absent, UserError
from tests.conftest import ROOT, TINY_GRAMMAR
from tests.corpora_server import WITHOUT_PAUSES, CorporaServer, Mood, serving
from tests.processes import door_in_process, fails

PAIRS = [("A dog .", "Un chien ."), ("Two\tcats .", "Deux chats ."), ("", "Rien ."), ("The end .", "Fin .")]
WHOLE = [pair for pair in PAIRS if pair[0]]  # what a .tmx has: no pair with an empty side
LANGUAGES = ("corpus=mtdata", "corpus.source_language=en", "corpus.target_language=fr")
# Parts of mtdata's index that these tests do without: making all of it takes 15 seconds.
LEFT_OUT = (
    *("paracrawl", "tilde", "joshua_indian", "unitednations", "wikimatrix", "other", "neulab_tedtalks", "elrc_share"),
    *("ai4bharat", "eu", "linguatools", "anuvaad", "allenai_nllb", "flores", "opus.opus_index", "opus.opus100"),
    *("leipzig", "huggingface"),
)

SERVED = "owner/served"

Adding = Callable[..., str]


def forget_library() -> None:
    for name in list(sys.modules):
        if name.partition(".")[0] == "mtdata":
            del sys.modules[name]


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Iterator[types.ModuleType]:
    """The index of mtdata, made of WMT's part of it alone."""
    forget_library()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTDATA", str(tmp_path_factory.mktemp("index")))
        for name in LEFT_OUT:
            part = types.ModuleType(name)
            part.load_all = lambda index: None  # type: ignore[attr-defined]
            sys.modules[f"mtdata.index.{name}"] = part
        with opened_index():
            pass
        yield importlib.import_module("mtdata.index")
    forget_library()


@pytest.fixture
def server() -> Iterator[CorporaServer]:
    """Serves the files that a test adds; one whose name begins with "cut" is cut whenever it is asked for."""
    with serving({SERVED: {}}) as started:
        started.mood = Mood(only="/cut", cut_at=50)
        yield started


@pytest.fixture
def add(library, server, tmp_path, monkeypatch) -> Adding:
    """Serves a file, and adds a set to the index that lies there; returns its id."""
    from mtdata.entry import Entry

    monkeypatch.setenv("NMT_DATA", str(tmp_path / "corpora"))
    monkeypatch.setenv("MTDATA", "")  # so that downloads lie below NMT_DATA
    monkeypatch.setattr(library.INDEX, "entries", dict(library.INDEX.entries))
    monkeypatch.setattr("nmt.corpus.fetching.download.Patience", lambda: WITHOUT_PAUSES)

    def added(file: str, content: bytes, name: str = "Test-tiny-1-fra-eng", **options: object) -> str:
        server.repositories[SERVED][file] = content
        library.INDEX.add_entry(Entry(name, f"{server.url}/{SERVED}/0/{file}", **options))
        return name

    return added


def text_of(pairs: list[tuple[str, str]], column: int) -> bytes:
    return "".join(f"{pair[column]}\n" for pair in pairs).encode()


def moses(pairs: list[tuple[str, str]] = PAIRS) -> bytes:
    """A .zip as OPUS has it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("README", "none")
        archive.writestr("Tiny.en-fr.en", text_of(pairs, 0))
        archive.writestr("Tiny.en-fr.fr", text_of(pairs, 1))
    return packed.getvalue()


def tmx() -> bytes:
    units = []
    for english, french in WHOLE:
        units.append(
            f'<tu><tuv xml:lang="en"><seg>{english}</seg></tuv><tuv xml:lang="fr"><seg>{french}</seg></tuv></tu>'
        )
    return f"<tmx><header/><body>{''.join(units)}</body></tmx>".encode()


def tsv() -> bytes:
    return "".join(f"{french}\t{english}\n" for english, french in PAIRS if "\t" not in english).encode()


def tar(*members: tuple[str, bytes]) -> bytes:
    """A .tar.gz with two texts after what a hostile one may hold."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        link = tarfile.TarInfo("dev/link")
        link.type = tarfile.SYMTYPE
        link.linkname = "/tmp"
        archive.addfile(link)
        for name, content in (*members, ("dev/tiny.fr", text_of(PAIRS, 1)), ("./dev/tiny.en", text_of(PAIRS, 0))):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def corpus(name: str, **options: object) -> MtdataOptions:
    return MtdataOptions(source_language="en", target_language="fr", train=[name], **options)


def texts(options: MtdataOptions, split: str = "train") -> list[tuple[str, str]]:
    return [(pair.source, pair.target) for pair in options.read(split)]


def left_of(folder: Path) -> list[str]:
    """Names of what lies below the folder of mtdata's corpora, but for locks."""
    return sorted(path.name for path in folder.rglob("*") if not path.name.endswith(".lock"))


@pytest.mark.parametrize("turned", [False, True], ids=["as it lies", "turned"])
def test_an_archive_of_opus_is_fetched_and_read_in_the_direction_of_the_corpus(add, tmp_path, turned):
    name = "Test-tiny-1-fra-eng" if turned else "Test-tiny-1-eng-fra"
    paths = ["*.fr", "*.en"] if turned else ["*.en", "*.fr"]
    options = corpus(add("tiny.zip", moses(), name=name, in_paths=paths, in_ext="txt", cite=("tiedemann2012parallel",)))
    assert options.fetch() == [f"{tmp_path}/corpora/mtdata/{name}: is here"]
    assert texts(options) == PAIRS
    assert left_of(tmp_path / "corpora/mtdata") == ["SOURCE.md", name, "text.en", "text.fr"]
    source = (tmp_path / f"corpora/mtdata/{name}/SOURCE.md").read_text()
    assert "tiny.zip" in source and "Pairs: 4 (en-fr)" in source and "@inproceedings{tiedemann2012parallel" in source


def test_memories_and_tables_are_fetched_too(add):
    memory = corpus(add("tiny.tmx", tmx(), name="Test-memory-1-fra-eng"))
    table = corpus(add("tiny.tsv.gz", gzip.compress(tsv()), name="Test-table-1-fra-eng"))
    memory.fetch()
    table.fetch()
    assert texts(memory) == [("A dog .", "Un chien ."), ("Two cats .", "Deux chats ."), ("The end .", "Fin .")]
    assert texts(table) == [pair for pair in PAIRS if "\t" not in pair[0]]


def test_nothing_of_an_archive_is_unpacked_but_what_is_wanted_and_nothing_leaves_the_folder(add, tmp_path):
    hostile = [("../../../escaped", b"x"), ("/tmp/absolute/tiny.fr", b"x"), ("dev/link/through", b"x")]
    options = corpus(add("tiny.tgz", tar(*hostile), in_paths=["dev/tiny.fr", "dev/tiny.en"], in_ext="txt"))
    options.fetch()
    assert texts(options) == PAIRS
    names = {path.name for path in tmp_path.rglob("*")}
    assert not names & {"escaped", "link", "through", "absolute"} and not Path("/tmp/through").exists()


def test_a_pattern_that_names_several_files_of_an_archive_is_told(add):
    name = add("tiny.tgz", tar(("dev/more.fr", b"x\n")), in_paths=["*/*.fr", "*/*.en"], in_ext="txt")
    with pytest.raises(UserError, match=r"tiny.*: 2 files \*/\*\.fr where one is expected"):
        corpus(name).fetch()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("cut.zip", moses(), "cut after 50 bytes"),
        ("short.tsv.gz", gzip.compress(tsv() * 99)[:-30], "EOFError"),
        ("short.tsv.xz", lzma.compress(tsv() * 99)[:-30], "EOFError"),
        ("short.zip", moses()[:-40], "no whole archive); delete "),
        ("page.tgz", b"<html>moved</html>", "no whole archive); delete "),
        ("bad.tmx", tmx()[:-40], "ParseError"),
        ("empty.tsv", b"", "holds no pair"),
    ],
)
def test_half_a_file_is_told_in_one_line_and_never_counts_as_whole(add, tmp_path, file, content, message):
    options = {"in_paths": ["*.fr", "*.en"], "in_ext": "txt"} if file.endswith(("zip", "tgz")) else {}
    name = add(file, content, **options)
    with pytest.raises(UserError, match=name) as told:
        corpus(name).fetch()
    assert message in str(told.value) and "\n" not in str(told.value)
    assert left_of(tmp_path / "corpora/mtdata") == []
    with pytest.raises(Absent):
        texts(corpus(name))


def test_a_set_whose_address_is_gone_is_named_and_can_be_fetched_when_it_is_back(add, server):
    name = add("tiny.tsv", tsv())
    server.mood = Mood(status=404)
    with pytest.raises(
        UserError, match=rf"{name}: can't be fetched \(http://127.*: answers 404 Not Found\); try again"
    ):
        corpus(name).fetch()
    server.mood = Mood()
    corpus(name).fetch()
    assert texts(corpus(name))


def test_a_download_that_was_cut_goes_on_where_it_was(add, server):
    content = tsv() * 99
    name = add("tiny.tsv", content)
    server.mood = Mood(cut_at=1000, times=1)
    corpus(name).fetch()
    assert server.sent == len(content), "nothing of it was sent twice"
    assert len(texts(corpus(name))) == 99 * 3


def test_a_full_disk_is_told_as_such_and_not_as_a_damaged_download(add, tmp_path, monkeypatch):
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(mtdata_texts, "_gzipped", full)
    with pytest.raises(UserError, match=r"No space left on device.; free space, or set NMT_DATA to a folder that can"):
        corpus(add("tiny.tsv", tsv())).fetch()
    assert left_of(tmp_path / "corpora/mtdata") == []


def test_a_large_text_is_gzipped_and_a_set_that_is_here_is_not_fetched_again(add, tmp_path, monkeypatch):
    monkeypatch.setattr(mtdata_texts, "MEGABYTE", 10)
    name = add("tiny.tsv", tsv())
    corpus(name).fetch()
    folder = tmp_path / "corpora/mtdata" / name
    assert left_of(folder) == ["SOURCE.md", "text.en.gz", "text.fr.gz"]
    for needed in ("write_set", "one_at_a_time"):  # a folder of corpora that can only be read has no lock
        monkeypatch.setattr(f"nmt.corpus.kinds.mtdata.{needed}", None)
    corpus(name).fetch()
    assert texts(corpus(name)) == [pair for pair in PAIRS if "\t" not in pair[0]]


def test_what_a_download_left_behind_is_replaced_whole(add, tmp_path):
    name = add("tiny.tsv", tsv())
    folder = tmp_path / "corpora/mtdata" / name
    folder.mkdir(parents=True)
    (folder / "text.en.gz").write_bytes(gzip.compress(b"of another day\n"))
    part = folder.with_name(f".{name}.part")
    part.mkdir()
    (part / "text.fr").write_text("half")
    corpus(name).fetch()
    assert left_of(tmp_path / "corpora/mtdata") == ["SOURCE.md", name, "text.en", "text.fr"]


def test_reading_needs_no_library_and_changed_text_is_another_corpus(add, tmp_path, monkeypatch):
    options = corpus(add("tiny.tsv", tsv()))
    options.fetch()
    monkeypatch.setitem(sys.modules, "mtdata", None)
    before = options.fingerprint("train")
    assert texts(options)
    french = tmp_path / "corpora/mtdata" / options.train[0] / "text.fr"
    french.with_suffix(".fr.gz").write_bytes(gzip.compress(french.read_bytes()))
    french.rename(tmp_path / "away")
    assert options.fingerprint("train") == before
    french.write_text("x\n" * 3)
    assert options.fingerprint("train") != before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train": ["Test-tny-1-fra-eng"]}, r"corpus.train: .* no 'Test-tny-1-fra-eng'; near it: Test-tiny-1-fra-eng"),
        (
            {"valid": "nothing-like-it"},
            r"corpus.valid: mtdata knows no 'nothing-like-it' \(.* do=list shows all \d+ of",
        ),
        (
            {"tests": {"news": "Statmt-europarl-10-deu-eng"}},
            "corpus.tests.news: Statmt-europarl-10-deu-eng is of deu and eng, not of en and fr",
        ),
        ({}, "corpus.train: names no set to fetch; .* do=list shows them"),
        ({"source_language": "qqq", "valid": "x"}, "corpus.source_language=qqq: no language that mtdata knows"),
    ],
)
def test_what_cannot_be_fetched_is_told_in_one_line(add, options, message):
    add("tiny.tsv", tsv())
    with pytest.raises(UserError, match=message) as told:
        MtdataOptions(**{"source_language": "en", "target_language": "fr", **options}).fetch()
    assert "\n" not in str(told.value) and str(told.value).count("Statmt") <= 5


def test_names_that_would_lead_out_of_the_folder_or_be_one_are_refused():
    with pytest.raises(UserError, match=r"corpus.train: '../x' names files"):
        corpus("../x")
    with pytest.raises(UserError, match=r"corpus.target_language=en: is the source's, too; name two languages"):
        MtdataOptions(source_language="en", target_language="en")


def test_text_that_is_not_here_is_told_with_the_command_that_fetches_it(add, tmp_path):
    name = add("tiny.tsv", tsv())
    done = door_in_process(
        "train", "+experiment=demo/attention", *LANGUAGES, f"corpus.train=[{name}]", "device=cpu", folder=tmp_path
    )
    command = (
        f"python -m nmt.data corpus=mtdata corpus.source_language=en corpus.target_language=fr corpus.train={name}"
    )
    fails(done, "text.en: not there", f"{command} fetches it")


def test_without_the_library_the_door_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setenv("NMT_DATA", str(tmp_path))
    monkeypatch.setitem(sys.modules, "mtdata", None)
    done = door_in_process("data", *LANGUAGES, "corpus.train=[Test-tiny-1-fra-eng]", folder=tmp_path)
    fails(done, "corpus=mtdata needs mtdata; pip install mtdata")


def test_test_sets_by_sacrebleu_s_names_go_with_sets_of_mtdata(tmp_path, monkeypatch):
    files = [tmp_path / "source", tmp_path / "reference"]
    for column, file in enumerate(files):
        file.write_bytes(text_of(PAIRS, column))
    monkeypatch.setattr("nmt.corpus.kinds.mtdata.fetch_set", lambda *asked: " ".join(asked))
    monkeypatch.setattr("nmt.corpus.kinds.mtdata.files_of_set", lambda *asked: files)
    options = MtdataOptions(source_language="en", target_language="fr", tests={"wmt14": "sacrebleu:wmt14"})
    assert options.fetch() == ["sacrebleu:wmt14 en fr"]
    assert texts(options, "wmt14") == PAIRS
    with pytest.raises(
        UserError, match=r"corpus.train: sacrebleu:wmt14 is a test set, which nothing may be trained on"
    ):
        corpus("sacrebleu:wmt14")


def test_the_door_lists_the_ids_of_a_pair_of_languages_and_nothing_else(add, tmp_path):
    name = add("tiny.tsv", tsv())
    done = door_in_process("data", "do=list", *LANGUAGES, folder=tmp_path)
    lines = done.stdout.decode().splitlines()
    ids = [line.split()[0] for line in lines]
    assert name in ids and "Statmt-europarl-10-fra-eng" in ids and "Statmt-europarl-10-deu-eng" not in ids
    assert ids == sorted(ids)
    [ours] = [line for line in lines if line.startswith(name)]
    assert ours.split()[1] == "1" and ours.endswith("/tiny.tsv")


def test_a_set_is_fetched_and_read_by_training_under_the_same_options(add, tmp_path):
    pairs = [(pair.source, pair.target) for pair in TINY_GRAMMAR.read("valid")]
    name = add("tiny.zip", moses(pairs), name="Test-tiny-1-eng-deu", in_paths=["*.en", "*.fr"], in_ext="txt")
    options = ["corpus=mtdata", f"corpus.train=[{name}]", f"corpus.valid={name}", f"corpus.tests={{tiny: {name}}}"]
    fetched = door_in_process("data", *options, folder=tmp_path)
    assert fetched.returncode == 0, fetched.stderr.decode()
    assert f"{name}: is here" in fetched.stderr.decode() and "Downloading" not in fetched.stderr.decode()
    config = compose_train(options)
    assert texts(config.corpus) == texts(config.corpus, "tiny") == pairs


def sgm(column: int) -> bytes:
    """A test set as WMT has it."""
    segments = [f'<seg id="{number}">{pair[column]}</seg>' for number, pair in enumerate(WHOLE, 1)]
    return "\n".join(["<refset>", "<doc>", *segments, "</doc>", "</refset>"]).encode()


def test_the_document_s_commands_fetch_what_it_says(add, server, library, tmp_path):
    """The addresses lead to this machine; ids, forms of the files and paths within archives are the index's own."""
    from mtdata.entry import DatasetId

    add("europarl.tsv.gz", gzip.compress(tsv()))
    address = library.INDEX.entries[DatasetId.parse("Test-tiny-1-fra-eng")].url.rpartition("/")[0]
    members = {
        "dev/newstest2013.en": text_of(PAIRS, 0),
        "dev/newstest2013.fr": text_of(PAIRS, 1),
        "dev/newstest2014-fren-src.fr.sgm": sgm(1),
        "dev/newstest2014-fren-ref.en.sgm": sgm(0),
    }
    server.repositories[SERVED]["dev.tgz"] = tar(*members.items())
    document = (ROOT / "docs/data.md").read_text()
    for name, file in (
        ("Statmt-europarl-10-fra-eng", "europarl.tsv.gz"),
        ("Statmt-newstest-2013-eng-fra", "dev.tgz"),
        ("Statmt-newstest_fren-2014-fra-eng", "dev.tgz"),
    ):
        assert name in document
        entry = copy.copy(library.INDEX.entries[DatasetId.parse(name)])
        entry.url = f"{address}/{file}"
        library.INDEX.entries[entry.did] = entry
    commands = re.findall(r"^python -m nmt.data (.*?[^\\])$", document, re.MULTILINE | re.DOTALL)
    listing, fetching = [command for command in commands if "corpus=mtdata" in command]
    listed = door_in_process("data", *shlex.split(listing), folder=tmp_path)
    assert b"Statmt-europarl-10-fra-eng  10  " in listed.stdout
    one_line = fetching.replace("\\\n", " ")
    fetched = door_in_process("data", *shlex.split(one_line), folder=tmp_path)
    assert fetched.returncode == 0, fetched.stderr.decode()
    options = corpus(
        "Statmt-europarl-10-fra-eng",
        valid="Statmt-newstest-2013-eng-fra",
        tests={"newstest2014": "Statmt-newstest_fren-2014-fra-eng"},
    )
    assert texts(options) == [pair for pair in PAIRS if "\t" not in pair[0]]
    assert texts(options, "valid") == PAIRS
    assert [target for _, target in texts(options, "newstest2014")] == [pair[1] for pair in WHOLE]


def test_an_index_that_is_damaged_is_named(tmp_path, monkeypatch):
    loaded = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "mtdata"}
    forget_library()
    monkeypatch.setenv("MTDATA", str(tmp_path))
    file = tmp_path / f"mtdata.index.{version('mtdata')}.pkl"
    file.write_bytes(b"half")
    try:
        with pytest.raises(UserError, match=f"{file}: mtdata can't make or read its index .*; delete the file"):
            MtdataOptions().catalogue()
    finally:
        forget_library()
        sys.modules.update(loaded)


@pytest.mark.slow
def test_the_index_knows_hundreds_of_sets_without_a_network(tmp_path, monkeypatch):
    forget_library()
    monkeypatch.setenv("MTDATA", str(tmp_path))
    try:
        known = MtdataOptions(source_language="en", target_language="de").catalogue()
        assert len(known) > 300
        assert left_of(tmp_path) == [f"mtdata.index.{version('mtdata')}.pkl"]
    finally:
        forget_library()
