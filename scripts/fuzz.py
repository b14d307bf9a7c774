"""Random and spoilt input for everything that reads text: no crash, no hang, no lost line.

  python scripts/fuzz.py                       a million inputs in all, in about 20 minutes on a CPU core
  python scripts/fuzz.py --inputs 1000 --seed 7

Whatever is read gives pairs, or one UserError; text comes back from the tokenizer as it went in; every line becomes one
line of the translation. The first input that does otherwise is written to --keep, and told.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pyarrow.parquet
import torch

from nmt.corpus.kinds.datasets import DatasetsOptions
from nmt.corpus.kinds.files import FilesOptions
from nmt.corpus.subwords.tokenizer import Sampling, Tokenizer, TokenizerOptions, train_tokenizer
from nmt.corpus.text.cleaning import CleaningOptions, CleaningReport, clean
from nmt.corpus.text.lines import lines_of
from nmt.corpus.text.links import read_links
from nmt.decoding.options import DecodingOptions
from nmt.decoding.translator import Translator
from nmt.errors import UserError
from nmt.models.build import build_model
from nmt.models.interface import Vocabulary
from nmt.models.recurrent import RecurrentOptions

SEEDS = [
    b"the cat sleeps\tdie Katze schl\xc3\xa4ft\n",
    b'{"translation": {"en": "a cat", "de": "eine Katze"}}\n',
    b'{"source": "a", "target": "b"}\n{"en": "\\ud83d", "de": "\\n"}\n',
    b"0-0 1-1 2-3\n\n5?6 1-2\n",
    b"1 0\n\0\r\n\xe2\x96\x81 \xee\x96\x81\n",
    b"\xef\xbb\xbfbom\n\xe2\x80\xa8line\xc2\x85next\x0b\x0c\x1c\n",
    b"<0x41><s></s><unk> <pad>\n",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 ‮rtl‬ é é 猫が眠る 🏖️👩‍👩‍👧\n".encode(),
]
SPOILERS = [
    b"\n",
    b"\t",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xc3",
    b" ",
    b'"',
    b"{",
    b"\xe2\x96\x81",
    b"-",
    b"9" * 30,
    b"x" * 3000,
]


def spoilt(rng: random.Random) -> bytes:
    """A seed, or random bytes, with a few places altered."""
    content = bytearray(rng.choice(SEEDS) * rng.choice((1, 1, 2, 5)) if rng.random() < 0.9 else rng.randbytes(40))
    for _ in range(rng.randrange(6)):
        place, kind = rng.randrange(len(content) + 1), rng.randrange(4)
        if kind == 0 and place < len(content):
            content[place] = rng.randrange(256)
        elif kind == 1:
            content[place:place] = rng.choice(SPOILERS)
        elif kind == 2:
            del content[place : place + rng.randrange(8)]
        else:
            content[place:place] = rng.choice(SEEDS)[: rng.randrange(30)]
    return bytes(content)


class Fuzzer:
    """Each target takes bytes and raises where a promise is broken."""

    def __init__(self, folder: Path):
        self.folder = folder
        pairs = [(f"the cat number {i} sleeps", f"die Katze Nummer {i} schläft") for i in range(99)]
        self.tokenizers: list[Tokenizer] = [
            train_tokenizer(lambda: pairs, TokenizerOptions(kind, 330), folder / kind) for kind in ("bpe", "unigram")
        ]
        torch.manual_seed(1)
        options = RecurrentOptions(embedding_size=4, encoder_size=4, decoder_size=4)
        sizes = Vocabulary(self.tokenizers[0].source_size, self.tokenizers[0].target_size, True)
        decoding = DecodingOptions(beam_size=1, max_length_factor=0, max_length_offset=4, max_source_tokens=100)
        self.translator = Translator(build_model(options, sizes).eval(), self.tokenizers[0], decoding)

    def write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def lines(self, content: bytes) -> None:
        text = content.decode("utf-8", "replace").removeprefix("\ufeff")  # a byte order mark is no text
        expected = text.removesuffix("\n").split("\n") if text else []
        read = list(lines_of(self.write("lines.txt", content)))
        assert read == [line.rstrip("\r") for line in expected]

    def pairs(self, content: bytes) -> None:
        half = len(content) // 2
        self.write("both.en", content[:half])
        self.write("both.de", content[half:])
        self.write("both.tsv", content)
        self.write("both.jsonl", content)
        for place in ("both.{language}", "both.tsv", "both.jsonl"):
            try:
                found = list(FilesOptions().read_file(str(self.folder / place)))
            except UserError:
                continue
            report = CleaningReport()
            kept = list(clean(found, CleaningOptions(max_words=50), report))
            left_out = report.empty + report.too_long + report.odd_ratio
            assert report.read == len(found) == len(kept) + left_out
            assert all("\n" not in pair.source + pair.target for pair in found)

    def records(self, content: bytes) -> None:
        """Texts of a parquet file, whatever bytes they are, by `files` and by the `datasets` library."""
        half = len(content) // 2
        columns = {"source": [content[:half]], "target": [content[half:]]}
        columns = {
            name: pyarrow.array(cells, pyarrow.binary()).view(pyarrow.string()) for name, cells in columns.items()
        }
        pyarrow.parquet.write_table(pyarrow.table(columns), self.folder / "train.parquet")
        by_library = DatasetsOptions(
            path=str(self.folder / "train.parquet"), source_column="source", target_column="target", streaming=True
        )
        by_us = FilesOptions(train=[str(self.folder / "train.parquet")])
        read = []
        for corpus in (by_us, by_library):
            try:
                read.append(list(corpus.read("train")))
            except UserError as error:
                assert "\n" not in str(error), error
                read.append([])
        assert read[0] == read[1], read

    def links(self, content: bytes) -> None:
        for row in read_links(self.write("links", content)):
            assert all(s >= 0 and t >= 0 for s, t in row.possible)

    def tokenizer(self, content: bytes) -> None:
        text = content.decode("utf-8", "ignore").replace("\n", " ").replace("\0", " ").replace("\u2581", " ")
        for tokenizer in self.tokenizers:
            for ids in (tokenizer.encode_target(text), *tokenizer.encode_targets([text], Sampling(0.3, 1))):
                assert tokenizer.decode_target(ids) == text, (text, tokenizer.decode_target(ids))

    def translate(self, content: bytes) -> None:
        lines = content.decode("utf-8", "ignore").split("\n")
        made = self.translator.translate(lines)
        assert len(made) == len(lines) and not any("\n" in row.text or "\r" in row.text for row in made)
        assert all(not row.text for row, line in zip(made, lines, strict=True) if not line.strip())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="in all (a million)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--keep", type=Path, default=Path("broken.bin"), help="where an input that broke a promise goes"
    )
    asked = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("nmt").setLevel(logging.ERROR)  # of lines that are cut
    rng = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as temporary:
        fuzzer = Fuzzer(Path(temporary))
        # Of a thousand inputs, how many each target gets: what is slow gets fewer.
        shares: dict[str, tuple[Callable[[bytes], None], int]] = {
            "lines": (fuzzer.lines, 400),
            "pairs": (fuzzer.pairs, 199),
            "records": (fuzzer.records, 1),
            "links": (fuzzer.links, 300),
            "tokenizer": (fuzzer.tokenizer, 95),
            "translate": (fuzzer.translate, 5),
        }
        refused = 0
        began = time.monotonic()
        for name, (target, share) in shares.items():
            count = max(1, asked.inputs * share // 1000)
            for _ in range(count):
                content = spoilt(rng)
                try:
                    target(content)
                except UserError as error:
                    refused += 1
                    assert "\n" not in str(error), f"{name}: {error}"
                except BaseException as error:
                    asked.keep.write_bytes(content)
                    sys.exit(f"{name}: {type(error).__name__}: {error}\ninput kept in {asked.keep}: {content!r}")
            print(f"{name}: {count:,} inputs, {time.monotonic() - began:.0f} s so far", flush=True)
    print(f"{asked.inputs:,} inputs, {refused:,} refused with one line, none broke a promise")


if __name__ == "__main__":
    main()
