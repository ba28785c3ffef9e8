"""How fast each stage's function is on one core: CPU seconds and MB/s of text, as JSON lines.

Reads `text-8000.parquet` from the folder named by CURATE_BENCH (default: ../shared/data/bench
beside the clone); says so and stops where they are absent. Kernels are compiled and models loaded first.

    python benchmarks/stages.py [--docs N]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

BENCH = Path(
    os.environ.get("CURATE_BENCH") or Path(__file__).parents[2] / "shared" / "data" / "bench"
)


def timed(name: str, function: Callable[[], object], megabytes: float) -> None:
    """Run once and print CPU seconds and MB/s."""
    began = time.process_time()
    function()
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = {
        "stage": name,
        "cpu_s": round(seconds, 3),
        "mb_per_cpu_s": round(megabytes / seconds, 1),
        "of": "MB text",
    }
    print(json.dumps(line | {"peak_rss_mb": round(peak)}), flush=True)


def main() -> None:
    """Measure every stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", type=int, default=8000)
    chosen = parser.parse_args()
    if not (BENCH / "text-8000.parquet").exists():
        print(json.dumps({"skipped": f"no benchmark data in {BENCH}"}))
        sys.exit(0)
    print(
        json.dumps(
            {
                "machine": platform.machine(),
                "cores": os.cpu_count(),
                "python": platform.python_version(),
            }
        )
    )
    texts = pl.read_parquet(BENCH / "text-8000.parquet")["text"].head(chosen.docs)
    text_stages(texts)


def text_stages(texts: pl.Series) -> None:
    """Measure what reads text."""
    from curation_dagster import tokens
    from curation_dagster.annotate import c4, fineweb, gopher, language, mask, normalize
    from curation_dagster.annotate.family import measure
    from curation_dagster.clean.rules import rules_of_bounds
    from curation_dagster.clean.stage import clean
    from curation_dagster.decontaminate import cascade
    from curation_dagster.dedup.minhash import fingerprint
    from curation_dagster.recipe import Dedup
    from curation_dagster.recipe_decontaminate import Benchmark, Decontaminate
    from curation_dagster.recipe_judges import C4, FineWeb, GopherQuality, GopherRepetition
    from curation_dagster.section import File

    megabytes = texts.str.len_bytes().sum() / 1e6
    model = language.default_model()
    items = Path(__file__).parents[1] / "recipes" / "demo-benchmark.jsonl"
    benchmark = Benchmark(name="demo", file=File(path=items))
    searched = cascade.build(Decontaminate(benchmarks=(benchmark,)))
    tokenizer = tokens.tokenizer("cl100k_base")
    judges = (
        (gopher.REPETITION, GopherRepetition(judge="gopher_repetition")),
        (gopher.QUALITY, GopherQuality(judge="gopher_quality")),
        (fineweb.FAMILY, FineWeb(judge="fineweb")),
        (c4.PAGE, C4(judge="c4", max_lorem_ipsum_lines=None, max_curly_bracket_lines=None)),
    )
    rules = {name: keep for _, judge in judges for name, keep in rules_of_bounds(judge).items()}
    stages: dict[str, Callable[[pl.Series], object]] = {
        "normalize": normalize.normalize,
        "mask e-mail and IP": lambda t: mask.mask(t, ("email", "ip")),
        "language (lid.176)": lambda t: language.language(t, model),
        "Gopher, C4 page, FineWeb signals": lambda t: measure(t, judges),
        "fingerprint (16 x 7)": lambda t: fingerprint(t, Dedup()),
        "look for benchmark items": searched.find,
        "tokens (cl100k)": lambda t: tokens.count(t, tokenizer),
    }
    for name, function in stages.items():
        function(texts.head(20))
        timed(name, lambda f=function: f(texts), megabytes)  # type: ignore[misc]
    signals = measure(texts, judges)
    timed(f"clean (verdicts of {len(rules)} rules)", lambda: clean(signals, rules), megabytes)


if __name__ == "__main__":
    main()
