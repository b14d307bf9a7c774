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
    from nmt.jobs.export import export_run
    from nmt.progress import phase

    with phase("loading and converting the model"):
        folder, file = export_run(config)
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    megabytes = sum(sizes) / 1e6
    print(f"{folder}: {file} in {config.quantization}, {megabytes:.1f} MB")


if __name__ == "__main__":
    main()
