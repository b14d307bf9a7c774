"""Translates standard input to standard output, line by line.

  python -m nmt.translate run=runs/demo/attention/seed-1 < source.txt > target.txt

What people change most:
  decoding.beam_size=1             1 is greedy and fastest
  decoding.batch_size=64           sentences at a time; the output stays the same
  decoding.length_penalty=gnmt     none, average or gnmt, with decoding.length_penalty_alpha
  checkpoint=average               best, last, average, a step number or a file
  engine=ctranslate2               several times faster; after python -m nmt.export run=...
  input=big.txt output=big.de      a file, in shards: the same command goes on, and more processes share the work
  device=cpu

Line i of the output is line i of the input, empty lines too. output=FILE.gz is gzipped. A last line on standard error
tells how many outputs were cut at decoding.max_length_factor and max_length_offset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nmt.door import open_door

if TYPE_CHECKING:  # imported late, so that --help is instant
    from nmt.schemas import TranslateConfig


def main() -> None:
    with open_door("translate", __doc__, _translate) as run:
        run()


def _translate(config: TranslateConfig) -> None:
    import logging
    import sys
    from dataclasses import asdict
    from pathlib import Path

    from nmt.corpus.text.lines import chunks, lines_of, lines_of_stream
    from nmt.decoding.cuts import Cuts
    from nmt.decoding.lines import tell_unknown_tag, warn_of_unknown_tag
    from nmt.decoding.shards import LINES_AT_ONCE, translate_file
    from nmt.environment import rank_and_count
    from nmt.errors import UserError
    from nmt.jobs.open import open_engine
    from nmt.progress import counted, phase
    from nmt.streams import check_output, standard_input

    log = logging.getLogger("nmt")
    rank, processes = rank_and_count()
    if processes > 1 and not config.input:
        raise UserError(
            f"WORLD_SIZE={processes}: several processes share a file: give input and output, or unset WORLD_SIZE"
        )
    if not config.input:
        check_output()
        standard_input()
    with phase("loading the model"):
        engine, identity = open_engine(config)
    cuts = Cuts()
    if config.input:
        work = {key: value for key, value in asdict(config).items() if key not in ("output", "device")}
        work["translates"] = identity()
        if rank == 0 and Path(config.input).is_file():  # a pipe is refused, unread
            warn_of_unknown_tag(lines_of(Path(config.input)), engine.tokenizer)
        cuts = translate_file(engine, Path(config.input), Path(config.output), config.shard_lines, work)
    else:
        if sys.stdin.isatty():
            log.info("reading lines from the terminal; Ctrl-D on a line of its own ends them")
        stream = counted(standard_input(), "translating", "lines read")
        watched = tell_unknown_tag(lines_of_stream(stream, "standard input"), engine.tokenizer)
        for lines in chunks(watched, LINES_AT_ONCE):
            first_line = cuts.outputs + 1
            translations = engine.translate(lines, first_line=first_line)
            for translation in translations:
                sys.stdout.buffer.write(translation.text.encode("utf-8") + b"\n")
            sys.stdout.flush()
            cuts.count(translations, first_line)
    if cuts.cut:
        log.warning("%s", cuts.in_words(config.decoding))


if __name__ == "__main__":
    main()
