"""``python -m nmt`` lists the commands; ``python -m nmt --version`` says which version this is."""

from __future__ import annotations

import importlib
import sys

import nmt
from nmt.door import NAMES
from nmt.errors import UserError
from nmt.streams import fill_closed_files, standard_output_watched


def main() -> None:
    """Prints the list of commands. Exits with code 2 for an argument that it does not know."""
    fill_closed_files()
    try:
        with standard_output_watched():
            _answer(sys.argv[1:])
            sys.stdout.flush()
    except UserError as error:
        print(f"nmt: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except BrokenPipeError:
        raise SystemExit(1) from None


def _answer(arguments: list[str]) -> None:
    if arguments == ["--version"]:
        print(f"nmt {nmt.__version__}")
    elif not arguments or set(arguments) <= {"--help", "-h"}:
        print(commands())
    else:
        name = arguments[0].removeprefix("nmt.")
        hint = f"say python -m nmt.{name}" if name in NAMES else "python -m nmt lists the commands"
        print(f"nmt: {arguments[0]}: no such command; {hint}", file=sys.stderr)
        raise SystemExit(2)


def commands() -> str:
    """Returns the list of commands with the first line of each one's help."""
    lines = ["Trains neural machine translation models and compares them.", ""]
    width = max(len(name) for name in NAMES)
    for name in NAMES:
        help_text = importlib.import_module(f"nmt.{name}").__doc__ or ""
        first_line = help_text.strip().splitlines()[0]
        lines.append(f"  python -m nmt.{name:{width}}  {first_line}")
    lines += ["", "python -m nmt.COMMAND --help shows a command's options; docs/python.md shows the use from Python."]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
