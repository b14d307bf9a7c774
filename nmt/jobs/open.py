"""Opens a trained run to translate with: for the doors, and for `nmt.load`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from nmt.decoding.hypothesis import Translates, Translation
from nmt.decoding.options import DecodingOptions
from nmt.decoding.translator import Translator
from nmt.jobs.identity import model_identity
from nmt.plugins import load_plugins
from nmt.run import Run, open_run
from nmt.schemas import TranslateConfig
from nmt.training.precision import choose_device
from nmt.training.ranks import own_device


class LoadedRun:
    """A trained run, ready to translate.

    ``run`` has its folder and configuration, ``translator`` its model, tokenizer and search options.
    """

    def __init__(self, run: Run, translator: Translator):
        self.run = run
        self.translator = translator

    def translate(self, lines: Sequence[str], attention: bool = True) -> list[Translation]:
        """Translates each line; the translations come in the order of the lines, an empty one for a blank line.

        A `Translation` has ``text``, ``log_probability`` (natural logarithm, summed over the target tokens), ``score``
        (the log-probability under the length penalty), ``source_pieces``, ``target_pieces`` and ``attention``, an array
        (target pieces, source pieces) whose rows sum to one; it is None where the model has no attention.
        ``attention=False`` leaves pieces and attention out, and is faster.

        Raises TypeError for one string instead of a list of lines.
        """
        if isinstance(lines, str):
            raise TypeError("translate takes a list of lines, as in translate(['The man sleeps.'])")
        wanted = range(len(lines)) if attention else ()
        return self.translator.translate(lines, attention_for=wanted)


def load_run(folder: str | Path, checkpoint: str, device: str, decoding: DecodingOptions | None = None) -> LoadedRun:
    """Opens a trained run, with the user's plugins.

    Prepares the process for products in fp32 (`nmt.kernels.process.prepare`, a side effect). Raises UserError where
    ``folder`` is no run, or the checkpoint or device is not there.
    """
    load_plugins()
    run = open_run(folder)
    model, _ = run.model(checkpoint, choose_device(device))
    return LoadedRun(run, Translator(model, run.tokenizer, decoding or DecodingOptions()))


def open_translator(folder: str, checkpoint: str, device: str, decoding: DecodingOptions | None = None) -> Translator:
    """Opens the translator of a trained run. Raises UserError as `load_run` does."""
    return load_run(folder, checkpoint, device, decoding).translator


def open_engine(config: TranslateConfig) -> tuple[Translates, Callable[[], dict[str, Any]]]:
    """Returns the engine that is configured, and a function that returns digests of what it has loaded.

    Raises UserError where there is no run, or for ``engine=ctranslate2`` no export of it, or a spoilt one.
    """
    device = str(own_device(choose_device(config.device)))
    if config.engine == "pytorch":
        loaded = load_run(config.run, config.checkpoint, device, config.decoding)
        return loaded.translator, partial(model_identity, loaded.run, loaded.translator.model)
    from nmt.decoding.ctranslate2_engine import Engine, find_export  # late: it needs a library of its own
    from nmt.jobs.export import warn_if_stale

    folder = find_export(Path(config.run), config.checkpoint)
    warn_if_stale(folder, Path(config.run))
    engine = Engine(folder, config.decoding, device, config.compute_type)
    return engine, lambda: {"export": engine.files}
