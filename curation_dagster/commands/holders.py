"""Every stored file of a root that carries text, whichever recipe made it, and its documents.

`raw` has text and title, `annotated` the text an edit changed, `exported` what ships, a release's JSONL the same
again. No other table has any. Read by `takedown` and `erase`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow.parquet as pq
import zstandard
from pyarrow.lib import ArrowException

from curation_dagster.errors import IntegrityError
from curation_dagster.faults import storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation_dagster.store import Ref, Store

STAGES: Final = ("raw", "annotated", "exported")
RELEASES: Final = "releases"
_CHUNK: Final = 16 << 20
_JSON: Final = {"doc_id": pl.String, "url": pl.String, "text": pl.String}
_DAMAGE: Final = (ArrowException, OSError, EOFError, zstandard.ZstdError, pl.exceptions.PolarsError)


@dataclass(frozen=True)
class Holder:
    """One file; `ref` is None for a release's, which is a rendering."""

    name: str
    stage: str
    bytes: int
    ref: Ref | None = None

    @property
    def release(self) -> str | None:
        """The release it belongs to."""
        return self.name.split("/")[1] if self.stage == RELEASES else None


def holders(store: Store) -> list[Holder]:
    """List the files, largest first, so that workers end together."""
    refs = [ref for stage in STAGES for ref in store.refs(stage)]
    found = [Holder(ref.name, ref.stage, ref.bytes, ref) for ref in refs]
    for release in store.folders(RELEASES):
        folder = f"{RELEASES}/{release}/jsonl"
        found += [Holder(f"{folder}/{name}", RELEASES, 0) for name in store.names(folder)]
    return sorted(found, key=lambda holder: (-holder.bytes, holder.name))


def documents(store: Store, holder: Holder, *, text: bool = True) -> Iterator[pl.DataFrame]:
    """Yield doc_id, url, text and holds (whether there is any text), a row group at a time; rows without a text too.

    Without `text`, that column is empty, and of a table only the narrow columns are read.

    Raises:
        IntegrityError: when the file cannot be read to its end: what it holds is not known then.
    """
    try:
        with storage_errors(holder.name), store.fs.open(store.path(holder.name), "rb") as stream:
            if holder.stage == RELEASES:
                yield from _lines(stream)
            else:
                yield from _row_groups(stream, holder.stage, text=text)
    except _DAMAGE as error:
        msg = f"{holder.name}: cannot be read to its end: {error}. Remove the file and run again"
        raise IntegrityError(msg) from error


def _row_groups(stream: Any, stage: str, *, text: bool) -> Iterator[pl.DataFrame]:  # noqa: ANN401
    with pq.ParquetFile(stream) as file:
        there = file.schema_arrow.names
        wanted = [c for c in ("doc_id", "url", "text_bytes", "title", "text") if c in there]
        wanted = [c for c in wanted if text or c != "text"]
        for group in range(file.num_row_groups):
            frame = pl.DataFrame(pl.from_arrow(file.read_row_group(group, columns=wanted)))
            yield _plain(frame, stage)


def _plain(frame: pl.DataFrame, stage: str) -> pl.DataFrame:
    """Say what a row holds: of `annotated` by its text, if that is read, elsewhere by its size and title."""
    columns = frame.columns
    none = pl.lit(None, dtype=pl.String)
    texts = pl.col("text") if "text" in columns else none
    if stage == "annotated":
        holds = texts.is_not_null() if "text" in columns else pl.lit(value=True)
    else:
        title = pl.col("title") if "title" in columns else none
        holds = (pl.col("text_bytes") > 0) | title.is_not_null()
    url = pl.col("url") if "url" in columns else none
    return frame.select("doc_id", url=url, text=texts, holds=holds)


def _lines(stream: Any) -> Iterator[pl.DataFrame]:  # noqa: ANN401 - fsspec has no types
    rest = b""
    reader = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
    while chunk := reader.read(_CHUNK):
        block = rest + chunk
        cut = block.rfind(b"\n") + 1
        rest = block[cut:]
        if cut:
            yield _parsed(block[:cut])
    if rest:
        yield _parsed(rest)


def _parsed(block: bytes) -> pl.DataFrame:
    frame = pl.read_ndjson(io.BytesIO(block), schema=_JSON)
    return frame.with_columns(holds=pl.col("text").is_not_null())
