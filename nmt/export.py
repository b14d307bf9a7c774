"""Writes a trained run for another engine.

  python -m nmt.export run=runs/demo/transformer/seed-1 format=ctranslate2
  python -m nmt.translate run=runs/demo/transformer/seed-1 engine=ctranslate2 < source.txt > target.txt

What people change most:
  quantization=int8                float32, int8, int8_float32, int16, float16, bfloat16
  checkpoint=average               best, last, average, a step number or a file
  output=FOLDER                    instead of RUN/export/ctranslate2

The folder holds model, vocabularies and tokenizer. Transformers only: CTranslate2 has no recurrent models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nmt.door import open_door

if TYPE_CHECKING:  # imported late, so that --help is instant
    from nmt.config import ExportConfig


def main() -> None:
    open_door("export", __doc__, _export)


def _export(config: ExportConfig) -> None:
    from pathlib import Path

    import torch

    from nmt.decoding.ctranslate2_engine import export, export_folder
    from nmt.errors import UserError, nearest
    from nmt.run import open_run

    if config.format != "ctranslate2":
        raise UserError(f"format={config.format}: {nearest(config.format, ['ctranslate2'])}")
    run = open_run(config.run)
    model, file = run.model(config.checkpoint, torch.device("cpu"))
    place = run.checkpoints.folder / file
    made_of = {"checkpoint": config.checkpoint, "file": str(place.resolve())}
    folder = Path(config.output) if config.output else export_folder(run.folder)
    export(model, run.tokenizer, folder, config.quantization, made_of)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    print(f"{folder}: {file} in {config.quantization}, {size:.1f} MB")


if __name__ == "__main__":
    main()
