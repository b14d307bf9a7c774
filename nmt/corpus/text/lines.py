"""Text files, plain or gzipped, line by line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nmt.errors import UserError


def lines_of(path: Path) -> Iterator[str]:
    """Lines split at newline only (not at U+2028 and the like), without their end.

    Raises UserError that names the line where the bytes are not UTF-8, or the gzip file is damaged.
    """
    opener: Any = gzip.open if path.suffix == ".gz" else open
    done = 0
    try:
        with opener(path, "rb") as file:
            for line in file:
                yield line.rstrip(b"\r\n").decode("utf-8")
                done += 1
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise UserError(f"{path}: a folder, where a file is needed") from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}, line {done + 1}: not valid UTF-8 ({error.reason}); convert the file to UTF-8"
        ) from None
    except (EOFError, OSError, zlib.error) as error:
        raise UserError(
            f"{path}, after line {done}: cannot be read ({error}); the file is damaged or cut short"
        ) from None
