"""`curate reconcile`: what is missing, stale, foreign, damaged or interrupted is named, and exactly that is mended."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from conftest_graph import outputs

from curation_dagster import plan
from curation_dagster.lineage import Lineage
from curation_dagster.orchestration import partitions
from curation_dagster.recipe_file import load
from curation_dagster.store import Store


def state(recipe_path) -> Lineage:
    recipe = load(recipe_path)
    return Lineage(recipe, Store.of(recipe))


def place(lineage, stage, key) -> Path:
    return Path(lineage.store.path(lineage.current(stage, key).name))


def named(found) -> set[tuple[str, str, str]]:
    return {(f["kind"], f["stage"], f["name"]) for f in json.loads(found.stdout)}


@pytest.fixture
def synced(copied, tmp_path, monkeypatch):
    """A curated copy whose Dagster instance knows the partitions."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster-home"))
    (tmp_path / "dagster-home").mkdir()
    lineage = state(copied)
    with dg.DagsterInstance.get() as instance:
        partitions.sync(instance, lineage.recipe, lineage)
    return copied


def test_nothing_is_off(synced, curate):
    found = curate("reconcile", synced, "--verify")
    assert found.exit_code == 0, found.stdout
    assert "mends it" not in found.stdout


def test_all_that_is_off_is_named_and_exactly_that_is_run(synced, curate):
    lineage = state(synced)
    before = outputs(lineage)
    store = Path(lineage.recipe.root)
    lost, bad = lineage.partitions("annotated")[2], lineage.partitions("scanned")[0]
    place(lineage, "annotated", lost).unlink()
    broken = place(lineage, "scanned", bad)
    broken.write_bytes(broken.read_bytes()[:-1] + b"?")
    (store / "raw" / "notes.txt").write_text("mine")
    stray = f"raw/gamma-00000.{'0' * 12}.{'0' * 12}.parquet"
    (store / stray).write_bytes(b"")
    (store / "releases/tiny/manifest.json").unlink()
    with dg.DagsterInstance.get() as instance:
        name = partitions.definition(lineage.recipe, "shard").name
        instance.add_dynamic_partitions(name, ["gamma-00000"])
        asset = dg.AssetKey(["tiny", "annotated"])
        instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=lost))
    quick = curate("reconcile", synced, "--json")
    assert quick.exit_code == 1
    assert named(quick) == {
        ("missing", "annotated", lost),
        ("foreign", "raw", "raw/notes.txt"),
        ("foreign", "raw", stray),
        ("foreign", "raw", "gamma-00000"),
    }
    assert "Dagster calls it materialized" in quick.stdout
    verified = named(curate("reconcile", synced, "--verify", "--json"))
    assert verified == named(quick) | {("damaged", "scanned", f"scanned/{broken.name}")}
    done = curate("reconcile", synced, "--verify", "--repair")
    assert done.exit_code == 0, done.stdout + done.stderr
    assert "2 partitions computed in 3 runs" in done.stdout
    after = state(synced)
    assert outputs(after) == before
    assert (store / "releases/tiny/manifest.json").exists()
    assert (store / "raw" / "notes.txt").exists(), "foreign files are left alone"
    again = curate("reconcile", synced, "--verify", "--json")
    assert {kind for kind, *_ in named(again)} == {"foreign"}
    assert ("foreign", "raw", "gamma-00000") not in named(again)


def test_stale_partitions_say_why(synced, curate):
    synced.write_text(synced.read_text().replace("min_words = 50", "min_words = 60"))
    found = curate("reconcile", synced)
    assert found.exit_code == 1
    assert "stale: cleaned alpha-00000: changed: recipe (steps)" in found.stdout


def test_a_plan_and_a_release_that_were_interrupted(synced, curate):
    lineage = state(synced)
    recipe, store = lineage.recipe, lineage.store
    kept = plan.shards(recipe, store)[-1]
    file = Path(store.path(f"plan/{kept.source}/{kept.key}.json"))
    draft = {"shards": [json.loads(file.read_text())]}
    Path(store.path("plan/draft-00000.json")).write_text(json.dumps(draft))
    Path(store.path("releases/tiny/manifest.json")).unlink()
    found = named(curate("reconcile", synced, "--json"))
    assert found == {("interrupted", "plan", "plan/draft-00000.json"), ("interrupted", "release", "all")}  # fmt: skip
    assert "not rendered whole" in curate("status", synced).stdout
    assert curate("reconcile", synced, "--repair").exit_code == 0
    assert curate("reconcile", synced).exit_code == 0


@pytest.mark.slow
def test_two_runs_over_a_fresh_instance_and_a_fresh_root_both_succeed(fresh, tmp_path):
    environment = os.environ | {"DAGSTER_HOME": str(tmp_path / "home"), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "curation_dagster.cli", "run", str(fresh)]
    for attempt in range(2):
        both = [
            subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            for _ in range(2)
        ]  # fmt: skip
        said = [process.communicate(timeout=500)[0] for process in both]
        assert [process.returncode for process in both] == [0, 0], said
        lineage = state(fresh)
        assert "missing" not in outputs(lineage).values()
        assert plan.unfinished(lineage.store) == []
        if not attempt:
            shutil.rmtree(tmp_path / "home")
            shutil.rmtree(lineage.recipe.root)


OPENS = """
import sys, pathlib
from curation_dagster.orchestration.instance import instance
print("ready", flush=True)
sys.stdin.readline()
with instance(pathlib.Path(sys.argv[1])) as opened:
    opened.add_dynamic_partitions("x", [sys.argv[2]])
    print(opened.get_runs_count(), flush=True)
"""


def test_two_processes_make_an_instance_at_once(tmp_path):
    environment = {k: v for k, v in os.environ.items() if k != "DAGSTER_HOME"}
    both = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", OPENS, str(tmp_path), name],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for name in "ab"
    ]  # fmt: skip
    assert [process.stdout.readline() for process in both] == ["ready\n"] * 2
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate(timeout=100)[0] for process in both] == ["0\n"] * 2
    assert [process.returncode for process in both] == [0, 0]
