"""A digest over the rows of a frame: what they say, not how a file or a library version lays them out."""

from __future__ import annotations

import hashlib

import polars as pl
from polars import selectors as cs


def frame_digest(frame: pl.DataFrame) -> str:
    """Hash column names and values, in order; 12 hex digits. Equal rows give equal digests everywhere."""
    plain = frame.with_columns(cs.binary().bin.encode("hex"))
    return hashlib.sha256(plain.write_ndjson().encode()).hexdigest()[:12]
