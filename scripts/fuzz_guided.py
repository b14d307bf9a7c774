"""The same promises as fuzz.py, by inputs that atheris bends towards code not yet reached (`pip install atheris`).

  python scripts/fuzz_guided.py FOLDER -max_total_time=600

Inputs that reached new code are kept in FOLDER, and begun with the next time; other options are libFuzzer's.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["nmt.corpus"]):
    from fuzz import SEEDS, Fuzzer

    from nmt.errors import UserError


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else sys.exit(__doc__)
    folder.mkdir(parents=True, exist_ok=True)
    logging.getLogger("nmt").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as temporary:
        fuzzer = Fuzzer(Path(temporary))
        targets = (fuzzer.lines, fuzzer.pairs, fuzzer.links, fuzzer.tokenizer)
        for number, seed in enumerate(SEEDS):
            for target in range(len(targets)):
                (folder / f"seed-{number}-{target}").write_bytes(bytes([target]) + seed)

        def one(content: bytes) -> None:
            """The first byte says which target the rest is for."""
            try:
                targets[content[0] % len(targets) if content else 0](content[1:])
            except UserError as error:
                assert "\n" not in str(error), error

        atheris.Setup(sys.argv, one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
