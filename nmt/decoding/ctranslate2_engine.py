"""CTranslate2 as an engine: a run written for it, and translations made by it."""

from __future__ import annotations

import glob
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from nmt.corpus.subwords.tokenizer import Tokenizer
from nmt.corpus.text.lines import is_blank
from nmt.decoding.export_record import MADE, OWN, checked_files, read_record, stamps, write_record
from nmt.decoding.hypothesis import Translation
from nmt.decoding.lines import cut_source, one_line
from nmt.decoding.options import DecodingOptions, length_limit
from nmt.environment import rank_and_count
from nmt.errors import Absent, Damaged, UserError, nearest, not_written, typed_as
from nmt.locks import if_free
from nmt.models.ctranslate2_spec import ctranslate2_spec
from nmt.models.interface import Model
from nmt.tokens import END, PADDING, START, UNKNOWN

log = logging.getLogger("nmt")

QUANTIZATIONS = ("float32", "int8", "int8_float32", "int16", "float16", "bfloat16")
MAX_TOKENS = 4000  # on either side
ASIDE = ".writing"  # ends the name of a folder beside an export, in which another one is made


def export_folder(run: Path) -> Path:
    """Where a run's export lies unless the user says otherwise."""
    return run / "export" / "ctranslate2"


def find_export(place: Path, checkpoint: str) -> Path:
    """The export of a run, or that ``place`` is itself. Raises UserError where there is none of this checkpoint."""
    folder = place if (place / MADE).is_file() else export_folder(place)
    _put_right(folder)
    try:
        record = read_record(folder)
        exported = record["checkpoint"]
        newest = Path(record["file"])
    except FileNotFoundError:
        typed = typed_as("run", str(place))
        raise Absent(
            f"{folder}: no export here; make it with python -m nmt.export {typed} format=ctranslate2"
        ) from None
    except (KeyError, TypeError) as error:
        raise Damaged(f"{folder / MADE}: damaged ({error}); export the run again") from None
    if exported != checkpoint:
        raise UserError(f"checkpoint={checkpoint}: {folder} is an export of checkpoint={exported}; export that one")
    knows_weights = "weights" in record  # then these are compared, not clocks
    if not knows_weights and newest.exists() and newest.stat().st_mtime > (folder / MADE).stat().st_mtime:
        log.warning("%s: the run was trained on after its export; export it again", folder)
    return folder


def export(model: Model, tokenizer: Tokenizer, folder: Path, quantization: str, made_of: Mapping[str, Any]) -> None:
    """``folder`` appears whole or not at all; an older export there is replaced, and nothing else ever.

    ``made_of`` holds the checkpoint's name and file, which `find_export` looks at, and for the record what else the
    export was made of. Raises UserError for a model that CTranslate2 has no layers for, and for a folder that holds
    anything but an export.
    """
    if quantization not in QUANTIZATIONS:
        raise UserError(f"quantization={quantization}: {nearest(quantization, QUANTIZATIONS)}")
    _check_replaceable(folder)
    try:
        spec = ctranslate2_spec(model)
    except ImportError:
        raise _missing() from None
    spec.register_source_vocabulary(tokenizer.source_pieces(range(tokenizer.source_size)))
    spec.register_target_vocabulary(tokenizer.target_pieces(range(tokenizer.target_size)))
    marks = tokenizer.target_pieces([START, END, UNKNOWN])
    spec.config.bos_token, spec.config.eos_token, spec.config.unk_token = marks
    spec.validate()
    if quantization != "float32":
        spec.optimize(quantization=quantization)

    def write(new: Path) -> None:
        spec.save(str(new))
        tokenizer.save(new / "tokenizer")
        write_record(new, made_of, quantization)

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _put_right(folder)
        _replace(folder, write)
    except OSError as error:
        raise not_written(error, f"output={folder}") from None


def _replace(folder: Path, write: Callable[[Path], None]) -> None:
    """Lets ``write`` fill a new folder, which takes the place of ``folder``: where that fails, it is as it was."""
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=ASIDE, dir=folder.parent))
    new = aside / "new"
    before = aside / "before"
    try:
        with if_free(aside / "export"):  # as long as this process lives
            new.mkdir()
            write(new)
            if folder.exists():
                os.rename(folder, before)
            try:
                os.rename(new, folder)
            except OSError:
                if before.exists():
                    os.rename(before, folder)
                raise
    finally:
        if folder.exists() or not before.exists():  # else the next start puts the one before in its place
            shutil.rmtree(aside, ignore_errors=True)


def _put_right(folder: Path) -> None:
    """Puts an export back that a killed process had moved away, and removes what it had begun."""
    for aside in folder.parent.glob(f".{glob.escape(folder.name)}.*{ASIDE}"):
        with suppress(OSError), if_free(aside / "export") as is_left:
            if not is_left:
                continue
            before = aside / "before"
            if before.exists() and not os.path.lexists(folder):
                os.rename(before, folder)
            shutil.rmtree(aside, ignore_errors=True)


def _missing() -> UserError:
    return UserError("the library ctranslate2 is not installed; pip install ctranslate2")


def _check_replaceable(folder: Path) -> None:
    """Only what this module wrote may give way."""
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir():
        raise UserError(f"output={folder}: is there and no folder; name a new one")
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    if found and (MADE not in found or not found <= OWN):
        raise UserError(
            f"output={folder}: holds other things ({min(found - OWN or found)}), which are not overwritten; name a new "
            "folder"
        )


class Engine:
    """Translates with an exported run. The beam and its length penalty are CTranslate2's own."""

    def __init__(self, folder: Path, options: DecodingOptions, device: str, compute_type: str = "default"):
        try:
            import ctranslate2
        except ImportError:
            raise _missing() from None
        if options.length_penalty == "gnmt":
            raise UserError("decoding.length_penalty=gnmt: engine=ctranslate2 knows average and none")
        if options.temperature > 0:
            raise UserError("decoding.temperature: engine=ctranslate2 is for search; sample with engine=pytorch")
        if options.precision != "fp32":
            raise UserError(f"decoding.precision={options.precision} is for engine=pytorch; here it is compute_type=")
        if not ((folder / "model.bin").is_file() and (folder / MADE).is_file()):
            raise Absent(f"{folder}: no export here; make it with python -m nmt.export run=RUN format=ctranslate2")
        self.options = options
        if options.length_penalty == "average" and options.length_penalty_alpha > 1 and rank_and_count()[0] == 0:
            log.warning(
                "decoding.length_penalty_alpha=%s: above 1 the search of engine=ctranslate2 stops sooner, and finds "
                "less likely outputs than that of engine=pytorch",
                options.length_penalty_alpha,
            )
        before = stamps(folder)
        self.files = checked_files(folder)  # digests of what is loaded
        self.tokenizer = Tokenizer.load(folder / "tokenizer")
        name, _, index = device.partition(":")
        try:
            self.translator = ctranslate2.Translator(
                str(folder),
                device=name,
                device_index=int(index or 0),
                compute_type=compute_type,
                inter_threads=1,
                intra_threads=torch.get_num_threads(),
            )
        except (RuntimeError, ValueError) as error:
            raise UserError(f"{folder}: cannot be loaded on {device} ({str(error).splitlines()[0]})") from None
        if stamps(folder) != before:
            raise UserError(f"{folder}: another export took its place while it was loaded; start again")

    def translate(self, lines: Sequence[str], first_line: int = 1) -> list[Translation]:
        """One Translation per line, in their order; a blank line gives an empty one."""
        translations = [Translation("", 0.0)] * len(lines)
        sources: dict[int, list[str]] = {}  # pieces, by the number of the row
        by_limit: dict[int, list[int]] = {}  # the library has one limit a call, and a sentence must not have another's
        for row, line in enumerate(lines):
            if not is_blank(line):
                sources[row] = self._pieces(line, first_line + row)
                by_limit.setdefault(self._limit(sources[row]), []).append(row)
        for limit, rows in by_limit.items():
            found = self._search([sources[row] for row in rows], limit)
            for row, translation in zip(rows, found, strict=True):
                translations[row] = translation
        return translations

    def _limit(self, source: list[str]) -> int:
        """How many tokens a translation of these pieces may have at most."""
        return min(length_limit(len(source), self.options), MAX_TOKENS)

    def _search(self, sources: list[list[str]], limit: int) -> list[Translation]:
        options = self.options
        alpha = 0.0
        if options.length_penalty == "average":
            alpha = options.length_penalty_alpha
        try:
            found = self.translator.translate_batch(
                sources,
                beam_size=options.beam_size,
                max_batch_size=options.batch_size,
                length_penalty=alpha,
                min_decoding_length=min(options.min_length, limit),
                max_decoding_length=limit,
                max_input_length=MAX_TOKENS,
                suppress_sequences=[self.tokenizer.target_pieces([mark]) for mark in (PADDING, START)],
                return_scores=True,
                return_end_token=True,
            )
        except ValueError as error:
            raise Damaged(f"the export is damaged ({str(error).splitlines()[0]}); export the run again") from None
        translations = []
        for result in found:
            ids = self.tokenizer.target_ids(result.hypotheses[0])
            text = one_line(self.tokenizer.decode_target(ids))
            is_cut = not ids or ids[-1] != END
            translations.append(Translation(text, result.scores[0], is_cut=is_cut))
        return translations

    def _pieces(self, line: str, number: int) -> list[str]:
        ids = self.tokenizer.encode_source(line)
        limit = min(self.options.max_source_tokens, MAX_TOKENS)
        ids = cut_source(ids, limit, number, str(limit))
        return self.tokenizer.source_pieces(ids)
