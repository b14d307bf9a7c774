"""Neural machine translation models, trained and compared.

From Python, a trained run translates with

    import nmt

    [translation] = nmt.load("runs/demo/attention/seed-1").translate(["The man sleeps."])
    translation.text, translation.log_probability, translation.attention

Importing this package sets nothing and is instant: torch is imported by `load`. See docs/python.md; the commands are
listed by ``python -m nmt``.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nmt.errors import UserError

if TYPE_CHECKING:
    from nmt.decoding.hypothesis import Translation
    from nmt.decoding.options import DecodingOptions
    from nmt.jobs.open import LoadedRun

__version__ = "0.2.0"
__all__ = ["DecodingOptions", "LoadedRun", "Translation", "UserError", "__version__", "load"]

# Names that are looked up when they are first used, as their modules import torch.
_LATE = {
    "DecodingOptions": "nmt.decoding.options",
    "Translation": "nmt.decoding.hypothesis",
    "LoadedRun": "nmt.jobs.open",
}


def load(
    run: str | Path,
    checkpoint: str | int = "best",
    device: str = "auto",
    decoding: DecodingOptions | None = None,
) -> LoadedRun:
    """Opens a trained run to translate with.

    ``run`` is the folder of the run. ``checkpoint`` is best, last, average, a step number or a file, and ``device`` is
    auto, cpu, cuda, cuda:N or mps. ``decoding`` has the search options, such as ``nmt.DecodingOptions(beam_size=1)``
    for greedy search; the default is a beam of 5.

    Raises UserError where the folder is no run, or the checkpoint or the device is not there.
    """
    from nmt.jobs.open import load_run

    return load_run(run, str(checkpoint), device, decoding)


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module 'nmt' has no attribute '{name}'")
    return getattr(importlib.import_module(_LATE[name]), name)
