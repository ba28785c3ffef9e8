"""Storage behind a bad line: rounds with everything a store does, through a proxy that spoils 3 of 10 requests.

Before Ceph's radosgw (Debian's packages, `.ci/debian`), 5 kinds of faults x 15 seeds. A round publishes three files
(one in three parts), creates, lists, fetches, reads ranges, replaces and removes, and compares all of it. It is right,
loud (a StorageError that names the key) or wrong. Then, without faults, everything visible is read and must be what its
name says. Printed: one JSON line a kind. `python benchmarks/faults.py [ROUNDS]`.
"""

import dataclasses
import json
import logging
import os
import platform
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import ceph
import faulty
import storage_rounds

from curation_dagster import faults, s3
from curation_dagster.store import Store

RATE = 0.3
LARGE = 10_500_000  # in parts of 5 MiB


def rounds(kind: str, count: int, server: ceph.Ceph, folder: Path) -> dict:
    ended, requests, spoiled, files, slowest = Counter(), 0, 0, 0, 0.0
    for seed in range(count):
        began = time.monotonic()
        with faulty.before(server.endpoint_url) as line:
            line.never_s = 1.5
            store = Store(f"s3://{server.bucket()}/root", line.url)
            line.inject(kind, seed=seed, rate=RATE)
            try:
                ended[storage_rounds.round_of(store, folder, seed, LARGE)] += 1
            except AssertionError as error:
                ended[f"wrong: {error}"] += 1
            requests += line.seen.total()
            spoiled += line.spoiled.total()
            line.inject(None)
            files += storage_rounds.whole(store)
        slowest = max(slowest, time.monotonic() - began)
    return {
        "fault": kind,
        "rounds": count,
        "right": ended.pop("right", 0),
        "loud": ended.pop("loud", 0),
        "wrong": dict(ended),
        "requests": requests,
        "spoiled": spoiled,
        "visible files, all whole": files,
        "slowest round s": round(slowest, 1),
    }


def main() -> None:
    if not shutil.which("radosgw"):
        print(json.dumps({"skipped": "radosgw is not installed, see .ci/debian"}))
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    logging.disable(logging.WARNING)
    # The product's own patience, but for silence: 60 s of it in each slow round would measure nothing more.
    faults.PATIENCE = dataclasses.replace(faults.PATIENCE, silence_s=1)
    s3.PART_BYTES = 5 << 20
    print(json.dumps({"machine": platform.processor() or platform.machine(), "rate": RATE}))
    with tempfile.TemporaryDirectory() as folder, ceph.running(Path(folder) / "ceph") as server:
        os.environ.update(server.environment)
        os.environ.pop("AWS_MAX_ATTEMPTS", None)
        for kind in faulty.KINDS:
            print(json.dumps(rounds(kind, count, server, Path(folder))), flush=True)


if __name__ == "__main__":
    main()
