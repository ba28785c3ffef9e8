"""The same recipe and inputs give the same files, whatever the workers, threads, order of shards, or interruptions."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import corpus
import pytest
from conftest_graph import curate, outputs

from curation_dagster.lineage import Lineage
from curation_dagster.recipe_file import load
from curation_dagster.store import SCRATCH, Store

CURATE = str(Path(sys.executable).with_name("curate"))


def run_in_a_process(path: Path, last: str, **environment: str) -> subprocess.Popen:
    """Start `curate run` on a project in a process of its own."""
    return subprocess.Popen(
        [CURATE, "run", str(path), "--to", last],
        env=os.environ | {"DAGSTER_HOME": str(path.parent / "dagster-home")} | environment,
        cwd=path.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def state(path: Path) -> dict[str, str]:
    """Name the files there are: what the first stages gave, or all."""
    recipe = load(path)
    found = outputs(Lineage(recipe, Store(recipe.root)))
    return {name: output for name, output in found.items() if output != "missing"}


@pytest.mark.parametrize(
    ("workers", "last", "environment"),
    [
        pytest.param(2, "cleaned", {"POLARS_MAX_THREADS": "1", "PYTHONHASHSEED": "99"}, id="two workers"),
        pytest.param(
            2, "release", {"PYTHONHASHSEED": "5"}, id="two workers to the end", marks=pytest.mark.slow
        ),
        pytest.param(
            1, "release", {"POLARS_MAX_THREADS": "4", "PYTHONHASHSEED": "7"}, id="four threads", marks=pytest.mark.slow
        ),
    ],
)  # fmt: skip
def test_workers_threads_and_hash_seed_do_not_matter(curated, tmp_path, workers, last, environment):
    path = corpus.project(tmp_path, workers=workers)
    process = run_in_a_process(path, last, **environment)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out.decode()
    found = state(path)
    assert any(name.startswith(last) for name in found)
    assert found.items() <= outputs(curated[2]).items()


def test_the_order_of_shards_does_not_matter(curated, fresh, instance):
    for key in reversed(curated[2].partitions("raw")):
        done, _ = curate(fresh, instance, last="fingerprinted", shards=[key])
        assert not done.failures
    done, lineage = curate(fresh, instance, last="deduped")
    assert not done.failures
    stages = ("raw", "annotated", "cleaned", "fingerprinted", "duplicates", "deduped")
    assert outputs(lineage, *stages) == outputs(curated[2], *stages)


@pytest.mark.parametrize(
    ("stage", "last"),
    [
        pytest.param("annotated", "cleaned"),
        pytest.param("raw", "release", marks=pytest.mark.slow),
        pytest.param("deduped", "release", marks=pytest.mark.slow),
        pytest.param("exported", "release", marks=pytest.mark.slow),
    ],
)
def test_killed_in_the_middle_then_resumed_gives_the_same_files(curated, tmp_path, stage, last):
    path = corpus.project(tmp_path)
    process = run_in_a_process(path, last)
    folder = tmp_path / "store" / stage
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if folder.exists() and any(folder.iterdir()):
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.002)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not any(name.startswith(last) for name in state(path))
    again = run_in_a_process(path, last)
    out, _ = again.communicate(timeout=300)
    assert again.returncode == 0, out.decode()
    found = state(path)
    assert any(name.startswith(last) for name in found)
    assert found.items() <= outputs(curated[2]).items()
    assert list((tmp_path / "store" / SCRATCH).iterdir()) == []
