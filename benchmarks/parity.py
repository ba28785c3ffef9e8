"""How far verdicts agree with datatrove's, and why they differ where they do, as JSON lines.

Reads `parity-datatrove-3000.parquet` (datatrove 0.10.1's verdict on each of 3,000 documents) and `text-8000.parquet`
from the folder named by CURATE_BENCH (default: ../shared/data/bench beside the clone); says so and stops where they
are absent.

    python benchmarks/parity.py
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import polars as pl

from curation_dagster.annotate.stage import annotate
from curation_dagster.clean.rules import rules_of
from curation_dagster.clean.stage import clean
from curation_dagster.recipe_edits import C4Lines
from curation_dagster.recipe_judges import C4, FineWeb, GopherQuality, GopherRepetition

BENCH = Path(
    os.environ.get("CURATE_BENCH") or Path(__file__).parents[2] / "shared" / "data" / "bench"
)
UNSPACED = ("ja", "zh")
REPETITION, QUALITY = (
    GopherRepetition(judge="gopher_repetition"),
    GopherQuality(judge="gopher_quality"),
)
LINES, FINEWEB_LINES = (
    C4Lines(edit="c4_lines", terminal_punctuation=terminal) for terminal in (True, False)
)
FILTERS: dict[str, list[Any]] = {
    "gopher_repetition": [REPETITION],
    "gopher_quality": [QUALITY],
    "c4": [LINES, C4(judge="c4")],
    "c4_fineweb": [FINEWEB_LINES, C4(judge="c4")],
    "fineweb": [FineWeb(judge="fineweb")],
    "chain_fineweb": [REPETITION, QUALITY, FINEWEB_LINES, C4(judge="c4"), FineWeb(judge="fineweb")],
}


def main() -> None:
    """Print agreement and kappa of every filter, then what the verdicts that differ were."""
    path = BENCH / "parity-datatrove-3000.parquet"
    if not path.exists():
        print(json.dumps({"skipped": f"no benchmark data in {BENCH}"}))
        return
    peers = pl.read_parquet(path)
    texts = pl.read_parquet(BENCH / "text-8000.parquet", columns=["text"])["text"].head(
        peers.height
    )
    for name, steps in FILTERS.items():
        found = clean(annotate(texts, steps), rules_of(steps)).select("rejected_by", "value")
        both = found.hstack(peers.select("lang", theirs=name, reason=f"{name}_reason"))
        compare(name, both.with_columns(ours=pl.col("rejected_by").is_null()))


def compare(name: str, both: pl.DataFrame) -> None:
    """Print one filter's line, and one for every kind of difference."""
    ours, theirs = both["ours"], both["theirs"]
    agreement = float((ours == theirs).mean())  # type: ignore[arg-type]
    kept, kept_there = float(ours.mean()), float(theirs.mean())  # type: ignore[arg-type]
    chance = kept * kept_there + (1 - kept) * (1 - kept_there)
    spaced = both.filter(~pl.col("lang").is_in(UNSPACED))
    line = {
        "filter": name,
        "documents": both.height,
        "agreement": round(agreement, 4),
        "kappa": round((agreement - chance) / (1 - chance), 4),
        "agreement_of_spaced_scripts": round(float((spaced["ours"] == spaced["theirs"]).mean()), 4),  # type: ignore[arg-type]
    }
    print(json.dumps(line))
    differ = both.filter(pl.col("ours") != pl.col("theirs"))
    kinds = differ.group_by("rejected_by", "reason", unspaced=pl.col("lang").is_in(UNSPACED)).len()
    for kind in kinds.sort("len", "rejected_by", descending=True).to_dicts():
        ours_says, theirs_says = kind["rejected_by"] or "kept", kind["reason"] or "kept"
        where = "Japanese or Chinese" if kind["unspaced"] else "other languages"
        print(
            json.dumps(
                {
                    "filter": name,
                    "ours": ours_says,
                    "datatrove": theirs_says,
                    "in": where,
                    "documents": kind["len"],
                }
            )
        )


if __name__ == "__main__":
    main()
