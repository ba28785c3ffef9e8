"""JSON lines and Parquet as rows: a line that is no JSON, or has no text, is a rejected row, never an exception.

Fields are read by name; nothing is guessed. A line's offset counts bytes of the decompressed file.
"""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from pyarrow.lib import ArrowInvalid

from curation_dagster.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation_dagster.recipe import Source

_CHUNK: Final = 16 << 20
_ROWS: Final = 256  # small: rows may be books; `read` merges them
_PIECE: Final = 1 << 20
_ZSTD_PIECE: Final = 1 << 14
DAMAGE: Final = (gzip.BadGzipFile, EOFError, zlib.error, zstandard.ZstdError)
_DATES: Final = (
    "%+",
    "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d",
)
_FIELDS: Final = ("text_field", "url_field", "date_field")


def json_lines(stream: Any, name: str, source: Source) -> Iterator[pl.DataFrame]:  # noqa: ANN401
    """Yield frames (offset, text, url, crawled_at, record_bytes, rejected_by) of a JSONL file, plain, gzip or zstd."""
    offset, rest = 0, b""
    damage: str | None = None
    chunks = _chunks(pieces(stream, name.lower()))
    while True:
        try:
            chunk = next(chunks, b"")
        except DAMAGE as error:
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
        RecipeError: when the file has no column of text called as the recipe says.
    """
    row = 0
    try:
        with pq.ParquetFile(stream) as file:
            schema = file.schema_arrow
            if source.text_field not in schema.names:
                msg = f"source {source.name!r}: {name}: no column {source.text_field!r}; found {schema.names}"
                raise RecipeError(msg)
            if pa.types.is_nested(kind := schema.field(source.text_field).type):
                msg = f"source {source.name!r}: {name}: column {source.text_field!r} is {kind}, not text"
                raise RecipeError(msg)
            wanted = [getattr(source, f) for f in _FIELDS if getattr(source, f) in schema.names]
            for batch in file.iter_batches(batch_size=_ROWS, columns=wanted):
                frame = pl.DataFrame(pl.from_arrow(batch))
                yield _rows(frame, row, source)
                row += frame.height
    except (ArrowInvalid, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the storage failed; Arrow's own have no errno
        yield _damaged(row, str(error))


def _rows(frame: pl.DataFrame, first: int, source: Source) -> pl.DataFrame:
    stored = frame[source.text_field]
    text = _decoded(stored.to_list()) if stored.dtype == pl.Binary else stored.cast(pl.String)
    return _judged(
        frame.select(
            offset=pl.int_range(first, first + frame.height, dtype=pl.UInt64),
            text=text.alias("text"),
            url=_column(frame, source.url_field),
            crawled_at=date(_column(frame, source.date_field)),
            title=pl.lit(None, dtype=pl.String),
            record_bytes=text.str.len_bytes().cast(pl.UInt64).alias("record_bytes"),
            malformed=(text.is_null() & stored.is_not_null()).alias("malformed"),
        )
    )


def _lines(block: bytes, offset: int, source: Source) -> pl.DataFrame:
    parts = block.split(b"\n")
    if not parts[-1]:
        parts.pop()
    sizes = [len(p) + 1 for p in parts]
    sizes[-1] -= not block.endswith(b"\n")
    lengths = pl.Series(sizes, dtype=pl.UInt64)
    raw = pl.Series("line", parts, dtype=pl.Binary)
    line = raw.cast(pl.String, strict=False) if _is_utf8(block) else _decoded(list(parts))
    frame = pl.DataFrame({"line": line, "record_bytes": lengths})
    at = pl.col("line").str
    return _judged(
        frame.select(
            offset=(pl.col("record_bytes").cum_sum() - pl.col("record_bytes") + offset).cast(
                pl.UInt64
            ),
            text=at.json_path_match(f"$.{source.text_field}"),
            url=at.json_path_match(f"$.{source.url_field}"),
            crawled_at=date(at.json_path_match(f"$.{source.date_field}")),
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
            "reason": [error],
            "record_bytes": [0],
        },
        schema_overrides={"offset": pl.UInt64, "record_bytes": pl.UInt64},
    )


def _column(frame: pl.DataFrame, name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String) if name in frame.columns else pl.lit(None, dtype=pl.String)


def date(text: pl.Expr) -> pl.Expr:
    """Parse each date by itself: a format guessed from a batch's first date would depend on the batch."""
    parsed = [
        text.str.to_datetime(f, time_unit="us", time_zone="UTC", strict=False, exact=True)
        for f in _DATES
    ]
    return pl.coalesce(parsed)


def _is_utf8(block: bytes) -> bool:
    try:
        block.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _decoded(parts: list[bytes | None]) -> pl.Series:
    """Decode one by one; what is not UTF-8 becomes null and so malformed. The rare path."""
    texts = [p.decode("utf-8") if p is not None and _is_utf8(p) else None for p in parts]
    return pl.Series("line", texts, dtype=pl.String)


def pieces(stream: Any, name: str) -> Iterator[bytes]:  # noqa: ANN401 - any binary stream
    """Decompress piece by piece, so that little is lost before damage."""
    if name.endswith(".gz"):
        with gzip.GzipFile(fileobj=stream) as file:
            yield from iter(lambda: file.read1(_PIECE), b"")
    elif name.endswith(".zst"):
        yield from _zstd(stream)
    else:
        yield from iter(lambda: stream.read(_PIECE), b"")


def _zstd(stream: Any) -> Iterator[bytes]:  # noqa: ANN401 - any binary stream
    """Decompress frames; unlike zstandard's own reader, notice a frame that does not end."""
    frame: Any = None
    while piece := stream.read(_ZSTD_PIECE):
        while piece:
            frame = frame or zstandard.ZstdDecompressor().decompressobj()
            if out := frame.decompress(piece):
                yield out
            piece, frame = (frame.unused_data, None) if frame.eof else (b"", frame)
    if frame:
        msg = "the file ends inside a zstd frame"
        raise EOFError(msg)


def _chunks(parts_read: Iterator[bytes]) -> Iterator[bytes]:
    """Gather pieces to chunks; what was read before damage comes before its error."""
    parts: list[bytes] = []
    held = 0
    try:
        for piece in parts_read:
            parts.append(piece)
            held += len(piece)
            if held >= _CHUNK:
                yield b"".join(parts)
                parts, held = [], 0
    except DAMAGE:
        if parts:
            yield b"".join(parts)
        raise
    if parts:
        yield b"".join(parts)
