"""The golden run: 200 documents from JSONL to release give these rows, on every machine.

A change that alters them is a change of output: rerun with CURATE_WRITE_GOLDEN=1, look at the difference, and say so in
the CHANGELOG. Model outputs are left out (quality) or rounded (language), since their last bits may differ by CPU.
"""

import json
import os
from pathlib import Path

import polars as pl

from curation_dagster import table
from curation_dagster.digest import frame_digest
from curation_dagster.funnel import funnel

DIGESTS = Path(__file__).with_name("digests.json")
STAGES = (
    "raw", "annotated", "cleaned", "fingerprinted", "duplicates", "deduped", "scored", "scanned", "mixture", "mixed",
    "decontaminated", "exported",
)  # fmt: skip


def digests(lineage) -> dict[str, object]:
    found: dict[str, object] = {}
    for stage in STAGES:
        for key in lineage.partitions(stage):
            with lineage.store.fetch(lineage.current(stage, key)) as (path,):
                frame = table.read(path).drop("quality", strict=False)
            if "lid_language_prob" in frame.columns:
                frame = frame.with_columns(pl.col("lid_language_prob").round(3))
            found[f"{stage}/{key}"] = frame_digest(frame)
    found["funnel"] = [
        {k: s[k] for k in ("stage", "rows_in", "kept", "rejected")}
        for s in funnel(lineage)["stages"]
    ]
    return found


def test_the_golden_run_gives_the_committed_rows(curated):
    found = digests(curated[2])
    if os.environ.get("CURATE_WRITE_GOLDEN"):
        DIGESTS.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", "utf-8")
    assert found == json.loads(DIGESTS.read_text("utf-8"))
