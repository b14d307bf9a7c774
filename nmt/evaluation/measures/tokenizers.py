"""sacreBLEU's tokenizers, by name: which there are, and whether one can be used here."""

from __future__ import annotations

from sacrebleu.metrics import BLEU

from nmt.corpus.text.writing import AUTO
from nmt.errors import UserError, nearest

# Installed with sacreBLEU as an extra, which pip knows by this name.
PACKAGES = {"ja-mecab": "sacrebleu[ja]", "ko-mecab": "sacrebleu[ko]"}


def check_name_of_tokenizer(name: str, option: str) -> None:
    """Raises UserError, naming the option, unless the name is ``auto`` or one of sacreBLEU's."""
    known = [AUTO, *BLEU.TOKENIZERS]
    if name not in known:
        raise UserError(f"{option}={name}: {nearest(name, known)}")


def check_usable(name: str, option: str) -> None:
    """Raises UserError, naming the option and what to install, where the tokenizer can't be made.

    ``spm`` and the like fetch their model when they are first used.
    """
    if name == AUTO:
        return
    try:
        BLEU(tokenize=name)
    except Exception as error:  # of a package that is absent, a network or a file
        if name in PACKAGES:
            raise UserError(
                f"{option}={name}: needs a package that is absent; pip install '{PACKAGES[name]}'"
            ) from None
        reason = " ".join(str(error).split())
        raise UserError(f"{option}={name}: sacreBLEU can't load it ({reason}); choose another") from None
