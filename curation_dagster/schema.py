"""The tables: their columns and types, stated once. A partition whose columns differ is not published.

`row` is the position in `raw` and the key every per-shard table is sorted and joined by; `doc_id`
says where a document came from. `rejected_by` is null for a kept document. `text_bytes` is the
length of its text at that stage.
"""

from __future__ import annotations

from typing import Any

import polars as pl

SPANS = pl.List(pl.Struct({"start": pl.UInt32, "end": pl.UInt32}))
TIME = pl.Datetime("us", "UTC")
HITS = pl.List(
    pl.Struct(
        {
            "benchmark": pl.String,
            "item": pl.String,
            "part": pl.String,  # of the item: question, choices, answer, passage, code
            "method": pl.String,
            "score": pl.Float32,
            "start": pl.UInt32,
            "end": pl.UInt32,
        }
    )
)
Columns = dict[str, Any]  # name -> Polars data type
UNDECLARED = "undeclared"  # where licences are counted: documents without one
KEY: Columns = {"row": pl.UInt32, "doc_id": pl.String}
VERDICT: Columns = KEY | {"rejected_by": pl.String, "text_bytes": pl.UInt32}

RAW: Columns = VERDICT | {
    "reason": pl.String,
    "url": pl.String,
    "locator": pl.String,
    "crawled_at": TIME,
    "license": pl.String,
    "title": pl.String,
    "http_status": pl.UInt16,
    "content_type": pl.String,
    "charset": pl.String,
    "replaced_char_ratio": pl.Float32,
    "declared_language": pl.String,
    "canonical_url": pl.String,
    "record_id": pl.String,
    "warc_truncated": pl.String,
    "record_bytes": pl.UInt64,
    "unpacked_bytes": pl.UInt64,
    "text": pl.String,
}
CLEANED: Columns = VERDICT | {"signal": pl.String, "value": pl.Float64}
DEDUPED: Columns = VERDICT | {
    "duplicate_of": pl.String,
    "cluster_size": pl.UInt32,
    "similarity": pl.Float32,
    "cuts": SPANS,
}
DUPLICATES: Columns = {
    "shard": pl.String,
    **KEY,
    "cluster": pl.String,
    "cluster_size": pl.UInt32,
    "keep": pl.Boolean,
    "duplicate_of": pl.String,
    "similarity": pl.Float32,
    "rule": pl.String,
    "copy_rule": pl.String,  # exact, url: there is an earlier one of this text or address; else null
}
REPEATS: Columns = {
    "shard": pl.String,
    **KEY,
    "start": pl.UInt32,
    "end": pl.UInt32,
    "rule": pl.String,
    "first_doc_id": pl.String,
    "left_terms": pl.UInt32,
}
SCORED: Columns = VERDICT | {"token_count": pl.UInt32, "quality": pl.Float32}
SCANNED: Columns = VERDICT | {"hits": HITS}
TRIMMED: Columns = VERDICT | {
    "token_count": pl.UInt32,
    "cuts": SPANS,
    "fragment_tokens": pl.List(pl.UInt32),
}
COPIES = pl.List(pl.Struct({"phase": pl.String, "copies": pl.UInt16}))
MIXED: Columns = VERDICT | {"token_count": pl.UInt32, "copies": COPIES}
MIXTURE: Columns = {
    "phase": pl.String,
    "domain": pl.String,
    "weight": pl.Float64,
    "supply_docs": pl.UInt64,
    "supply_tokens": pl.UInt64,
    "target_tokens": pl.UInt64,
    "planned_tokens": pl.UInt64,
    "shortfall_tokens": pl.UInt64,
    "reason": pl.String,
    "epochs": pl.Float64,
    "full_copies": pl.UInt16,
    "extra_below": pl.UInt64,
    "min_quality": pl.Float64,
    "output_shards": pl.UInt32,
}
DECONTAMINATED: Columns = VERDICT | {
    "token_count": pl.UInt32,
    "benchmark": pl.String,
    "item": pl.String,
    "score": pl.Float32,
    "cuts": SPANS,
    "fragment_tokens": pl.List(pl.UInt32),  # of each fragment; empty where nothing was cut
}
EXPORTED: Columns = {
    "doc_id": pl.String,
    "phase": pl.String,
    "copy": pl.UInt16,
    "fragment": pl.UInt16,
    "is_first": pl.Boolean,
    "source": pl.String,
    "url": pl.String,
    "license": pl.String,
    "crawled_at": TIME,
    "quality": pl.Float32,
    "token_count": pl.UInt32,
    "text_bytes": pl.UInt32,
    "text": pl.String,
}
