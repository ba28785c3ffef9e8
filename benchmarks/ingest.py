"""WARC to text end to end, in CPU seconds of one process, as JSON lines; datatrove beside it where it is installed.

Reading alone (the blocks of all records, nothing looked at) is measured beside fastwarc's, turn by turn.

Reads `pages-2500.warc.gz` from the folder named by CURATE_BENCH (default: ../shared/data/bench beside the clone);
says so and stops where it is absent. `--peer PYTHON` names the interpreter of an environment with
`datatrove[io,processing]` and trafilatura: its WarcReader and Trafilatura block then read the same file.

    python benchmarks/ingest.py [--peer /path/to/python]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

BENCH = Path(
    os.environ.get("CURATE_BENCH") or Path(__file__).parents[2] / "shared" / "data" / "bench"
)
PEER = """
import json, resource, sys
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.readers import WarcReader
def cpu():  # datatrove extracts in a child process; it has ended when the generator has
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)
folder, name = sys.argv[1:]
began = cpu()
texts = [len(d.text) for d in Trafilatura(timeout=60)(WarcReader(folder, glob_pattern=name)())]
print(json.dumps({"documents": len(texts), "chars": sum(texts), "cpu_s": round(cpu() - began, 2)}))
"""


def main() -> None:
    """Measure ours, then the peer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", help="a Python that can import datatrove")
    chosen = parser.parse_args()
    path = BENCH / "pages-2500.warc.gz"
    if not path.exists():
        print(json.dumps({"skipped": f"no benchmark data in {BENCH}"}))
        sys.exit(0)
    html = sum(len(block) for block in blocks(path))
    reading(path)
    ours = {name: measure(path, html, name) for name in ("blocks", "fast")}
    if not chosen.peer:
        return
    done = subprocess.run(  # noqa: S603 - the interpreter the user named
        [chosen.peer, "-c", PEER, str(path.parent), path.name],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    peer = json.loads(done.stdout.splitlines()[-1])
    line = {"reader": "datatrove WarcReader + Trafilatura"} | peer
    print(json.dumps(line | {"html_mb_per_cpu_s": round(html / 1e6 / peer["cpu_s"], 2)}))
    for name, seconds in ours.items():
        print(json.dumps({"ratio": name, "times_datatrove": round(peer["cpu_s"] / seconds, 1)}))


def blocks(path: Path) -> list[bytes]:
    """Return the blocks of all responses."""
    from curation_dagster.ingest.archive import records

    with path.open("rb") as stream:
        return [
            r.block for r in records(stream, path.stat().st_size, 64 << 20) if r.kind == "response"
        ]


def reading(path: Path) -> None:
    """Read all blocks with our reader and with fastwarc's, five times each in turn; print the least."""
    least = {"ingest": float("inf"), "fastwarc": float("inf")}
    held: dict[str, list[int]] = {}
    for _ in range(5):
        for name, read in (("ingest", blocks), ("fastwarc", fastwarc_blocks)):
            began = time.process_time()
            held[name] = [len(block) for block in read(path)]
            least[name] = min(least[name], time.process_time() - began)
    if held["ingest"] != held["fastwarc"]:
        sys.exit("the readers disagree about the blocks")
    line: dict[str, Any] = {"reading": "blocks of all responses", "records": len(held["ingest"])}
    line |= {f"{name}_cpu_s": round(seconds, 3) for name, seconds in least.items()}
    print(json.dumps(line | {"times_fastwarc": round(least["ingest"] / least["fastwarc"], 2)}))


def fastwarc_blocks(path: Path) -> list[bytes]:
    """Return the same blocks by fastwarc."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    with path.open("rb") as stream:
        records = ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=False)
        return [record.reader.read() for record in records]


def measure(path: Path, html_bytes: int, extractor: str) -> float:
    """Read the file on one thread, three times; print the least."""
    from curation_dagster.ingest import warc
    from curation_dagster.recipe import Ingest

    config = Ingest(extractor=extractor)  # type: ignore[arg-type]
    least: dict[str, Any] = {"cpu_s": float("inf")}
    for _ in range(3):
        began = time.process_time()
        with path.open("rb") as stream:
            rows = [warc.row(r, config) for r in warc.read(stream, path.stat().st_size, config)]
        spent = time.process_time() - began
        texts = [row["text"] for row in rows if row.get("text")]
        if spent < least["cpu_s"]:
            least = {"documents": len(texts), "chars": sum(map(len, texts)), "cpu_s": spent}
    line = {
        "reader": f"ingest, {extractor}",
        **least,
        "html_mb_per_cpu_s": round(html_bytes / 1e6 / least["cpu_s"], 1),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    print(json.dumps(line), flush=True)
    return float(least["cpu_s"])


if __name__ == "__main__":
    main()
