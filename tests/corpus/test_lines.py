"""What files begin with that is no text: byte order marks, and the first bytes of compressed ones."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import pytest

from nmt.corpus.kinds.files import FilesOptions
from nmt.corpus.pair import Pair
from nmt.corpus.text.cleaning import CleaningOptions, CleaningReport, clean
from nmt.corpus.text.lines import lines_of, lines_of_stream
from nmt.corpus.text.links import read_links
from nmt.errors import UserError
from tests.processes import door_in_process

MARK = b"\xef\xbb\xbf"
RUN = Path(__file__).parents[1] / "runs" / "5d01b3c" / "attention"
# The third source begins with a mark that is text: it is not at the beginning of its file.
SOURCES = ["a cat", "a dog", "\ufeffa\ufeff cow"]
TARGETS = ["eine Katze", "ein Hund", "eine Kuh"]
PAIRS = [Pair(source, target) for source, target in zip(SOURCES, TARGETS, strict=True)]


def text_of(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def written(form: str, folder: Path) -> FilesOptions:
    """Writes the pairs in files that begin with a mark, as the training text of a corpus."""
    sources = MARK + text_of(SOURCES)
    targets = MARK + text_of(TARGETS)
    place = folder / "t.{language}"
    if form == "parallel":
        (folder / "t.en").write_bytes(sources)
        (folder / "t.de").write_bytes(targets)
    elif form == "gzipped":
        place = folder / "t.{language}.gz"
        (folder / "t.en.gz").write_bytes(gzip.compress(sources))
        (folder / "t.de.gz").write_bytes(gzip.compress(targets))
    elif form == "tsv":
        place = folder / "t.tsv"
        place.write_bytes(MARK + text_of([f"{pair.source}\t{pair.target}" for pair in PAIRS]))
    elif form == "pasted":
        place = folder / "t.tsv"
        columns = zip(sources.splitlines(), targets.splitlines(), strict=True)
        place.write_bytes(b"".join(b"\t".join(cells) + b"\n" for cells in columns))
    elif form == "jsonl":
        place = folder / "t.jsonl"
        place.write_bytes(MARK + text_of([f'{{"en": "{pair.source}", "de": "{pair.target}"}}' for pair in PAIRS]))
    else:
        place = folder / "*.{language}"
        for number, pair in enumerate(PAIRS[:2]):
            (folder / f"{number}.en").write_bytes(MARK + text_of([pair.source]))
            (folder / f"{number}.de").write_bytes(MARK + text_of([pair.target]))
        (folder / "2.en").write_bytes(MARK + text_of(SOURCES[2:]))
        (folder / "2.de").write_bytes(text_of(TARGETS[2:]))
    return FilesOptions(train=[str(place)])


@pytest.mark.parametrize("form", ["parallel", "gzipped", "tsv", "pasted", "jsonl", "several"])
def test_a_byte_order_mark_is_no_text_of_a_file_that_begins_with_it(tmp_path, form):
    assert list(written(form, tmp_path).read("train")) == PAIRS


def test_a_byte_order_mark_is_no_link_and_no_line(tmp_path):
    (tmp_path / "links").write_bytes(MARK + b"0-0 1-1\n")
    [links] = read_links(tmp_path / "links")
    assert links.sure == ((0, 0), (1, 1))
    (tmp_path / "empty").write_bytes(MARK)
    assert list(lines_of(tmp_path / "empty")) == []
    (tmp_path / "blank").write_bytes(MARK + b"\r\n\n")
    assert list(lines_of(tmp_path / "blank")) == ["", ""]
    (tmp_path / "twice").write_bytes(MARK + MARK + b"a\n")
    assert list(lines_of(tmp_path / "twice")) == ["\ufeffa"]


def test_translations_are_the_same_with_and_without_a_byte_order_mark(tmp_path):
    text = b"Again this sister comes.\nThe man sleeps.\n"
    run = (f"run={RUN}", "device=cpu", "decoding.beam_size=1")
    plain = door_in_process("translate", *run, folder=tmp_path, text=text)
    marked = door_in_process("translate", *run, folder=tmp_path, text=MARK + text)
    assert marked.stdout == plain.stdout != b""
    (tmp_path / "marked").write_bytes(MARK + text)
    done = door_in_process("translate", *run, "input=marked", "output=out", "shard_lines=1", folder=tmp_path)
    assert done.returncode == 0 and (tmp_path / "out").read_bytes() == plain.stdout


def archive(form: str) -> bytes:
    """A text as some packer leaves it."""
    text = text_of(SOURCES)
    buffer = io.BytesIO()
    if form == "gzip":
        return gzip.compress(text)
    if form == "bzip2":
        return bz2.compress(text)
    if form == "xz":
        return lzma.compress(text)
    if form == "zip":
        with zipfile.ZipFile(buffer, "w") as file:
            file.writestr("t.en", text)
    elif form == "tar":
        entry = tarfile.TarInfo("t.en")
        entry.size = len(text)
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            archive.addfile(entry, io.BytesIO(text))
    else:
        return b"\x28\xb5\x2f\xfd\x24\x00\x01\x00\x00" + text  # zstd, whose library may be absent
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["gzip", "bzip2", "xz", "zstd", "zip", "tar"])
def test_a_compressed_file_of_another_name_is_told(tmp_path, form):
    packed = archive(form)
    (tmp_path / "t.en").write_bytes(packed)
    with pytest.raises(UserError, match=rf"t\.en: compressed by {form}; unpack it"):
        list(lines_of(tmp_path / "t.en"))
    with pytest.raises(UserError, match=rf"standard input: compressed by {form}; unpack it"):
        list(lines_of_stream(io.BytesIO(packed), "standard input"))
    (tmp_path / "t.gz").write_bytes(packed)
    if form == "gzip":
        assert list(lines_of(tmp_path / "t.gz")) == SOURCES
    else:
        with pytest.raises(UserError, match=rf"t\.gz: named \.gz, but compressed by {form}; unpack it"):
            list(lines_of(tmp_path / "t.gz"))


def test_a_line_of_invisible_characters_is_empty():
    blank = ["\u200b", "\ufeff", "\u200b \u2060\u200d", "\0", "\u00ad", "\u200e\u3000"]
    pairs = [Pair(text, "etwas") for text in blank] + [Pair("something", text) for text in blank]
    report = CleaningReport()
    kept = list(clean([*pairs, Pair("\u200bx", "\ue000")], CleaningOptions(), report))
    assert len(kept) == 1 and report.empty == len(pairs)
