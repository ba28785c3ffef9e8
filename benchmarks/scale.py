"""The engines side by side: serial, processes, Ray on one and two nodes; what a shard costs apart from its work; JSON.

Real pages (the WARC files of `extraction/` below CURATE_DATA, default ../shared/data beside the clone, laid out as 12
shards of equal size) go from `raw` to `fingerprinted`. Every line is a process of its own, so start-up is in it; CPU
seconds are of all its processes, those of Ray's nodes included; each has one Polars thread. Nodes are `ray start` on
loopback, one CPU each, on this one machine. Then the same over shards of one document each, and over jobs that do
nothing: what two sizes differ by is the overhead of a shard.

    python benchmarks/scale.py [--copies 4] [--tiny 200]
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).parents[1]
sys.path.insert(0, str(HERE / "tests"))  # ray_cluster: nodes as processes, as the tests start them
DATA = Path(os.environ.get("CURATE_DATA") or HERE.parent / "shared" / "data")
CRAWLS = ("trafilatura-eval", "wcxb-dev", "readability-test-pages")
STAGES = ("raw", "annotated", "cleaned", "fingerprinted")
RECIPE = """root = "store"
workers = {workers}
engine = "{engine}"

[[sources]]
name = "crawl"
paths = ["in/*"]
shard_bytes = 1

[[steps]]
edit = "normalize"
[[steps]]
preset = "fineweb-1.1"

[[mix.phases]]
name = "main"
tokens = 1000000
weights = {{ crawl = 1 }}
"""

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def drive(folder: Path, what: str, count: int) -> None:
    """Map in this process, which was started for it; print wall seconds by stage and what was read and written."""
    from curation_dagster import engine, plan
    from curation_dagster.alike import alike
    from curation_dagster.annotate.stage import annotate_shard
    from curation_dagster.clean.stage import clean_shard
    from curation_dagster.dedup.stage import fingerprint_shard
    from curation_dagster.ingest.read import ingest_shard
    from curation_dagster.job import plan_job, run
    from curation_dagster.lineage import Lineage
    from curation_dagster.recipe_file import load
    from curation_dagster.store import Store

    recipe = load(folder / "recipe.toml")
    how: dict[str, Any] = {"workers": recipe.workers, "engine": recipe.engine}
    if what == "nothing":
        began = time.monotonic()
        engine.run_all(abs, range(count), [str(n) for n in range(count)], **how)
        print(json.dumps({"map": round(time.monotonic() - began, 3)}), flush=True)
        return
    works: tuple[Callable[..., dict[str, Any]], ...] = (
        ingest_shard, annotate_shard, clean_shard, fingerprint_shard,
    )  # fmt: skip
    store = Store.of(recipe)
    plan.plan(recipe, store)
    seconds = {}
    for stage, work in zip(STAGES, works, strict=True):
        lineage = Lineage(recipe, store)
        jobs = [plan_job(lineage, stage, key) for key in lineage.partitions(stage)][:count]
        with alike(recipe, jobs[0].shard) as said:
            began = time.monotonic()
            outcomes = engine.run_all(
                functools.partial(run, work=work), jobs, [j.key for j in jobs], alike=said, **how
            )
            seconds[stage] = round(time.monotonic() - began, 2)
        if failed := [o.message for o in outcomes if o.error]:
            sys.exit("\n".join(failed))
    outputs = [r.output for r in Lineage(recipe, store).store.refs("fingerprinted")]
    print(json.dumps(seconds | {"outputs": sorted(outputs)}), flush=True)


def members(path: Path) -> Iterator[bytes]:
    """Yield the gzip members of a WARC file: a record each."""
    content = path.read_bytes()
    while content:
        reader = zlib.decompressobj(wbits=31)
        reader.decompress(content)
        yield content[: len(content) - len(reader.unused_data)]
        content = reader.unused_data


def crawl(folder: Path, shards: int, copies: int) -> float:
    """Write the crawl as files of about equal size; return their bytes in MB."""
    pages = [page for name in CRAWLS for page in members(DATA / "extraction" / f"{name}.warc.gz")]
    pages.sort(key=len)
    (folder / "in").mkdir(parents=True)
    size = 0
    for number in range(shards):
        file = folder / "in" / f"{number:03d}.warc.gz"
        file.write_bytes(b"".join(pages[number::shards] * copies))
        size += file.stat().st_size
    return size / 1e6


def tiny(folder: Path, shards: int) -> float:
    """Write shards of one document."""
    (folder / "in").mkdir(parents=True)
    for n in range(shards):
        text = f"This is document number {n}, and it says about as much as the others do."
        line = json.dumps({"text": text, "url": f"https://a.test/{n}"})
        (folder / "in" / f"{n:06d}.jsonl").write_text(line + "\n", "utf-8")
    return 0.0


ENGINES = (  # name, engine, workers, nodes
    ("serial", "processes", 1, 0),
    ("processes, 2 workers", "processes", 2, 0),
    ("ray, 1 node", "ray", 0, 1),
    ("ray, 2 nodes", "ray", 0, 2),
)


def measure(
    make: Callable[[Path], float], kind: tuple[str, str, int, int], what: str = "shards", count: int = 1 << 30
) -> dict[str, Any]:  # fmt: skip
    """Run one engine over a corpus in a folder of its own; return what it cost."""
    import ray_cluster

    label, engine, workers, nodes = kind
    with tempfile.TemporaryDirectory() as name, ray_cluster.cluster() as cluster:
        folder = Path(name)
        megabytes = make(folder)
        (folder / "recipe.toml").write_text(RECIPE.format(workers=workers, engine=engine))
        for _ in range(nodes):
            cluster.add()
        environment = os.environ | {"POLARS_MAX_THREADS": "1", "PYTHONPATH": str(HERE)}
        environment |= cluster.environment if nodes else {}
        command = [sys.executable, __file__, "--drive", str(folder), what, str(count)]
        nodes_before, before = cpu_of(cluster), resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.monotonic()
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "start_new_session": True}
        driver = subprocess.Popen(command, env=environment, **pipes)  # type: ignore[call-overload]  # noqa: S603 - ours
        with driver, driver.stdin as going_on, driver.stdout as out:
            line = out.readline()
            wall = time.monotonic() - began
            nodes_cpu = cpu_of(cluster) - nodes_before  # Ray's workers end with the driver
            peak = max(map(peak_rss_mb, [*ray_cluster.Node(driver).pids(), *pids(cluster)]))
            going_on.close()
        if driver.returncode:
            sys.exit(driver.returncode)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime + nodes_cpu
    said = json.loads(line)
    return {
        "engine": label, "wall_s": round(wall, 1), "cpu_s": round(cpu, 1), "mb": round(megabytes, 1),
        "peak_rss_mb": peak, "load": round(os.getloadavg()[0], 1),
    } | said  # fmt: skip


def cpu_of(cluster: Any) -> float:  # noqa: ANN401 - of tests/
    """Return the CPU seconds of the nodes' processes so far, those that ended included."""
    ticks = 0
    for pid in pids(cluster):
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def peak_rss_mb(pid: int) -> int:
    """Return the most memory a process has held so far."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    return next(int(line.split()[1]) // 1024 for line in status.splitlines() if "VmHWM" in line)


def pids(cluster: Any) -> list[int]:  # noqa: ANN401 - of tests/
    """List the processes of all nodes."""
    return [pid for node in cluster.nodes for pid in node.pids()]


def main() -> None:
    """Print a line for every engine and size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=4)
    parser.add_argument("--tiny", type=int, default=200, help="0: only the pages")
    parser.add_argument("--drive", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.drive:
        folder, what, count = chosen.drive
        drive(Path(folder), what, int(count))
        sys.stdin.read()
        return
    if not (DATA / "extraction").is_dir():
        print(json.dumps({"skipped": f"no pages in {DATA}"}))
        return
    print(json.dumps({"load": os.getloadavg()[0], "cores": os.cpu_count()}), flush=True)
    outputs = set()
    measure(lambda folder: crawl(folder, 12, 1), ENGINES[0])  # kernels are compiled once a machine
    for kind in ENGINES:
        line = measure(lambda folder: crawl(folder, 12, chosen.copies), kind)
        outputs.add(tuple(line.pop("outputs")))
        line["mb_per_wall_s"] = round(line["mb"] / sum(line[s] for s in STAGES), 2)
        print(json.dumps({"what": "crawl"} | line), flush=True)
    print(json.dumps({"same files": len(outputs) == 1}), flush=True)
    few = max(10, chosen.tiny // 10)
    for kind in ENGINES if chosen.tiny else ():
        small, large = (
            measure(lambda folder, n=n: tiny(folder, n), kind) for n in (few, chosen.tiny)
        )
        print(
            json.dumps(slope("a shard and stage", kind[0], small, large, (chosen.tiny - few) * 4)),
            flush=True,
        )
        if kind[0] != "serial":
            some, many = (
                measure(lambda folder: tiny(folder, 1), kind, "nothing", n) for n in (500, 4000)
            )
            print(
                json.dumps(slope("a job that does nothing", kind[0], some, many, 3500)), flush=True
            )


def slope(
    what: str, engine: str, small: dict[str, Any], large: dict[str, Any], more: int
) -> dict[str, Any]:
    """Return what one more costs, and what there is to pay without any."""
    return {
        "what": what,
        "engine": engine,
        "cpu_ms": round(1000 * (large["cpu_s"] - small["cpu_s"]) / more, 2),
        "wall_ms": round(1000 * (large["wall_s"] - small["wall_s"]) / more, 2),
        "start_cpu_s": small["cpu_s"],
        "start_wall_s": small["wall_s"],
    }


if __name__ == "__main__":
    main()
