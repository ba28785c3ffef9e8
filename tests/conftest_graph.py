"""One curated corpus for all tests of the graph, run once through Dagster in a folder of its own."""

from pathlib import Path

import corpus
import dagster as dg
import pytest

from curation_dagster import plan
from curation_dagster.lineage import Lineage
from curation_dagster.orchestration import instance as instance_
from curation_dagster.orchestration import launch
from curation_dagster.orchestration.launch import Done
from curation_dagster.recipe_file import load
from curation_dagster.store import Store


def curate(
    recipe_path: Path,
    instance: dg.DagsterInstance,
    *,
    first: str | None = None,
    last: str | None = None,
    shards: list[str] | None = None,
    force: bool = False,
) -> tuple[Done, Lineage]:
    """Plan and run a recipe; return what was done and the state afterwards."""
    instance_.quiet()
    recipe = load(recipe_path)
    store = Store(recipe.root, recipe.endpoint_url)
    plan.plan(recipe, store)
    wanted = launch.select(recipe, first, last)
    done = launch.launch(instance, recipe, wanted, shards, force=force)
    return done, Lineage(recipe, store)


def outputs(lineage: Lineage, *stages: str) -> dict[str, str]:
    """Name every current partition's OUTPUT, of these stages or of all."""
    names = stages or tuple(s for s in _ALL if s != "classifier" or lineage.recipe.score.classifier)
    return {
        f"{stage}/{key}": ref.output if ref else "missing"
        for stage in names
        for key in lineage.partitions(stage)
        for ref in [lineage.current(stage, key)]
    }


_ALL = (
    "raw", "annotated", "cleaned", "fingerprinted", "duplicates", "deduped", "classifier", "scored",
    "scanned", "mixture", "mixed", "decontaminated", "exported", "release",
)  # fmt: skip


@pytest.fixture(scope="session")
def instance():
    """An instance in memory; the command line's tests have one on disk."""
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture(scope="session")
def curated(tmp_path_factory, instance):
    """(recipe path, what the first run did, the state after it)."""
    path = corpus.project(tmp_path_factory.mktemp("curated"))
    done, lineage = curate(path, instance)
    assert not done.failures, done.failures
    return path, done, lineage


@pytest.fixture
def fresh(tmp_path):
    """A project that nothing has run in yet."""
    return corpus.project(tmp_path)


@pytest.fixture
def copied(curated, tmp_path):
    """A copy of the curated project that a test may change."""
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(curated[0].parent, folder)
    return folder / curated[0].name
