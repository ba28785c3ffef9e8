"""Input files to batches of `raw` rows, whatever their format: the stage `raw`.

Every record of every file becomes a row, in the order of the plan's files and the records in them.
A batch holds about `batch_text_bytes` of text; it becomes one row group, which bounds the memory of
every later stage. Pages are worked on by as many threads as Polars has.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from curation_dagster import erased, plan, schema
from curation_dagster.errors import IntegrityError, RecipeError
from curation_dagster.ingest import tabular, warc
from curation_dagster.ingest.page import Row, page, plain, refused, require
from curation_dagster.job import write_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from curation_dagster.ingest.archive import Record
    from curation_dagster.job import Files, Job
    from curation_dagster.recipe import Ingest, Source

_MAX_BATCH_ROWS: Final = 50_000
_AHEAD: Final = 16  # records a thread may be ahead of the writer
_AHEAD_BYTES: Final = 256 << 20
_SHOWN: Final = 20
_SUFFIXES: Final = {  # behind them may be .gz or .zst, but for Parquet
    "warc": (".warc", ".wet", ".wat", ".arc"),
    "jsonl": (".jsonl", ".json", ".ndjson"),
    "html": (".html", ".htm", ".xhtml"),
    "text": (".txt", ".text", ".md"),
    "parquet": (".parquet",),
}
_FILES: Final = {"html": "text/html", "text": "text/plain"}  # a file a document
_COLUMNS: Final = {
    k: v for k, v in schema.RAW.items() if k not in {"row", "doc_id", "locator", "text_bytes"}
}
_PLACE: Final = {"offset": pl.UInt64, "within": pl.UInt64}
Place = tuple[int, int]  # where a record's member begins, and decompressed bytes into it


def ingest_shard(job: Job, files: Files) -> dict[str, Any]:
    """Read a shard's input files into `raw`.

    Raises:
        IntegrityError: when an input changed after planning; when one is damaged and the recipe says "fail".
        RecipeError: for a format, a column or an extractor that is not there.
    """
    source, config = job.recipe.source(job.shard.source), job.recipe.ingest
    account = new_account()
    require(config.extractor)

    def frames() -> Iterator[pl.DataFrame]:
        for entry in job.shard.inputs:
            with plan.open_input(entry, job.store.endpoint_url) as stream:
                yield from noted(read(stream, entry, source, config), config, account)

    packed = _regrouped(frames(), config.batch_text_bytes, "text_bytes")
    rows = erased.without(numbered(packed), job.store, job.made_from.get(erased.FOLDER))
    return write_table(job, files, schema.RAW, rows, bytes_in=job.shard.bytes, account=account)


def new_account() -> dict[str, Any]:
    """Return the account of a shard or file in which `noted` has found no damage yet."""
    return {"damaged_ranges": 0, "damaged_bytes": 0, "damaged": []}


def noted(
    frames: Iterable[pl.DataFrame], config: Ingest, account: dict[str, Any]
) -> Iterator[pl.DataFrame]:
    """Pass frames on and keep an account of the damaged ranges among their rows, the first 20 by name.

    Raises:
        IntegrityError: at the first, when the recipe says "fail".
    """
    for frame in frames:
        damaged = frame.filter(pl.col("rejected_by") == warc.DAMAGED)
        account["damaged_ranges"] += damaged.height
        account["damaged_bytes"] += int(damaged["record_bytes"].sum() or 0)
        shown = damaged.select("locator", "record_bytes", "reason").head(
            _SHOWN - len(account["damaged"])
        )
        account["damaged"] += [
            {"at": at, "bytes": size, "why": why} for at, size, why in shown.iter_rows()
        ]
        if account["damaged"] and config.on_damage == "fail":
            first = account["damaged"][0]
            msg = f'{first["at"]}: damaged: {first["why"]}; ingest.on_damage is "fail"'
            raise IntegrityError(msg)
        yield frame


def read(stream: Any, entry: plan.Input, source: Source, config: Ingest) -> Iterator[pl.DataFrame]:  # noqa: ANN401
    """Yield one file's rows in batches, all columns of `raw` but `row`.

    Raises:
        IntegrityError: when the rows of an archive do not account for each of its bytes.
    """
    kind = format_of(entry.path, source)
    if kind == "warc":
        rows = _rows(warc.read(stream, entry.bytes, config), config)
        frames = _batched(rows, config.batch_text_bytes)
    elif kind in _FILES:
        frames = iter([_whole(stream, kind, entry, config)])
    elif kind == "jsonl":
        lines = tabular.json_lines(stream, entry.path, source)
        frames = _regrouped(lines, config.batch_text_bytes, "record_bytes")
    else:
        tables = tabular.parquet(stream, entry.path, source)
        frames = _regrouped(tables, config.batch_text_bytes, "record_bytes")
    prefix = plan.doc_prefix(source.name, entry.path)
    last, seen, accounted = -1, 0, 0  # the last offset of the batch before, and its rows; bytes
    for frame in frames:
        if frame.height:
            accounted += int(frame["record_bytes"].sum())
            yield _located(frame, prefix, entry.path, source.license, (last, seen))
            same = int((frame["offset"] == frame["offset"][-1]).sum())
            carried = seen if same == frame.height and frame["offset"][-1] == last else 0
            last, seen = int(frame["offset"][-1]), same + carried
    if kind == "warc" and accounted != entry.bytes:
        msg = f"{entry.path}: {accounted} bytes accounted for of {entry.bytes}"
        raise IntegrityError(msg)


def numbered(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Give every row of a shard its number."""
    row = 0
    for frame in frames:
        rows = pl.int_range(row, row + frame.height, dtype=pl.UInt32, eager=True)
        yield frame.with_columns(row=rows).select(list(schema.RAW))
        row += frame.height


def format_of(path: str, source: Source) -> str:
    """Tell a file's format by the recipe or its name.

    Raises:
        RecipeError: when neither tells.
    """
    if source.format != "auto":
        return source.format
    suffix = (suffix_of(path) or "").lower().removesuffix(".gz").removesuffix(".zst")
    for kind, suffixes in _SUFFIXES.items():
        if suffix in suffixes:
            return kind
    msg = f"source {source.name!r}: cannot tell the format of {path} by its name; set `format`"
    raise RecipeError(msg)


def suffix_of(path: str) -> str | None:
    """Return the end of a file's name that tells its format, as it is written; None where it tells none.

    >>> suffix_of("a/crawl.warc.GZ"), suffix_of("a.parquet.gz"), suffix_of("notes.doc")
    ('.warc.GZ', None, None)
    """
    name = path.lower()
    packed = next((p for p in (".gz", ".zst") if name.endswith(p)), "")
    for kind, suffixes in _SUFFIXES.items():
        for suffix in suffixes if not (packed and kind == "parquet") else ():
            if name.endswith(suffix + packed):
                return path[-len(suffix + packed) :]
    return None


def _rows(records: Iterable[Record], config: Ingest) -> Iterator[tuple[Place, Row]]:
    """Work on records in threads, in order. What waits, read or done, is bounded in number and in bytes."""
    threads = pl.thread_pool_size()
    if threads == 1 or config.extractor != "blocks":  # libraries hold the GIL
        for record in records:
            yield (record.offset, record.within), warc.row(record, config)
        return
    waiting: deque[tuple[Place, int, Future[Row]]] = deque()
    pool = ThreadPoolExecutor(threads, "ingest")
    try:
        for record in records:
            place = record.offset, record.within
            waiting.append((place, len(record.block), pool.submit(warc.row, record, config)))
            while waiting and (len(waiting) > _AHEAD * threads or _held(waiting) > _AHEAD_BYTES):
                place, _, row = waiting.popleft()
                yield place, row.result()
        while waiting:
            place, _, row = waiting.popleft()
            yield place, row.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _held(waiting: Iterable[tuple[Place, int, Future[Row]]]) -> int:
    """Count the bytes that wait: of a record that is done, its text if that is more."""
    held = 0
    for _, size, row in waiting:
        is_done = row.done() and row.exception() is None
        held += max(size, len(row.result().get("text") or "")) if is_done else size
    return held


def _whole(stream: Any, kind: str, entry: plan.Input, config: Ingest) -> pl.DataFrame:  # noqa: ANN401
    """Read a file that is one document, as it is or compressed."""
    row: Row = {"offset": 0, "url": entry.path, "content_type": _FILES[kind]}
    row["record_bytes"] = entry.bytes
    data: bytes | None = None
    try:
        data = _unpacked(stream, entry.path.lower(), config.max_record_bytes)
    except tabular.DAMAGE as error:
        row |= refused(warc.DAMAGED, str(error))
    if data is not None:
        row["unpacked_bytes"] = len(data)
        if len(data) > config.max_record_bytes:
            row |= warc.TOO_LARGE
        else:
            row |= page(data, None, None, config) if kind == "html" else plain(data, None, config)
    return pl.DataFrame([row], schema={"offset": pl.UInt64, **_COLUMNS})


def _unpacked(stream: Any, name: str, limit: int) -> bytes:  # noqa: ANN401 - any binary stream
    """Decompress a file by its name; above the limit it is not read to its end."""
    parts: list[bytes] = []
    held = 0
    for piece in tabular.pieces(stream, name):
        parts.append(piece)
        held += len(piece)
        if held > limit:
            break
    return b"".join(parts)


def _batched(records: Iterable[tuple[Place, Row]], max_bytes: int) -> Iterator[pl.DataFrame]:
    rows: list[Row] = []
    held = 0
    for (offset, within), row in records:
        rows.append({"offset": offset, "within": within, **row})
        held += len((row.get("text") or "").encode()) + len(row.get("url") or "")
        if held >= max_bytes or len(rows) >= _MAX_BATCH_ROWS:
            yield pl.DataFrame(rows, schema=_PLACE | _COLUMNS)
            rows, held = [], 0
    if rows:
        yield pl.DataFrame(rows, schema=_PLACE | _COLUMNS)


def _regrouped(
    frames: Iterable[pl.DataFrame], max_bytes: int, column: str
) -> Iterator[pl.DataFrame]:
    """Merge small frames until a column of sizes adds up to `max_bytes`; none is longer than the cap on rows."""
    held: list[pl.DataFrame] = []
    size = rows = 0
    for frame in frames:
        held.append(frame)
        size += int(frame[column].sum() or 0)
        rows += frame.height
        if size >= max_bytes or rows >= _MAX_BATCH_ROWS:
            yield pl.concat(held, how="diagonal")
            held, size, rows = [], 0, 0
    if held:
        yield pl.concat(held, how="diagonal")


def _located(
    frame: pl.DataFrame, prefix: str, path: str, default: str | None, before: tuple[int, int]
) -> pl.DataFrame:
    """Add doc_id and locator. Records that share an offset (one gzip member for the file) are counted.

    A locator is `file:offset`, and `file:offset+bytes` where the record begins so many decompressed bytes into its
    member: no two rows have the same.
    """
    within = (
        frame["within"] if "within" in frame.columns else pl.repeat(0, frame.height, eager=True)
    )
    nth = (
        pl.int_range(pl.len()).over("offset")
        + (pl.col("offset") == before[0]).cast(pl.Int64) * before[1]
    )
    hexed = _hex(frame["offset"])
    frame = frame.with_columns(
        doc_id=pl.lit(f"{prefix}-")
        + hexed
        + pl.when(nth > 0).then(pl.lit(".") + nth.cast(pl.String)).otherwise(pl.lit("")),
        locator=pl.lit(f"{path}:")
        + pl.col("offset").cast(pl.String)
        + pl.when(within > 0).then(pl.lit("+") + within.cast(pl.String)).otherwise(pl.lit("")),
    )
    missing = [
        pl.lit(None, dtype=t).alias(c) for c, t in _COLUMNS.items() if c not in frame.columns
    ]
    frame = frame.with_columns(missing).with_columns(
        pl.col("license").fill_null(pl.lit(default, dtype=pl.String)),
        text=pl.when(pl.col("rejected_by").is_null()).then("text"),
    )
    return frame.with_columns(
        [pl.col(c).cast(t) for c, t in _COLUMNS.items()],
        text_bytes=pl.col("text").str.len_bytes().fill_null(0).cast(pl.UInt32),
    ).drop("offset", "within", strict=False)


def _hex(offsets: pl.Series) -> pl.Series:
    return pl.Series("hex", [f"{offset:x}" for offset in offsets], dtype=pl.String)
