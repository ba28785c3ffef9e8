"""What a corpus of some terabytes takes: constants measured per stage, and a table made of them.

`--measure` prints JSON lines, all of one thread: CPU seconds and stored bytes by stage, over pages (the WARC files of
`extraction/` below CURATE_DATA) and over text (`bench/text-8000.parquet`, four times, so that row groups fill); what
`mixture` holds a document; the S3 requests of a shard through all stages, counted by a server (moto) in this process;
what Dagster adds to a shard and stage. Without it, the tables of docs/scale.md are printed from CONSTANTS, which are
such figures: what is above a few hundred megabytes is extrapolated.

    POLARS_MAX_THREADS=1 python benchmarks/sizing.py --measure [crawl text 'text once' mixture requests dagster]
    python benchmarks/sizing.py
"""

from __future__ import annotations

import argparse
import functools
import json
import logging
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from math import ceil, floor, inf, log10
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation_dagster.lineage import Lineage

# Measured 2026-11-23, one thread of a shared AMD EPYC; text once taken off text four times, so without start-up.
CONSTANTS: dict[str, Any] = {
    "page_gz_bytes": 22_400,  # 28.5 MB of gzipped WARC, 1,270 pages
    "text_per_gz_byte": 0.333,  # articles, mostly: more of a page is text than in a crawl of anything
    "kept_docs": 0.31,  # after cleaning; by bytes .38
    "kept_text": 0.38,
    "raw_mb_gz_s": 11.4,
    "text_mb_s": {"annotated": 14.1, "cleaned": 1700},  # of extracted text, a CPU second
    "read_mb_s": 160,  # of extracted text, by each of the stages below: all of it, to leave out most
    "kept_mb_s": {
        "fingerprinted": 250,
        "scored": 57,
        "scanned": 31,
        "exported": inf,
    },  # of text kept, besides
    "duplicates_us_doc": 3.6,  # docs/dedup.md, at 10^8 documents
    "stored_per_gz_byte": {"raw": 0.132, "annotated": 0.127},
    "stored_bytes_kept_doc": {"cleaned": 100, "fingerprinted": 606, "the other tables": 260},
    "exported_per_kept_byte": 0.42,
    "spilled_per_kept_byte": 0.48,
    "worker_gb": 1.05,  # row groups of 64 MB of text
    "mixture_bytes_doc": 112,
    "requests_shard": {
        "PUT": 19,
        "LIST": 9,
        "GET": 62,
        "HEAD": 22,
    },  # through all stages, of one part
    "dagster_cpu_ms": 50,  # a shard and stage, beside the work
}
# Assumed, not measured: list prices of a large cloud, to the cent; look at your own.
PRICES = {"core_hour": 0.04, "put": 5e-6, "get": 4e-7, "gb_month": 0.023}
MOST_SHARDS, SHARD_STAGES = 10_000, 9
PART_BYTES = 50 << 20  # s3fs: a request for each, up and down


HERE = Path(__file__).parents[1]
DATA = Path(os.environ.get("CURATE_DATA") or HERE.parent / "shared" / "data")
RECIPE = """root = "{root}"
{endpoint}
workers = 1

[[sources]]
name = "crawl"
paths = ["in/*"]
shard_bytes = 1

[[steps]]
edit = "normalize"
[[steps]]
preset = "fineweb-1.1"

[dedup]
{dedup}

[score.classifier]
good = {{ shards = ["crawl-00000"] }}
ordinary = {{ shards = ["crawl-00000"] }}

[decontaminate]
[[decontaminate.benchmarks]]
name = "demo"
file = {{ path = "{benchmark}" }}
id_field = "id"

[[mix.phases]]
name = "main"
tokens = 1000000000
weights = {{ crawl = 1 }}
max_epochs = 1
"""


def project(
    folder: Path, *, root: str = "store", endpoint: str = "", keep_all: bool = False
) -> Path:
    """Write the recipe; `keep_all` lets duplicates stay."""
    text = RECIPE.format(
        root=root, endpoint=f'endpoint_url = "{endpoint}"' if endpoint else "",
        dedup="remove = false\nexact = false" if keep_all else "",
        benchmark=HERE / "recipes" / "demo-benchmark.jsonl",
    )  # fmt: skip
    path = folder / "recipe.toml"
    path.write_text(text, "utf-8")
    return path


def works() -> dict[str, Callable[..., dict[str, Any]]]:
    """Return the function of every stage up to the export."""
    from curation_dagster.annotate.stage import annotate_shard
    from curation_dagster.clean.stage import clean_shard
    from curation_dagster.decontaminate.stage import decide_shard, scan_shard
    from curation_dagster.dedup.stage import dedup_shard, find_duplicates, fingerprint_shard
    from curation_dagster.ingest.read import ingest_shard
    from curation_dagster.mix.stage import mix_shard, plan_mixture
    from curation_dagster.score.stage import score_shard, train_classifier

    return {
        "raw": ingest_shard, "annotated": annotate_shard, "cleaned": clean_shard,
        "fingerprinted": fingerprint_shard, "duplicates": find_duplicates, "deduped": dedup_shard,
        "classifier": train_classifier, "scored": score_shard, "scanned": scan_shard,
        "mixture": plan_mixture, "mixed": mix_shard, "decontaminated": decide_shard,
    }  # fmt: skip


def stages(folder: Path, *, keep_all: bool) -> None:
    """Run every stage in this process, on one thread, and print what each cost and stored."""
    from curation_dagster import plan
    from curation_dagster.job import plan_job, run
    from curation_dagster.lineage import Lineage
    from curation_dagster.recipe_file import load
    from curation_dagster.store import Store

    recipe = load(project(folder, keep_all=keep_all))
    store = Store.of(recipe)
    read = sum(shard.bytes for shard in plan.plan(recipe, store))
    print(
        json.dumps(
            {"input_mb": round(read / 1e6, 1), "files": len(list((folder / "in").iterdir()))}
        )
    )
    for stage, work in works().items():
        lineage = Lineage(recipe, store)
        jobs = [plan_job(lineage, stage, key) for key in lineage.partitions(stage)]
        began = time.process_time()
        receipts = [run(job, work) for job in jobs]
        told(stage, time.process_time() - began, [r.summary for r in receipts], store.refs(stage))
    export(Lineage(recipe, store))


def export(lineage: Lineage) -> None:
    """Do both passes of `exported`, and print their cost."""
    from curation_dagster.export.shuffle import TABLES, collect, spill_shard
    from curation_dagster.job import plan_job, run

    store, keys = lineage.store, lineage.partitions("exported")
    outputs = lineage.footer(lineage.current("mixture", "all"))["output_shards"]  # type: ignore[arg-type]
    with store.scratch() as scratch:
        began = time.process_time()
        for key, shard in lineage.shards.items():
            refs = [lineage.current(stage, key) for stage in TABLES]
            with store.fetch(*refs) as paths:  # type: ignore[arg-type]
                files = dict(zip(TABLES, paths, strict=True))
                spill_shard(files, shard, outputs, frozenset(keys), lineage.recipe.export, scratch)
        spilled = sum(path.stat().st_size for path in scratch.iterdir())
        gather = functools.partial(collect, folder=scratch, wanted=frozenset(keys))
        summaries = [run(plan_job(lineage, "exported", key), gather).summary for key in keys]
        told("exported", time.process_time() - began, summaries, store.refs("exported"))
        print(json.dumps({"stage": "exported", "spilled_mb": round(spilled / 1e6, 1)}))


def told(stage: str, cpu: float, summaries: list[dict[str, Any]], refs: list[Any]) -> None:
    """Print a stage's line."""
    text = sum(s.get("bytes_kept", 0) for s in summaries)
    line = {
        "stage": stage,
        "cpu_s": round(cpu, 2),
        "rows": sum(s.get("rows", 0) for s in summaries),
        "kept": sum(s.get("kept", 0) for s in summaries),
        "text_kept_mb": round(text / 1e6, 2),
        "stored_mb": round(sum(r.bytes for r in refs) / 1e6, 2),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    print(json.dumps(line), flush=True)


def measure_crawl(folder: Path) -> None:
    """Measure over pages, three shards."""
    for name in ("trafilatura-eval", "wcxb-dev", "readability-test-pages"):
        shutil.copy(DATA / "extraction" / f"{name}.warc.gz", folder / "in")
    stages(folder, keep_all=False)


def measure_text(folder: Path, copies: int = 4) -> None:
    """Measure over text, one shard of several times the same documents."""
    import polars as pl

    texts = pl.read_parquet(DATA / "bench" / "text-8000.parquet").select("text", "url")
    pl.concat([texts] * copies).write_parquet(folder / "in" / "text.parquet", row_group_size=4000)
    del texts
    stages(folder, keep_all=True)


def measure_mixture(_: Path) -> None:
    """Print what planning a mixture holds in memory a document."""
    import numpy as np
    import polars as pl

    from curation_dagster.mix import plan as mix_plan
    from curation_dagster.recipe import Mix

    count = 4_000_000
    docs = pl.DataFrame({
        "doc_id": pl.Series(np.arange(count)).cast(pl.String).str.zfill(24),
        "token_count": np.full(count, 1200, np.uint32),
        "quality": np.linspace(0, 1, count, dtype=np.float32),
    })  # fmt: skip
    mix = Mix.model_validate(
        {"phases": [{"name": "main", "tokens": 10**9, "weights": {"crawl": 1}}]}
    )
    begun, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mix_plan.mixture(docs.with_columns(domain=pl.lit("crawl")), mix, 10**8)
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    held = docs.estimated_size() / count
    cpu = time.process_time() - begun
    said = {
        "peak_bytes_a_doc": round(held + more / count),
        "cpu_us_a_doc": round(cpu / count * 1e6, 2),
    }
    print(json.dumps({"mixture": count} | said))


def measure_requests(folder: Path) -> None:
    """Print the S3 requests of `curate run` with 2 and with 6 shards, and what each shard more adds."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    seen: Counter[str] = Counter()
    moto = DomainDispatcherApplication(create_backend_app)

    def counting(environment: dict[str, Any], start: Any) -> Any:  # noqa: ANN401 - WSGI
        seen[kind(environment)] += 1
        return moto(environment, start)

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, counting, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ.update(
        dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "testing"),
        AWS_DEFAULT_REGION="us-east-1",
    )
    endpoint = f"http://127.0.0.1:{server.server_port}"
    import s3fs

    s3fs.S3FileSystem(endpoint_url=endpoint).mkdir("corpus")
    found = {}
    for shards in (2, 6):
        place = folder / str(shards)
        lay_out(place, shards)
        path = project(place, root=f"s3://corpus/{shards}", endpoint=endpoint)
        seen.clear()
        curate(place, "run", str(path))
        found[shards] = dict(sorted(seen.items()))
        print(json.dumps({"requests": shards, "first run": found[shards]}), flush=True)
        seen.clear()
        curate(place, "run", str(path))
        print(
            json.dumps({"requests": shards, "all current": dict(sorted(seen.items()))}), flush=True
        )
    more = {k: round((found[6][k] - found[2].get(k, 0)) / 4, 1) for k in found[6]}
    print(json.dumps({"requests a shard more": more}))
    server.shutdown()


def kind(environment: dict[str, Any]) -> str:
    """Tell a request's class: S3 bills LIST as PUT."""
    if environment["REQUEST_METHOD"] == "GET" and "list-type" in environment.get(
        "QUERY_STRING", ""
    ):
        return "LIST"
    return {"POST": "PUT"}.get(environment["REQUEST_METHOD"], environment["REQUEST_METHOD"])


def lay_out(folder: Path, shards: int) -> None:
    """Write shards of 60 documents each."""
    import polars as pl

    texts = pl.read_parquet(DATA / "bench" / "text-8000.parquet").select("text", "url")
    (folder / "in").mkdir(parents=True)
    for n in range(shards):
        texts[n * 60 : n * 60 + 60].write_ndjson(folder / "in" / f"{n:03d}.jsonl")


def measure_dagster(folder: Path) -> None:
    """Print what a shard and stage more costs `curate run --to cleaned`, of 20 and 120 shards of a document."""
    cost: dict[tuple[int, str], float] = {}
    for shards in (20, 120):
        place = folder / str(shards)
        (place / "in").mkdir(parents=True)
        for n in range(shards):
            line = json.dumps(
                {"text": f"Document {n} says about as much as others.", "url": "https://a.test/"}
            )
            (place / "in" / f"{n:04d}.jsonl").write_text(line + "\n", "utf-8")
        path = project(place)
        for what in ("computed", "current"):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            curate(place, "run", str(path), "--to", "cleaned")
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cost[shards, what] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    for what in ("computed", "current"):
        each = (cost[120, what] - cost[20, what]) / 300
        said = {
            "cpu_ms a shard and stage": round(1000 * each, 1),
            "of 20": round(cost[20, what], 1),
        }
        print(json.dumps({"dagster": what} | said))


def curate(folder: Path, *arguments: str) -> None:
    """Run the command to its end."""
    environment = os.environ | {"DAGSTER_HOME": str(folder / ".dagster"), "PYTHONPATH": str(HERE)}
    command = [sys.executable, "-m", "curation_dagster.cli", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode not in {0, 3}:
        sys.exit(done.stdout[-1000:] + done.stderr[-2000:])


def sized(terabytes: float) -> dict[str, float]:
    """Return what so many terabytes of gzipped WARC take, by the formula of docs/scale.md."""
    c = CONSTANTS
    read = terabytes * 1e12
    text, pages = read * c["text_per_gz_byte"], read / c["page_gz_bytes"]
    docs, kept = pages * c["kept_docs"], text * c["kept_text"]
    shard = max(
        1e9, min(4e9, read / 1000), read / MOST_SHARDS
    )  # a thousand, or of 4 GB, or as large as it takes
    shards = ceil(read / shard)
    hours = {"raw": read / 1e6 / c["raw_mb_gz_s"] / 3600}
    hours |= {stage: text / 1e6 / speed / 3600 for stage, speed in c["text_mb_s"].items()}
    for stage, speed in c["kept_mb_s"].items():
        hours[stage] = (text / c["read_mb_s"] + kept / speed) / 1e6 / 3600
    hours["duplicates"] = docs * c["duplicates_us_doc"] / 1e6 / 3600
    hours["Dagster"] = shards * SHARD_STAGES * c["dagster_cpu_ms"] / 1e3 / 3600
    raw, annotated = (read * share for share in c["stored_per_gz_byte"].values())
    narrow = {name: docs * each for name, each in c["stored_bytes_kept_doc"].items()}
    exported = kept * c["exported_per_kept_byte"]
    stored = raw + annotated + sum(narrow.values()) + exported
    # raw and annotated are read by the stages that read text: one, and four (fingerprinted, scored, scanned, exported)
    fetched = read + 5 * raw + 4 * annotated + sum(narrow.values()) * 2 + exported
    more = c["requests_shard"]
    puts = shards * (more["PUT"] + more["LIST"]) + stored / PART_BYTES
    gets = shards * (more["GET"] + more["HEAD"]) + fetched / PART_BYTES
    core_hours = sum(hours.values())
    return {
        "shard, GB": shard / 1e9,
        "partitions": shards,
        "runs of 100 shards, each stage": ceil(shards / 100),
        "documents after cleaning, millions": docs / 1e6,
        **{f"core hours: {name}": spent for name, spent in hours.items()},
        "core hours": core_hours,
        "days on 64 cores": core_hours / 64 / 24,
        "memory a worker, GB": c["worker_gb"],
        "memory of mixture, GB": docs * c["mixture_bytes_doc"] / 1e9,
        "scratch of duplicates, GB": narrow["fingerprinted"] / 1e9,
        "scratch a worker, GB": (raw + annotated) / shards * 1.5 / 1e9,
        "scratch of exported (one run of all), GB": kept * c["spilled_per_kept_byte"] / 1e9,
        "stored, TB": stored / 1e12,
        "of it exported, TB": exported / 1e12,
        "PUT and LIST, thousands": puts / 1e3,
        "GET and HEAD, thousands": gets / 1e3,
        "cost of compute": core_hours * PRICES["core_hour"],
        "cost of requests": puts * PRICES["put"] + gets * PRICES["get"],
        "cost of storage a month": stored / 1e9 * PRICES["gb_month"],
    }


def tables() -> None:
    """Print the table of docs/scale.md."""
    sizes = (1, 10, 100)
    found = [sized(size) for size in sizes]
    print("| gzipped WARC | " + " | ".join(f"{size} TB" for size in sizes) + " |")
    print("|---|" + "---|" * len(sizes))
    for name in found[0]:
        unit = "$" if name.startswith("cost") else ""
        print(f"| {name} | " + " | ".join(unit + shown(column[name]) for column in found) + " |")


def shown(value: float) -> str:
    """Write two digits of a number; an estimate has no more."""
    if not value:
        return "0"
    digits = max(0, 1 - floor(log10(abs(value))))
    return f"{round(value, 1 - floor(log10(abs(value)))):,.{digits}f}"


MEASURES = {
    "crawl": measure_crawl, "text": measure_text, "text once": functools.partial(measure_text, copies=1),
    "mixture": measure_mixture, "requests": measure_requests, "dagster": measure_dagster,
}  # fmt: skip


def main() -> None:
    """Measure, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", nargs="*", choices=[[], *MEASURES])
    chosen = parser.parse_args()
    if chosen.measure is None:
        tables()
        return
    if not (DATA / "extraction").is_dir():
        print(json.dumps({"skipped": f"no data in {DATA}"}))
        return
    for name in chosen.measure or MEASURES:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "in").mkdir()
            MEASURES[name](Path(folder))


if __name__ == "__main__":
    main()
