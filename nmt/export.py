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
    from nmt.schemas import ExportConfig


def main() -> None:
    with open_door("export", __doc__, _export) as run:
        run()


def _export(config: ExportConfig) -> None:
    from pathlib import Path

    import torch

    from nmt.decoding.ctranslate2_engine import export, export_folder
    from nmt.run import open_run

    run = open_run(config.run)
    model, file = run.model(config.checkpoint, torch.device("cpu"))
    checkpoint = (run.checkpoints.folder / file).resolve()
    origin = {"checkpoint": config.checkpoint, "file": str(checkpoint)}
    folder = Path(config.output) if config.output else export_folder(run.folder)
    export(model, run.tokenizer, folder, config.quantization, origin)
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    megabytes = sum(sizes) / 1e6
    print(f"{folder}: {file} in {config.quantization}, {megabytes:.1f} MB")


if __name__ == "__main__":
    main()
