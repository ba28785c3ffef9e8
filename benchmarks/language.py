"""Language identification: speed and memory beside the fasttext library, agreement with it, accuracy; as JSON lines.

Reads `bench/text-8000.parquet`, `langid/` and `text/dpk-langid-*.parquet` from the folder named by
CURATE_DATA (default: ../shared/data beside the clone); says so and stops where it is absent.
`--peer PYTHON` names the interpreter of an environment with datatrove and its fasttext: its
LanguageFilter then reads the same texts with the same model. CPU seconds of one thread, rounds of all in turn, the
least of each.

    python benchmarks/language.py [--rounds N] [--peer /path/to/python]
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(os.environ.get("CURATE_DATA") or Path(__file__).parents[2] / "shared" / "data")
CLOSE = 1e-4
WORST = 15
# Labels of lid.176 for what the sets call otherwise; languages it has no label for are left out.
SAME = {"nb": "no"}
PEER = """
import json, sys, time
import pyarrow.parquet as pq
from datatrove.data import Document
from datatrove.pipeline.filters import LanguageFilter
from datatrove.utils.lid import FT176LID
from fasttext.FastText import _FastText
model, path = sys.argv[1:]
FT176LID.model = property(lambda self, found=_FastText(model): found)  # no download: the same file
texts = [Document(text=t, id="") for t in pq.read_table(path, columns=["text"])["text"].to_pylist()]
keep = LanguageFilter(languages=["en"])
began = time.process_time()
kept = sum(keep.filter(d) is True for d in texts)
print(json.dumps({"cpu_s": round(time.process_time() - began, 3), "documents": len(texts), "kept": kept}))
"""


def main() -> None:
    """Measure speed, then agreement, then accuracy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", help="a Python that can import datatrove and fasttext")
    chosen = parser.parse_args()
    if not (DATA / "bench/text-8000.parquet").exists():
        print(json.dumps({"skipped": f"no benchmark data in {DATA}"}))
        sys.exit(0)
    texts = pl.read_parquet(DATA / "bench/text-8000.parquet", columns=["text"])["text"]
    speed(texts, chosen.rounds, chosen.peer)
    sets = labelled()
    agreement({"bench/text-8000": texts, **unlabelled(), **{k: v["text"] for k, v in sets.items()}})
    accuracy(sets)


def peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def speed(texts: pl.Series, rounds: int, peer: str | None) -> None:
    """Time the kernel with an empty and with a filled cache, the library, and the peer, in turn."""
    from curation_dagster.annotate import language as module

    path = module.default_model()
    texts = texts.str.strip_chars()  # a copy: what a run would hold anyway
    megabytes = texts.str.len_bytes().sum() / 1e6
    module.language(texts.head(50), path)
    before = peak_mb()
    idle = module._idle(path)

    def cold() -> None:
        idle.clear()
        module.language(texts, path)

    ways: dict[str, Callable[[], object]] = {
        "kernel, empty cache": cold,
        "kernel, filled cache": lambda: module.language(texts, path),
        "fasttext library": lambda: module._by_library(texts, path, 1),
    }
    least = dict.fromkeys(ways, float("inf"))
    peaks: dict[str, int] = {}
    for _ in range(rounds):
        for name, function in ways.items():
            began = time.process_time()
            function()
            least[name] = min(least[name], time.process_time() - began)
            peaks.setdefault(name, peak_mb())
        if peer:
            least["datatrove LanguageFilter"] = min(
                least.get("datatrove LanguageFilter", float("inf")), ask(peer, path)
            )
    for name, seconds in least.items():
        line = {
            "way": name,
            "cpu_s": round(seconds, 3),
            "mb_per_cpu_s": round(megabytes / seconds, 1),
            "documents_per_cpu_s": round(len(texts) / seconds),
            "times_library": round(least["fasttext library"] / seconds, 1),
        }
        if peer:
            line["times_datatrove"] = round(least["datatrove LanguageFilter"] / seconds, 1)
        print(json.dumps(line), flush=True)
    print(json.dumps({"peak_rss_mb": {"before": before, **peaks}}))


def ask(peer: str, model: Path) -> float:
    """Run the peer over the same texts, in its own process."""
    path = DATA / "bench/text-8000.parquet"
    done = subprocess.run(  # noqa: S603 - the interpreter the user named
        [peer, "-c", PEER, str(model), str(path)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return float(json.loads(done.stdout.splitlines()[-1])["cpu_s"])


def labelled() -> dict[str, pl.DataFrame]:
    found = {}
    for name in ("lingua-sentences", "lingua-word-pairs"):
        with gzip.open(DATA / f"langid/{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            found[name] = pl.DataFrame([json.loads(line) for line in lines])
    return found


def unlabelled() -> dict[str, pl.Series]:
    paths = sorted((DATA / "text").glob("dpk-langid-*.parquet"))
    return {path.stem: pl.read_parquet(path, columns=["text"])["text"] for path in paths}


def agreement(sets: dict[str, pl.Series]) -> None:
    """Count the texts where the kernel says what the library says."""
    from curation_dagster.annotate import language as module

    path = module.default_model()
    for name, texts in sets.items():
        ours = module.language(texts, path)
        labels, probs = module._by_library(texts.str.strip_chars(), path, 1)
        apart = np.abs(ours["lid_language_prob"].to_numpy() - probs.list.first().to_numpy())
        line = {
            "agreement": name,
            "texts": len(texts),
            "same_label": int(ours["lid_language"].eq_missing(labels.list.first()).sum()),
            "prob_within_1e-4": int((~(apart > CLOSE)).sum()),
            "largest_difference": float(f"{np.nanmax(apart):.2g}"),
        }
        print(json.dumps(line), flush=True)


def accuracy(sets: dict[str, pl.DataFrame]) -> None:
    """Print the share of texts whose best label is right, and the languages where it is least."""
    from curation_dagster.annotate import language as module
    from curation_dagster.annotate import lid_model

    path = module.default_model()
    known = lid_model.load(path).labels
    for name, frame in sets.items():
        lang = pl.col("lang").replace(SAME)
        rows = frame.with_columns(lang, said=module.language(frame["text"], path)["lid_language"])
        rows = rows.filter(pl.col("lang").is_in(known))
        right = pl.col("said").eq_missing(pl.col("lang"))
        each = rows.group_by("lang").agg(
            right=right.mean().round(3), mostly=pl.col("said").filter(~right).mode().sort().first()
        )
        line = {
            "accuracy": name,
            "texts": len(rows),
            "languages": len(each),
            "top_1": round(rows.select(right.mean()).item(), 4),
            "worst": each.sort("right", "lang").head(WORST).rows(),
            "unknown": sorted(set(frame["lang"].replace(SAME)) - set(known)),
        }
        print(json.dumps(line, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
