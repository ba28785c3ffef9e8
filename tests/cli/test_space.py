"""`curate du` and `curate gc`: what is needed stays, byte for byte; what nobody needs goes."""

import json
from pathlib import Path

import pytest
from conftest_graph import curate as run
from conftest_graph import outputs

from curation_dagster import scratch_folders
from curation_dagster.lineage import Lineage
from curation_dagster.recipe_file import load
from curation_dagster.store import SCRATCH, Store


def files(lineage) -> set[str]:
    root = Path(lineage.store.root)
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def changed(copied, instance):
    """A recipe that was run, then changed and run again: (path, state, files of the first run)."""
    first = files(Lineage(load(copied), Store(load(copied).root)))
    copied.write_text(copied.read_text().replace("min_words = 50", "min_words = 60"))
    done, lineage = run(copied, instance)
    assert not done.failures
    return copied, lineage, first


def test_what_the_change_left_behind_goes_and_nothing_else(changed, curate):
    path, lineage, _ = changed
    kept = outputs(lineage)
    before = files(lineage)
    told = json.loads(curate("du", path, "--json").stdout)
    assert told["in_all"]["unneeded_bytes"] > 0
    said = curate("gc", path, "--keep-days", "0")
    assert "--yes removes them" in said.stdout
    assert files(lineage) == before
    done = curate("gc", path, "--keep-days", "0", "--yes")
    assert done.exit_code == 0
    gone = before - files(lineage)
    stages = {name.split("/")[-2] for name in gone}
    assert "cleaned" in stages
    assert "raw" not in stages
    again = Lineage(load(path), Store(lineage.store.root))
    assert outputs(again) == kept
    assert json.loads(curate("du", path, "--json").stdout)["in_all"]["unneeded_bytes"] == 0
    assert "0 files" in curate("gc", path, "--keep-days", "0", "--yes").stdout


def test_another_recipe_keeps_what_it_needs(changed, curate):
    path, lineage, first = changed
    other = path.with_name("other.toml")
    text = path.read_text().replace("min_words = 60", "min_words = 50")
    other.write_text(text)
    before = Lineage(load(other), Store(lineage.store.root))
    own = {
        ref.name for key in before.partitions("cleaned") for ref in [before.current("cleaned", key)]
    }
    assert own < first
    curate("gc", path, "--keep-days", "0", "--yes")
    assert own <= files(lineage)
    other.write_text("rooot = 1\n" + other.read_text())
    refused = curate("gc", path, "--keep-days", "0", "--yes")
    assert refused.exit_code == 2
    assert "other.toml does not load" in refused.stderr


def test_young_files_and_those_of_a_release_stay(changed, curate, instance):
    path, lineage, _ = changed
    assert "younger than 7 days stay" in curate("gc", path, "--yes").stdout
    manifest = json.loads(
        Store(lineage.store.root).read(f"releases/{lineage.recipe.name}/manifest.json")
    )
    path.write_text(path.read_text().replace("tokens = 30000", "tokens = 20000"))
    done, later = run(
        path, instance, last="decontaminated"
    )  # so the recipe wants others than were released
    assert not done.failures
    released = {file["name"] for file in manifest["files"]}
    wanted = {later.made_from("exported", key) is None for key in later.partitions("exported")}
    assert wanted == {False}
    curate("gc", path, "--keep-days", "0", "--yes")
    assert released <= files(lineage)


def test_a_partition_whose_parents_are_gone_loses_nothing(changed, curate):
    """A lost parent makes what follows it unknown, not unneeded."""
    path, lineage, _ = changed
    for ref in [lineage.current("raw", key) for key in lineage.partitions("raw")]:
        Path(lineage.store.path(ref.name)).unlink()
    before = files(lineage)
    curate("gc", path, "--keep-days", "0", "--yes")
    assert files(lineage) == before


def test_scratch_of_dead_processes_goes(changed, curate):
    path, lineage, _ = changed
    space = scratch_folders.owner().split("-")[0]
    dead = Path(lineage.store.path(f"{SCRATCH}/{space}-999999999-1-x"))
    dead.mkdir(parents=True)
    assert "1 folder of dead processes" in curate("gc", path, "--yes").stdout
    assert not dead.exists()
