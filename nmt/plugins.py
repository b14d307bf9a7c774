"""A user's own classes: modules named in NMT_PLUGINS are imported before a door opens, and register themselves.

They are named in the environment, never in a configuration, so that no run folder can name code to run.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from pathlib import Path

from nmt.errors import UserError
from nmt.stopping import Stopped


def plugin_hashes() -> dict[str, str]:
    """Returns a short hash of each plugin's file, for the record of a run."""
    hashes = {}
    for name in _names():
        path = getattr(sys.modules.get(name), "__file__", None)
        hashes[name] = "unknown"
        if path:
            hashes[name] = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]
    return hashes


def _names() -> list[str]:
    names = [name.strip() for name in os.environ.get("NMT_PLUGINS", "").split(",")]
    return [name for name in names if name]


def load_plugins() -> None:
    """Imports every plugin, from the current folder or from where Python looks.

    Raises UserError for a module that is not there, or that fails.
    """
    names = _names()
    here = os.getcwd()
    if names and here not in sys.path:
        sys.path.append(here)
    for name in names:
        if name.endswith(".py") or "/" in name:
            module = Path(name).stem
            raise UserError(
                f"NMT_PLUGINS={name}: a file; name the module, NMT_PLUGINS={module}, with {module}.py in the current "
                "folder or in a folder of PYTHONPATH"
            )
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            hint = f"; {name}.py must lie in the current folder or in a folder of PYTHONPATH" * (error.name == name)
            raise UserError(f"NMT_PLUGINS={name}: cannot be imported ({error}{hint})") from None
        except Stopped:
            raise
        except SystemExit as end:
            reason = f"it calls sys.exit({end.code!r})"
            raise UserError(f"NMT_PLUGINS={name}: cannot be imported ({reason})") from None
        except Exception as error:  # it is the user's code: anything may happen
            raise UserError(f"NMT_PLUGINS={name}: cannot be imported ({type(error).__name__}: {error})") from None
