"""Archives that nobody should trust, and those that anybody may pack: each is read, or refused in one line."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import tarfile
import zipfile
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.corpus.fetching.archives import ArchiveSource
from nmt.corpus.fetching.fetch import fetch
from nmt.corpus.fetching.given import given_sources
from nmt.corpus.recipes.recipe import Archive
from nmt.corpus.recipes.text import lines_of_text
from nmt.errors import Absent, Damaged, UserError
from tests.corpora_server import Mood, member, packed
from tests.corpus.fetching.test_download import QUICK, fetched, refused
from tests.toy_corpus import COMMIT, FILES, NEED_OF_ARCHIVE, NEED_OF_FILES, TOY_ARCHIVE, TREE

TOP = f"toy-{COMMIT}"
WANTED = sorted((path.removeprefix("data/"), content) for path, content in FILES.items())


@pytest.fixture
def corpora(tmp_path):
    return tmp_path / "corpora"


def archive(folder, content, name="toy.tar.gz"):
    place = folder / name
    place.write_bytes(content)
    return place


def zipped(files, comment=b"", kind=0):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packing:
        packing.comment = comment
        for path, content in files.items():
            info = zipfile.ZipInfo(path)
            info.external_attr = kind << 16
            packing.writestr(info, content)
    return buffer.getvalue()


def test_what_is_wanted_is_read_and_nothing_else(tmp_path):
    source = ArchiveSource(archive(tmp_path, packed("toy", COMMIT, TREE)), NEED_OF_ARCHIVE)
    assert list(source.files()) == WANTED
    assert source.read("valid.de") == FILES["data/valid.de"]
    with pytest.raises(Absent, match=r"no file data/valid\.fr"):
        source.read("valid.fr")


@pytest.mark.parametrize("top", ["", f"{TOP}/"], ids=["without a top folder", "with a top folder"])
def test_a_zip_is_read_like_a_tar(tmp_path, top):
    files = {f"{top}{path}": content for path, content in reversed(TREE.items())}
    place = archive(tmp_path, zipped(files, COMMIT.encode()), "toy.zip")
    for need in (NEED_OF_ARCHIVE, NEED_OF_FILES):
        source = ArchiveSource(place, need)
        assert list(source.files()) == WANTED
        assert source.read("train.en") == FILES["data/train.en"]


def test_an_archive_that_git_packed_is_read(tmp_path):
    clone = tmp_path / "clone"
    for path, content in TREE.items():
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).write_bytes(content)
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "a"]):
        subprocess.run(["git", *command], cwd=clone, check=True)
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=clone, check=True, capture_output=True, text=True)
    need = Archive("owner/toy", done.stdout.strip(), "data/", 1, 400_000)
    for form in ("tar", "tar.gz", "zip"):
        place = tmp_path / f"a.{form}"
        subprocess.run(["git", "archive", "-o", place, "HEAD"], cwd=clone, check=True)
        [source] = given_sources(place, [need])
        assert list(source.files()) == WANTED
        with pytest.raises(Damaged, match=f"is of commit {need.commit}, not {COMMIT}"):
            ArchiveSource(place, NEED_OF_ARCHIVE)
    [source] = given_sources(clone, [need])
    assert list(source.files()) == WANTED
    with pytest.raises(UserError, match=f"has not the commit {COMMIT}"):
        given_sources(clone, [NEED_OF_ARCHIVE])


@settings(max_examples=20, deadline=None)
@given(st.permutations(sorted(["a", "a/b", "a.b", "a-b", "b/a", "ä", "B", "a/b.c"])))
def test_files_come_in_the_order_of_their_paths_however_they_are_packed(tmp_path_factory, order):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in order:
            tar.addfile(member(f"top/{path}", 1), io.BytesIO(b"x"))
    place = archive(tmp_path_factory.mktemp("order"), buffer.getvalue(), "a.tar")
    source = ArchiveSource(place, Archive("a/b", COMMIT, "", 1, 100))
    assert [path for path, _ in source.files()] == sorted(order, key=os.fsencode)


EVIL = {
    "..": (member(f"{TOP}/../../evil"), "leads out of the archive"),
    "an absolute path": (member("/tmp/evil"), "leads out of the archive"),
    "a link": (member(f"{TOP}/data/x", kind=tarfile.SYMTYPE, link="/etc/passwd"), "is a link or a device"),
    "a hard link": (member(f"{TOP}/data/x", kind=tarfile.LNKTYPE, link="README"), "is a link or a device"),
    "a device": (member(f"{TOP}/data/x", kind=tarfile.CHRTYPE), "is a link or a device"),
    "a file twice": (member(f"{TOP}/data/train.en"), "holds a file twice"),
}


@pytest.mark.parametrize("name", EVIL)
def test_an_archive_with_an_evil_member_is_refused(corpora, server, name):
    info, reason = EVIL[name]
    server.mood = Mood(members=[(info, b"")])
    refused(TOY_ARCHIVE, corpora, reason, "source=FOLDER")
    assert not list(corpora.rglob("*.tar.gz"))


def test_a_link_that_nobody_wants_is_passed_over(corpora, server):
    server.mood = Mood(members=[(member(f"{TOP}/src/x", kind=tarfile.SYMTYPE, link="a.py"), b"")])
    fetched(TOY_ARCHIVE, corpora)


@pytest.mark.parametrize(
    ("path", "kind", "reason"),
    [("../evil", 0, "leads out"), ("/evil", 0, "leads out"), ("data/x", 0o120777, "is a link")],
)
def test_a_zip_with_an_evil_member_is_refused(tmp_path, path, kind, reason):
    place = archive(tmp_path, zipped({"data/train.en": b"", path: b"README"}, kind=kind), "toy.zip")
    with pytest.raises(Damaged, match=reason):
        ArchiveSource(place, NEED_OF_ARCHIVE)


@pytest.mark.parametrize("size", [0, 1, 1000, 40_000, -9, -1])
def test_a_cut_archive_is_refused_and_the_next_mirror_is_tried(corpora, server, second, caplog, size):
    server.mood = Mood(archive_size=size)
    fetched(TOY_ARCHIVE, corpora)
    assert "cut short or damaged" in caplog.text


def test_a_cut_tar_is_refused_wherever_it_is_cut(tmp_path):
    content = gzip.decompress(packed("toy", COMMIT, TREE))
    last = content.rindex(b"pass\n") + 5
    header = content.rindex(f"{TOP}/src/a.py".encode())
    for size in (100, 512, 5000, header, header + 100, last - 1, last, last + 400):
        place = archive(tmp_path, content[:size], "toy.tar")
        with pytest.raises(Damaged):
            ArchiveSource(place, NEED_OF_ARCHIVE)


def test_a_changed_byte_in_an_archive_is_found(corpora, server, second, caplog):
    content = bytearray(packed("toy", COMMIT, TREE))
    content[-6] ^= 1
    server.mood = Mood(content=bytes(content))
    fetched(TOY_ARCHIVE, corpora)
    assert "CRC check failed" in caplog.text


def test_an_archive_of_other_texts_is_thrown_away_and_the_next_mirror_is_tried(corpora, server, second, caplog):
    other = {**TREE, "data/train.en": TREE["data/train.en"].replace(b"a", b"b")}
    server.mood = Mood(content=packed("toy", COMMIT, other))
    fetched(TOY_ARCHIVE, corpora)
    assert "toy-archive/train.en: not the text of this corpus (SHA-256" in caplog.text


def test_an_archive_that_lacks_what_the_recipe_reads_is_refused(corpora, server):
    server.mood = Mood(content=packed("toy", COMMIT, {"data/other": b""}))
    refused(TOY_ARCHIVE, corpora, "its source is not what the recipe reads")


def test_an_archive_that_is_no_text_is_not_kept(corpora, server, second, caplog):
    def splits(sources):
        for name, content in sources[0].files():
            lines_of_text(content, name)
        yield from TOY_ARCHIVE.splits(sources)

    toy = replace(TOY_ARCHIVE, splits=splits)
    server.mood = Mood(content=packed("toy", COMMIT, {**TREE, "data/train.en": b"\xff\n"}))
    fetched(toy, corpora)
    assert "train.en, line 1: not valid UTF-8" in caplog.text


def test_an_archive_of_another_commit_is_refused(corpora, server):
    server.mood = Mood(content=packed("toy", "f" * 40, TREE))
    refused(TOY_ARCHIVE, corpora, f"is of commit {'f' * 40}, not {COMMIT} of owner/toy")


def test_something_else_than_an_archive_is_refused(corpora, server):
    server.mood = Mood(content=b"<html>Sign in</html>")
    refused(TOY_ARCHIVE, corpora, "cut short or damaged")


def test_a_small_archive_that_unpacks_to_a_huge_one_ends_early(corpora, server):
    huge = 80_000_000
    bomb = io.BytesIO()
    with gzip.GzipFile(fileobj=bomb, mode="wb", compresslevel=1) as packing:
        packing.write(member(f"{TOP}/src/bomb", huge).tobuf())
        for _ in range(huge // 10_000_000):
            packing.write(bytes(10_000_000))
    server.mood = Mood(content=bomb.getvalue())
    refused(TOY_ARCHIVE, corpora, "unpacks to more than 100 times its size")


def test_more_than_is_wanted_is_not_read_into_memory(tmp_path):
    need = Archive("owner/toy", COMMIT, "data/", 1000, unpacked=100_000)
    tar = ArchiveSource(archive(tmp_path, packed("toy", COMMIT, TREE)), need)
    zip_file = ArchiveSource(archive(tmp_path, zipped(TREE), "toy.zip"), need)
    for source in (tar, zip_file):
        with pytest.raises(Damaged, match="more than the 100 kB that are allowed"):
            list(source.files())


def test_a_long_header_is_not_read_into_memory(tmp_path):
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb") as packing:
        packing.write(member("././@LongLink", 5_000_000, tarfile.GNUTYPE_LONGNAME).tobuf(tarfile.GNU_FORMAT))
        packing.write(bytes(5_000_000))
    with pytest.raises(Damaged, match=r"a header of 5\.0 MB"):
        ArchiveSource(archive(tmp_path, buffer.getvalue()), NEED_OF_ARCHIVE)


def pax(key, value):
    """A header of tar's that says something of the next file."""
    record = f" {key}={value}\n"
    size = len(record) + 2
    size += len(str(size)) - 2
    text = f"{size}{record}".encode()
    return member("pax", len(text), tarfile.XHDTYPE).tobuf() + text.ljust(512, b"\0")


NONSENSE = {
    "a size of years to read": pax("size", 99999999999999),
    "a map of no numbers": pax("GNU.sparse.map", "1,a"),
    "headers of headers": pax("a", "b") * 1000,
}


@pytest.mark.parametrize("name", NONSENSE)
def test_a_header_that_says_nonsense_is_damage(tmp_path, name):
    content = NONSENSE[name] + member(f"{TOP}/src/x").tobuf() + gzip.decompress(packed("toy", COMMIT, TREE))
    with pytest.raises(Damaged, match=r"RecursionError|ValueError|more than 100 times"):
        ArchiveSource(archive(tmp_path, gzip.compress(content, 1)), NEED_OF_ARCHIVE)


def test_a_zip_that_says_nonsense_is_damage(tmp_path):
    newer = bytearray(zipped(FILES))
    newer[newer.index(b"PK\x01\x02") + 6] = 99
    named = bytearray(zipped({"\xff": b""}))
    named[named.index(b"PK\x01\x02") + 46] = 0xFF
    for content in (newer, named):
        with pytest.raises(Damaged, match=r"version 9\.9|can't decode"):
            ArchiveSource(archive(tmp_path, bytes(content), "toy.zip"), NEED_OF_ARCHIVE)


def test_a_folder_with_the_name_of_a_file_is_passed_over(tmp_path):
    content = packed("toy", COMMIT, TREE, [(member(f"{TOP}/data/train.en", kind=tarfile.DIRTYPE), b"")])
    source = ArchiveSource(archive(tmp_path, content), NEED_OF_FILES)
    assert source.read("train.en") == FILES["data/train.en"]


def test_a_zip_under_a_password_is_refused(tmp_path):
    content = bytearray(zipped(FILES))
    for place in (content.index(b"PK\x01\x02") + 8, content.index(b"PK\x03\x04") + 6):
        content[place] |= 1
    source = ArchiveSource(archive(tmp_path, bytes(content), "toy.zip"), NEED_OF_ARCHIVE)
    with pytest.raises(Damaged, match="can't be unpacked"):
        list(source.files())


def test_a_given_archive_that_is_damaged_stays(corpora, tmp_path):
    place = archive(tmp_path, packed("toy", COMMIT, TREE)[:1000])
    with pytest.raises(Damaged, match="cut short or damaged"):
        fetch(TOY_ARCHIVE, corpora / "toy-archive", str(place), patience=QUICK)
    assert place.stat().st_size == 1000
