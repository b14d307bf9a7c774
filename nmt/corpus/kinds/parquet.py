"""Records of a parquet file: of all its columns, those that may hold the texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nmt.errors import UserError, not_read

TRANSLATION = "translation"


def parquet_records(path: Path, names: Sequence[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """Yields the rows of a parquet file with their columns of these names, source and target, and ``translation``.

    No other column is read: what stands there may be what Python can't hold. Raises UserError that names the row where
    a text can't be read.
    """
    import pyarrow
    import pyarrow.parquet

    done = 0
    try:
        file = pyarrow.parquet.ParquetFile(path)
        columns = _wanted(file.schema_arrow, names)
        if not columns:
            wanted = " or ".join(f"'{source}' and '{target}'" for source, target in names)
            raise UserError(f"{path}: no column {wanted}, nor '{TRANSLATION}'")
        for batch in file.iter_batches(columns=columns):
            yield from _rows(batch, path, done)
            done += batch.num_rows
    except pyarrow.ArrowException as error:
        what = f"row {done + 1} or after: cannot be read" if done else "not a parquet file"
        raise UserError(f"{path}: {what} ({str(error).splitlines()[0]})") from None
    except OSError as error:
        if error.errno is not None:
            raise not_read(error, path) from None
        raise UserError(f"{path}: damaged or cut short ({str(error).splitlines()[0]})") from None


def _wanted(schema: Any, names: Sequence[tuple[str, str]]) -> list[str]:
    """Returns the columns that may hold the texts; of a structure, the members that may."""
    columns = _present(names, schema.names)
    if TRANSLATION not in schema.names:
        return columns
    members = _members(schema.field(TRANSLATION).type)
    within = [f"{TRANSLATION}.{name}" for name in _present(names, members)]
    return columns + (within or [TRANSLATION])


def _present(names: Sequence[tuple[str, str]], known: Sequence[str]) -> list[str]:
    """Returns those of the names that are known, each once."""
    present: dict[str, None] = {}
    for pair in names:
        for name in pair:
            if name in known:
                present[name] = None
    return list(present)


def _members(kind: Any) -> list[str]:
    """Returns the names within a structure; none for a column of another kind."""
    import pyarrow.types

    if not pyarrow.types.is_struct(kind):
        return []
    return [kind.field(number).name for number in range(kind.num_fields)]


def _rows(batch: Any, path: Path, done: int) -> Iterator[dict[str, Any]]:
    """Yields the rows of a batch, which follows ``done`` others."""
    try:
        records = batch.to_pylist()
    except (ValueError, OverflowError):  # of one row, which is to be found
        records = _row_by_row(batch, path, done)
    yield from records


def _row_by_row(batch: Any, path: Path, done: int) -> Iterator[dict[str, Any]]:
    """Yields the rows until the one that can't be read. Raises UserError that names it."""
    for row in range(batch.num_rows):
        try:
            [record] = batch.slice(row, 1).to_pylist()
        except (ValueError, OverflowError) as error:
            raise UserError(f"{path}, row {done + row + 1}: a text that cannot be read ({error})") from None
        yield record
