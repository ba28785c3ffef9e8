"""JSON lines and Parquet as rows: a line that is no JSON, or has no text, is a rejected row, never an exception.

Fields are read by name; nothing is guessed. A line's offset counts bytes of the decompressed file.
"""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow.parquet as pq
import zstandard

from curation_dagster.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation_dagster.recipe import Source

_CHUNK: Final = 16 << 20
_ROWS: Final = 10_000
_FIELDS: Final = ("text_field", "url_field", "date_field")


def json_lines(stream: Any, name: str, source: Source) -> Iterator[pl.DataFrame]:  # noqa: ANN401
    """Yield frames (offset, text, url, crawled_at, record_bytes, rejected_by) of a JSONL file, plain, gzip or zstd."""
    offset, rest = 0, b""
    damage: str | None = None
    chunks = _chunks(_decompressed(stream, name))
    while True:
        try:
            chunk = next(chunks, b"")
        except (OSError, EOFError, zstandard.ZstdError) as error:
            chunk, damage = b"", str(error)
        block = rest + chunk
        cut = block.rfind(b"\n") + 1 if chunk else len(block)
        if cut:
            yield _lines(block[:cut], offset, source)
        offset, rest = offset + cut, block[cut:]
        if not chunk:
            break
    if damage is not None:
        yield _damaged(offset, damage)


def parquet(stream: Any, name: str, source: Source) -> Iterator[pl.DataFrame]:  # noqa: ANN401
    """Yield the same frames of a Parquet file; `offset` is the row.

    Raises:
        RecipeError: when the file has no column called as the recipe says.
    """
    with pq.ParquetFile(stream) as file:
        names = file.schema_arrow.names
        if source.text_field not in names:
            msg = f"source {source.name!r}: {name}: no column {source.text_field!r}; found {names}"
            raise RecipeError(msg)
        wanted = [getattr(source, f) for f in _FIELDS if getattr(source, f) in names]
        row = 0
        for batch in file.iter_batches(batch_size=_ROWS, columns=wanted):
            frame = pl.DataFrame(pl.from_arrow(batch))
            yield _judged(
                frame.select(
                    offset=pl.int_range(row, row + frame.height, dtype=pl.UInt64),
                    text=pl.col(source.text_field).cast(pl.String),
                    url=_column(frame, source.url_field),
                    crawled_at=_date(_column(frame, source.date_field)),
                    title=pl.lit(None, dtype=pl.String),
                    record_bytes=pl.col(source.text_field)
                    .cast(pl.String)
                    .str.len_bytes()
                    .cast(pl.UInt64),
                    malformed=pl.lit(value=False),
                )
            )
            row += frame.height


def _lines(block: bytes, offset: int, source: Source) -> pl.DataFrame:
    parts = block.split(b"\n")
    if not parts[-1]:
        parts.pop()
    lengths = pl.Series([len(p) + 1 for p in parts], dtype=pl.UInt64)
    raw = pl.Series("line", parts, dtype=pl.Binary)
    line = raw.cast(pl.String, strict=False) if _is_utf8(block) else _decoded(parts)
    frame = pl.DataFrame({"line": line, "record_bytes": lengths})
    at = pl.col("line").str
    return _judged(
        frame.select(
            offset=(pl.col("record_bytes").cum_sum() - pl.col("record_bytes") + offset).cast(
                pl.UInt64
            ),
            text=at.json_path_match(f"$.{source.text_field}"),
            url=at.json_path_match(f"$.{source.url_field}"),
            crawled_at=_date(at.json_path_match(f"$.{source.date_field}")),
            title=pl.lit(None, dtype=pl.String),
            record_bytes="record_bytes",
            malformed=at.json_path_match("$").is_null(),
            blank=at.strip_chars().str.len_bytes() == 0,
        )
        .filter(~pl.col("blank").fill_null(value=False))
        .drop("blank")
    )


def _judged(frame: pl.DataFrame) -> pl.DataFrame:
    empty = pl.col("text").is_null() | (pl.col("text").str.strip_chars().str.len_bytes() == 0)
    reason = (
        pl.when("malformed")
        .then(pl.lit("ingest.malformed"))
        .when(empty)
        .then(pl.lit("ingest.no_text"))
    )
    return frame.with_columns(rejected_by=reason.otherwise(None)).drop("malformed")


def _damaged(offset: int, error: str) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "offset": [offset],
            "rejected_by": ["ingest.damaged"],
            "title": [error],
            "record_bytes": [0],
        },
        schema_overrides={"offset": pl.UInt64, "record_bytes": pl.UInt64},
    )


def _column(frame: pl.DataFrame, name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String) if name in frame.columns else pl.lit(None, dtype=pl.String)


def _date(text: pl.Expr) -> pl.Expr:
    return text.str.to_datetime(time_unit="us", time_zone="UTC", strict=False)


def _is_utf8(block: bytes) -> bool:
    try:
        block.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _decoded(parts: list[bytes]) -> pl.Series:
    """Decode line by line; a line that is not UTF-8 becomes null and so malformed. The rare path."""
    return pl.Series(
        "line", [p.decode("utf-8") if _is_utf8(p) else None for p in parts], dtype=pl.String
    )


def _decompressed(stream: Any, name: str) -> Any:  # noqa: ANN401 - any binary stream
    if name.endswith(".gz"):
        return gzip.GzipFile(fileobj=stream)
    if name.endswith(".zst"):
        return io.BufferedReader(
            zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)  # type: ignore[arg-type]
        )
    return stream


def _chunks(stream: Any) -> Iterator[bytes]:  # noqa: ANN401 - any binary stream
    while chunk := stream.read(_CHUNK):
        yield chunk
