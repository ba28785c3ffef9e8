"""Parquet tables, streamed: written row group by row group with a summary in the footer, read the same way.

The footer carries the partition's summary and what it was made from, both free of anything
volatile, so that `status`, `funnel` and `explain` read footers and no text. Bytes are identical for
identical content.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.lib import ArrowInvalid

from curation_dagster.errors import IntegrityError, SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from curation_dagster.schema import Columns

FOOTER_KEY = b"curation"
_ZSTD_LEVEL = 3


class TableWriter:
    """Write one table to a local file, a frame a row group, and reopen it to see that it is whole."""

    def __init__(self, path: Path, columns: Columns) -> None:
        """Open `path` for a table of exactly these columns."""
        self._path = path
        self._schema = pl.Schema(columns)
        arrow = pl.DataFrame(schema=self._schema).to_arrow().schema
        self._arrow = pa.schema([_plain(f) for f in arrow])
        self._writer = pq.ParquetWriter(
            path,
            self._arrow,
            compression="zstd",
            compression_level=_ZSTD_LEVEL,
            use_dictionary=[
                leaf
                for field in self._arrow
                if not _is_hash(field.name)
                for leaf in _leaves(field.name, field.type)
            ],
            write_statistics=True,
        )
        self.rows = 0

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file; the draft of a failed write stays in scratch, which is removed."""
        self._writer.close()

    def write(self, frame: pl.DataFrame) -> None:
        """Add one row group.

        Raises:
            SchemaError: when the frame's columns are not the table's.
        """
        found = frame.schema
        if list(found.items()) != list(self._schema.items()):
            wrong = {
                name: (str(self._schema.get(name)), str(found.get(name)))
                for name in self._schema | found
                if self._schema.get(name) != found.get(name)
            }
            msg = f"{self._path.name}: column: (expected, found): {wrong or 'other order'}"
            raise SchemaError(msg)
        if frame.height:
            table = frame.to_arrow().cast(self._arrow)
            self._writer.write_table(table, row_group_size=frame.height)
            self.rows += frame.height

    def finish(self, footer: Mapping[str, Any]) -> None:
        """Write the footer, close and reopen.

        Raises:
            IntegrityError: when the reopened file does not hold the rows that were written.
        """
        text = json.dumps(footer, sort_keys=True, ensure_ascii=False)
        self._writer.add_key_value_metadata({FOOTER_KEY: text.encode()})
        self._writer.close()
        reopened = pq.read_metadata(self._path).num_rows
        if reopened != self.rows:
            msg = f"{self._path.name}: wrote {self.rows} rows, reopened {reopened}"
            raise IntegrityError(msg)


def footer(source: Any, where: str) -> dict[str, Any]:  # noqa: ANN401 - a path or an open file
    """Read what the writer put in the footer.

    Raises:
        IntegrityError: when the file is cut or no table of ours.
    """
    try:
        metadata = pq.read_metadata(source).metadata or {}
    except (ArrowInvalid, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the storage failed; Arrow's own have no errno
        msg = (
            f"{where}: damaged: {error}. "
            "Remove the file and run again: the partition is recomputed."
        )
        raise IntegrityError(msg) from error
    return dict(json.loads(metadata.get(FOOTER_KEY, b"{}")))


def batches(
    source: Any,  # noqa: ANN401 - a path or an open file
    columns: Sequence[str] | None = None,
    **holding: str,
) -> Iterator[pl.DataFrame]:
    """Yield a table's row groups, one at a time; with `holding`, only those that may hold a column's value."""
    with pq.ParquetFile(source) as file:
        wanted = None if columns is None else [c for c in columns if c in file.schema_arrow.names]
        for group in range(file.num_row_groups):
            if _may_hold(file.metadata.row_group(group), holding):
                yield _frame(file.read_row_group(group, columns=wanted))


def _may_hold(group: pq.RowGroupMetaData, holding: Mapping[str, str]) -> bool:
    for at in range(group.num_columns):
        column = group.column(at)
        value = holding.get(column.path_in_schema)
        known = column.statistics if value is not None else None
        if known is not None and known.has_min_max and not known.min <= value <= known.max:
            return False
    return True


def read(source: Any, columns: Sequence[str] | None = None) -> pl.DataFrame:  # noqa: ANN401
    """Read a narrow table whole, or some columns of a wide one."""
    with pq.ParquetFile(source) as file:
        wanted = None if columns is None else [c for c in columns if c in file.schema_arrow.names]
        return _frame(file.read(columns=wanted))


def height(source: Any) -> int:  # noqa: ANN401 - a path or an open file
    """Count a table's rows, by its footer."""
    return int(pq.read_metadata(source).num_rows)


def columns(source: Any) -> dict[str, str]:  # noqa: ANN401 - a path or an open file
    """Name a table's columns and their types."""
    return {field.name: str(field.type) for field in pq.read_schema(source)}


_SUMMED = {"text_bytes": "bytes_kept", "token_count": "tokens_kept", "is_first": "first_copies"}


class Tally:
    """Count what goes into a table: rows, kept, rejected by rule, bytes and tokens of the kept."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.rows = 0
        self._rejected: dict[str, int] = {}
        self._sums: dict[str, int] = {}

    def add(self, frame: pl.DataFrame) -> None:
        """Count one frame; columns that are absent count as nothing."""
        self.rows += frame.height
        kept = frame
        if "rejected_by" in frame.columns:
            reasons = frame["rejected_by"].drop_nulls().value_counts()
            for reason, count in reasons.iter_rows():
                self._rejected[reason] = self._rejected.get(reason, 0) + count
            kept = frame.filter(pl.col("rejected_by").is_null())
        for column, name in _SUMMED.items():
            if column in frame.columns:
                self._sums[name] = self._sums.get(name, 0) + int(kept[column].cast(pl.UInt64).sum())

    @property
    def summary(self) -> dict[str, Any]:
        """Return rows, kept, rejected and the sums."""
        rejected = dict(sorted(self._rejected.items()))
        kept = self.rows - sum(rejected.values())
        return {"rows": self.rows, "kept": kept, "rejected": rejected, **self._sums}


class RowReader:
    """Read rows of a table sorted by `row` in ascending ranges, holding one row group at a time."""

    def __init__(self, source: Any, columns: Sequence[str]) -> None:  # noqa: ANN401
        """Prepare to read these columns, `row` among them."""
        self._batches = batches(source, columns)
        self._held: pl.DataFrame | None = next(self._batches, None)

    def up_to(self, last_row: int) -> pl.DataFrame | None:
        """Return the rows not yet returned whose `row` is at most `last_row`; None for an empty table."""
        parts = []
        while self._held is not None:
            ready = self._held.filter(pl.col("row") <= last_row)
            parts.append(ready)
            if ready.height < self._held.height:
                self._held = self._held.slice(ready.height)
                break
            following = next(self._batches, None)
            if following is None:
                self._held = self._held.clear()
                break
            self._held = following
        return pl.concat(parts) if parts else self._held


def _is_hash(name: str) -> bool:
    """Say whether a column holds values that never recur: a dictionary of them costs time and saves nothing."""
    return name in {"exact_hash", "url_hash", "signature", "shingles"} or name.startswith("band_")


def _leaves(path: str, kind: pa.DataType) -> list[str]:
    """Name a column's leaves as Parquet does."""
    if pa.types.is_large_list(kind):
        return _leaves(f"{path}.list.element", kind.value_type)
    if pa.types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        return [leaf for f in fields for leaf in _leaves(f"{path}.{f.name}", f.type)]
    return [path]


def _plain(field: pa.Field) -> pa.Field:
    """Write view types as the large types every reader knows."""
    return pa.field(field.name, _plain_type(field.type))


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_large_list(kind) or pa.types.is_list(kind):
        return pa.large_list(pa.field("element", _plain_type(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([_plain(kind.field(i)) for i in range(kind.num_fields)])
    if kind in {pa.string_view(), pa.string()}:
        return pa.large_string()
    if kind in {pa.binary_view(), pa.binary()}:
        return pa.large_binary()
    return kind


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    if not isinstance(frame, pl.DataFrame):
        msg = "a table is a frame"
        raise SchemaError(msg)
    return frame
