"""WARC files written by hand, and readers of a file's rows."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import polars as pl
import pytest

from curation_dagster.ingest import read
from curation_dagster.plan import Input
from curation_dagster.recipe import Ingest, Source
from curation_dagster.schema import RAW

SENTENCES = (
    "The harbour was frozen for eleven weeks that winter, and the ferries stayed at the quay. "
    "Nobody in the village could remember ice as thick as this, or a spring that came so late. "
)
PAGE = f"<html><head><title> Ice </title></head><body><p>{SENTENCES}</p></body></html>".encode()
HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"


@dataclass(frozen=True)
class Warc:
    """Writes records, and reads what ingest makes of a file."""

    page: bytes = PAGE
    sentences: str = SENTENCES
    html: bytes = HTML

    def record(self, kind: str, block: bytes, url: str = "http://a.example/", **more: str) -> bytes:
        """One record; `more` adds or replaces headers (underscores for dashes)."""
        fields = {
            "WARC-Type": kind,
            "WARC-Target-URI": url,
            "WARC-Date": "2026-01-02T03:04:05Z",
            "WARC-Record-ID": "<urn:uuid:6f1c9e0a-0000-4000-8000-000000000000>",
            "Content-Type": f"application/http; msgtype={kind}",
            "Content-Length": str(len(block)),
        } | {k.replace("_", "-"): v for k, v in more.items()}
        head = "".join(f"{k}: {v}\r\n" for k, v in fields.items())
        return b"WARC/1.1\r\n" + head.encode() + b"\r\n" + block + b"\r\n\r\n"

    def response(self, body: bytes = PAGE, head: bytes = HTML, **more: str) -> bytes:
        """One response record."""
        return self.record("response", head + b"\r\n" + body, **more)

    def rows(self, data: bytes, name: str = "a.warc", **config: Any) -> pl.DataFrame:
        """Read a file's rows, all batches together."""
        return pl.concat(self.batches(data, name, **config))

    def batches(self, data: bytes, name: str, **config: Any) -> list[pl.DataFrame]:
        """Read a file's rows; `license` and the fields belong to the source, the rest to ingest."""
        of_source = {k: config.pop(k) for k in list(config) if k in Source.model_fields}
        source = Source(name="cc", paths=("x",), **of_source)
        # model_construct: the tests use batches smaller than a recipe may ask for
        ingest = Ingest.model_construct(**(Ingest().model_dump() | config))
        entry = Input(name, f"/nowhere/{name}", len(data), "")
        frames = read.read(io.BytesIO(data), entry, source, ingest)
        return [frame.select([c for c in RAW if c != "row"]) for frame in frames]


@pytest.fixture(scope="session")
def warc() -> Warc:
    """Give the writer and reader."""
    return Warc()
