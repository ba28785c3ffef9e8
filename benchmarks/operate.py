"""What operating costs apart from the work: many partitions, nothing to do, Dagster beside the engine, as JSON lines.

A corpus of `--shards` files of one document each (default 10,000), a shard a file; CPU seconds of whole processes.

    python benchmarks/operate.py [--shards 10000] [--run-shards 100]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RECIPE = """root = "store"
workers = 1

[[sources]]
name = "many"
paths = ["in/*.jsonl"]
shard_bytes = 1

[[steps]]
judge = "language"
languages = ["en"]

[[mix.phases]]
name = "main"
tokens = 1000
weights = { many = 1 }
"""
TICK = """
import sys
from pathlib import Path
import dagster as dg
from curation_dagster.orchestration import automation, instance
from curation_dagster.recipe_file import load
instance.quiet()
with dg.DagsterInstance.get() as opened, dg.build_sensor_context(instance=opened) as context:
    sensor = automation.sensor(load(Path(sys.argv[1])))
    assert sensor.evaluate_tick(context).run_requests
"""
ENGINE = """
import functools, sys
from pathlib import Path
from curation_dagster import engine, job
from curation_dagster.annotate.stage import annotate_shard
from curation_dagster.clean.stage import clean_shard
from curation_dagster.ingest.read import ingest_shard
from curation_dagster.lineage import Lineage
from curation_dagster.recipe_file import load
from curation_dagster.store import Store
recipe, shards = load(Path(sys.argv[1])), sys.argv[2].split(",")
for stage, work in (("raw", ingest_shard), ("annotated", annotate_shard), ("cleaned", clean_shard)):
    lineage = Lineage(recipe, Store.of(recipe))
    jobs = [job.plan_job(lineage, stage, shard) for shard in shards]
    todo = functools.partial(job.run, work=work)
    done = engine.run_all(todo, jobs, shards, workers=recipe.workers)
    assert all(outcome.result and outcome.result.computed for outcome in done)
"""
LOAD = "from curation_dagster.definitions import defs; list(defs.resolve_all_asset_specs())"


def main() -> None:
    """Print what each command costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=10_000)
    parser.add_argument("--run-shards", type=int, default=100)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "recipes" / "in").mkdir(parents=True)
        recipe = folder / "recipes" / "many.toml"
        recipe.write_text(RECIPE, "utf-8")
        for n in range(chosen.shards):
            text = f"This is document number {n}, and it says about as much as the others do."
            line = json.dumps({"text": text, "url": f"https://a.test/{n}"})
            (folder / "recipes" / "in" / f"{n:06d}.jsonl").write_text(line + "\n", "utf-8")
        first, count = 10, min(chosen.run_shards, (chosen.shards - 10) // 2)
        some = ",".join(f"many-{n:05d}" for n in range(first, first + count))
        others = ",".join(f"many-{n:05d}" for n in range(first + count, first + 2 * count))
        curate = [sys.executable, "-m", "curation_dagster.cli"]
        run = [*curate, "run", str(recipe), "--to", "cleaned", "--shards"]
        for label, command in (
            ("curate plan", [*curate, "plan", str(recipe)]),
            ("curate plan, nothing new", [*curate, "plan", str(recipe)]),
            ("curate run of one shard", [*run, "many-00007"]),
            ("curate run of one shard, current", [*run, "many-00007"]),
            (f"curate run of {count} shards", [*run, some]),
            (f"curate run of {count} shards, current", [*run, some]),
            (
                f"the same work on {count} others, engine alone",
                [sys.executable, "-c", ENGINE, str(recipe), others],
            ),
            ("code location", [sys.executable, "-W", "ignore", "-c", LOAD]),
            ("sensor, one look", [sys.executable, "-W", "ignore", "-c", TICK, str(recipe)]),
            ("curate status", [*curate, "status", str(recipe)]),
        ):
            measure(label, command, folder)


def measure(label: str, command: list[str], folder: Path) -> None:
    """Run a command to its end and print what it cost."""
    environment = os.environ | {
        "CURATE_RECIPES": str(folder / "recipes"), "DAGSTER_HOME": str(folder / ".dagster"),
    }  # fmt: skip
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    line = {"what": label, "cpu_s": round(cpu, 1), "wall_s": round(time.monotonic() - began, 1)}
    if done.returncode:
        line["failed"] = (done.stderr or done.stdout)[-300:]
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
