"""A user's own classes: modules named in NMT_PLUGINS are imported before a door opens, and register themselves.

They are named in the environment, never in a configuration, so that no run folder can name code to run.
"""

from __future__ import annotations

import importlib
import os

from nmt.errors import UserError


def load_plugins() -> None:
    """Raises UserError for a module that is not there, or that fails."""
    for name in filter(None, os.environ.get("NMT_PLUGINS", "").split(",")):
        try:
            importlib.import_module(name.strip())
        except Exception as error:  # it is the user's code: anything may happen
            raise UserError(f"NMT_PLUGINS={name}: cannot be imported ({type(error).__name__}: {error})") from None
